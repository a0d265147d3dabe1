/* Batch normalisation of m examples or pixels with c channels: sums over columns, then
 * one pass that writes rows.
 *
 *   y  = (x - mean) rstd gamma + beta
 *   dx = gamma rstd (dy - (dbeta + (x - mean) rstd dgamma) / m)
 *
 * A residual may be added to y, and an activation may follow: what is in registers
 * already need not be read again. Each form is a body of its own, so the plain one
 * loses nothing. Backward, dy then first becomes the gradient before the activation:
 * from z, found from x once more, which takes less time than to read y; or from y,
 * where there was a residual.
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

/* Whether whole vectors of these rows and columns stay within the array. */
ALWAYS_INLINE int batchnorm_whole(const Batchnorm *g, ptrdiff_t row, ptrdiff_t rows,
                                  ptrdiff_t col, ptrdiff_t cols) {
  return (row + rows - 1) * g->cols + col + cols + LANES <= g->m * g->c ||
         cols % LANES == 0;
}

/* mean = sum x / rows, square = sum (x - mean)^2. The second sum walks the tile again,
 * which is in the cache, and corrects the rounding of the mean (Chan, Golub, LeVeque
 * 1983): exact also when |mean| is far above the deviation. */
ALWAYS_INLINE void moments_block(const int vectors, const int whole, ptrdiff_t rows,
                                 const real *x, ptrdiff_t stride, const real *x_end,
                                 real *mean, real *square, ptrdiff_t cols) {
  vec centre[BLOCK], sum[BLOCK], squares[BLOCK];
  for (int v = 0; v < vectors; v++) sum[v] = splat(0);
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[v] += load_row(whole, x + r * stride + v * LANES, x_end);
  for (int v = 0; v < vectors; v++) {
    centre[v] = sum[v] / (real)rows;
    sum[v] = squares[v] = splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) {
      const real *at = x + r * stride + v * LANES;
      const vec d = load_row(whole, at, x_end) - centre[v];
      sum[v] += d;
      squares[v] += d * d;
    }
  for (int v = 0; v < vectors; v++) {
    const vec rounding = sum[v] / (real)rows;
    store_until(mean + v * LANES, centre[v] + rounding, mean + cols);
    store_until(square + v * LANES, squares[v] - rounding * sum[v], square + cols);
  }
}

/* Of columns `col` ... of rows `row` ..., as part number `part`. Whole vectors may be
 * read up to the end of the array. */
static void batchnorm_moments(const Batchnorm *g, ptrdiff_t row, ptrdiff_t rows,
                              ptrdiff_t col, ptrdiff_t cols, ptrdiff_t part) {
  const int whole = batchnorm_whole(g, row, rows, col, cols);
  const real *x = (const real *)g->x + row * g->cols + col;
  const real *end = (const real *)g->x + g->m * g->c;
  real *mean = (real *)g->firsts + part * g->cols + col;
  real *square = (real *)g->seconds + part * g->cols + col;
  const ptrdiff_t stride = g->cols;
  ptrdiff_t j = 0;
  for (; j + BLOCK * LANES <= cols; j += BLOCK * LANES)
    moments_block(BLOCK, 1, rows, x + j, stride, end, mean + j, square + j, cols - j);
  for (; j + 2 * LANES <= cols; j += 2 * LANES)
    moments_block(2, 1, rows, x + j, stride, end, mean + j, square + j, cols - j);
  for (; j < cols; j += LANES)
    if (whole)
      moments_block(1, 1, rows, x + j, stride, end, mean + j, square + j, cols - j);
    else
      moments_block(1, 0, rows, x + j, stride, end, mean + j, square + j, cols - j);
}

/* A function below for each activation that is fusable with batch_norm in the table. */
#define FUSED(form) form(relu) form(relu6) form(silu)
#define FUSED_FROM_Y(form) form(relu) form(relu6)

