/* PReLU: y = x where x > 0, else weight x, with a weight of its own for each channel,
 * or one for all.
 *
 *   dx = dy where x > 0, else weight dy
 *   dweight = the sum over a channel of dy x where x <= 0
 *
 * The elements are seen in rows of `cols`: several rows of channels side by side where
 * there are few (fastdl/kernels/prelu.pyx). The last row may be shorter. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define SIDE_BY_SIDE 4 /* vectors of columns: as many chains of additions */

/* A row, or the start of one. */
ALWAYS_INLINE void prelu_row(const real *x, const real *weight, ptrdiff_t cols,
                             real *y) {
  for (ptrdiff_t j = 0; j < cols; j += LANES) {
    const vec v = load_some(x + j, cols - j);
    store_some(y + j, choose(v > 0, v, load(weight + j) * v), cols - j);
  }
}

/* Rows. */
static void prelu(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Prelu *g = arguments;
  const ptrdiff_t cols = g->cols;
  const real *weight = g->weight;
  for (ptrdiff_t at = first * cols; at < end * cols && at < g->n; at += cols) {
    const real *x = (const real *)g->x + at;
    real *y = (real *)g->result + at;
    if (at + cols > g->n)
      prelu_row(x, weight, g->n - at, y);
    else if (cols == SIDE_BY_SIDE * LANES)
      prelu_row(x, weight, SIDE_BY_SIDE * LANES, y);
    else
      prelu_row(x, weight, cols, y);
  }
}

/* Elements `at`, one row after the other up to `end`, of vectors side by side; of the
 * only one `lanes` at most, fewer in the last row. */
ALWAYS_INLINE void prelu_columns(const int vectors, const Prelu *g, ptrdiff_t at,
                                 ptrdiff_t end, ptrdiff_t lanes, const real *weight,
                                 real *sums) {
  const real *x = g->x, *dy = g->dy;
  real *dx = g->result;
  vec sum[SIDE_BY_SIDE];
  for (int v = 0; v < vectors; v++) sum[v] = splat(0);
  for (; at < end; at += g->cols)
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t i = at + v * LANES, rest = end - i < lanes ? end - i : lanes;
      const ptrdiff_t n = vectors > 1 ? LANES : rest;
      const vec input = load_some(x + i, n), gradient = load_some(dy + i, n);
      const vec_int positive = input > 0;
      store_some(dx + i,
                 choose(positive, gradient, load(weight + v * LANES) * gradient), n);
      sum[v] += choose(positive, splat(0), gradient * input);
    }
  for (int v = 0; v < vectors; v++) store_some(sums + v * LANES, sum[v], lanes);
}

/* Rows `first` to end - 1, and the sums of their columns. */
static void prelu_backward(const Prelu *g, ptrdiff_t first, ptrdiff_t end, void *sums) {
  const ptrdiff_t cols = g->cols, start = first * cols;
  const ptrdiff_t stop = end * cols < g->n ? end * cols : g->n;
  const real *weight = g->weight;
  real *to = sums;
  ptrdiff_t j = 0;
  if ((stop - start) % cols == 0)
    for (; j + SIDE_BY_SIDE * LANES <= cols; j += SIDE_BY_SIDE * LANES)
      prelu_columns(SIDE_BY_SIDE, g, start + j, stop, LANES, weight + j, to + j);
  for (; j < cols; j += LANES)
    prelu_columns(1, g, start + j, stop, cols - j < LANES ? cols - j : LANES,
                  weight + j, to + j);
}
