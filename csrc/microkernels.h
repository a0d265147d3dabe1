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

/* The sizes of a pooling; argmax_bytes is 1 or 4. */
typedef struct {
  ptrdiff_t n, h, w, c, kh, kw, oh, ow, stride_h, stride_w, top, left;
  int argmax_bytes;
} Pool2d;

/* A batch of images to be warped; fill is a place in shapes.FILLS. */
typedef struct {
  ptrdiff_t n, h, w, c;
  int fill;
} Warp;

typedef struct {
  ptrdiff_t tile_rows, tile_cols, lanes, real_bytes;
#define MICROKERNEL(name, arguments) void(*name) arguments;
#include "microkernels.def"
#undef MICROKERNEL
} MicroKernels;

/* The table of an instruction set ("generic", "avx2", "avx512") for reals of 4 or
 * 8 bytes; NULL when it was not compiled or this processor lacks it. */
const MicroKernels *fastdl_microkernels(const char *isa, int real_bytes);

#endif