ALWAYS_INLINE vec batchnorm_activated(const int kind, vec z) {
#define FORM(name) \
  if (kind == KIND_##name) return name##_forward(z, splat(0));
  FUSED(FORM)
#undef FORM
  return z;
}

/* dy before the activation; the source is z, or y where that tells as much. */
ALWAYS_INLINE vec batchnorm_unactivated(const int kind, vec dy, vec source) {
#define FORM(name) \
  if (kind == KIND_##name) return name##_backward(dy, source, splat(0));
  FUSED(FORM)
#undef FORM
  return dy;
}

/* What an activation was applied to. */
ALWAYS_INLINE vec batchnorm_normalized(const Batchnorm *g, ptrdiff_t j, vec centred) {
  const real *rstd = g->rstd, *gamma = g->gamma, *beta = g->beta;
  return load(gamma + j) * (centred * load(rstd + j)) + load(beta + j);
}

ALWAYS_INLINE vec batchnorm_source(const int whole, const int kind, const int from_y,
                                   const Batchnorm *g, ptrdiff_t j, vec centred,
                                   const real *y, const real *y_end) {
  if (kind == KIND_identity) return centred; /* not used */
  return from_y ? load_row(whole, y, y_end) : batchnorm_normalized(g, j, centred);
}

/* sum dz and sum dz (x - mean), of columns `col` ...; `room` reals follow dy, x and y.
 */
ALWAYS_INLINE void products_block(const int vectors, const int whole, const int kind,
                                  const int from_y, const Batchnorm *g, ptrdiff_t rows,
                                  ptrdiff_t at, const real *y, ptrdiff_t col,
                                  real *sums, real *products, ptrdiff_t cols) {
  const ptrdiff_t n = g->m * g->c, stride = g->cols;
  const real *dy = g->dy, *x = g->x, *mean = g->mean;
  vec centre[BLOCK], sum[BLOCK], product[BLOCK];
  for (int v = 0; v < vectors; v++) {
    centre[v] = load(mean + col + v * LANES);
    sum[v] = product[v] = splat(0);
  }
  for (ptrdiff_t r = 0; r < rows; r++, at += stride)
    for (int v = 0; v < vectors; v++) {
      const ptrdiff_t i = at + v * LANES;
      const vec centred = load_row(whole, x + i, x + n) - centre[v];
      const vec source = batchnorm_source(whole, kind, from_y, g, col + v * LANES,
                                          centred, y + i, y + n);
      const vec dz =
          batchnorm_unactivated(kind, load_row(whole, dy + i, dy + n), source);
      sum[v] += dz;
      product[v] += dz * centred;
    }
  for (int v = 0; v < vectors; v++) {
    store_until(sums + v * LANES, sum[v], sums + cols);
    store_until(products + v * LANES, product[v], products + cols);
  }
}

/* Forms without y get an address that they never read, because arithmetic on NULL is
 * undefined. */
ALWAYS_INLINE void products_form(const int kind, const int from_y, const Batchnorm *g,
                                 ptrdiff_t row, ptrdiff_t rows, ptrdiff_t col,
                                 ptrdiff_t cols, ptrdiff_t part) {
  const ptrdiff_t at = row * g->cols + col;
  const int whole = batchnorm_whole(g, row, rows, col, cols);
  const real *y = from_y ? g->y : g->x;
  real *sums = (real *)g->firsts + part * g->cols + col;
  real *products = (real *)g->seconds + part * g->cols + col;
  ptrdiff_t j = 0;
#define PRODUCTS(vectors, whole)                                                      \
  products_block(vectors, whole, kind, from_y, g, rows, at + j, y, col + j, sums + j, \
                 products + j, cols - j)
  for (; j + BLOCK * LANES <= cols; j += BLOCK * LANES) PRODUCTS(BLOCK, 1);
  for (; j + 2 * LANES <= cols; j += 2 * LANES) PRODUCTS(2, 1);
  for (; j < cols; j += LANES)
    if (whole)
      PRODUCTS(1, 1);
    else
      PRODUCTS(1, 0);
#undef PRODUCTS
}

/* As batchnorm_moments. */
static void batchnorm_products(const Batchnorm *g, ptrdiff_t row, ptrdiff_t rows,
                               ptrdiff_t col, ptrdiff_t cols, ptrdiff_t part) {
#define FORM(name)            \
  if (g->kind == KIND_##name) \
    return products_form(KIND_##name, 0, g, row, rows, col, cols, part);
#define FORM_Y(name)                  \
  if (g->kind == KIND_##name && g->y) \
    return products_form(KIND_##name, 1, g, row, rows, col, cols, part);
  FUSED_FROM_Y(FORM_Y)
  FORM(identity) FUSED(FORM)
#undef FORM
#undef FORM_Y
}

/* rstd = 1 / sqrt(variance + eps) */
static void batchnorm_rstd(ptrdiff_t channels, const void *variance, double eps,
                           void *rstd) {
  const real *from = variance;
  real *to = rstd;
  for (ptrdiff_t c = 0; c < channels; c++)
    to[c] = (real)(1 / __builtin_sqrt((double)from[c] + eps));
}

/* The mean and rstd of all examples from those of the parts (Chan, Golub, LeVeque
 * 1983); an empty batch has none, and sums of 0. */
static void batchnorm_statistics(const Batchnorm *g, ptrdiff_t parts, double eps,
                                 void *mean, void *rstd) {
  const real *part_mean = g->firsts, *part_square = g->seconds;
  const double m = (double)(g->m > 0 ? g->m : 1), *counts = g->counts;
  const ptrdiff_t channels = g->c;
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
static void batchnorm_gradients(const Batchnorm *g, ptrdiff_t parts, const void *rstd,
                                void *dgamma, void *dbeta) {
  const real *part_sum = g->firsts, *part_product = g->seconds, *inverse = rstd;
  const ptrdiff_t channels = g->c;
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

/* Reals `at` to min(at + cols, stop) - 1, a row. */
ALWAYS_INLINE void normalize_columns(const int whole, const int add, const int kind,
                                     const Batchnorm *g, ptrdiff_t at, ptrdiff_t stop,
                                     const real *residual) {
  const real *mean = g->mean;
  const real *x = g->x, *x_end = x + stop, *residual_end = residual + stop;
  real *y = g->result, *y_end = y + stop;
  const ptrdiff_t cols = g->cols < stop - at ? g->cols : stop - at;
  for (ptrdiff_t j = 0; j < cols; j += LANES, at += LANES) {
    vec z = batchnorm_normalized(g, j, load_row(whole, x + at, x_end) - load(mean + j));
    if (add) z += load_row(whole, residual + at, residual_end);
    store_row(whole, y + at, batchnorm_activated(kind, z), y_end);
  }
}

/* The last row may end early. */
ALWAYS_INLINE void normalize_form(const int add, const int kind, const Batchnorm *g,
                                  ptrdiff_t first, ptrdiff_t end) {
  const ptrdiff_t cols = g->cols, n = g->m * g->c;
  const ptrdiff_t stop = end * cols < n ? end * cols : n;
  const real *residual = add ? g->residual : g->x;
  ptrdiff_t row = first * cols;
  for (; row + cols + LANES <= stop; row += cols)
    normalize_columns(1, add, kind, g, row, stop, residual);
  for (; row < stop; row += cols)
    normalize_columns(0, add, kind, g, row, stop, residual);
}

static void batchnorm_normalize(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Batchnorm *g = arguments;
#define FORM(name)                                   \
  if (g->kind == KIND_##name) {                      \
    if (g->residual)                                 \
      normalize_form(1, KIND_##name, g, first, end); \
    else                                             \
      normalize_form(0, KIND_##name, g, first, end); \
  }
  FORM(identity) FUSED(FORM)
#undef FORM
}

ALWAYS_INLINE void backward_columns(const int whole, const int kind, const int from_y,
                                    const Batchnorm *g, ptrdiff_t at, ptrdiff_t stop,
                                    const real *y) {
  const real *mean = g->mean, *rstd = g->rstd, *gamma = g->gamma;
  const real *dgamma = g->dgamma, *dbeta = g->dbeta;
  const real *x = g->x, *x_end = x + stop, *y_end = y + stop;
  const real *dy = g->dy, *dy_end = dy + stop;
  real *dx = g->result, *dx_end = dx + stop;
  const real share = (real)(1 / (double)g->m);
  const ptrdiff_t cols = g->cols < stop - at ? g->cols : stop - at;
  for (ptrdiff_t j = 0; j < cols; j += LANES, at += LANES) {
    const vec r = load(rstd + j);
    const vec centred = load_row(whole, x + at, x_end) - load(mean + j);
    const vec x_hat = centred * r;
    const vec common = (load(dbeta + j) + x_hat * load(dgamma + j)) * share;
    const vec source =
        batchnorm_source(whole, kind, from_y, g, j, centred, y + at, y_end);
    const vec dz =
        batchnorm_unactivated(kind, load_row(whole, dy + at, dy_end), source);
    store_row(whole, dx + at, load(gamma + j) * r * (dz - common), dx_end);
  }
}

ALWAYS_INLINE void backward_form(const int kind, const int from_y, const Batchnorm *g,
                                 ptrdiff_t first, ptrdiff_t end) {
  const ptrdiff_t cols = g->cols, n = g->m * g->c;
  const ptrdiff_t stop = end * cols < n ? end * cols : n;
  const real *y = from_y ? g->y : g->x;
  ptrdiff_t row = first * cols;
  for (; row + cols + LANES <= stop; row += cols)
    backward_columns(1, kind, from_y, g, row, stop, y);
  for (; row < stop; row += cols) backward_columns(0, kind, from_y, g, row, stop, y);
}

static void batchnorm_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Batchnorm *g = arguments;
#define FORM(name) \
  if (g->kind == KIND_##name) return backward_form(KIND_##name, 0, g, first, end);
#define FORM_Y(name)                  \
  if (g->kind == KIND_##name && g->y) \
    return backward_form(KIND_##name, 1, g, first, end);
  FUSED_FROM_Y(FORM_Y)
  FORM(identity) FUSED(FORM)
#undef FORM
#undef FORM_Y
}
