/* y = g(x) and dx = dy g'(x), element by element. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"
#include "vecmath.h"

enum { /* the order of ACTIVATIONS in fastdl/shapes.py */
       IDENTITY,
       RELU,
       LEAKY_RELU,
       SIGMOID,
       TANH,
       SILU,
       RELU6,
       HARD_SWISH,
       GELU
};

/* CASE(kind) for each: a body of its own, so that no loop asks for the kind. */
/* clang-format off */
#define ALL_KINDS                                                     \
  CASE(IDENTITY) CASE(RELU) CASE(LEAKY_RELU) CASE(SIGMOID) CASE(TANH) \
  CASE(SILU) CASE(RELU6) CASE(HARD_SWISH) CASE(GELU)
/* clang-format on */

ALWAYS_INLINE vec clip_to_6(vec x) { return at_most(at_least(x, 0), 6); }

ALWAYS_INLINE vec activate(const int kind, vec slope, vec x) {
  vec bell;
  switch (kind) {
    case RELU:
      return at_least(x, 0);
    case LEAKY_RELU:
      return choose(x > 0, x, slope * x);
    case SIGMOID:
      return vec_sigmoid(x);
    case TANH:
      return vec_tanh(x);
    case SILU:
      return x * vec_sigmoid(x);
    case RELU6:
      return clip_to_6(x);
    case HARD_SWISH:
      return x * (clip_to_6(x + 3) * (real)(1.0 / 6));
    case GELU:
      return x * vec_normal(x, &bell);
    default:
      return x;
  }
}

/* dy g'(x); s is x or y, whichever the derivative is written in. */
ALWAYS_INLINE vec derive(const int kind, vec slope, vec dy, vec s) {
  const vec zero = splat(0);
  vec g, bell;
  switch (kind) {
    case RELU: /* s = x or y */
      return choose(s > 0, dy, zero);
    case LEAKY_RELU: /* s = x, or y when the slope is positive */
      return choose(s > 0, dy, slope * dy);
    case SIGMOID: /* s = y */
      return dy * s * (1 - s);
    case TANH: /* s = y */
      return dy * (1 - s * s);
    case SILU: /* s = x */
      g = vec_sigmoid(s);
      return dy * g * (1 + s * (1 - g));
    case RELU6: /* s = x or y */
      return choose((s > 0) & (s < 6), dy, zero);
    case HARD_SWISH: /* s = x */
      g = choose(s < 3, s * (real)(1.0 / 3) + (real)0.5, splat(1));
      return choose(s > -3, dy * g, zero);
    case GELU: /* s = x; the density of the normal is bell / sqrt(2 pi) */
      g = vec_normal(s, &bell);
      return dy * (g + s * (bell * (real)0.39894228040143267794));
    default:
      return dy;
  }
}

ALWAYS_INLINE void forward_span(const int kind, vec slope, ptrdiff_t n, const real *x,
                                real *y) {
  const real *x_end = x + n, *y_end = y + n;
  for (; x < x_end; x += LANES, y += LANES)
    store_until(y, activate(kind, slope, load_until(x, x_end)), y_end);
}

ALWAYS_INLINE void backward_span(const int kind, vec slope, ptrdiff_t n, const real *dy,
                                 const real *s, real *dx) {
  const real *dy_end = dy + n, *s_end = s + n, *dx_end = dx + n;
  for (; dy < dy_end; dy += LANES, s += LANES, dx += LANES)
    store_until(dx, derive(kind, slope, load_until(dy, dy_end), load_until(s, s_end)),
                dx_end);
}

/* y may be x. */
static void activation_forward(int kind, double slope, ptrdiff_t n, const void *x,
                               void *y) {
  const vec slopes = splat((real)slope);
#define CASE(k)                       \
  case k:                             \
    forward_span(k, slopes, n, x, y); \
    break;
  switch (kind) { ALL_KINDS }
#undef CASE
}

static void activation_backward(int kind, double slope, ptrdiff_t n, const void *dy,
                                const void *s, void *dx) {
  const vec slopes = splat((real)slope);
#define CASE(k)                             \
  case k:                                   \
    backward_span(k, slopes, n, dy, s, dx); \
    break;
  switch (kind) { ALL_KINDS }
#undef CASE
}
