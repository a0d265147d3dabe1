/* Layer and group normalisation. An example has `pixels` rows of channels, which are
 * cut into groups; a group, at all n reals of its pixels and channels, has one mean and
 * rstd.
 *
 *   y  = (x - mean) rstd gamma + beta
 *   dx = rstd (g - sum g / n - (x - mean) rstd^2 sum g (x - mean) / n),  g = gamma dy
 *
 * One pixel: a group is n reals on end, and sums run along it. More: sums run down the
 * columns, as in batchnorm.c, and are put together for each group. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define ROW_CHAINS 4        /* vectors side by side: the chains of additions */
#define TOGETHER 1024       /* reals of short groups, which stay in the cache */
#define PART (1024 * LANES) /* reals of a part of a long sum; parts meet in float64 */

/* Examples of one pixel --------------------------------------------------------- */

/* Of `vectors` vectors, or of the first n lanes of one: deviations, and their squares.
 */
ALWAYS_INLINE void deviations_block(const int vectors, ptrdiff_t n, const real *x,
                                    real centre, vec *sum, vec *square) {
  for (int v = 0; v < vectors; v++) {
    vec d = load_some(x + v * LANES, n) - centre;
    if (n < LANES) d = choose(first_lanes(n), d, splat(0));
    sum[v] += d;
    square[v] += d * d;
  }
}

/* sum (x - centre) and sum (x - centre)^2 of n reals */
ALWAYS_INLINE void row_deviations(ptrdiff_t n, const real *x, real centre, double *sum,
                                  double *square) {
  *sum = *square = 0;
  for (ptrdiff_t k = 0, end; k < n; k = end) {
    end = n - k < PART ? n : k + PART;
    vec s[ROW_CHAINS] = {{0}}, q[ROW_CHAINS] = {{0}};
    for (; k + ROW_CHAINS * LANES <= end; k += ROW_CHAINS * LANES)
      deviations_block(ROW_CHAINS, LANES, x + k, centre, s, q);
    for (; k + LANES <= end; k += LANES)
      deviations_block(1, LANES, x + k, centre, s, q);
    if (k < end) deviations_block(1, end - k, x + k, centre, s, q);
    *sum += sum_of_lanes((s[0] + s[1]) + (s[2] + s[3]));
    *square += sum_of_lanes((q[0] + q[1]) + (q[2] + q[3]));
  }
}

/* y of a row. */
ALWAYS_INLINE void normalize_row(ptrdiff_t n, const real *x, real mean, real rstd,
                                 const real *gamma, const real *beta, real *y) {
  ptrdiff_t k = 0;
  for (; k + LANES <= n; k += LANES)
    store(y + k, load(gamma + k) * ((load(x + k) - mean) * rstd) + load(beta + k));
  if (k < n) {
    const vec x_hat = (load_first(x + k, n - k, 0) - mean) * rstd;
    const vec scaled = load_first(gamma + k, n - k, 0) * x_hat;
    store_first(y + k, scaled + load_first(beta + k, n - k, 0), n - k);
  }
}

/* Groups `first` to `end` - 1 of all examples. Short ones go together step by step,
 * which hides the latency of the steps. The second sum corrects the rounding of the
 * mean (Chan, Golub, LeVeque 1983). */
static void layernorm(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Layernorm *g = arguments;
  const ptrdiff_t n = g->size, together = n < TOGETHER ? TOGETHER / n : 1;
  const double share = 1 / (double)n;
  real *mean = g->mean, *rstd = g->rstd;
  for (ptrdiff_t from = first, to; from < end; from = to) {
    to = end - from < together ? end : from + together;
    double sum, square;
    for (ptrdiff_t row = from; row < to; row++) {
      row_deviations(n, (const real *)g->x + row * n, 0, &sum, &square);
      mean[row] = (real)(sum * share);
    }
    for (ptrdiff_t row = from; row < to; row++) {
      row_deviations(n, (const real *)g->x + row * n, mean[row], &sum, &square);
      const double rounding = sum * share, variance = (square - rounding * sum) * share;
      mean[row] = (real)(mean[row] + rounding);
      rstd[row] = (real)(1 / __builtin_sqrt(variance + g->eps));
    }
    for (ptrdiff_t row = from; row < to; row++) {
      const ptrdiff_t channel = row % g->groups * n;
      normalize_row(n, (const real *)g->x + row * n, mean[row], rstd[row],
                    (const real *)g->gamma + channel, (const real *)g->beta + channel,
                    (real *)g->result + row * n);
    }
  }
}

