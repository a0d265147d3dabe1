/* C[r][j] = start + sum_k A[r][k] * B[k][j]: the register tile under dense layers and
 * convolutions.
 *
 * A: `rows` pointers, each walked as the Reduction says; nothing is copied, so a
 *    convolution hands over pointers into the image, a transposed matrix a step.
 * B: rows of TILE_COLS reals, b_stride apart; read up to the next multiple of LANES
 *    above `cols`.
 * C: `rows` pointers to `cols` <= TILE_COLS reals each.
 * start: C itself (accumulate), else the bias row (padded like B), else 0. */
#include "simd.h"
#include "table.h"

ALWAYS_INLINE void tile_body(const int rows, const int vectors, ptrdiff_t cols,
                             const real *const *a, const real *b, real *const *c,
                             const real *bias, int accumulate, const Reduction *k) {
  vec sum[TILE_ROWS][TILE_VECTORS];
  const ptrdiff_t last = cols - (vectors - 1) * LANES; /* columns of the last vector */

#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      if (accumulate && v == vectors - 1 && last < LANES)
        sum[r][v] = load_first(c[r] + v * LANES, last, 0);
      else if (accumulate)
        sum[r][v] = load(c[r] + v * LANES);
      else
        sum[r][v] = bias ? load(bias + v * LANES) : splat(0);
    }
  }

  const ptrdiff_t step = k->step, b_stride = k->b_stride, length = k->length;
  for (ptrdiff_t s = 0; s < k->runs; s++) {
    const real *row[TILE_ROWS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) row[r] = a[r] + k->offset[s];
    for (ptrdiff_t i = 0, at = 0; i < length; i++, at += step, b += b_stride) {
      vec right[TILE_VECTORS];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) right[v] = load(b + v * LANES);
#pragma GCC unroll 16
      for (int r = 0; r < rows; r++) {
        const vec left = splat(row[r][at]);
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
      }
    }
  }

#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      if (v == vectors - 1 && last < LANES)
        store_first(c[r] + v * LANES, sum[r][v], last);
      else
        store(c[r] + v * LANES, sum[r][v]);
    }
  }
}

static void tile(ptrdiff_t rows, ptrdiff_t cols, const void *const *a, const void *b,
                 void *const *c, const void *bias, int accumulate, const Reduction *k) {
  const real *const *a_ = (const real *const *)a;
  real *const *c_ = (real *const *)c;
  /* One specialised body for each number of rows, so that the accumulators of a
   * short last tile stay in registers too. */
#define ROWS(n)                                              \
  case n:                                                    \
    if (cols > LANES)                                        \
      tile_body(n, 2, cols, a_, b, c_, bias, accumulate, k); \
    else                                                     \
      tile_body(n, 1, cols, a_, b, c_, bias, accumulate, k); \
    break;
  switch (rows) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
#if TILE_ROWS > 4
    ROWS(5)
    ROWS(6)
#endif
#if TILE_ROWS > 6
    ROWS(7)
    ROWS(8)
#endif
  }
#undef ROWS
}

/* Copies B (rows x cols <= TILE_COLS, any strides) into a panel: rows of TILE_COLS
 * reals, zeros beyond `cols`. */
static void pack_panel(ptrdiff_t rows, ptrdiff_t cols, const void *b,
                       ptrdiff_t row_stride, ptrdiff_t col_stride, void *panel) {
  const real *from = b;
  real *to = panel;
  if (cols < TILE_COLS) memset(to, 0, (size_t)(rows * TILE_COLS) * sizeof(real));
  if (col_stride == 1) {
    for (ptrdiff_t i = 0; i < rows; i++)
      memcpy(to + i * TILE_COLS, from + i * row_stride, (size_t)cols * sizeof(real));
    return;
  }
  /* Transposing: blocks of one cache line of rows, so that neither side strides
   * through memory. */
  const ptrdiff_t block = 64 / (ptrdiff_t)sizeof(real);
  for (ptrdiff_t i = 0; i < rows; i += block) {
    const ptrdiff_t end = i + block < rows ? i + block : rows;
    for (ptrdiff_t j = 0; j < cols; j++)
      for (ptrdiff_t l = i; l < end; l++)
        to[l * TILE_COLS + j] = from[l * row_stride + j * col_stride];
  }
}

/* sum[j] += sum_i x[i][j] */
static void column_sum(ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
                       void *sum) {
  const real *from = x;
  real *to = sum;
  ptrdiff_t j = 0;
  for (; j + LANES <= cols; j += LANES) {
    vec part[4] = {{0}}; /* four chains hide the latency of the addition */
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4)
      for (int u = 0; u < 4; u++) part[u] += load(from + (i + u) * stride + j);
    for (; i < rows; i++) part[0] += load(from + i * stride + j);
    store(to + j, load(to + j) + ((part[0] + part[1]) + (part[2] + part[3])));
  }
  for (; j < cols; j++) {
    real part[4] = {0};
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4)
      for (int u = 0; u < 4; u++) part[u] += from[(i + u) * stride + j];
    for (; i < rows; i++) part[0] += from[i * stride + j];
    to[j] += (part[0] + part[1]) + (part[2] + part[3]);
  }
}

/* sum[i] += x[i] */
static void add(ptrdiff_t n, const void *x, void *sum) {
  const real *from = x;
  real *to = sum;
  for (ptrdiff_t i = 0; i < n; i++) to[i] += from[i];
}
