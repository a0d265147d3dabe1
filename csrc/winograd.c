/* Winograd's F(4x4, 3x3) for 3 x 3 convolutions of stride 1 (Lavin and Gray, "Fast
 * algorithms for convolutional neural networks", 2016).
 *
 *   Y = A^T [ (G g G^T) . (B^T d B) ] A
 *
 * d: 6 x 6 pixels, g: 3 x 3 weights, Y: 4 x 4 results; the product in the middle is
 * elementwise, 36 multiplications where 144 were. Summed over input channels, each of
 * the 36 places is a matrix product over tiles and channels. For the gradient of the
 * weights, the same identity is differentiated:
 *
 *   dg = G^T [ (B^T d B) . (A dY A^T) ] G
 *
 * All transforms below run along channels (or along all weights), a vector at a time;
 * a place of the 6 x 6 is `stride` reals from the next. */
#include "simd.h"
#include "table.h"

#define UNROLL _Pragma("GCC unroll 6") /* so that the 6 x 6 vectors are no array */

/* The one-dimensional transforms, each with its matrix. */

/* y = B^T x: 6 -> 6 */
ALWAYS_INLINE void input_1d(const vec x[6], vec y[6]) {
  const vec a = x[4] - 4 * x[2], b = x[3] - 4 * x[1];
  const vec c = x[4] - x[2], d = 2 * (x[3] - x[1]);
  y[0] = 4 * x[0] - 5 * x[2] + x[4];
  y[1] = a + b;
  y[2] = a - b;
  y[3] = c + d;
  y[4] = c - d;
  y[5] = 4 * x[1] - 5 * x[3] + x[5];
}

/* y = A^T x: 6 -> 4 */
ALWAYS_INLINE void output_1d(const vec x[6], vec y[4]) {
  const vec a = x[1] + x[2], b = x[1] - x[2];
  const vec c = x[3] + x[4], d = x[3] - x[4];
  y[0] = x[0] + a + c;
  y[1] = b + 2 * d;
  y[2] = a + 4 * c;
  y[3] = b + 8 * d + x[5];
}

/* y = A x: 4 -> 6 */
ALWAYS_INLINE void output_gradient_1d(const vec x[4], vec y[6]) {
  const vec a = x[0] + x[2], b = x[1] + x[3];
  const vec c = x[0] + 4 * x[2], d = 2 * x[1] + 8 * x[3];
  y[0] = x[0];
  y[1] = a + b;
  y[2] = a - b;
  y[3] = c + d;
  y[4] = c - d;
  y[5] = x[3];
}

/* y = G x: 3 -> 6 */
ALWAYS_INLINE void filter_1d(const vec x[3], vec y[6]) {
  const real sixth = (real)1 / 6, twelfth = (real)1 / 12, part = (real)1 / 24;
  const vec a = sixth * (x[0] + x[2]), b = sixth * x[1];
  const vec c = part * x[0] + sixth * x[2], d = twelfth * x[1];
  y[0] = (real)0.25 * x[0];
  y[1] = -a - b;
  y[2] = b - a;
  y[3] = c + d;
  y[4] = c - d;
  y[5] = x[2];
}

/* y = G^T x: 6 -> 3 */
ALWAYS_INLINE void filter_gradient_1d(const vec x[6], vec y[3]) {
  const real sixth = (real)1 / 6, twelfth = (real)1 / 12, part = (real)1 / 24;
  const vec a = x[1] + x[2], b = x[2] - x[1];
  const vec c = x[3] + x[4], d = x[3] - x[4];
  y[0] = (real)0.25 * x[0] - sixth * a + part * c;
  y[1] = sixth * b + twelfth * d;
  y[2] = sixth * (c - a) + x[5];
}

/* Both dimensions: from [i][j] through columns, then rows. */
#define TRANSFORM_2D(name, transform_1d, IN, OUT)                 \
  ALWAYS_INLINE void name(const vec x[IN][IN], vec y[OUT][OUT]) { \
    vec half[IN][OUT];                                            \
    UNROLL                                                        \
    for (int j = 0; j < IN; j++) {                                \
      vec column[IN];                                             \
      UNROLL                                                      \
      for (int i = 0; i < IN; i++) column[i] = x[i][j];           \
      transform_1d(column, half[j]);                              \
    }                                                             \
    UNROLL                                                        \
    for (int i = 0; i < OUT; i++) {                               \
      vec row[IN];                                                \
      UNROLL                                                      \
      for (int j = 0; j < IN; j++) row[j] = half[j][i];           \
      transform_1d(row, y[i]);                                    \
    }                                                             \
  }
