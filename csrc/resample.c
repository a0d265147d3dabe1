/* Images resampled along both axes: each pixel of the result is a weighted sum of
 * pixels that lie side by side,
 *
 *   y[oy][ox][c] = sum over k, l of rows.weight[oy][k] cols.weight[ox][l]
 *                  x[rows.first[oy] + k][cols.first[ox] + l][c]
 *
 * First the sums of rows make one row of w pixels in the scratch memory, then the sums
 * along it a row of y. Means of windows of any size, interpolations, and the gradients
 * of both are such sums. Row r of a batch is row r % oh of image r / oh. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

/* So many rows or pixels are added up at a time: each is a stream to prefetch, and long
 * chains of additions lose digits. */
#define SUMMED_AT_ONCE 8

/* y = the sum of `taps` rows of n reals, `stride` apart; or y += the sum. Whole vectors
 * of y are written. */
ALWAYS_INLINE void sum_rows(const int adds, const ptrdiff_t taps, const real *weight,
                            ptrdiff_t n, const real *x, ptrdiff_t stride, real *y) {
  for (ptrdiff_t i = 0; i < n; i += LANES) {
    vec sum = adds ? load(y + i) : splat(0);
    if (i + LANES <= n)
      for (ptrdiff_t k = 0; k < taps; k++) sum += weight[k] * load(x + k * stride + i);
    else
      for (ptrdiff_t k = 0; k < taps; k++)
        sum += weight[k] * load_first(x + k * stride + i, n - i, 0);
    store(y + i, sum);
  }
}

static void sum_all_rows(ptrdiff_t taps, const real *weight, ptrdiff_t n, const real *x,
                         ptrdiff_t stride, real *y) {
  if (taps == 2) {
    sum_rows(0, 2, weight, n, x, stride, y);
    return;
  }
  for (ptrdiff_t k = 0; k < taps; k += SUMMED_AT_ONCE) {
    const ptrdiff_t rest = taps - k,
                    some = rest < SUMMED_AT_ONCE ? rest : SUMMED_AT_ONCE;
    if (k == 0)
      sum_rows(0, some, weight, n, x, stride, y);
    else
      sum_rows(1, some, weight + k, n, x + k * stride, stride, y);
  }
}

/* The sum of `taps` pixels of c reals, for several vectors of them. */
ALWAYS_INLINE void sum_vectors(const int vectors, const int whole, const ptrdiff_t taps,
                               const real *weight, ptrdiff_t c, const real *x,
                               const real *x_end, real *y, const real *y_end) {
  vec total[4];
  for (int v = 0; v < vectors; v++) total[v] = splat(0);
  for (ptrdiff_t start = 0; start < taps; start += SUMMED_AT_ONCE) {
    const ptrdiff_t end = taps - start < SUMMED_AT_ONCE ? taps : start + SUMMED_AT_ONCE;
    vec sum[4];
    for (int v = 0; v < vectors; v++) sum[v] = splat(0);
    for (ptrdiff_t l = start; l < end; l++)
      for (int v = 0; v < vectors; v++)
        sum[v] += weight[l] * load_row(whole, x + l * c + v * LANES, x_end);
    for (int v = 0; v < vectors; v++) total[v] += sum[v];
  }
  for (int v = 0; v < vectors; v++) store_row(whole, y + v * LANES, total[v], y_end);
}

ALWAYS_INLINE void sum_pixels(const int whole, const ptrdiff_t taps, const real *weight,
                              ptrdiff_t c, const real *x, const real *x_end, real *y,
                              const real *y_end) {
  ptrdiff_t i = 0;
  for (; i + 4 * LANES <= c; i += 4 * LANES)
    sum_vectors(4, 1, taps, weight, c, x + i, x_end, y + i, y_end);
  for (; i < c; i += LANES)
    sum_vectors(1, whole, taps, weight, c, x + i, x_end, y + i, y_end);
}

/* A row of y from one of x; what a vector writes behind a pixel is written again with
 * the next one, and before y_end. */
static void resample_row(const Resample *g, const real *x, const real *x_end, real *y,
                         const real *y_end) {
  const Taps cols = g->cols; /* a copy that no store can change */
  const ptrdiff_t c = g->c, ow = g->ow, vectors = (c + LANES - 1) / LANES * LANES;
  for (ptrdiff_t ox = 0; ox < ow; ox++, y += c) {
    const real *weight = (const real *)cols.weight + ox * cols.most;
    const real *from = x + cols.first[ox] * c;
    const ptrdiff_t taps = cols.count[ox];
    const int whole = y_end - y >= vectors && x_end - from >= (taps - 1) * c + vectors;
    if (!whole)
      sum_pixels(0, taps, weight, c, from, x_end, y, y_end);
    else if (taps == 1)
      sum_pixels(1, 1, weight, c, from, x_end, y, y_end);
    else if (taps == 2)
      sum_pixels(1, 2, weight, c, from, x_end, y, y_end);
    else
      sum_pixels(1, taps, weight, c, from, x_end, y, y_end);
  }
}

/* Rows `first` to end - 1; scratch holds a row of x in whole vectors, and one more. */
static void resample(const Resample *g, ptrdiff_t first, ptrdiff_t end, void *scratch) {
  const ptrdiff_t n = g->w * g->c, row = g->ow * g->c;
  const real *x_end = (const real *)g->x + g->n * g->h * n;
  const real *y_end = (const real *)g->y + end * row;
  for (ptrdiff_t r = first; r < end; r++) {
    const ptrdiff_t oy = r % g->oh, taps = g->rows.count[oy];
    const real *weight = (const real *)g->rows.weight + oy * g->rows.most;
    const real *x = (const real *)g->x + (r / g->oh * g->h + g->rows.first[oy]) * n;
    real *y = (real *)g->y + r * row;
    if (taps == 1 && weight[0] == 1) {
      resample_row(g, x, x_end, y, y_end);
      continue;
    }
    real *sums = scratch;
    sum_all_rows(taps, weight, n, x, n, sums);
    resample_row(g, sums, sums + n + LANES, y, y_end);
  }
}
