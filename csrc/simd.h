/* The vector type of this compilation: `real` is float or double, `vec` a register
 * of LANES of them. Portable GCC/Clang vector extensions; intrinsics only for masks,
 * beside the portable form. */
#ifndef FASTDL_SIMD_H
#define FASTDL_SIMD_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "isa.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if REAL_BITS == 64
typedef double real;
typedef int64_t lane_int; /* an integer of the width of a lane */
#else
typedef float real;
typedef int32_t lane_int;
#endif

#define VECTOR_LANES (VECTOR_BYTES * 8 / REAL_BITS)
#define LANES ((ptrdiff_t)VECTOR_LANES)
#define TILE_COLS (TILE_VECTORS * LANES)

typedef real vec __attribute__((vector_size(VECTOR_BYTES)));
typedef lane_int vec_int __attribute__((vector_size(VECTOR_BYTES)));
/* The same register at any address that a real may have. */
typedef real vec_unaligned
    __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#if REAL_BITS == 64
#define SQRT __builtin_sqrt
#else
#define SQRT __builtin_sqrtf
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The real so many bytes behind another. */
ALWAYS_INLINE real *behind(const real *p, ptrdiff_t bytes) {
  return (real *)((char *)(uintptr_t)p + bytes);
}

ALWAYS_INLINE vec load(const real *p) { return *(const vec_unaligned *)p; }
ALWAYS_INLINE void store(real *p, vec v) { *(vec_unaligned *)p = v; }
/* The same past the caches, without reading what lies there; p is aligned to a vector.
 * Other threads see it after stream_end. */
#if defined(__AVX512F__)
ALWAYS_INLINE void stream(real *p, vec v) {
  _mm512_stream_si512((__m512i *)p, (__m512i)v);
}
#elif defined(__AVX2__)
ALWAYS_INLINE void stream(real *p, vec v) {
  _mm256_stream_si256((__m256i *)p, (__m256i)v);
}
#elif defined(__SSE2__)
ALWAYS_INLINE void stream(real *p, vec v) {
  _mm_stream_si128((__m128i *)p, (__m128i)v);
}
#else
ALWAYS_INLINE void stream(real *p, vec v) { store(p, v); }
#endif
#if defined(__SSE2__)
ALWAYS_INLINE void stream_end(void) { _mm_sfence(); }
#else
ALWAYS_INLINE void stream_end(void) {}
#endif
/* Past the caches or not: for what may be too large for them. */
ALWAYS_INLINE void put(real *p, vec v, int streams) {
  if (streams)
    stream(p, v);
  else
    store(p, v);
}
/* s - 0 is s, bit for bit, so the subtraction is folded away (s + 0 would not be:
 * -0 + 0 is +0). */
ALWAYS_INLINE vec splat(real s) { return s - (vec){0}; }

/* -1 in the first n lanes, 0 in the others */
ALWAYS_INLINE vec_int first_lanes(ptrdiff_t n) {
  static const lane_int number[16] = {0, 1, 2,  3,  4,  5,  6,  7,
                                      8, 9, 10, 11, 12, 13, 14, 15};
  vec_int lane;
  memcpy(&lane, number, sizeof lane);
  return lane < (lane_int)(n < LANES ? n : LANES);
}

/* mask lanes are 0 or -1, as vector comparisons give them */
ALWAYS_INLINE vec choose(vec_int mask, vec yes, vec no) {
  return (vec)(((vec_int)yes & mask) | ((vec_int)no & ~mask));
}

ALWAYS_INLINE real sum_of_lanes(vec v) {
  real lane[LANES];
  store(lane, v);
#pragma GCC unroll 4
  for (int half = (int)LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++) lane[l] += lane[l + half];
  return lane[0];
}

/* load_first: the first n < LANES elements; the other lanes hold `fill`.
 * store_first: the same the other way. Nothing is read or written beyond n. A call to
 * memcpy would cost as much as a small tile, so masks are used where there are any. */
