/* y = g(x) and dx = dy g'(x), element by element.
 *
 * ACTIVATIONS, which setup.py makes of the table in fastdl/shapes/activations.py, is
 * KIND(name, usual) for each row: `usual` is the parameter that g has when nobody names
 * one. Each has two functions here, name_forward and name_backward; p is the parameter,
 * and the table says whether g' is computed from x or from y. */
#include "microkernels.h"
#include "simd.h"
#include "vecmath.h"

#define FORWARD(name, x) \
  ALWAYS_INLINE vec name##_forward(vec x, vec p __attribute__((unused)))
#define BACKWARD(name, source) \
  ALWAYS_INLINE vec name##_backward(vec dy, vec source, vec p __attribute__((unused)))

FORWARD(identity, x) { return x; }
BACKWARD(identity, dx) {
  (void)dx;
  return dy;
}

FORWARD(relu, x) { return at_least(x, 0); }
BACKWARD(relu, y) { return choose(y > 0, dy, splat(0)); }

FORWARD(leaky_relu, x) { return choose(x > 0, x, p * x); }
BACKWARD(leaky_relu, y) { return choose(y > 0, dy, p * dy); } /* or x: p < 0 */

FORWARD(sigmoid, x) { return vec_sigmoid(x); }
BACKWARD(sigmoid, y) { return dy * y * (1 - y); }

FORWARD(tanh, x) { return vec_tanh(x); }
BACKWARD(tanh, y) { return dy * (1 - y * y); }

FORWARD(silu, x) { return x * vec_sigmoid(x); }
BACKWARD(silu, x) { /* s (1 + x (1 - s)); 1 - s = e^-x s loses no digits */
  const vec decay = vec_exp_to(-x, -EXP_MIN), s = 1 / (1 + decay);
  return dy * s * (1 + x * (decay * s));
}

FORWARD(elu, x) { return choose(x > 0, x, p * vec_expm1(x)); }
BACKWARD(elu, y) { return choose(y > 0, dy, dy * (y + p)); }

/* log(1 + e^(p x)) / p, and 1 - e^(-p y) */
FORWARD(softplus, x) {
  const vec z = p * x;
  return (at_least(z, 0) + vec_log1p(vec_exp(-vec_abs(z)))) / p;
}
BACKWARD(softplus, y) { return -dy * vec_expm1(-p * y); }

FORWARD(relu6, x) { return at_most(at_least(x, 0), 6); }
BACKWARD(relu6, y) { return choose((y > 0) & (y < 6), dy, splat(0)); }

FORWARD(hard_swish, x) { return x * (relu6_forward(x + 3, p) * (real)(1.0 / 6)); }
BACKWARD(hard_swish, x) {
  const vec inside = choose(x < 3, x * (real)(1.0 / 3) + (real)0.5, splat(1));
  return choose(x > -3, dy * inside, splat(0));
}

/* x Phi(x): x <= 0 meets the tail itself, x > 0 what it leaves of 1. */
FORWARD(gelu, x) {
  vec far, bell, ratio;
  vec_normal_tail(x, &far, &bell, &ratio);
  return at_least(x, 0) - far * ratio * bell;
}
BACKWARD(gelu, x) { /* Phi(x) + x phi(x); the density phi is bell / sqrt(2 pi) */
  vec far, bell, ratio;
  vec_normal_tail(x, &far, &bell, &ratio);
  const vec over = bell * (far * (real)0.39894228040143267794 - ratio);
  return dy * choose(x > 0, 1 + over, -over);
}

/* Whole vectors first: to test each for the end would take longer than a cheap g. */
ALWAYS_INLINE void forward_span(vec g(vec, vec), const Activation *a, ptrdiff_t first,
                                ptrdiff_t end) {
  const vec p = splat((real)a->parameter);
  const int streams = a->streams;
  const real *x = a->source;
  real *y = a->result;
  ptrdiff_t i = first;
  for (; i + LANES <= end; i += LANES) put(y + i, g(load(x + i), p), streams);
  if (i < end) store_first(y + i, g(load_first(x + i, end - i, 0), p), end - i);
}

ALWAYS_INLINE void backward_span(vec g(vec, vec, vec), const Activation *a,
                                 ptrdiff_t first, ptrdiff_t end) {
  const vec p = splat((real)a->parameter);
  const int streams = a->streams;
  const real *dy = a->dy, *s = a->source;
  real *dx = a->result;
  ptrdiff_t i = first;
  for (; i + LANES <= end; i += LANES)
    put(dx + i, g(load(dy + i), load(s + i), p), streams);
  if (i < end) {
    const vec grad = load_first(dy + i, end - i, 0),
              source = load_first(s + i, end - i, 0);
    store_first(dx + i, g(grad, source, p), end - i);
  }
}

/* The places of the rows. */
#define KIND(name, usual) KIND_##name,
enum { ACTIVATIONS };
#undef KIND

/* A loop of its own for each, so that none asks for the kind. y may be x. */
static void activation_forward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Activation *a = arguments;
#define KIND(name, usual)                        \
  case KIND_##name:                              \
    forward_span(name##_forward, a, first, end); \
    break;
  switch (a->kind) { ACTIVATIONS }
#undef KIND
  if (a->streams) stream_end();
}

static void activation_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Activation *a = arguments;
#define KIND(name, usual)                          \
  case KIND_##name:                                \
    backward_span(name##_backward, a, first, end); \
    break;
  switch (a->kind) { ACTIVATIONS }
#undef KIND
  if (a->streams) stream_end();
}

/* The end of a product: y = g(y), with the usual parameter. */
static void activate(int kind, ptrdiff_t n, void *y) {
#define KIND(name, usual) usual,
  static const double parameter[] = {ACTIVATIONS};
#undef KIND
  const Activation a = {
      .kind = kind, .parameter = parameter[kind], .source = y, .result = y};
  activation_forward(&a, 0, n);
}
