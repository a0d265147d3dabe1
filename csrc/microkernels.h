/* The table of micro-kernels: one for each instruction set and real type. Pointers
 * to reals are `void`, so that both types share this struct and the loop nests on
 * top (fastdl/kernels) are written once. */
#ifndef FASTDL_MICROKERNELS_H
#define FASTDL_MICROKERNELS_H

#include <stddef.h>
#include <stdint.h>

/* All strides are bytes. */

/* How the rows of the left operand of a product are walked in the reduction: `runs`
 * runs of `length` reals, `step` apart; run s starts at offset[s]. The right operand is
 * walked straight on, a row of it being `b_stride` from the next. */
typedef struct {
  ptrdiff_t runs, length, step, b_stride;
  const ptrdiff_t *offset;
} Reduction;

/* c = start + a b, or c += a b; see matmul.c. */
typedef struct {
  ptrdiff_t rows, cols, a_row, c_row;
  const void *a;
  const void *b;
  void *c;
  const void *bias; /* NULL for none */
  int accumulate;
  Reduction k;
} Product;

/* Lines of planes: see planes.c. */
typedef struct {
  ptrdiff_t rows, n, k; /* at most TILE_ROWS lines of dx, of n reals; taps, channels */
  const ptrdiff_t *offset;
  const void *dy;
  const void *weight; /* (k, rows) */
  void *dx;
  ptrdiff_t plane; /* from one line of dx to the next */
} LineProducts;

/* Pixels of an image, of which those from row `top` to before row `bottom`, and from
 * column `left` to before column `right`, exist. */
typedef struct {
  ptrdiff_t row, pixel, top, bottom, left, right;
} Pixels;

/* The offset of one run that begins at the row itself. */
static const ptrdiff_t fastdl_no_offset[1] = {0};

/* rows x cols windows of a depthwise convolution that meet the same taps: `runs` rows
 * of `taps` taps. Run s of the first window begins at x[s], its weights (or their
 * gradients) at weight[s]. The others lie between windows, and between taps.
 * `fresh` of the runs, the last ones, have pixels that no window above has read;
 * 0: all of them are in the cache anyhow. */
typedef struct {
  ptrdiff_t rows, cols, channels, runs, taps, fresh;
  ptrdiff_t x_row, x_col, x_tap, y_row, y_col, weight_tap;
  const void *const *x;
  void *const *weight;
} Depthwise;

/* The following describe whole arrays. A micro-kernel gets one as `const void *`, and
 * makes rows, or elements, `first` to `end` - 1 of the result (run_spans in
 * fastdl/kernels/engine/runtime.pyx). */

/* A pooling. Forward, the source is x and the result y; backward, dy and dx. */
typedef struct {
  ptrdiff_t n, h, w, c, kh, kw, oh, ow, stride_h, stride_w, top, left;
  const void *source;
  void *result;
  void *argmax;
  int argmax_bytes; /* 1 or 4 */
} Pool2d;

/* The pixels along an axis that each pixel of a result is the weighted sum of: pixel i
 * of `count[i]` of them from number `first[i]` on. */
typedef struct {
  ptrdiff_t most; /* the weights of the next pixel lie so many reals behind */
  const ptrdiff_t *first, *count;
  const void *weight;
} Taps;

/* Images (n, h, w, c) resampled to (n, oh, ow, c); not in spans: see resample.c. */
typedef struct {
  ptrdiff_t n, h, w, c, oh, ow;
  Taps rows, cols;
  const void *x;
  void *y;
} Resample;

/* Batch normalisation of m examples of c channels, several of them side by side in rows
 * of `cols` reals; the last row may be shorter. Backward, the result is dx. Statistics
 * and parameters are those of a row, repeated, and followed by LANES reals. */
typedef struct {
  ptrdiff_t m, c, cols;
  const void *x;
  const void *residual; /* added to y, or NULL */
  int kind;             /* of the activation, its place in the table */
  const void *dy;
  const void *y; /* in the backward pass, where the derivative is found from it */
  void *result;
  const void *mean, *rstd, *gamma, *beta, *dgamma, *dbeta;
  /* Of each part of the examples, a row of channels: their means and squares, or sums
   * and products; and how many they are. */
  void *firsts, *seconds;
  const double *counts;
} Batchnorm;

