/* y = g(x) and dx = dy g'(x), element by element.
 *
 * ACTIVATIONS, which setup.py makes of the table in fastdl/shapes/activations.py, is
 * KIND(name, usual) for each row: `usual` is the parameter that g has when nobody names
 * one. Each has two functions here, name_forward and name_backward; p is the parameter,
 * and the table says whether g' is computed from x or from y. */
#include "microkernels.h"
#include "rows.h"
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
BACKWARD(silu, x) {
  const vec s = vec_sigmoid(x);
  return dy * s * (1 + x * (1 - s));
}

FORWARD(relu6, x) { return at_most(at_least(x, 0), 6); }
BACKWARD(relu6, y) { return choose((y > 0) & (y < 6), dy, splat(0)); }

FORWARD(hard_swish, x) { return x * (relu6_forward(x + 3, p) * (real)(1.0 / 6)); }
BACKWARD(hard_swish, x) {
  const vec inside = choose(x < 3, x * (real)(1.0 / 3) + (real)0.5, splat(1));
  return choose(x > -3, dy * inside, splat(0));
}

FORWARD(gelu, x) {
  vec bell;
  return x * vec_normal(x, &bell);
}
BACKWARD(gelu, x) { /* the density of the normal is bell / sqrt(2 pi) */
  vec bell;
  const vec normal = vec_normal(x, &bell);
  return dy * (normal + x * (bell * (real)0.39894228040143267794));
}

ALWAYS_INLINE void forward_span(vec g(vec, vec), vec p, ptrdiff_t n, const real *x,
                                real *y) {
  const real *x_end = x + n, *y_end = y + n;
  for (; x < x_end; x += LANES, y += LANES)
    store_until(y, g(load_until(x, x_end), p), y_end);
}

ALWAYS_INLINE void backward_span(vec g(vec, vec, vec), vec p, ptrdiff_t n,
                                 const real *dy, const real *s, real *dx) {
  const real *dy_end = dy + n, *s_end = s + n, *dx_end = dx + n;
  for (; dy < dy_end; dy += LANES, s += LANES, dx += LANES)
    store_until(dx, g(load_until(dy, dy_end), load_until(s, s_end), p), dx_end);
}

/* The places of the rows. */
#define KIND(name, usual) KIND_##name,
enum { ACTIVATIONS };
#undef KIND

/* A loop of its own for each, so that none asks for the kind. y may be x. */
static void activation_forward(int kind, double parameter, ptrdiff_t n, const void *x,
                               void *y) {
  const vec p = splat((real)parameter);
#define KIND(name, usual)                     \
  case KIND_##name:                           \
    forward_span(name##_forward, p, n, x, y); \
    break;
  switch (kind) { ACTIVATIONS }
#undef KIND
}

/* s is x or y. */
static void activation_backward(int kind, double parameter, ptrdiff_t n, const void *dy,
                                const void *s, void *dx) {
  const vec p = splat((real)parameter);
#define KIND(name, usual)                            \
  case KIND_##name:                                  \
    backward_span(name##_backward, p, n, dy, s, dx); \
    break;
  switch (kind) { ACTIVATIONS }
#undef KIND
}

/* The end of a product: y = g(y), with the usual parameter. */
static void activate(int kind, ptrdiff_t n, void *y) {
#define KIND(name, usual) usual,
  static const double parameter[] = {ACTIVATIONS};
#undef KIND
  activation_forward(kind, parameter[kind], n, y, y);
}