#if defined(__AVX512F__) && REAL_BITS == 32
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  return (vec)_mm512_mask_loadu_ps((__m512)splat(fill), (__mmask16)((1u << n) - 1), p);
}
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
#elif defined(__AVX512F__)
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  return (vec)_mm512_mask_loadu_pd((__m512d)splat(fill), (__mmask8)((1u << n) - 1), p);
}
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
#elif defined(__AVX2__) && REAL_BITS == 32
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  const vec_int mask = first_lanes(n);
  return choose(mask, (vec)_mm256_maskload_ps(p, (__m256i)mask), splat(fill));
}
/* Not vmaskmovps, which takes some processors 20 cycles. */
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  __m128 part = _mm256_castps256_ps128((__m256)v);
  if (n & 4) {
    _mm_storeu_ps(p, part);
    part = _mm256_extractf128_ps((__m256)v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi((__m64 *)p, part);
    part = _mm_movehl_ps(part, part);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, part);
}
#elif defined(__AVX2__)
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  const vec_int mask = first_lanes(n);
  return choose(mask, (vec)_mm256_maskload_pd(p, (__m256i)mask), splat(fill));
}
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  __m128d part = _mm256_castpd256_pd128((__m256d)v);
  if (n & 2) {
    _mm_storeu_pd(p, part);
    part = _mm256_extractf128_pd((__m256d)v, 1);
    p += 2;
  }
  if (n & 1) _mm_store_sd(p, part);
}
#else
ALWAYS_INLINE vec load_first(const real *p, ptrdiff_t n, real fill) {
  vec v = splat(fill);
  memcpy(&v, p, (size_t)n * sizeof(real));
  return v;
}
ALWAYS_INLINE void store_first(real *p, vec v, ptrdiff_t n) {
  memcpy(p, &v, (size_t)n * sizeof(real));
}
#endif

#if defined(__AVX512F__)
/* Half a register. */
typedef real half_vec __attribute__((vector_size(VECTOR_BYTES / 2)));
#if REAL_BITS == 32
ALWAYS_INLINE half_vec half_load_first(const real *p, ptrdiff_t n, real fill) {
  return (half_vec)_mm256_mask_loadu_ps((__m256)(fill - (half_vec){0}),
                                        (__mmask8)((1u << n) - 1), p);
}
ALWAYS_INLINE void half_store_first(real *p, half_vec v, ptrdiff_t n) {
  _mm256_mask_storeu_ps(p, (__mmask8)((1u << n) - 1), (__m256)v);
}
#else
ALWAYS_INLINE half_vec half_load_first(const real *p, ptrdiff_t n, real fill) {
  return (half_vec)_mm256_mask_loadu_pd((__m256d)(fill - (half_vec){0}),
                                        (__mmask8)((1u << n) - 1), p);
}
ALWAYS_INLINE void half_store_first(real *p, half_vec v, ptrdiff_t n) {
  _mm256_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m256d)v);
}
#endif
#endif

/* Lanes of a and b in turn: {a[0], b[0], a[1], ...} of their lower or upper halves. */
#define PAIR_1(i) (i), (i) + VECTOR_LANES
#define PAIR_2(i) PAIR_1(i), PAIR_1((i) + 1)
#define PAIR_4(i) PAIR_2(i), PAIR_2((i) + 2)
#define PAIR_8(i) PAIR_4(i), PAIR_4((i) + 4)
#if VECTOR_LANES == 16
#define PAIRS(i) PAIR_8(i)
#elif VECTOR_LANES == 8
#define PAIRS(i) PAIR_4(i)
#elif VECTOR_LANES == 4
#define PAIRS(i) PAIR_2(i)
#else
#define PAIRS(i) PAIR_1(i)
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (vec_int){__VA_ARGS__})
#endif
ALWAYS_INLINE vec merge_low(vec a, vec b) { return SHUFFLE(a, b, PAIRS(0)); }
ALWAYS_INLINE vec merge_high(vec a, vec b) {
  return SHUFFLE(a, b, PAIRS(VECTOR_LANES / 2));
}

/* Transposes LANES x LANES reals: each round merges rows half a matrix apart, which
 * turns the bits of (row, lane) by one place. */
ALWAYS_INLINE void transpose(vec *block) {
#pragma GCC unroll 4
  for (int round = 1; round < VECTOR_LANES; round *= 2) {
    vec merged[VECTOR_LANES];
#pragma GCC unroll 8
    for (int i = 0; i < VECTOR_LANES / 2; i++) {
      merged[2 * i] = merge_low(block[i], block[i + VECTOR_LANES / 2]);
      merged[2 * i + 1] = merge_high(block[i], block[i + VECTOR_LANES / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < VECTOR_LANES; i++) block[i] = merged[i];
  }
}

#endif
