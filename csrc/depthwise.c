/* Depthwise convolution: each channel has its own filter, so nothing is shared
 * between channels and the vectors run along them.
 *
 *   y[p][c]        = bias[c] + sum_t x[t][p][c] * weight[t][c]
 *   dweight[t][c] += sum_p     x[t][p][c] * dy[p][c],   dbias[c] += sum_p dy[p][c]
 *
 * x[t] are the pixels under tap t. There are few multiply-adds for each real, so what
 * counts is how it comes from memory. Small blocks of pixels with all channels are
 * computed one by one: their rows are read straight on, and while one is computed the
 * rows under the next block below are fetched into the L2 cache, since the processor
 * foresees no stream that leaves its page after a few pixels.
 *
 * Other convolutions stand on the register tile of matmul.c. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define COLS_AT_ONCE 4 /* windows of a block */
#define SQUARE 3       /* a kernel of so many rows and columns has bodies of its own */
#define ROWS_AT_ONCE 2 /* there; 4 rows of x serve for 6, and 8 sums hide latency */
#define TAPS_AT_ONCE 9 /* gradients with sums in registers */
#define STRIP_ROWS 4   /* of a block that has fewer columns */

ALWAYS_INLINE void prefetch_bytes(const real *p, ptrdiff_t bytes) {
  for (ptrdiff_t i = 0; i < bytes; i += 64) __builtin_prefetch(behind(p, i), 0, 2);
}

/* Fetch what the windows under a block read first, and their y (or dy). */
ALWAYS_INLINE void fetch_below(ptrdiff_t rows, ptrdiff_t cols, const Depthwise *g,
                               ptrdiff_t at, const real *y) {
  if (!g->fresh) return;
  for (ptrdiff_t r = rows; r < 2 * rows; r++) {
    for (ptrdiff_t run = g->runs - g->fresh; run < g->runs; run++)
      prefetch_bytes(behind(g->x[run], at + r * g->x_row), cols * g->x_col);
    prefetch_bytes(behind(y, r * g->y_row), cols * g->y_col);
  }
}

/* Channels [c, c + n) of a block of one row. A load of x goes straight into a
 * multiply-add, which takes as long; a load of weights serves the whole block. */
ALWAYS_INLINE void window_sums(const int cols, const Depthwise *g, ptrdiff_t at,
                               ptrdiff_t c, ptrdiff_t n, const real *bias, real *y) {
  const ptrdiff_t x_col = g->x_col, y_col = g->y_col, taps = g->taps;
  const vec start = bias ? load_some(bias + c, n) : splat(0);
  vec sum[COLS_AT_ONCE];
  for (int p = 0; p < cols; p++) sum[p] = start;
  for (ptrdiff_t run = 0; run < g->runs; run++) {
    const real *x = behind((const real *)g->x[run] + c, at);
    const real *weight = (const real *)g->weight[run] + c;
    for (ptrdiff_t t = 0; t < taps; t++) {
      const vec filter = load_some(weight, n);
      for (int p = 0; p < cols; p++)
        sum[p] += load_some(behind(x, p * x_col), n) * filter;
      x = behind(x, g->x_tap);
      weight = behind(weight, g->weight_tap);
    }
  }
  for (int p = 0; p < cols; p++) store_some(behind(y + c, p * y_col), sum[p], n);
}

/* Whether the windows are those of a SQUARE x SQUARE kernel of stride 1. */
ALWAYS_INLINE int is_square(const Depthwise *g) {
  return g->runs == SQUARE && g->taps == SQUARE && g->x_tap == g->x_col &&
         behind(g->x[0], g->x_row) == g->x[1];
}

/* The same for a kernel of SQUARE x SQUARE of stride 1, with all its weights in
 * registers: each pixel is loaded once for all windows of the block. */
ALWAYS_INLINE void square_sums(const int rows, const int cols, const Depthwise *g,
                               ptrdiff_t at, ptrdiff_t c, ptrdiff_t n, const real *bias,
                               real *y) {
  const ptrdiff_t x_row = g->x_row, x_col = g->x_col, y_row = g->y_row;
  const ptrdiff_t y_col = g->y_col, weight_tap = g->weight_tap;
  const vec start = bias ? load_some(bias + c, n) : splat(0);
  vec sum[ROWS_AT_ONCE][COLS_AT_ONCE], filter[SQUARE][SQUARE];
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < cols; p++) sum[r][p] = start;
  for (int k = 0; k < SQUARE; k++)
    for (int t = 0; t < SQUARE; t++)
      filter[k][t] =
          load_some(behind((const real *)g->weight[k] + c, t * weight_tap), n);
  const real *x = behind((const real *)g->x[0] + c, at);
