/* exp, tanh, the logistic function, log and the normal distribution on vectors: within
 * a few units in the last place over the whole range, denormal results included; NaN
 * goes in, NaN comes out. */
#ifndef FASTDL_VECMATH_H
#define FASTDL_VECMATH_H

#include "simd.h"

#if REAL_BITS == 64
#define SIGN_BIT INT64_MIN
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_TERMS 13
#define EXP_MAX 710.0 /* e^x is infinite above, 0 below EXP_MIN */
#define EXP_MIN -746.0
#define TANH_ONE 20.0 /* tanh is 1 above */
#define LOG1P_TERMS 17
#else
#define SIGN_BIT INT32_MIN
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_TERMS 7
#define EXP_MAX 89.0
#define EXP_MIN -104.0
#define TANH_ONE 10.0
#define LOG1P_TERMS 8
#endif

/* Added and taken away again, it rounds to an integer, whose bits stand lowest in the
 * sum: 1.5 * 2^MANTISSA_BITS. */
#define ROUNDER ((real)((int64_t)3 << (MANTISSA_BITS - 1)))
/* ln 2 in two parts. The first has so few bits that its multiples by exponents are
 * exact (Cody and Waite, "Software manual for the elementary functions", 1980). */
#define LN2_HIGH ((real)0.693145751953125)
#define LN2_LOW ((real)1.42860682030941723212e-6)

ALWAYS_INLINE vec vec_abs(vec x) { return (vec)((vec_int)x & ~SIGN_BIT); }

/* |x| with the sign of s */
ALWAYS_INLINE vec with_sign(vec x, vec s) {
  return (vec)(((vec_int)x & ~SIGN_BIT) | ((vec_int)s & SIGN_BIT));
}

/* The comparisons are false for NaN, which therefore passes. */
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return choose(x > bound, splat(bound), x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return choose(x < bound, splat(bound), x);
}

/* 2^n, for n in the range of normal numbers */
ALWAYS_INLINE vec power_of_2(vec_int n) {
  return (vec)((n + EXPONENT_BIAS) << MANTISSA_BITS);
}

/* e^x = 2^n (1 + q) with |x - n ln 2| <= ln 2 / 2: returns q, by the Taylor series up
 * to the last term that 1 + q can see. */
ALWAYS_INLINE vec exp_fraction(vec x, vec_int *n) {
  static const double inverse_factorial[] = {
      1.0,
      1.0 / 2,
      1.0 / 6,
      1.0 / 24,
      1.0 / 120,
      1.0 / 720,
      1.0 / 5040,
      1.0 / 40320,
      1.0 / 362880,
      1.0 / 3628800,
      1.0 / 39916800,
      1.0 / 479001600,
      1.0 / 6227020800,
  };
  const vec shifted = x * (real)1.44269504088896340736 + ROUNDER; /* x / ln 2 */
  const vec whole = shifted - ROUNDER;
  const vec r = (x - whole * LN2_HIGH) - whole * LN2_LOW;
  vec p = splat((real)inverse_factorial[EXP_TERMS - 1]);
#pragma GCC unroll 16
  for (int k = EXP_TERMS - 2; k >= 1; k--) p = p * r + (real)inverse_factorial[k];
  *n = (vec_int)shifted - (vec_int)splat(ROUNDER);
  return r * r * p + r;
}

ALWAYS_INLINE vec vec_exp(vec x) {
  vec_int n;
  const vec q = exp_fraction(at_least(at_most(x, EXP_MAX), EXP_MIN), &n);
  const vec_int half = n >> 1; /* 2^n itself may be denormal or infinite */
  return (1 + q) * power_of_2(half) * power_of_2(n - half);
}

/* tanh |x| = e / (e + 2) with e = exp(2 |x|) - 1, which is accurate near 0. */
ALWAYS_INLINE vec vec_tanh(vec x) {
  vec_int n;
  const vec q = exp_fraction(2 * at_most(vec_abs(x), TANH_ONE), &n);
  const vec scale = power_of_2(n);
  const vec e = scale * q + (scale - 1);
  return with_sign(e / (e + 2), x);
}

