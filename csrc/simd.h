/* The vector type of this compilation: `real` is float or double, `vec` a register
 * of LANES of them. Portable GCC/Clang vector extensions, no intrinsics. */
#ifndef FASTDL_SIMD_H
#define FASTDL_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tiles.h"

#if REAL_BITS == 64
typedef double real;
typedef int64_t lane_int; /* an integer of the width of a lane */
#else
typedef float real;
typedef int32_t lane_int;
#endif

#define LANES ((ptrdiff_t)(VECTOR_BYTES / sizeof(real)))
#define TILE_COLS (TILE_VECTORS * LANES)

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_int vec_int __attribute__((vector_size(VECTOR_BYTES)));
/* The same register at any address that a real may have. */
typedef real vec_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE vec load(const real *p) { return *(const vec_unaligned *)p; }
ALWAYS_INLINE void store(real *p, vec v) { *(vec_unaligned *)p = v; }
/* s - 0 is s, bit for bit, so the subtraction is folded away (s + 0 would not be:
 * -0 + 0 is +0). */
ALWAYS_INLINE vec splat(real s) { return s - (vec){0}; }

/* The first n < LANES elements; the other lanes hold `fill`. Nothing is read or
 * written beyond n. */
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  vec v = splat(fill);
  memcpy(&v, p, (size_t)n * sizeof(real));
  return v;
}
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  memcpy(p, &v, (size_t)n * sizeof(real));
}

/* mask lanes are 0 or -1, as vector comparisons give them */
ALWAYS_INLINE vec choose(vec_int mask, vec yes, vec no) {
  return (vec)(((vec_int)yes & mask) | ((vec_int)no & ~mask));
}

#endif
