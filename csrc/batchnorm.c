/* Batch normalisation of m examples or pixels with c channels: sums over columns, then
 * one pass that writes rows.
 *
 *   y  = (x - mean) rstd gamma + beta
 *   dx = gamma rstd (dy - (dbeta + (x - mean) rstd dgamma) / m)
 *
 * The sums are taken over tiles. A tile (rows x cols) gives one partial result for each
 * column; partial results are put together in float64 and in a fixed order. Their
 * matrix is (parts, channels): the columns of a tile may be several rows of channels
 * side by side (fastdl/kernels/batchnorm.pyx). */
#include "rows.h"
#include "simd.h"
#include "table.h"

#define BLOCK 4   /* vectors of columns side by side: the chains of additions */
#define FOLDED 16 /* channels side by side when parts are put together */

/* mean = sum x / rows, square = sum (x - mean)^2. The second sum walks the tile again,
 * which is in the cache, and corrects the rounding of the mean (Chan, Golub, LeVeque
 * 1983): exact also when |mean| is far above the deviation. */
ALWAYS_INLINE void moments_block(const int vectors, ptrdiff_t rows, const real *x,
                                 ptrdiff_t stride, const real *x_end, real *mean,
                                 real *square, ptrdiff_t cols) {
  vec centre[BLOCK], sum[BLOCK], squares[BLOCK];
  for (int v = 0; v < vectors; v++) sum[v] = splat(0);
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[v] += load_until(x + r * stride + v * LANES, x_end);
  for (int v = 0; v < vectors; v++) {
    centre[v] = sum[v] / (real)rows;
    sum[v] = squares[v] = splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) {
      const vec d = load_until(x + r * stride + v * LANES, x_end) - centre[v];
      sum[v] += d;
      squares[v] += d * d;
    }
  for (int v = 0; v < vectors; v++) {
    const vec rounding = sum[v] / (real)rows;
    store_until(mean + v * LANES, centre[v] + rounding, mean + cols);
    store_until(square + v * LANES, squares[v] - rounding * sum[v], square + cols);
  }
}

/* `room` reals follow x: whole vectors may be read up to there. */
static void batchnorm_moments(ptrdiff_t rows, ptrdiff_t cols, const void *x,
                              ptrdiff_t stride, ptrdiff_t room, void *means,
                              void *squares) {
  const real *from = x, *end = from + room;
  real *mean = means, *square = squares;
  ptrdiff_t j = 0;
  for (; j + BLOCK * LANES <= cols; j += BLOCK * LANES)
    moments_block(BLOCK, rows, from + j, stride, end, mean + j, square + j, cols - j);
  for (; j < cols; j += LANES)
    moments_block(1, rows, from + j, stride, end, mean + j, square + j, cols - j);
}

/* sum dy and sum dy (x - mean) */
ALWAYS_INLINE void products_block(const int vectors, ptrdiff_t rows, const real *dy,
                                  const real *x, ptrdiff_t stride, ptrdiff_t room,
                                  const real *mean, real *sums, real *products,
                                  ptrdiff_t cols) {
  const real *dy_end = dy + room, *x_end = x + room;
  vec centre[BLOCK], sum[BLOCK], product[BLOCK];
  for (int v = 0; v < vectors; v++) {
    centre[v] = load_until(mean + v * LANES, mean + cols);
    sum[v] = product[v] = splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t at = r * stride + v * LANES;
      const vec g = load_until(dy + at, dy_end);
      sum[v] += g;
      product[v] += g * (load_until(x + at, x_end) - centre[v]);
    }
  for (int v = 0; v < vectors; v++) {
    store_until(sums + v * LANES, sum[v], sums + cols);
    store_until(products + v * LANES, product[v], products + cols);
  }
}

static void batchnorm_products(ptrdiff_t rows, ptrdiff_t cols, const void *dy,
                               const void *x, ptrdiff_t stride, ptrdiff_t room,
                               const void *mean, void *sums, void *products) {
  const real *grad = dy, *from = x, *centre = mean;
  real *s = sums, *p = products;
  ptrdiff_t j = 0;
  for (; j + BLOCK * LANES <= cols; j += BLOCK * LANES)
    products_block(BLOCK, rows, grad + j, from + j, stride, room - j, centre + j, s + j,
                   p + j, cols - j);
  for (; j < cols; j += LANES)
    products_block(1, rows, grad + j, from + j, stride, room - j, centre + j, s + j,
                   p + j, cols - j);
}

