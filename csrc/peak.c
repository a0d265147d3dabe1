/* The floor that speed is measured against: multiply-adds on registers alone. */
#include "microkernels.h"
#include "simd.h"

#define CHAINS 12 /* more than latency x units, fewer than the registers */

/* 2 * CHAINS * LANES * n operations; the result only keeps them from vanishing. */
static void peak(ptrdiff_t n, void *result) {
  vec chain[CHAINS];
  const vec factor = splat((real)0.5), term = splat((real)1);
#pragma GCC unroll 12
  for (int u = 0; u < CHAINS; u++) chain[u] = splat((real)u);
  for (ptrdiff_t i = 0; i < n; i++) {
#pragma GCC unroll 12
    for (int u = 0; u < CHAINS; u++) chain[u] = chain[u] * factor + term;
  }
  vec sum = chain[0];
  for (int u = 1; u < CHAINS; u++) sum += chain[u];
  store(result, sum);
}