/* sum g, sum g (x - mean); dgamma += dy (x - mean) rstd, dbeta += dy */
ALWAYS_INLINE void products_of_row(const int vectors, ptrdiff_t n, const real *dy,
                                   const real *x, const real *gamma, real mean,
                                   real rstd, vec *sum, vec *product, real *dgamma,
                                   real *dbeta) {
  for (int v = 0; v < vectors; v++) {
    const ptrdiff_t k = v * LANES;
    const vec z = load_some(dy + k, n), d = load_some(x + k, n) - mean;
    const vec grad = load_some(gamma + k, n) * z;
    sum[v] += grad;
    product[v] += grad * d;
    store_some(dgamma + k, load_some(dgamma + k, n) + z * (d * rstd), n);
    store_some(dbeta + k, load_some(dbeta + k, n) + z, n);
  }
}

/* dx of examples `first` to `end` - 1, and their dgamma and dbeta as part `part`. */
static void layernorm_backward(const Layernorm *g, ptrdiff_t first, ptrdiff_t end,
                               ptrdiff_t part) {
  const ptrdiff_t n = g->size, channels = g->groups * n;
  real *dgammas = (real *)g->seconds + part * channels;
  real *dbetas = (real *)g->firsts + part * channels;
  for (ptrdiff_t c = 0; c < channels; c++) dgammas[c] = dbetas[c] = 0;
  for (ptrdiff_t row = first * g->groups; row < end * g->groups; row++) {
    const ptrdiff_t channel = row % g->groups * n;
    const real *dy = (const real *)g->dy + row * n, *x = (const real *)g->x + row * n;
    const real *gamma = (const real *)g->gamma + channel;
    const real mean = ((const real *)g->mean)[row];
    const real rstd = ((const real *)g->rstd)[row];
    real *dgamma = dgammas + channel, *dbeta = dbetas + channel;
    real *dx = (real *)g->result + row * n;
    double sum = 0, product = 0;
    for (ptrdiff_t k = 0, stop; k < n; k = stop) {
      stop = n - k < PART ? n : k + PART;
      vec s[ROW_CHAINS] = {{0}}, p[ROW_CHAINS] = {{0}};
      for (; k + ROW_CHAINS * LANES <= stop; k += ROW_CHAINS * LANES)
        products_of_row(ROW_CHAINS, LANES, dy + k, x + k, gamma + k, mean, rstd, s, p,
                        dgamma + k, dbeta + k);
      for (; k + LANES <= stop; k += LANES)
        products_of_row(1, LANES, dy + k, x + k, gamma + k, mean, rstd, s, p,
                        dgamma + k, dbeta + k);
      if (k < stop)
        products_of_row(1, stop - k, dy + k, x + k, gamma + k, mean, rstd, s, p,
                        dgamma + k, dbeta + k);
      sum += sum_of_lanes((s[0] + s[1]) + (s[2] + s[3]));
      product += sum_of_lanes((p[0] + p[1]) + (p[2] + p[3]));
    }
    const real shift = (real)(sum / (double)n);
    const real slope = (real)(product / (double)n * rstd * rstd);
    for (ptrdiff_t k = 0; k < n; k += LANES) {
      const vec d = load_some(x + k, n - k) - mean;
      const vec grad = load_some(gamma + k, n - k) * load_some(dy + k, n - k);
      store_some(dx + k, (grad - shift - d * slope) * rstd, n - k);
    }
  }
}

/* Examples of more pixels ------------------------------------------------------- */

/* The values of the groups of an example, one for each channel, and a vector of 0. */
ALWAYS_INLINE void spread_groups(const Layernorm *g, ptrdiff_t example,
                                 const void *values, real *row) {
  const real *value = (const real *)values + example * g->groups;
  for (ptrdiff_t group = 0; group < g->groups; group++)
    for (ptrdiff_t i = 0; i < g->size; i++) *row++ = value[group];
  store(row, splat(0));
}

ALWAYS_INLINE ptrdiff_t pixels_of_part(const Layernorm *g, ptrdiff_t part) {
  const ptrdiff_t rest = g->pixels - part * g->part_pixels;
  return rest < g->part_pixels ? rest : g->part_pixels;
}

/* Sums over part `index` of all examples' parts, for each channel. */
static void layernorm_reduce(const Layernorm *g, ptrdiff_t index, void *scratch) {
  const ptrdiff_t example = index / g->parts, part = index % g->parts;
  const ptrdiff_t c = g->groups * g->size, rows = pixels_of_part(g, part);
  const ptrdiff_t row = example * g->pixels + part * g->part_pixels;
  const Batchnorm all = {.m = g->n * g->pixels,
                         .c = c,
                         .cols = c,
                         .x = g->x,
                         .dy = g->dy,
                         .mean = scratch,
                         .firsts = g->firsts,
                         .seconds = g->seconds};
  if (g->dy) {
    spread_groups(g, example, g->mean, scratch);
    batchnorm_products(&all, row, rows, 0, c, index);
  } else {
    batchnorm_moments(&all, row, rows, 0, c, index);
  }
}

