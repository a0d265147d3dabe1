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
 * a place of the 6 x 6 is `place` bytes from the next. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

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

/* Both dimensions of a vector of channels: y[i][j] = T x T^T. Two rows of the result at
 * a time, {first, second} of each pair, chosen to share work: a whole matrix would not
 * fit into the registers. Not inlined, or the addresses of all places would be computed
 * before the loop over channels, and spilled: half of the time for 16 channels. */
#define NOINLINE __attribute__((noinline))
#define TRANSFORM_2D(name, transform_1d, IN, OUT, ...)                         \
  static NOINLINE void name(const real *x, ptrdiff_t x_row, ptrdiff_t x_pixel, \
                            real *y, ptrdiff_t y_row, ptrdiff_t y_pixel) {     \
    const int pairs[][2] = {__VA_ARGS__};                                      \
    UNROLL                                                                     \
    for (int k = 0; k < (int)(sizeof pairs / sizeof *pairs); k++) {            \
      vec half[2][IN];                                                         \
      UNROLL                                                                   \
      for (int j = 0; j < IN; j++) {                                           \
        vec column[IN], all[OUT];                                              \
        UNROLL                                                                 \
        for (int i = 0; i < IN; i++)                                           \
          column[i] = load(behind(x, i * x_row + j * x_pixel));                \
        transform_1d(column, all);                                             \
        half[0][j] = all[pairs[k][0]];                                         \
        half[1][j] = all[pairs[k][1]];                                         \
      }                                                                        \
      UNROLL                                                                   \
      for (int h = 0; h < 2; h++) {                                            \
        vec row[OUT];                                                          \
        transform_1d(half[h], row);                                            \
        UNROLL                                                                 \
        for (int j = 0; j < OUT; j++)                                          \
          store(behind(y, pairs[k][h] * y_row + j * y_pixel), row[j]);         \
      }                                                                        \
    }                                                                          \
  }
TRANSFORM_2D(input_2d, input_1d, 6, 6, {0, 5}, {1, 2}, {3, 4})
TRANSFORM_2D(output_2d, output_1d, 6, 4, {0, 2}, {1, 3})
TRANSFORM_2D(output_gradient_2d, output_gradient_1d, 4, 6, {0, 5}, {1, 2}, {3, 4})
TRANSFORM_2D(filter_2d, filter_1d, 3, 6, {0, 5}, {1, 2}, {3, 4})
TRANSFORM_2D(filter_gradient_2d, filter_gradient_1d, 6, 3, {0, 2}, {1, 1})
#undef TRANSFORM_2D

enum { WINOGRAD_PIXEL = sizeof(vec) }; /* bytes of a pixel in an array of vectors */

/* Copies the first n channels of rows x cols pixels; those that do not exist are 0. */
ALWAYS_INLINE void load_pixels(int rows, int cols, const Pixels *g, ptrdiff_t n,
                               const real *x, vec *to) {
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < cols; j++) {
      const int exists = i >= g->top && i < g->bottom && j >= g->left && j < g->right;
      const real *from = behind(x, i * g->row + j * g->pixel);
      to[i * cols + j] = exists ? load_some(from, n) : splat(0);
    }
}

ALWAYS_INLINE int all_exist(const Pixels *g, int size) {
  return g->top <= 0 && g->bottom >= size && g->left <= 0 && g->right >= size;
}

/* v = B^T d B for the 6 x 6 pixels at x. */
static void winograd_input(ptrdiff_t channels, const void *x, const Pixels *pixels,
                           void *v, ptrdiff_t place) {
  const Pixels g = *pixels;
  const int whole = all_exist(&g, 6);
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    const real *from = (const real *)x + c;
    real *to = (real *)v + c;
    if (whole && channels - c >= LANES) {
      input_2d(from, g.row, g.pixel, to, 6 * place, place);
    } else {
      vec d[36];
      load_pixels(6, 6, &g, channels - c, from, d);
      input_2d((const real *)d, 6 * WINOGRAD_PIXEL, WINOGRAD_PIXEL, to, 6 * place,
               place);
    }
  }
}

/* y = A^T m A for the 4 x 4 pixels at y. */
static void winograd_output(ptrdiff_t channels, const void *m, ptrdiff_t place, void *y,
                            const Pixels *pixels) {
  const Pixels g = *pixels;
  const int whole = all_exist(&g, 4);
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    const real *from = (const real *)m + c;
    real *to = (real *)y + c;
    if (whole && channels - c >= LANES) {
      output_2d(from, 6 * place, place, to, g.row, g.pixel);
    } else {
      vec out[16];
      output_2d(from, 6 * place, place, (real *)out, 4 * WINOGRAD_PIXEL,
                WINOGRAD_PIXEL);
      for (ptrdiff_t i = 0; i < g.bottom && i < 4; i++)
        for (ptrdiff_t j = 0; j < g.right && j < 4; j++)
          store_some(behind(to, i * g.row + j * g.pixel), out[4 * i + j], channels - c);
    }
  }
}

/* m = A dy A^T for the 4 x 4 pixels at dy. */
static void winograd_output_gradient(ptrdiff_t channels, const void *dy,
                                     const Pixels *pixels, void *m, ptrdiff_t place) {
  const Pixels g = *pixels;
  const int whole = all_exist(&g, 4);
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    const real *from = (const real *)dy + c;
    real *to = (real *)m + c;
    if (whole && channels - c >= LANES) {
      output_gradient_2d(from, g.row, g.pixel, to, 6 * place, place);
    } else {
      vec d[16];
      load_pixels(4, 4, &g, channels - c, from, d);
      output_gradient_2d((const real *)d, 4 * WINOGRAD_PIXEL, WINOGRAD_PIXEL, to,
                         6 * place, place);
    }
  }
}

/* u = G g G^T for n weights side by side, a whole number of vectors; a tap is `tap`
 * bytes from the next. */
static void winograd_filter(ptrdiff_t n, const void *g, ptrdiff_t tap, void *u,
                            ptrdiff_t place) {
  for (ptrdiff_t c = 0; c < n; c += LANES)
    filter_2d((const real *)g + c, 3 * tap, tap, (real *)u + c, 6 * place, place);
}

/* g = G^T u G for n weights side by side; u is padded to whole vectors. */
static void winograd_filter_gradient(ptrdiff_t n, const void *u, ptrdiff_t place,
                                     void *g, ptrdiff_t tap) {
  for (ptrdiff_t c = 0; c < n; c += LANES) {
    const real *from = (const real *)u + c;
    vec out[9];
    filter_gradient_2d(from, 6 * place, place, (real *)out, 3 * WINOGRAD_PIXEL,
                       WINOGRAD_PIXEL);
    for (int t = 0; t < 9; t++)
      store_some(behind((const real *)g + c, t * tap), out[t], n - c);
  }
}
