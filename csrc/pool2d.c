/* The maximum or the mean of each window of an image, channel by channel:
 *
 *   y[oy][ox][c]  = max or mean over (ky, kx) of x[iy][ix][c]
 *   dx[iy][ix][c] = sum over the windows (oy, ox) that hold the pixel of dy[oy][ox][c],
 *                   where it was the maximum, or / (kh kw)
 *   iy = oy stride_h - top + ky,  ix = ox stride_w - left + kx
 *
 * Both directions gather, so rows can be made in any order and by any thread. Row r of
 * a batch is row r % height of image r / height. */
#include "rows.h"
#include "simd.h"
#include "table.h"

/* Where a window lies in the image, along one axis. */
typedef struct {
  ptrdiff_t start, begin, end; /* start may be in the padding, begin is not */
} Interval;

ALWAYS_INLINE Interval interval(ptrdiff_t output, ptrdiff_t stride, ptrdiff_t padding,
                                ptrdiff_t kernel, ptrdiff_t size) {
  const ptrdiff_t start = output * stride - padding, end = start + kernel;
  return (Interval){start, start > 0 ? start : 0, end < size ? end : size};
}

/* argmax: bytes, or int32 for large windows */
typedef uint8_t vec_byte __attribute__((vector_size(VECTOR_BYTES / sizeof(real))));
typedef int32_t vec_int32
    __attribute__((vector_size(VECTOR_BYTES / sizeof(real) * sizeof(int32_t))));

ALWAYS_INLINE vec_int load_argmax(const void *argmax, int bytes, ptrdiff_t at,
                                  ptrdiff_t n) {
  const size_t room = (size_t)((n - at < LANES ? n - at : LANES) * bytes);
  if (bytes == 1) {
    vec_byte v = {0};
    if (n - at >= LANES)
      memcpy(&v, (const uint8_t *)argmax + at, sizeof v);
    else
      memcpy(&v, (const uint8_t *)argmax + at, room);
    return __builtin_convertvector(v, vec_int);
  }
  vec_int32 v = {0};
  memcpy(&v, (const int32_t *)argmax + at, room);
  return __builtin_convertvector(v, vec_int);
}

ALWAYS_INLINE void store_argmax(void *argmax, int bytes, ptrdiff_t at, ptrdiff_t n,
                                vec_int index) {
  const size_t room = (size_t)((n - at < LANES ? n - at : LANES) * bytes);
  if (bytes == 1) {
    const vec_byte v = __builtin_convertvector(index, vec_byte);
    if (n - at >= LANES)
      memcpy((uint8_t *)argmax + at, &v, sizeof v);
    else
      memcpy((uint8_t *)argmax + at, &v, room);
    return;
  }
  const vec_int32 v = __builtin_convertvector(index, vec_int32);
  memcpy((int32_t *)argmax + at, &v, room);
}

/* One output pixel: a window of rows x cols pixels, of which the first is number
 * `first` in the whole window of width kw. */
ALWAYS_INLINE void max_window(const Pool2d *g, const ptrdiff_t rows,
                              const ptrdiff_t cols, lane_int first, const real *x,
                              const real *x_end, real *y, void *argmax, ptrdiff_t at,
                              ptrdiff_t n) {
  for (ptrdiff_t c = 0; c < g->c; c += LANES) {
    vec best = load_until(x + c, x_end);
    vec_int where = (vec_int){0} + first;
    for (ptrdiff_t p = 0; p < rows; p++)
      for (ptrdiff_t q = 0; q < cols; q++) {
        const vec v = load_until(x + (p * g->w + q) * g->c + c, x_end);
        /* above, or the first NaN */
        const vec_int better = ~(v <= best) & (best == best);
        best = choose(better, v, best);
        where = (where & ~better) | ((first + (lane_int)(p * g->kw + q)) & better);
      }
    store_until(y + at + c, best, y + n);
    store_argmax(argmax, g->argmax_bytes, at + c, n, where);
  }
}

/* Rows row0 to row1 - 1 of y and argmax. */
static void max_pool2d(const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *x,
                       void *y, void *argmax) {
  const real *from = x, *x_end = from + g->n * g->h * g->w * g->c;
  const ptrdiff_t n = row1 * g->ow * g->c;
  ptrdiff_t at = row0 * g->ow * g->c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const Interval v = interval(row % g->oh, g->stride_h, g->top, g->kh, g->h);
    const real *image = from + (row / g->oh * g->h + v.begin) * g->w * g->c;
    for (ptrdiff_t ox = 0; ox < g->ow; ox++, at += g->c) {
      const Interval u = interval(ox, g->stride_w, g->left, g->kw, g->w);
      const ptrdiff_t rows = v.end - v.begin, cols = u.end - u.begin;
      const lane_int first =
          (lane_int)((v.begin - v.start) * g->kw + u.begin - u.start);
      const real *corner = image + u.begin * g->c;
      if (rows == 2 && cols == 2) /* loops of known length */
        max_window(g, 2, 2, first, corner, x_end, y, argmax, at, n);
      else
        max_window(g, rows, cols, first, corner, x_end, y, argmax, at, n);
    }
  }
}