/* Mean and rstd of the groups of an example from those of parts and channels. */
ALWAYS_INLINE void fold_moments(const Layernorm *g, ptrdiff_t example) {
  const ptrdiff_t c = g->groups * g->size;
  const real *mean = (const real *)g->firsts + example * g->parts * c;
  const real *square = (const real *)g->seconds + example * g->parts * c;
  const double n = (double)(g->pixels * g->size);
  for (ptrdiff_t group = 0; group < g->groups; group++) {
    const ptrdiff_t first = group * g->size, end = first + g->size;
    double centre = 0, squares = 0;
    for (ptrdiff_t p = 0; p < g->parts; p++) {
      double sum = 0;
      for (ptrdiff_t j = first; j < end; j++) sum += mean[p * c + j];
      centre += (double)pixels_of_part(g, p) / n * sum;
    }
    for (ptrdiff_t p = 0; p < g->parts; p++) {
      const double count = (double)pixels_of_part(g, p);
      for (ptrdiff_t j = first; j < end; j++) {
        const double d = mean[p * c + j] - centre;
        squares += square[p * c + j] + count * d * d;
      }
    }
    const ptrdiff_t at = example * g->groups + group;
    ((real *)g->mean)[at] = (real)centre;
    ((real *)g->rstd)[at] = (real)(1 / __builtin_sqrt(squares / n + g->eps));
  }
}

/* dbeta and dgamma of an example, in its first part, and what dx needs of its groups.
 */
ALWAYS_INLINE void fold_products(const Layernorm *g, ptrdiff_t example) {
  const ptrdiff_t c = g->groups * g->size;
  const real *gamma = g->gamma;
  real *sum = (real *)g->firsts + example * g->parts * c;
  real *product = (real *)g->seconds + example * g->parts * c;
  const double n = (double)(g->pixels * g->size);
  for (ptrdiff_t group = 0; group < g->groups; group++) {
    const ptrdiff_t at = example * g->groups + group;
    const double rstd = ((const real *)g->rstd)[at];
    double shift = 0, slope = 0;
    for (ptrdiff_t j = group * g->size; j < (group + 1) * g->size; j++) {
      double dbeta = 0, dgamma = 0;
      for (ptrdiff_t p = 0; p < g->parts; p++) {
        dbeta += sum[p * c + j];
        dgamma += product[p * c + j];
      }
      dgamma *= rstd;
      shift += gamma[j] * dbeta;
      slope += gamma[j] * dgamma;
      sum[j] = (real)dbeta;
      product[j] = (real)dgamma;
    }
    ((real *)g->shift)[at] = (real)(shift / n * rstd);
    ((real *)g->slope)[at] = (real)(slope / n * rstd * rstd);
  }
}

static void layernorm_fold(const Layernorm *g, ptrdiff_t example) {
  if (g->dy)
    fold_products(g, example);
  else
    fold_moments(g, example);
}

/* The pixel at `at` of y or dx; `row` has what the pixels of an example share, each as
 * c reals and a vector of 0. */
ALWAYS_INLINE void write_pixel(const int whole, const Layernorm *g, ptrdiff_t at,
                               ptrdiff_t stop, const real *row) {
  const ptrdiff_t c = g->groups * g->size, next = c + LANES;
  const real *x = g->x, *x_end = x + stop;
  real *result = g->result, *result_end = result + stop;
  for (ptrdiff_t j = 0; j < c; j += LANES, at += LANES, row += LANES) {
    const vec d = load_row(whole, x + at, x_end) - load(row), scale = load(row + next);
    if (g->dy) {
      const real *dy = g->dy, *dy_end = dy + stop;
      const vec common = load(row + 2 * next) + d * load(row + 3 * next);
      const vec dx = scale * load_row(whole, dy + at, dy_end) - common;
      store_row(whole, result + at, dx, result_end);
    } else {
      store_row(whole, result + at, scale * d + load(row + 2 * next), result_end);
    }
  }
}

/* y or dx of part `index`; `scratch` has room for 4 rows and their vectors of 0. */
static void layernorm_write(const Layernorm *g, ptrdiff_t index, void *scratch) {
  const ptrdiff_t example = index / g->parts, part = index % g->parts;
  const ptrdiff_t c = g->groups * g->size, next = c + LANES;
  const ptrdiff_t stop =
      (example * g->pixels + part * g->part_pixels + pixels_of_part(g, part)) * c;
  const real *gamma = g->gamma;
  real *row = scratch;
  spread_groups(g, example, g->mean, row);
  spread_groups(g, example, g->rstd, row + next);
  for (ptrdiff_t j = 0; j < c; j++) row[next + j] *= gamma[j];
  if (g->dy) {
    spread_groups(g, example, g->shift, row + 2 * next);
    spread_groups(g, example, g->slope, row + 3 * next);
  } else {
    memcpy(row + 2 * next, g->beta, (size_t)c * sizeof(real));
    store(row + 2 * next + c, splat(0));
  }
  ptrdiff_t at = (example * g->pixels + part * g->part_pixels) * c;
  for (; at + next <= stop; at += c) write_pixel(1, g, at, stop, row);
  for (; at < stop; at += c) write_pixel(0, g, at, stop, row);
}
