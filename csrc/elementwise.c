/* y = a + b and y = x^p, element by element. */
#include "microkernels.h"
#include "simd.h"
#include "vecmath.h"

/* y may be a or b. */
static void add_elements(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Sum *sum = arguments;
  const int streams = sum->streams;
  const real *a = sum->a, *b = sum->b;
  real *y = sum->y;
  ptrdiff_t i = first;
  for (; i + LANES <= end; i += LANES) put(y + i, load(a + i) + load(b + i), streams);
  if (i < end) {
    const ptrdiff_t n = end - i;
    store_first(y + i, load_first(a + i, n, 0) + load_first(b + i, n, 0), n);
  }
  if (streams) stream_end();
}

/* x^(halves / 2) by squaring, with a root for odd halves: of a number below 0 it is
 * NaN, of -infinity and -0 that of infinity and 0, as pow has it. */
ALWAYS_INLINE vec power_of(vec x, int halves) {
  const vec one = splat(1);
  vec y = one;
  if (halves & 1) {
    const vec_int none = (x < 0) & (x > -(real)__builtin_inf());
    real lane[LANES];
    x = vec_abs(x);
    store(lane, x);
    for (int l = 0; l < LANES; l++) lane[l] = SQRT(lane[l]);
    y = choose(none, splat((real)__builtin_nan("")), load(lane));
  }
  for (int n = (halves < 0 ? -halves : halves) / 2; n; n /= 2) {
    if (n & 1) y *= x;
    x *= x;
  }
  return halves < 0 ? one / y : y;
}

/* Inlined with the exponents that are frequent, so that no branch is left. */
ALWAYS_INLINE void power_loop(const int halves, const Power *p, ptrdiff_t first,
                              ptrdiff_t end) {
  const int streams = p->streams;
  const real *x = p->x, *dy = p->dy;
  const vec slope = splat((real)p->slope);
  real *y = p->y;
  ptrdiff_t i = first;
  if (dy)
    for (; i + LANES <= end; i += LANES)
      put(y + i, load(dy + i) * (slope * power_of(load(x + i), halves)), streams);
  else
    for (; i + LANES <= end; i += LANES)
      put(y + i, power_of(load(x + i), halves), streams);
  if (i < end) {
    const ptrdiff_t n = end - i;
    const vec part = power_of(load_first(x + i, n, 1), halves);
    store_first(y + i, dy ? load_first(dy + i, n, 0) * (slope * part) : part, n);
  }
  if (streams) stream_end();
}

static void power_elements(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Power *p = arguments;
  switch (p->halves) {
    case -4:
      power_loop(-4, p, first, end);
      break;
    case -2:
      power_loop(-2, p, first, end);
      break;
    case -1:
      power_loop(-1, p, first, end);
      break;
    case 1:
      power_loop(1, p, first, end);
      break;
    case 2:
      power_loop(2, p, first, end);
      break;
    case 4:
      power_loop(4, p, first, end);
      break;
    case 6:
      power_loop(6, p, first, end);
      break;
    default:
      power_loop(p->halves, p, first, end);
  }
}
