/* Depthwise convolution: each channel has its own filter, so nothing is shared
 * between channels and the vectors run along them.
 *
 *   y[p][c]        = bias[c] + sum_t x[p * x_step + offset[t] + c] * weight[t][c]
 *   dweight[t][c] += sum_p     x[p * x_step + offset[t] + c] * dy[p][c]
 *
 * Other convolutions stand on the register tile of matmul.c. */
#include "simd.h"
#include "table.h"

#define PIXELS 4 /* output pixels a step: independent chains for the FMA units */

static void depthwise(ptrdiff_t pixels, ptrdiff_t channels, const void *x,
                      ptrdiff_t x_step, const void *weight, const void *bias, void *y,
                      ptrdiff_t y_step, ptrdiff_t taps, const ptrdiff_t *offset) {
  const real *image = x, *w = weight, *start = bias;
  real *out = y;
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    const ptrdiff_t width = channels - c < LANES ? channels - c : LANES;
    if (width < LANES) { /* the last channels, one by one */
      for (ptrdiff_t p = 0; p < pixels; p++)
        for (ptrdiff_t l = c; l < channels; l++) {
          real sum = start ? start[l] : 0;
          for (ptrdiff_t t = 0; t < taps; t++)
            sum += image[p * x_step + offset[t] + l] * w[t * channels + l];
          out[p * y_step + l] = sum;
        }
      break;
    }
    const vec first = start ? load(start + c) : splat(0);
    ptrdiff_t p = 0;
    for (; p + PIXELS <= pixels; p += PIXELS) {
      vec sum[PIXELS];
      for (int u = 0; u < PIXELS; u++) sum[u] = first;
      for (ptrdiff_t t = 0; t < taps; t++) {
        const vec filter = load(w + t * channels + c);
        const real *from = image + p * x_step + offset[t] + c;
        for (int u = 0; u < PIXELS; u++) sum[u] += load(from + u * x_step) * filter;
      }
      for (int u = 0; u < PIXELS; u++) store(out + (p + u) * y_step + c, sum[u]);
    }
    for (; p < pixels; p++) {
      vec sum = first;
      for (ptrdiff_t t = 0; t < taps; t++)
        sum += load(image + p * x_step + offset[t] + c) * load(w + t * channels + c);
      store(out + p * y_step + c, sum);
    }
  }
}

static void depthwise_weight(ptrdiff_t pixels, ptrdiff_t channels, const void *x,
                             ptrdiff_t x_step, const void *dy, void *dweight,
                             ptrdiff_t taps, const ptrdiff_t *offset) {
  const real *image = x, *grad = dy;
  real *dw = dweight;
  for (ptrdiff_t t = 0; t < taps; t++) {
    ptrdiff_t c = 0;
    for (; c + LANES <= channels; c += LANES) {
      vec sum[PIXELS] = {{0}};
      const real *from = image + offset[t] + c, *g = grad + c;
      ptrdiff_t p = 0;
      for (; p + PIXELS <= pixels; p += PIXELS)
        for (int u = 0; u < PIXELS; u++)
          sum[u] += load(from + (p + u) * x_step) * load(g + (p + u) * channels);
      for (; p < pixels; p++)
        sum[0] += load(from + p * x_step) * load(g + p * channels);
      real *to = dw + t * channels + c;
      store(to, load(to) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
    }
    for (; c < channels; c++) {
      real sum = 0;
      for (ptrdiff_t p = 0; p < pixels; p++)
        sum += image[p * x_step + offset[t] + c] * grad[p * channels + c];
      dw[t * channels + c] += sum;
    }
  }
}
