/* One step of an optimiser over a span, in place and in one pass over memory; the
 * equations stand in fastdl/reference/optimizer.py. */
#include "microkernels.h"
#include "simd.h"

/* An array from its element `first` on; NULL stays NULL. */
ALWAYS_INLINE real *from_element(void *array, ptrdiff_t first) {
  return array ? (real *)array + first : NULL;
}

static void sgd(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Step *s = arguments;
  real *restrict p = from_element(s->param, first);
  real *restrict v = from_element(s->velocity, first);
  const real *restrict gradient = (const real *)s->grad + first;
  const real rate = (real)s->lr, decay = (real)s->weight_decay;
  const real keep = (real)s->momentum, add = (real)(1 - s->dampening);
  const ptrdiff_t n = end - first;
  if (!v) {
    for (ptrdiff_t i = 0; i < n; i++) p[i] -= rate * (gradient[i] + decay * p[i]);
  } else if (s->nesterov) {
    for (ptrdiff_t i = 0; i < n; i++) {
      const real g = gradient[i] + decay * p[i];
      v[i] = keep * v[i] + add * g;
      p[i] -= rate * (g + keep * v[i]);
    }
  } else {
    for (ptrdiff_t i = 0; i < n; i++) {
      v[i] = keep * v[i] + add * (gradient[i] + decay * p[i]);
      p[i] -= rate * v[i];
    }
  }
}

/* The loops are inlined with constants for what is absent, so that they are free of
 * branches. */
ALWAYS_INLINE void rmsprop_loop(const int centered, const int moving, const Step *s,
                                ptrdiff_t first, ptrdiff_t end) {
  real *restrict p = from_element(s->param, first);
  real *restrict square = from_element(s->square, first);
  real *restrict mean = from_element(s->mean, first);
  real *restrict v = from_element(s->velocity, first);
  const real *restrict gradient = (const real *)s->grad + first;
  const real rate = (real)s->lr, decay = (real)s->weight_decay;
  const real keep = (real)s->keep, add = (real)s->add;
  const real epsilon = (real)s->eps, momentum = (real)s->momentum;
  const ptrdiff_t n = end - first;
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    square[i] = keep * square[i] + add * g * g;
    real variance = square[i];
    if (centered) {
      mean[i] = keep * mean[i] + add * g;
      variance -= mean[i] * mean[i];
      variance = variance < 0 ? 0 : variance; /* by rounding */
    }
    real step = g / (SQRT(variance) + epsilon);
    if (moving) step = v[i] = momentum * v[i] + step;
    p[i] -= rate * step;
  }
}

/* `mean` is NULL when the square is not centred. */
static void rmsprop(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Step *s = arguments;
  if (s->mean && s->velocity)
    rmsprop_loop(1, 1, s, first, end);
  else if (s->mean)
    rmsprop_loop(1, 0, s, first, end);
  else if (s->velocity)
    rmsprop_loop(0, 1, s, first, end);
  else
    rmsprop_loop(0, 0, s, first, end);
}

ALWAYS_INLINE void adam_loop(const int amsgrad, const Step *s, ptrdiff_t first,
                             ptrdiff_t end) {
  real *restrict p = from_element(s->param, first);
  real *restrict mean = from_element(s->mean, first);
  real *restrict square = from_element(s->square, first);
  real *restrict largest = from_element(s->largest, first);
  const real *restrict gradient = (const real *)s->grad + first;
  const real rate = (real)(s->lr / s->correction1);
  const real root = (real)(1 / __builtin_sqrt(s->correction2));
  const real decay = (real)(s->decoupled ? 0 : s->weight_decay);
  const real shrink = (real)(s->decoupled ? 1 - s->lr * s->weight_decay : 1);
  const real keep1 = (real)s->beta1, add1 = (real)(1 - s->beta1);
  const real keep2 = (real)s->beta2, add2 = (real)(1 - s->beta2);
  const real epsilon = (real)s->eps;
  const ptrdiff_t n = end - first;
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    mean[i] = keep1 * mean[i] + add1 * g;
    square[i] = keep2 * square[i] + add2 * g * g;
    real divisor = square[i];
    if (amsgrad) divisor = largest[i] = largest[i] > divisor ? largest[i] : divisor;
    p[i] = shrink * p[i] - rate * mean[i] / (SQRT(divisor) * root + epsilon);
  }
}

static void adam(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Step *s = arguments;
  if (s->largest)
    adam_loop(1, s, first, end);
  else
    adam_loop(0, s, first, end);
}