TRANSFORM_2D(input_2d, input_1d, 6, 6)
TRANSFORM_2D(output_2d, output_1d, 6, 4)
TRANSFORM_2D(output_gradient_2d, output_gradient_1d, 4, 6)
TRANSFORM_2D(filter_2d, filter_1d, 3, 6)
TRANSFORM_2D(filter_gradient_2d, filter_gradient_1d, 6, 3)
#undef TRANSFORM_2D

/* The kernels, each on n <= LANES channels first. The 6 x 6 sides are padded to whole
 * vectors; of the pixels, and of the weights' gradient, just n reals are touched. */
ALWAYS_INLINE vec load_up_to(const real *p, ptrdiff_t n) {
  return n < LANES ? load_first(p, n, 0) : load(p);
}
ALWAYS_INLINE void store_up_to(real *p, vec v, ptrdiff_t n) {
  if (n < LANES)
    store_first(p, v, n);
  else
    store(p, v);
}

/* Of the 6 x 6 pixels, those in rows top to bottom - 1 and columns left to right - 1
 * exist; the others are padding. */
typedef struct {
  ptrdiff_t top, bottom, left, right;
} Inside;

ALWAYS_INLINE void input(ptrdiff_t n, const real *x, ptrdiff_t row, ptrdiff_t pixel,
                         Inside inside, real *v, ptrdiff_t stride) {
  vec d[6][6], out[6][6];
  UNROLL
  for (int i = 0; i < 6; i++) {
    UNROLL
    for (int j = 0; j < 6; j++)
      d[i][j] =
          i >= inside.top && i < inside.bottom && j >= inside.left && j < inside.right
              ? load_up_to(x + i * row + j * pixel, n)
              : splat(0);
  }
  input_2d(d, out);
  UNROLL
  for (int i = 0; i < 6; i++) {
    UNROLL
    for (int j = 0; j < 6; j++) store(v + (6 * i + j) * stride, out[i][j]);
  }
}

/* v = B^T d B for the 6 x 6 pixels at x, which may begin outside of the image. */
static void winograd_input(ptrdiff_t channels, const void *x, ptrdiff_t row,
                           ptrdiff_t pixel, ptrdiff_t top, ptrdiff_t bottom,
                           ptrdiff_t left, ptrdiff_t right, void *v, ptrdiff_t stride) {
  const real *from = x;
  real *to = v;
  const Inside inside = {top, bottom, left, right}, all = {0, 6, 0, 6};
  const int whole = top <= 0 && bottom >= 6 && left <= 0 && right >= 6;
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    if (channels - c < LANES)
      input(channels - c, from + c, row, pixel, inside, to + c, stride);
    else if (whole)
      input(LANES, from + c, row, pixel, all, to + c, stride);
    else
      input(LANES, from + c, row, pixel, inside, to + c, stride);
  }
}

ALWAYS_INLINE void output(ptrdiff_t n, const real *m, ptrdiff_t stride,
                          const real *bias, real *y, ptrdiff_t row, ptrdiff_t pixel,
                          ptrdiff_t rows, ptrdiff_t cols) {
  vec in[6][6], out[4][4];
  UNROLL
  for (int i = 0; i < 6; i++) {
    UNROLL
    for (int j = 0; j < 6; j++) in[i][j] = load(m + (6 * i + j) * stride);
  }
  output_2d(in, out);
  const vec first = bias ? load_up_to(bias, n) : splat(0);
  UNROLL
  for (int i = 0; i < 4; i++) {
    UNROLL
    for (int j = 0; j < 4; j++)
      if (i < rows && j < cols)
        store_up_to(y + i * row + j * pixel, first + out[i][j], n);
  }
}