/* n images of `pixels` x c, times s (n, c). Backward, an image is cut into `parts` of
 * `part_pixels`, the last of them shorter; `sums` has a row of channels for each. */
typedef struct {
  ptrdiff_t n, pixels, c, parts, part_pixels;
  const void *x, *s, *dy;
  void *result, *sums, *ds;
} Scale;

/* Layer normalisation of n examples of (pixels, groups, size) reals. With more than one
 * pixel, an example is cut into parts of `part_pixels`, the last of them shorter. */
typedef struct {
  ptrdiff_t n, pixels, groups, size, parts, part_pixels;
  double eps;
  const void *x, *gamma, *beta;
  const void *dy; /* NULL in the forward pass */
  void *mean, *rstd, *result;
  void *firsts, *seconds; /* of each part a row of channels, as in Batchnorm */
  void *shift, *slope;    /* of each group, in the backward pass */
} Layernorm;

/* Rows of a softmax, or elements of the sigmoid cross-entropy. x are the logits or, in
 * softmax_cross_entropy_backward, the probabilities; the result of
 * softmax_cross_entropy are the probabilities. */
typedef struct {
  ptrdiff_t classes;
  const void *x;
  const int64_t *labels; /* integers, or NULL: there are targets */
  const void *targets;
  const void *dloss;
  void *loss;
  void *result;
} Softmax;

/* y = g(x) or dx = dy g'(x). The source is x or, in the backward pass, what g' is
 * computed from; the kind is a place in shapes.ACTIVATIONS. */
typedef struct {
  int kind;
  double parameter; /* of g */
  int streams;      /* whether the result goes past the caches; it is aligned then */
  const void *dy;
  const void *source;
  void *result;
} Activation;

/* PReLU of n elements in rows of `cols`; the weights are those of a row, and followed
 * by LANES reals. Backward, the result is dx. */
typedef struct {
  ptrdiff_t n, cols;
  const void *x, *weight, *dy;
  void *result;
} Prelu;

/* y = a + b; whether y goes past the caches. */
typedef struct {
  const void *a, *b;
  void *y;
  int streams;
} Sum;

/* y = x ^ (halves / 2), or dx = dy slope x ^ (halves / 2) where there is a dy. */
typedef struct {
  int halves, streams; /* whether y goes past the caches */
  double slope;
  const void *x, *dy;
  void *y;
} Power;

/* Dropout of x or dy; element 0 has the number `offset` in the stream of words, and
 * those below the threshold, which is at most 2^32, are kept. */
typedef struct {
  uint64_t seed, offset, threshold;
  double scale;
  const void *x;
  void *y;
} Dropout;

/* A step of an optimiser; arrays that it does without are NULL. RMSprop has keep = beta
 * and add = 1 - beta, Adagrad keep = add = 1; Adam's corrections are 1 - beta^step. */
typedef struct {
  void *param;
  const void *grad;
  void *velocity, *mean, *square, *largest;
  double lr, weight_decay, eps, momentum, dampening, keep, add;
  double beta1, beta2, correction1, correction2;
  int nesterov, decoupled;
} Step;

/* A penalty of weights w. Forward, the part of each `span` elements is added up;
 * backward, dw is their gradient, `scale` times w or its sign. */
typedef struct {
  ptrdiff_t span;
  const void *w;
  void *dw;
  double scale;
  double *parts;
} Penalty;

/* Weights w (rows, units) whose columns get a limit. Each `span` rows have a part: the
 * sums of squares of the columns; then the first part holds the factors. */
typedef struct {
  ptrdiff_t units, span;
  void *w;
  double *parts;
} Norms;

/* Images seen through maps of the plane; fill is a place in shapes.FILLS. */
typedef struct {
  ptrdiff_t n, h, w, c;
  int fill;
  const void *x, *matrix;
  const void *displacement; /* or NULL */
  void *y;
} Warp;

typedef struct {
  ptrdiff_t tile_rows, tile_cols, lanes, real_bytes;
  const char *activations; /* the names of the kinds, each with a space behind it */
#define MICROKERNEL(name, arguments) void(*name) arguments;
#include "microkernels.def"
#undef MICROKERNEL
} MicroKernels;

/* The table of an instruction set ("generic", "avx2", "avx512") for reals of 4 or
 * 8 bytes; NULL when it was not compiled or this processor lacks it. */
const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes);

#endif