/* The mean of each window; padding counts as zeros. Rows row0 to row1 - 1 of y. */
static void avg_pool2d(const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1, const void *x,
                       void *y) {
  const real *from = x, *x_end = from + g->n * g->h * g->w * g->c;
  const real share = (real)(1.0 / (double)(g->kh * g->kw));
  real *to = (real *)y + row0 * g->ow * g->c, *y_end = (real *)y + row1 * g->ow * g->c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const Interval v = interval(row % g->oh, g->stride_h, g->top, g->kh, g->h);
    const real *image = from + row / g->oh * g->h * g->w * g->c;
    for (ptrdiff_t ox = 0; ox < g->ow; ox++, to += g->c) {
      const Interval u = interval(ox, g->stride_w, g->left, g->kw, g->w);
      for (ptrdiff_t c = 0; c < g->c; c += LANES) {
        vec sum = splat(0);
        for (ptrdiff_t p = v.begin; p < v.end; p++)
          for (ptrdiff_t q = u.begin; q < u.end; q++)
            sum += load_until(image + (p * g->w + q) * g->c + c, x_end);
        store_until(to + c, sum * share, y_end);
      }
    }
  }
}

/* Windows that hold pixel i along an axis: from begin to end - 1. Both only grow with
 * i, so they are found by moving on. */
ALWAYS_INLINE void windows_of(ptrdiff_t i, ptrdiff_t stride, ptrdiff_t padding,
                              ptrdiff_t kernel, ptrdiff_t outputs, ptrdiff_t *begin,
                              ptrdiff_t *end) {
  while (*begin < outputs && *begin * stride - padding + kernel <= i) ++*begin;
  while (*end < outputs && *end * stride - padding <= i) ++*end;
}

/* Rows row0 to row1 - 1 of dx; argmax is NULL for the mean. */
ALWAYS_INLINE void gather_rows(const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1,
                               const real *dy, const void *argmax, real *dx) {
  const ptrdiff_t n = g->n * g->oh * g->ow * g->c;
  const real *dy_end = dy + n;
  const real share = argmax ? 1 : (real)(1.0 / (double)(g->kh * g->kw));
  real *to = dx + row0 * g->w * g->c, *end = dx + row1 * g->w * g->c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const ptrdiff_t iy = row % g->h, image = row / g->h * g->oh;
    ptrdiff_t oy0 = 0, oy1 = 0, ox0 = 0, ox1 = 0;
    windows_of(iy, g->stride_h, g->top, g->kh, g->oh, &oy0, &oy1);
    for (ptrdiff_t ix = 0; ix < g->w; ix++, to += g->c) {
      windows_of(ix, g->stride_w, g->left, g->kw, g->ow, &ox0, &ox1);
      for (ptrdiff_t c = 0; c < g->c; c += LANES) {
        vec sum = splat(0);
        for (ptrdiff_t oy = oy0; oy < oy1; oy++)
          for (ptrdiff_t ox = ox0; ox < ox1; ox++) {
            const ptrdiff_t at = ((image + oy) * g->ow + ox) * g->c + c;
            const vec v = load_until(dy + at, dy_end);
            if (argmax) {
              const ptrdiff_t ky = iy + g->top - oy * g->stride_h;
              const ptrdiff_t kx = ix + g->left - ox * g->stride_w;
              const vec_int index = load_argmax(argmax, g->argmax_bytes, at, n);
              sum += choose(index == (lane_int)(ky * g->kw + kx), v, splat(0));
            } else {
              sum += v * share;
            }
          }
        store_until(to + c, sum, end);
      }
    }
  }
}

static void max_pool2d_backward(const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1,
                                const void *dy, const void *argmax, void *dx) {
  gather_rows(g, row0, row1, dy, argmax, dx);
}

static void avg_pool2d_backward(const Pool2d *g, ptrdiff_t row0, ptrdiff_t row1,
                                const void *dy, void *dx) {
  gather_rows(g, row0, row1, dy, NULL, dx);
}
