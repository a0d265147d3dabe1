/* y[i] = x[i] / 255: bytes of a picture as reals in [0, 1]. */
#include "microkernels.h"
#include "simd.h"

static void bytes_to_unit(ptrdiff_t n, const void *x, void *y) {
  const uint8_t *from = x;
  real *to = y;
  for (ptrdiff_t i = 0; i < n; i++) to[i] = (real)from[i] / 255;
}