/* y = bias + A^T m A, of which rows x cols <= 4 x 4 pixels exist. */
static void winograd_output(ptrdiff_t channels, const void *m, ptrdiff_t stride,
                            const void *bias, void *y, ptrdiff_t row, ptrdiff_t pixel,
                            ptrdiff_t rows, ptrdiff_t cols) {
  const real *from = m, *start = bias;
  real *to = y;
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    const real *b = start ? start + c : NULL;
    if (channels - c < LANES)
      output(channels - c, from + c, stride, b, to + c, row, pixel, rows, cols);
    else if (rows == 4 && cols == 4)
      output(LANES, from + c, stride, b, to + c, row, pixel, 4, 4);
    else
      output(LANES, from + c, stride, b, to + c, row, pixel, rows, cols);
  }
}

ALWAYS_INLINE void output_gradient(ptrdiff_t n, const real *dy, ptrdiff_t row,
                                   ptrdiff_t pixel, ptrdiff_t rows, ptrdiff_t cols,
                                   real *m, ptrdiff_t stride) {
  vec in[4][4], out[6][6];
  UNROLL
  for (int i = 0; i < 4; i++) {
    UNROLL
    for (int j = 0; j < 4; j++)
      in[i][j] =
          i < rows && j < cols ? load_up_to(dy + i * row + j * pixel, n) : splat(0);
  }
  output_gradient_2d(in, out);
  UNROLL
  for (int i = 0; i < 6; i++) {
    UNROLL
    for (int j = 0; j < 6; j++) store(m + (6 * i + j) * stride, out[i][j]);
  }
}

/* m = A dy A^T, where rows x cols <= 4 x 4 pixels of dy exist and the others are 0. */
static void winograd_output_gradient(ptrdiff_t channels, const void *dy, ptrdiff_t row,
                                     ptrdiff_t pixel, ptrdiff_t rows, ptrdiff_t cols,
                                     void *m, ptrdiff_t stride) {
  const real *from = dy;
  real *to = m;
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    if (channels - c < LANES)
      output_gradient(channels - c, from + c, row, pixel, rows, cols, to + c, stride);
    else if (rows == 4 && cols == 4)
      output_gradient(LANES, from + c, row, pixel, 4, 4, to + c, stride);
    else
      output_gradient(LANES, from + c, row, pixel, rows, cols, to + c, stride);
  }
}

/* u = G g G^T for n weights side by side, a whole number of vectors; a tap is
 * g_stride reals from the next. */
static void winograd_filter(ptrdiff_t n, const void *g, ptrdiff_t g_stride, void *u,
                            ptrdiff_t u_stride) {
  const real *from = g;
  real *to = u;
  for (ptrdiff_t c = 0; c < n; c += LANES) {
    vec in[3][3], out[6][6];
    UNROLL
    for (int i = 0; i < 3; i++) {
      UNROLL
      for (int j = 0; j < 3; j++) in[i][j] = load(from + (3 * i + j) * g_stride + c);
    }
    filter_2d(in, out);
    UNROLL
    for (int i = 0; i < 6; i++) {
      UNROLL
      for (int j = 0; j < 6; j++) store(to + (6 * i + j) * u_stride + c, out[i][j]);
    }
  }
}

ALWAYS_INLINE void filter_gradient(ptrdiff_t n, const real *u, ptrdiff_t u_stride,
                                   real *g, ptrdiff_t g_stride) {
  vec in[6][6], out[3][3];
  UNROLL
  for (int i = 0; i < 6; i++) {
    UNROLL
    for (int j = 0; j < 6; j++) in[i][j] = load_up_to(u + (6 * i + j) * u_stride, n);
  }
  filter_gradient_2d(in, out);
  UNROLL
  for (int i = 0; i < 3; i++) {
    UNROLL
    for (int j = 0; j < 3; j++) store_up_to(g + (3 * i + j) * g_stride, out[i][j], n);
  }
}

/* g = G^T u G for n weights side by side. */
static void winograd_filter_gradient(ptrdiff_t n, const void *u, ptrdiff_t u_stride,
                                     void *g, ptrdiff_t g_stride) {
  const real *from = u;
  real *to = g;
  ptrdiff_t c = 0;
  for (; c + LANES <= n; c += LANES)
    filter_gradient(LANES, from + c, u_stride, to + c, g_stride);
  if (c < n) filter_gradient(n - c, from + c, u_stride, to + c, g_stride);
}
