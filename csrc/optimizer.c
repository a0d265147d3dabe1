/* One step of an optimiser over a span, in place and in one pass over memory; the
 * equations stand in fastdl/reference/optimizer.py. */
#include "simd.h"
#include "table.h"

#if REAL_BITS == 64
#define SQRT __builtin_sqrt
#else
#define SQRT __builtin_sqrtf
#endif

/* velocity is NULL without momentum */
static void sgd(ptrdiff_t n, void *param, const void *grad, void *velocity, double lr,
                double momentum, double dampening, int nesterov, double weight_decay) {
  real *restrict p = param, *restrict v = velocity;
  const real *restrict gradient = grad;
  const real rate = (real)lr, decay = (real)weight_decay, keep = (real)momentum;
  const real add = (real)(1 - dampening);
  if (!v) {
    for (ptrdiff_t i = 0; i < n; i++) p[i] -= rate * (gradient[i] + decay * p[i]);
  } else if (nesterov) {
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

static void rmsprop(ptrdiff_t n, void *param, const void *grad, void *square, double lr,
                    double beta, double eps, double weight_decay) {
  real *restrict p = param, *restrict s = square;
  const real *restrict gradient = grad;
  const real rate = (real)lr, decay = (real)weight_decay, keep = (real)beta;
  const real add = (real)(1 - beta), epsilon = (real)eps;
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    s[i] = keep * s[i] + add * g * g;
    p[i] -= rate * g / (SQRT(s[i]) + epsilon);
  }
}

/* correction1 = 1 - beta1^step, correction2 = 1 - beta2^step */
static void adam(ptrdiff_t n, void *param, const void *grad, void *m, void *v,
                 double lr, double beta1, double beta2, double eps, double weight_decay,
                 int decoupled, double correction1, double correction2) {
  real *restrict p = param, *restrict mean = m, *restrict square = v;
  const real *restrict gradient = grad;
  const real rate = (real)(lr / correction1), epsilon = (real)eps;
  const real root = (real)(1 / __builtin_sqrt(correction2));
  const real shrink = (real)(decoupled ? 1 - lr * weight_decay : 1);
  const real decay = (real)(decoupled ? 0 : weight_decay);
  const real keep1 = (real)beta1, add1 = (real)(1 - beta1);
  const real keep2 = (real)beta2, add2 = (real)(1 - beta2);
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    mean[i] = keep1 * mean[i] + add1 * g;
    square[i] = keep2 * square[i] + add2 * g * g;
    p[i] = shrink * p[i] - rate * mean[i] / (SQRT(square[i]) * root + epsilon);
  }
}