#pragma GCC unroll 8
  for (int i = 0; i < rows + SQUARE - 1; i++, x = behind(x, x_row))
#pragma GCC unroll 8
    for (int j = 0; j < cols + SQUARE - 1; j++) {
      const vec pixel = load_some(behind(x, j * x_col), n);
#pragma GCC unroll 8
      for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int p = 0; p < cols; p++)
          if (r <= i && i < r + SQUARE && p <= j && j < p + SQUARE)
            sum[r][p] += pixel * filter[i - r][j - p];
    }
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < cols; p++)
      store_some(behind(y + c, r * y_row + p * y_col), sum[r][p], n);
}

ALWAYS_INLINE void block_sums(const int square, const int rows, const int cols,
                              const Depthwise *g, ptrdiff_t at, ptrdiff_t c,
                              ptrdiff_t n, const real *bias, real *y) {
  if (square)
    square_sums(rows, cols, g, at, c, n, bias, y);
  else
    window_sums(cols, g, at, c, n, bias, y);
}

/* All channels of a block. The last vector begins earlier where it would end behind
 * them, and computes some of them again. */
ALWAYS_INLINE void window_block(const int square, const int rows, const int cols,
                                const Depthwise *g, ptrdiff_t at, const real *bias,
                                real *y) {
  const ptrdiff_t last = g->channels - LANES;
  fetch_below(rows, cols, g, at, y);
  if (last < 0) {
    block_sums(square, rows, cols, g, at, 0, g->channels, bias, y);
    return;
  }
  for (ptrdiff_t c = 0; c < last; c += LANES)
    block_sums(square, rows, cols, g, at, c, LANES, bias, y);
  block_sums(square, rows, cols, g, at, last, LANES, bias, y);
}

ALWAYS_INLINE void window_rows(const int square, const int rows, const Depthwise *g,
                               ptrdiff_t at, const real *bias, real *y) {
  ptrdiff_t p = 0;
  for (; p + COLS_AT_ONCE <= g->cols; p += COLS_AT_ONCE)
    window_block(square, rows, COLS_AT_ONCE, g, at + p * g->x_col, bias,
                 behind(y, p * g->y_col));
  for (; p < g->cols; p++)
    window_block(square, rows, 1, g, at + p * g->x_col, bias, behind(y, p * g->y_col));
}

ALWAYS_INLINE void depthwise_windows(const int square, const Depthwise *g,
                                     const real *bias, real *y) {
  ptrdiff_t r = 0;
  for (; square && r + ROWS_AT_ONCE <= g->rows; r += ROWS_AT_ONCE)
    window_rows(square, ROWS_AT_ONCE, g, r * g->x_row, bias, behind(y, r * g->y_row));
  for (; r < g->rows; r++)
    window_rows(square, 1, g, r * g->x_row, bias, behind(y, r * g->y_row));
}

/* bias may be NULL. */
static void depthwise(const Depthwise *geometry, const void *bias, void *y) {
  const Depthwise copy = *geometry, *g = &copy; /* no store can change it */
  if (is_square(g))
    depthwise_windows(1, g, bias, y);
  else
    depthwise_windows(0, g, bias, y);
}

/* Add the products of rows x cols windows to sums over channels [c, c + n): one for
 * each of `taps` taps, and the last one of dy alone. */
ALWAYS_INLINE void tap_products(const int taps, const Depthwise *g,
                                const real *const *x, ptrdiff_t at, ptrdiff_t rows,
                                ptrdiff_t cols, ptrdiff_t c, ptrdiff_t n,
                                const real *dy, vec *sum) {
  const ptrdiff_t x_col = g->x_col, y_col = g->y_col;
  for (ptrdiff_t r = 0; r < rows; r++) {
    const real *from = behind(dy + c, r * g->y_row);
    ptrdiff_t place = at + r * g->x_row;
    for (ptrdiff_t p = 0; p < cols; p++, place += x_col, from = behind(from, y_col)) {
      const vec right = load_some(from, n);
      for (int t = 0; t < taps; t++)
        sum[t] += load_some(behind(x[t] + c, place), n) * right;
      sum[taps] += right;
    }
  }
}