/* 1 / (1 + exp(-x)), without overflow */
ALWAYS_INLINE vec vec_sigmoid(vec x) {
  const vec decay = vec_exp(-vec_abs(x));
  return choose(x < 0, decay, splat(1)) / (1 + decay);
}

/* log(1 + u) for 0 <= u <= 1: 2 artanh(u / (2 + u)), by its Taylor series */
ALWAYS_INLINE vec vec_log1p(vec u) {
  const vec s = u / (2 + u), square = s * s;
  vec p = splat(0);
#pragma GCC unroll 20
  for (int k = LOG1P_TERMS; k >= 1; k--) p = (p + (real)(1.0 / (2 * k + 1))) * square;
  return 2 * (s + s * p);
}

/* log x for x >= 1 */
ALWAYS_INLINE vec vec_log(vec x) {
  const vec_int exponent = ((vec_int)x >> MANTISSA_BITS) - EXPONENT_BIAS;
  const vec fraction = (vec)((vec_int)x - (exponent << MANTISSA_BITS)); /* in [1, 2) */
  const vec n = __builtin_convertvector(exponent, vec);
  const vec log = n * LN2_HIGH + (vec_log1p(fraction - 1) + n * LN2_LOW);
  return choose(x < (real)__builtin_inf(), log, x); /* infinity and NaN */
}

/* The distribution function of the standard normal, Phi(x) = erfc(-x / sqrt 2) / 2, and
 * e^(-x^2 / 2), of which both its tails and its density are made. Rational functions of
 * the Cephes library (Moshier 1989), ndtr.c. Below Phi = 1e-29 fewer digits are right.
 */
ALWAYS_INLINE vec vec_normal(vec x, vec *bell) {
  static const double t[] = {9.60497373987051638749, 90.0260197203842689217,
                             2232.00534594684319226, 7003.32514112805075473,
                             55592.3013010394962768};
  static const double u[] = {1,
                             33.5617141647503099647,
                             521.357949780152679795,
                             4594.32382970980127987,
                             22629.0000613890934246,
                             49267.3942608635921086};
  static const double p[] = {
      2.46196981473530512524e-10, 0.564189564831068821977, 7.46321056442269912687,
      48.6371970985681366614,     196.520832956077098242,  526.445194995477358631,
      934.528527171957607540,     1027.55188689515710272,  557.535335369399327526};
  static const double q[] = {1,
                             13.2281951154744992508,
                             86.7072140885989742329,
                             354.937778887819891062,
                             975.708501743205489753,
                             1823.90916687909736289,
                             2246.33760818710981792,
                             1656.66309194161350182,
                             557.535340817727675546};
  const vec z = x * (real)0.70710678118654752440;
  const vec far = at_most(vec_abs(z), 28); /* where the tail is 0 in any type */
  const vec square = far * far;
  *bell = vec_exp(-square);

  vec top = splat((real)p[0]), bottom = splat((real)q[0]);
#pragma GCC unroll 8
  for (int k = 1; k < 9; k++) {
    top = top * far + (real)p[k];
    bottom = bottom * far + (real)q[k];
  }
  const vec tail = *bell * top / (2 * bottom); /* Phi(-|x|) */

  vec erf = splat((real)t[0]), divisor = splat((real)u[0]);
#pragma GCC unroll 8
  for (int k = 1; k < 5; k++) erf = erf * square + (real)t[k];
#pragma GCC unroll 8
  for (int k = 1; k < 6; k++) divisor = divisor * square + (real)u[k];
  erf = with_sign(far, z) * erf / divisor;

  const vec outside = choose(z < 0, tail, 1 - tail);
  return choose(far < 1, (real)0.5 + (real)0.5 * erf, outside);
}

#endif
