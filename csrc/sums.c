/* Sums of rows. */
#include "microkernels.h"
#include "simd.h"

/* sum[j] += sum_i x[i][j] */
static void column_sum(ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
                       void *sum) {
  real *to = sum;
  ptrdiff_t j = 0;
  for (; j + LANES <= cols; j += LANES) {
    vec part[4] = {{0}}; /* four chains hide the latency of the addition */
    const real *from = (const real *)x + j;
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4)
      for (int u = 0; u < 4; u++) part[u] += load(behind(from, (i + u) * stride));
    for (; i < rows; i++) part[0] += load(behind(from, i * stride));
    store(to + j, load(to + j) + ((part[0] + part[1]) + (part[2] + part[3])));
  }
  if (j < cols) {
    vec part[4] = {{0}};
    const real *from = (const real *)x + j;
    const ptrdiff_t left = cols - j;
    ptrdiff_t i = 0;
    for (; i + 4 <= rows; i += 4)
      for (int u = 0; u < 4; u++)
        part[u] += load_first(behind(from, (i + u) * stride), left, 0);
    for (; i < rows; i++) part[0] += load_first(behind(from, i * stride), left, 0);
    const vec total = (part[0] + part[1]) + (part[2] + part[3]);
    store_first(to + j, load_first(to + j, left, 0) + total, left);
  }
}

/* sum[i] += x[i] */
static void add_span(ptrdiff_t n, const void *x, void *sum) {
  const real *from = x;
  real *to = sum;
  for (ptrdiff_t i = 0; i < n; i++) to[i] += from[i];
}

/* sum[r][i] += x[r][i] for i < n, rows being strides apart. The places of neighbouring
 * rows may overlap: rows far enough apart go together, because to load what was stored
 * a moment ago, but not as one vector, stalls. */
static void add_runs(ptrdiff_t rows, ptrdiff_t n, const void *x, ptrdiff_t x_stride,
                     void *sum, ptrdiff_t sum_stride) {
  const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(real);
  const ptrdiff_t apart = (bytes + sum_stride - 1) / sum_stride;
  for (ptrdiff_t first = 0; first < apart; first++)
    for (ptrdiff_t r = first; r < rows; r += apart) {
      const real *from = behind(x, r * x_stride);
      real *to = behind(sum, r * sum_stride);
      ptrdiff_t i = 0;
      for (; i + LANES <= n; i += LANES) store(to + i, load(to + i) + load(from + i));
      if (i < n)
        store_first(to + i,
                    load_first(to + i, n - i, 0) + load_first(from + i, n - i, 0),
                    n - i);
    }
}

/* sum_i x[i][j] in float64, rows being `stride` bytes apart. */
static void total_rows(ptrdiff_t rows, ptrdiff_t cols, const void *x, ptrdiff_t stride,
                       void *sum) {
  enum { WIDTH = 16 };
  for (ptrdiff_t j = 0; j < cols; j += WIDTH) {
    const ptrdiff_t width = cols - j < WIDTH ? cols - j : WIDTH;
    double total[WIDTH] = {0};
    for (ptrdiff_t i = 0; i < rows; i++) {
      const real *row = behind(x, i * stride) + j;
      for (ptrdiff_t l = 0; l < width; l++) total[l] += row[l];
    }
    for (ptrdiff_t l = 0; l < width; l++) ((real *)sum)[j + l] = (real)total[l];
  }
}
