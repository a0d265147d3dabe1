/* Batch normalisation of m examples or pixels with c channels: sums over columns, then
 * one pass that writes rows.
 *
 *   y  = (x - mean) rstd gamma + beta
 *   dx = gamma rstd (dy - (dbeta + (x - mean) rstd dgamma) / m)
 *
 * A residual may be added to y, and ReLU may follow: what is in registers already need
 * not be read again. Each form is a body of its own, so the plain one loses nothing.
 *
 * The sums are taken over tiles. A tile (rows x cols) gives one partial result for each
 * column; partial results are put together in float64 and in a fixed order. Their
 * matrix is (parts, channels): the columns of a tile may be several rows of channels
 * side by side (fastdl/kernels/batchnorm.pyx). */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"
#include "vecmath.h"

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

/* dy; with relu 0 where the result y of the forward pass is not positive. */
ALWAYS_INLINE vec gradient(const int relu, const real *dy, const real *dy_end,
                           const real *y, const real *y_end) {
  const vec g = load_until(dy, dy_end);
  return relu ? choose(load_until(y, y_end) > 0, g, splat(0)) : g;
}

/* sum dy and sum dy (x - mean) */
ALWAYS_INLINE void products_block(const int vectors, const int relu, ptrdiff_t rows,
                                  const real *dy, const real *x, const real *y,
                                  ptrdiff_t stride, ptrdiff_t room, const real *mean,
                                  real *sums, real *products, ptrdiff_t cols) {
  const real *dy_end = dy + room, *x_end = x + room, *y_end = y + room;
  vec centre[BLOCK], sum[BLOCK], product[BLOCK];
  for (int v = 0; v < vectors; v++) {
    centre[v] = load_until(mean + v * LANES, mean + cols);
    sum[v] = product[v] = splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t at = r * stride + v * LANES;
      const vec g = gradient(relu, dy + at, dy_end, y + at, y_end);
      sum[v] += g;
      product[v] += g * (load_until(x + at, x_end) - centre[v]);
    }
  for (int v = 0; v < vectors; v++) {
    store_until(sums + v * LANES, sum[v], sums + cols);
    store_until(products + v * LANES, product[v], products + cols);
  }
}

ALWAYS_INLINE void products_form(const int relu, ptrdiff_t rows, ptrdiff_t cols,
                                 const real *dy, const real *x, const real *y,
                                 ptrdiff_t stride, ptrdiff_t room, const real *mean,
                                 real *sums, real *products) {
  ptrdiff_t j = 0;
  for (; j + BLOCK * LANES <= cols; j += BLOCK * LANES)
    products_block(BLOCK, relu, rows, dy + j, x + j, y + j, stride, room - j, mean + j,
                   sums + j, products + j, cols - j);
  for (; j < cols; j += LANES)
    products_block(1, relu, rows, dy + j, x + j, y + j, stride, room - j, mean + j,
                   sums + j, products + j, cols - j);
}

/* y may be NULL: no activation. The plain form gets an address that it never reads,
 * because arithmetic on NULL is undefined. */
static void batchnorm_products(ptrdiff_t rows, ptrdiff_t cols, const void *dy,
                               const void *x, const void *y, ptrdiff_t stride,
                               ptrdiff_t room, const void *mean, void *sums,
                               void *products) {
  if (y)
    products_form(1, rows, cols, dy, x, y, stride, room, mean, sums, products);
  else
    products_form(0, rows, cols, dy, x, x, stride, room, mean, sums, products);
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

/* In the last functions the rows lie one after another, and the parameters of the
 * columns are followed by LANES reals that may be read. */
ALWAYS_INLINE void normalize_form(const int add, const int relu, ptrdiff_t rows,
                                  ptrdiff_t cols, const real *x, const real *mean,
                                  const real *rstd, const real *gamma, const real *beta,
                                  const real *residual, real *y) {
  const real *x_end = x + rows * cols, *residual_end = residual + rows * cols;
  real *y_end = y + rows * cols;
  for (; x < x_end; x += cols, residual += cols, y += cols)
    for (ptrdiff_t j = 0; j < cols; j += LANES) {
      const vec x_hat = (load_until(x + j, x_end) - load(mean + j)) * load(rstd + j);
      vec z = load(gamma + j) * x_hat + load(beta + j);
      if (add) z += load_until(residual + j, residual_end);
      store_until(y + j, relu ? at_least(z, 0) : z, y_end);
    }
}

/* residual may be NULL. */
static void batchnorm_normalize(ptrdiff_t rows, ptrdiff_t cols, const void *x,
                                const void *mean, const void *rstd, const void *gamma,
                                const void *beta, const void *residual, int relu,
                                void *y) {
  if (residual && relu)
    normalize_form(1, 1, rows, cols, x, mean, rstd, gamma, beta, residual, y);
  else if (residual)
    normalize_form(1, 0, rows, cols, x, mean, rstd, gamma, beta, residual, y);
  else if (relu)
    normalize_form(0, 1, rows, cols, x, mean, rstd, gamma, beta, x, y);
  else
    normalize_form(0, 0, rows, cols, x, mean, rstd, gamma, beta, x, y);
}

ALWAYS_INLINE void backward_form(const int relu, ptrdiff_t rows, ptrdiff_t cols,
                                 double m, const real *dy, const real *x, const real *y,
                                 const real *mean, const real *rstd, const real *gamma,
                                 const real *dgamma, const real *dbeta, real *dx) {
  const real *x_end = x + rows * cols, *dy_end = dy + rows * cols;
  const real *y_end = y + rows * cols;
  const real share = (real)(1 / m);
  real *dx_end = dx + rows * cols;
  for (; x < x_end; x += cols, dy += cols, y += cols, dx += cols)
    for (ptrdiff_t j = 0; j < cols; j += LANES) {
      const vec r = load(rstd + j);
      const vec x_hat = (load_until(x + j, x_end) - load(mean + j)) * r;
      const vec common = (load(dbeta + j) + x_hat * load(dgamma + j)) * share;
      const vec g = gradient(relu, dy + j, dy_end, y + j, y_end);
      store_until(dx + j, load(gamma + j) * r * (g - common), dx_end);
    }
}

/* y may be NULL, as in batchnorm_products. */
static void batchnorm_backward(ptrdiff_t rows, ptrdiff_t cols, double m, const void *dy,
                               const void *x, const void *y, const void *mean,
                               const void *rstd, const void *gamma, const void *dgamma,
                               const void *dbeta, void *dx) {
  if (y)
    backward_form(1, rows, cols, m, dy, x, y, mean, rstd, gamma, dgamma, dbeta, dx);
  else
    backward_form(0, rows, cols, m, dy, x, x, mean, rstd, gamma, dgamma, dbeta, dx);
}