/* rstd = 1 / sqrt(variance + eps) */
static void batchnorm_rstd(ptrdiff_t channels, const void *variance, double eps,
                           void *rstd) {
  const real *from = variance;
  real *to = rstd;
  for (ptrdiff_t c = 0; c < channels; c++)
    to[c] = (real)(1 / __builtin_sqrt((double)from[c] + eps));
}

/* The mean and rstd of m examples from parts of `counts` examples each (Chan, Golub,
 * LeVeque 1983). */
static void batchnorm_statistics(ptrdiff_t parts, ptrdiff_t channels,
                                 const double *counts, const void *means,
                                 const void *squares, double m, double eps, void *mean,
                                 void *rstd) {
  const real *part_mean = means, *part_square = squares;
  real *to_mean = mean, *to_rstd = rstd;
  for (ptrdiff_t c = 0; c < channels; c += FOLDED) {
    const ptrdiff_t width = channels - c < FOLDED ? channels - c : FOLDED;
    double centre[FOLDED] = {0}, square[FOLDED] = {0};
    for (ptrdiff_t p = 0; p < parts; p++)
      for (ptrdiff_t l = 0; l < width; l++)
        centre[l] += counts[p] / m * part_mean[p * channels + c + l];
    for (ptrdiff_t p = 0; p < parts; p++)
      for (ptrdiff_t l = 0; l < width; l++) {
        const double d = part_mean[p * channels + c + l] - centre[l];
        square[l] += part_square[p * channels + c + l] + counts[p] * d * d;
      }
    for (ptrdiff_t l = 0; l < width; l++) {
      to_mean[c + l] = (real)centre[l];
      to_rstd[c + l] = (real)(1 / __builtin_sqrt(square[l] / m + eps));
    }
  }
}

/* dbeta = sum dy, dgamma = rstd sum dy (x - mean) */
static void batchnorm_gradients(ptrdiff_t parts, ptrdiff_t channels, const void *sums,
                                const void *products, const void *rstd, void *dgamma,
                                void *dbeta) {
  const real *part_sum = sums, *part_product = products, *inverse = rstd;
  real *to_gamma = dgamma, *to_beta = dbeta;
  for (ptrdiff_t c = 0; c < channels; c += FOLDED) {
    const ptrdiff_t width = channels - c < FOLDED ? channels - c : FOLDED;
    double sum[FOLDED] = {0}, product[FOLDED] = {0};
    for (ptrdiff_t p = 0; p < parts; p++)
      for (ptrdiff_t l = 0; l < width; l++) {
        sum[l] += part_sum[p * channels + c + l];
        product[l] += part_product[p * channels + c + l];
      }
    for (ptrdiff_t l = 0; l < width; l++) {
      to_beta[c + l] = (real)sum[l];
      to_gamma[c + l] = (real)(product[l] * inverse[c + l]);
    }
  }
}

/* In the last two functions the rows lie one after another, and the parameters of the
 * columns are followed by LANES reals that may be read. */
static void batchnorm_normalize(ptrdiff_t rows, ptrdiff_t cols, const void *x,
                                const void *mean, const void *rstd, const void *gamma,
                                const void *beta, void *y) {
  const real *from = x, *end = from + rows * cols;
  const real *centre = mean, *inverse = rstd, *scale = gamma, *shift = beta;
  real *to = y, *to_end = to + rows * cols;
  for (; from < end; from += cols, to += cols)
    for (ptrdiff_t j = 0; j < cols; j += LANES) {
      const vec x_hat =
          (load_until(from + j, end) - load(centre + j)) * load(inverse + j);
      store_until(to + j, load(scale + j) * x_hat + load(shift + j), to_end);
    }
}

static void batchnorm_backward(ptrdiff_t rows, ptrdiff_t cols, double m, const void *dy,
                               const void *x, const void *mean, const void *rstd,
                               const void *gamma, const void *dgamma, const void *dbeta,
                               void *dx) {
  const real *from = x, *end = from + rows * cols, *grad = dy;
  const real *grad_end = grad + rows * cols;
  const real *centre = mean, *inverse = rstd, *scale = gamma;
  const real *dscale = dgamma, *dshift = dbeta;
  const real share = (real)(1 / m);
  real *to = dx, *to_end = to + rows * cols;
  for (; from < end; from += cols, grad += cols, to += cols)
    for (ptrdiff_t j = 0; j < cols; j += LANES) {
      const vec r = load(inverse + j);
      const vec x_hat = (load_until(from + j, end) - load(centre + j)) * r;
      const vec common = (load(dshift + j) + x_hat * load(dscale + j)) * share;
      store_until(to + j,
                  load(scale + j) * r * (load_until(grad + j, grad_end) - common),
                  to_end);
    }
}