/* The same for a whole block and the kernel of square_sums: dy in registers. */
ALWAYS_INLINE void square_products(const Depthwise *g, const real *x, const real *dy,
                                   vec *sum) {
  vec right[ROWS_AT_ONCE][COLS_AT_ONCE];
  for (int r = 0; r < ROWS_AT_ONCE; r++)
    for (int p = 0; p < COLS_AT_ONCE; p++) {
      right[r][p] = load(behind(dy, r * g->y_row + p * g->y_col));
      sum[SQUARE * SQUARE] += right[r][p];
    }
#pragma GCC unroll 8
  for (int i = 0; i < ROWS_AT_ONCE + SQUARE - 1; i++, x = behind(x, g->x_row))
#pragma GCC unroll 8
    for (int j = 0; j < COLS_AT_ONCE + SQUARE - 1; j++) {
      const vec pixel = load(behind(x, j * g->x_col));
#pragma GCC unroll 8
      for (int r = 0; r < ROWS_AT_ONCE; r++)
#pragma GCC unroll 8
        for (int p = 0; p < COLS_AT_ONCE; p++)
          if (r <= i && i < r + SQUARE && p <= j && j < p + SQUARE)
            sum[(i - r) * SQUARE + j - p] += pixel * right[r][p];
    }
}

/* Add the products to channels [c, c + n) of `taps` gradients, but for the first `done`
 * of these channels. dbias may be NULL. */
ALWAYS_INLINE void tap_sums(const int square, const int taps, const Depthwise *g,
                            const real *const *x, ptrdiff_t at, ptrdiff_t rows,
                            ptrdiff_t cols, ptrdiff_t c, ptrdiff_t n, ptrdiff_t done,
                            const real *dy, real *const *dweight, real *dbias) {
  vec sum[TAPS_AT_ONCE + 1] = {{0}};
  if (square && rows == ROWS_AT_ONCE && cols == COLS_AT_ONCE)
    square_products(g, behind(x[0] + c, at), dy + c, sum);
  else
    tap_products(taps, g, x, at, rows, cols, c, n, dy, sum);
  const vec_int again = first_lanes(done);
  for (int t = 0; t <= taps; t++) {
    if (t == taps && !dbias) break;
    real *to = (t == taps ? dbias : dweight[t]) + c;
    store_some(to, load_some(to, n) + choose(again, splat(0), sum[t]), n);
  }
}

/* The gradients of `taps` taps, beginning with `first`. */
ALWAYS_INLINE void tap_block(const int square, const int taps, const Depthwise *g,
                             ptrdiff_t first, const real *dy, real *dbias) {
  const ptrdiff_t last = g->channels - LANES;
  const ptrdiff_t most = square                   ? ROWS_AT_ONCE
                         : g->cols < COLS_AT_ONCE ? STRIP_ROWS
                                                  : 1;
  const real *x[TAPS_AT_ONCE + 1];
  real *dweight[TAPS_AT_ONCE + 1];
  for (int t = 0; t < taps; t++) {
    const ptrdiff_t run = (first + t) / g->taps, tap = (first + t) % g->taps;
    x[t] = behind(g->x[run], tap * g->x_tap);
    dweight[t] = behind(g->weight[run], tap * g->weight_tap);
  }
  if (last < 0) { /* one block: to load what was stored with a mask stalls */
    tap_sums(0, taps, g, x, 0, g->rows, g->cols, 0, g->channels, 0, dy, dweight, dbias);
    return;
  }
  for (ptrdiff_t r = 0; r < g->rows; r += most)
    for (ptrdiff_t p = 0; p < g->cols; p += COLS_AT_ONCE) {
      const ptrdiff_t rows = g->rows - r < most ? g->rows - r : most;
      const ptrdiff_t cols = g->cols - p < COLS_AT_ONCE ? g->cols - p : COLS_AT_ONCE;
      const ptrdiff_t at = r * g->x_row + p * g->x_col;
      const real *from = behind(dy, r * g->y_row + p * g->y_col);
      fetch_below(rows, cols, g, at, from);
      ptrdiff_t c = 0;
      for (; c < last; c += LANES)
        tap_sums(square, taps, g, x, at, rows, cols, c, LANES, 0, from, dweight, dbias);
      tap_sums(square, taps, g, x, at, rows, cols, last, LANES, c - last, from, dweight,
               dbias);
    }
}

/* g->weight are the gradients to which is added. */
static void depthwise_weight(const Depthwise *g, const void *dy, void *dbias) {
  if (is_square(g)) {
    tap_block(1, SQUARE * SQUARE, g, 0, dy, dbias);
    return;
  }
  const ptrdiff_t taps = g->runs * g->taps;
  ptrdiff_t first = 0;
  do {
    real *sums = first ? NULL : dbias; /* once is enough */
#define TAPS(count)                          \
  case count:                                \
    tap_block(0, count, g, first, dy, sums); \
    break
    switch (taps - first) {
      TAPS(0);
      TAPS(1);
      TAPS(2);
      TAPS(3);
      TAPS(4);
      TAPS(5);
      TAPS(6);
      TAPS(7);
      TAPS(8);
      default:
        tap_block(0, TAPS_AT_ONCE, g, first, dy, sums);
    }
#undef TAPS
    first += TAPS_AT_ONCE;
  } while (first < taps);
}
