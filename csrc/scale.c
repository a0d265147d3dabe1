/* y = x s: each channel of each image times a number of its own; backward dx = dy s and
 * ds = sum over the pixels of dy x.
 *
 * The sum goes over parts of an image. A part gives one partial result for each
 * channel; they are put together in float64 and in order. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define SCALE_VECTORS 4 /* of channels side by side: the chains of additions */

/* Pixels `first` to `end` - 1 of all images. */
static void scale_pixels(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Scale *g = arguments;
  const ptrdiff_t c = g->c;
  const real *x_end = (const real *)g->x + end * c,
             *s_end = (const real *)g->s + g->n * c;
  real *y_end = (real *)g->result + end * c;
  for (ptrdiff_t i = first; i < end; i++) {
    const real *x = (const real *)g->x + i * c;
    const real *s = (const real *)g->s + i / g->pixels * c;
    real *y = (real *)g->result + i * c;
    const int whole = i + 1 < end && x + c + LANES <= x_end && s + c + LANES <= s_end;
    for (ptrdiff_t j = 0; j < c; j += LANES)
      store_row(whole, y + j,
                load_row(whole, x + j, x_end) * load_row(whole, s + j, s_end), y_end);
  }
}

/* Channels `col` ... of some pixels of one image: dx, and the partial ds. */
ALWAYS_INLINE void scale_columns(const int vectors, const Scale *g, ptrdiff_t pixel,
                                 ptrdiff_t pixels, const real *s, ptrdiff_t col,
                                 real *sums) {
  const ptrdiff_t c = g->c, left = c - col;
  const real *dy = (const real *)g->dy + pixel * c + col;
  const real *x = (const real *)g->x + pixel * c + col;
  real *dx = (real *)g->result + pixel * c + col;
  vec factor[SCALE_VECTORS], sum[SCALE_VECTORS];
  const int whole = vectors * LANES <= left;
  for (int v = 0; v < vectors; v++) {
    factor[v] = load_some(s + col + v * LANES, left - v * LANES);
    sum[v] = splat(0);
  }
  for (ptrdiff_t i = 0; i < pixels; i++, dy += c, x += c, dx += c)
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t j = v * LANES;
      const vec grad = whole ? load(dy + j) : load_some(dy + j, left - j);
      sum[v] += grad * (whole ? load(x + j) : load_some(x + j, left - j));
      if (whole)
        store(dx + j, grad * factor[v]);
      else
        store_some(dx + j, grad * factor[v], left - j);
    }
  for (int v = 0; v < vectors; v++)
    store_some(sums + col + v * LANES, sum[v], left - v * LANES);
}

/* Parts `first` to `end` - 1 of the images. */
static void scale_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Scale *g = arguments;
  const ptrdiff_t c = g->c;
  for (ptrdiff_t part = first; part < end; part++) {
    const ptrdiff_t image = part / g->parts, from = part % g->parts * g->part_pixels;
    const ptrdiff_t rest = g->pixels - from;
    const ptrdiff_t pixels = rest < g->part_pixels ? rest : g->part_pixels;
    const ptrdiff_t pixel = image * g->pixels + from;
    const real *s = (const real *)g->s + image * c;
    real *sums = (real *)g->sums + part * c;
    ptrdiff_t j = 0;
    for (; j + SCALE_VECTORS * LANES <= c; j += SCALE_VECTORS * LANES)
      scale_columns(SCALE_VECTORS, g, pixel, pixels, s, j, sums);
    for (; j < c; j += LANES) scale_columns(1, g, pixel, pixels, s, j, sums);
  }
}

/* ds of images `first` to `end` - 1 from the parts. */
static void scale_sum(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Scale *g = arguments;
  for (ptrdiff_t image = first; image < end; image++)
    for (ptrdiff_t j = 0; j < g->c; j++) {
      const real *sums = (const real *)g->sums + image * g->parts * g->c + j;
      double sum = 0;
      for (ptrdiff_t part = 0; part < g->parts; part++) sum += sums[part * g->c];
      ((real *)g->ds)[image * g->c + j] = (real)sum;
    }
}
