/* One step of an optimiser over a span, in place and in one pass over memory; the
 * equations stand in fastdl/reference/optimizer.py. */
#include "microkernels.h"
#include "simd.h"

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

/* Inlined with constants for what is absent, so that each loop is free of branches. */
ALWAYS_INLINE void rmsprop_loop(ptrdiff_t n, real *restrict p,
                                const real *restrict gradient, real *restrict s,
                                real *restrict m, real *restrict v, real rate,
                                real keep, real add, real epsilon, real momentum,
                                real decay, int centered, int moving) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    s[i] = keep * s[i] + add * g * g;
    real variance = s[i];
    if (centered) {
      m[i] = keep * m[i] + add * g;
      variance -= m[i] * m[i];
      variance = variance < 0 ? 0 : variance; /* by rounding */
    }
    real step = g / (SQRT(variance) + epsilon);
    if (moving) step = v[i] = momentum * v[i] + step;
    p[i] -= rate * step;
  }
}

/* mean is NULL when the square is not centred, velocity without momentum. RMSprop has
 * keep = beta and add = 1 - beta, Adagrad keep = add = 1. */
static void rmsprop(ptrdiff_t n, void *param, const void *grad, void *square,
                    void *mean, void *velocity, double lr, double keep, double add,
                    double eps, double momentum, double weight_decay) {
#define LOOP(centered, moving)                                                     \
  rmsprop_loop(n, param, grad, square, mean, velocity, (real)lr, (real)keep,       \
               (real)add, (real)eps, (real)momentum, (real)weight_decay, centered, \
               moving)
  if (mean && velocity)
    LOOP(1, 1);
  else if (mean)
    LOOP(1, 0);
  else if (velocity)
    LOOP(0, 1);
  else
    LOOP(0, 0);
#undef LOOP
}

ALWAYS_INLINE void adam_loop(ptrdiff_t n, real *restrict p,
                             const real *restrict gradient, real *restrict mean,
                             real *restrict square, real *restrict largest, real rate,
                             real root, real keep1, real add1, real keep2, real add2,
                             real epsilon, real decay, real shrink, int amsgrad) {
  for (ptrdiff_t i = 0; i < n; i++) {
    const real g = gradient[i] + decay * p[i];
    mean[i] = keep1 * mean[i] + add1 * g;
    square[i] = keep2 * square[i] + add2 * g * g;
    real divisor = square[i];
    if (amsgrad) divisor = largest[i] = largest[i] > divisor ? largest[i] : divisor;
    p[i] = shrink * p[i] - rate * mean[i] / (SQRT(divisor) * root + epsilon);
  }
}

/* correction1 = 1 - beta1^step, correction2 = 1 - beta2^step; largest is NULL without
 * AMSGrad */
static void adam(ptrdiff_t n, void *param, const void *grad, void *m, void *v,
                 void *largest, double lr, double beta1, double beta2, double eps,
                 double weight_decay, int decoupled, double correction1,
                 double correction2) {
  const real rate = (real)(lr / correction1);
  const real root = (real)(1 / __builtin_sqrt(correction2));
  const real shrink = (real)(decoupled ? 1 - lr * weight_decay : 1);
  const real decay = (real)(decoupled ? 0 : weight_decay);
#define LOOP(amsgrad)                                                                  \
  adam_loop(n, param, grad, m, v, largest, rate, root, (real)beta1, (real)(1 - beta1), \
            (real)beta2, (real)(1 - beta2), (real)eps, decay, shrink, amsgrad)
  if (largest)
    LOOP(1);
  else
    LOOP(0);
#undef LOOP
}
