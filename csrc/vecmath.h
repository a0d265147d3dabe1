/* exp, tanh, the logistic function, log and the normal distribution on vectors: within
 * a few units in the last place over the whole range; what is too small to be a normal
 * number is 0. NaN goes in, NaN comes out. */
#ifndef FASTDL_VECMATH_H
#define FASTDL_VECMATH_H

#include "simd.h"

#if REAL_BITS == 64
#define SIGN_BIT INT64_MIN
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_TERMS 13
#define EXP_MAX 710.0 /* so that 2^n is infinite above, 0 below EXP_MIN */
#define EXP_MIN -709.0
#define EXPM1_MIN -40.0  /* e^x - 1 is -1 below */
#define TANH_ONE 20.0    /* tanh is 1 above */
#define NORMAL_MAX 37.66 /* e^(-x^2 / 2) is 0 there */
#define LOG1P_TERMS 17
#else
#define SIGN_BIT INT32_MIN
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_TERMS 7
#define EXP_MAX 89.0
#define EXP_MIN -88.0
#define EXPM1_MIN -20.0
#define TANH_ONE 10.0
#define NORMAL_MAX 13.27
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

/* NaN passes. The instruction is what the portable form says, for NaN and -0 too, but
 * compilers do not find it. */
#if defined(__AVX512F__) && REAL_BITS == 32
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return (vec)_mm512_min_ps((__m512)splat(bound), (__m512)x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return (vec)_mm512_max_ps((__m512)splat(bound), (__m512)x);
}
#elif defined(__AVX512F__)
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return (vec)_mm512_min_pd((__m512d)splat(bound), (__m512d)x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return (vec)_mm512_max_pd((__m512d)splat(bound), (__m512d)x);
}
#elif defined(__AVX2__) && REAL_BITS == 32
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return (vec)_mm256_min_ps((__m256)splat(bound), (__m256)x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return (vec)_mm256_max_ps((__m256)splat(bound), (__m256)x);
}
#elif defined(__AVX2__)
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return (vec)_mm256_min_pd((__m256d)splat(bound), (__m256d)x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return (vec)_mm256_max_pd((__m256d)splat(bound), (__m256d)x);
}
#else
ALWAYS_INLINE vec at_most(vec x, real bound) {
  return choose(x > bound, splat(bound), x);
}
ALWAYS_INLINE vec at_least(vec x, real bound) {
  return choose(x < bound, splat(bound), x);
}
#endif

/* 2^n, for n of normal numbers; 0 and infinity for those next to them */
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

/* e^x, 0 below the smallest normal number, constant from x = most */
ALWAYS_INLINE vec vec_exp_to(vec x, real most) {
  vec_int n;
  const vec q = exp_fraction(at_least(at_most(x, most), EXP_MIN), &n);
  return (1 + q) * power_of_2(n);
}

/* e^x, infinite from 2^(n + 1/2) for the largest n of a finite number, 0 below the
 * smallest normal one. */
ALWAYS_INLINE vec vec_exp(vec x) { return vec_exp_to(x, EXP_MAX); }

/* e^x - 1 for x <= 0, accurate near 0 */
ALWAYS_INLINE vec vec_expm1(vec x) {
  vec_int n;
  const vec q = exp_fraction(at_least(x, EXPM1_MIN), &n);
  const vec scale = power_of_2(n);
  return scale * q + (scale - 1);
}

/* tanh |x| = e / (e + 2) with e = exp(2 |x|) - 1 */
ALWAYS_INLINE vec vec_tanh(vec x) {
  vec_int n;
  const vec q = exp_fraction(2 * at_most(vec_abs(x), TANH_ONE), &n);
  const vec scale = power_of_2(n);
  const vec e = scale * q + (scale - 1);
  return with_sign(e / (e + 2), x);
}

/* 1 / (1 + exp(-x)); an infinite exp gives 0, as it should */
ALWAYS_INLINE vec vec_sigmoid(vec x) { return 1 / (1 + vec_exp(-x)); }

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

/* The tail of the standard normal, Phi(-|x|), is bell * ratio, with bell = e^(-x^2 / 2)
 * and a ratio (Mills' over sqrt(2 pi)) that falls slowly from 1/2 and never changes its
 * sign: one rational function of |x|, with the least relative error that its degree
 * allows, is right everywhere. Its terms are positive, so nothing cancels. *far is |x|
 * as far as to where the bell is 0. */
ALWAYS_INLINE void vec_normal_tail(vec x, vec *far, vec *bell, vec *ratio) {
#if REAL_BITS == 64 /* error 5e-17 */
  static const double p[] = {1.36975913561262447e-6,  0.0000368957786447458071,
                             0.000486468073665694781, 0.00406198397910575924,
                             0.0234936682439519129,   0.0972776499293427404,
                             0.288392549324088698,    0.592729373889635941,
                             0.773964436441954434,    0.499999999999999976};
  static const double q[] = {3.43347697877249555e-6,
                             0.0000924840019630549853,
                             0.00122282810535394741,
                             0.0102743678829542727,
                             0.0601024212247274672,
                             0.253835811291329146,
                             0.779378612721367332,
                             1.71014806815972246,
                             2.55714706904219872,
                             2.34581343368676483,
                             1.0};
#else /* error 5e-9 */
  static const double p[] = {0.0040116448607910634, 0.0399262555329538145,
                             0.181134291678388828, 0.435452302831633383,
                             0.500000002440098975};
  static const double q[] = {0.0100555569677677252, 0.100087750095366604,
                             0.463925153048783943,  1.19376589633727867,
                             1.66878951923605213,   1.0};
#endif
  enum { TERMS = sizeof p / sizeof *p };
  vec_int n;
  const vec a = at_most(vec_abs(x), NORMAL_MAX);
  const vec fraction = exp_fraction(a * (a * (real)-0.5), &n);
  vec top = splat((real)p[0]), bottom = a * (real)q[0] + (real)q[1];
#pragma GCC unroll 16
  for (int k = 1; k < TERMS; k++) {
    top = top * a + (real)p[k];
    bottom = bottom * a + (real)q[k + 1];
  }
  *far = a;
  *bell = (1 + fraction) * power_of_2(n);
  *ratio = top / bottom;
}

#endif
