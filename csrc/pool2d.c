/* The maximum or the mean of each window of an image, channel by channel:
 *
 *   y[oy][ox][c]  = max or mean over (ky, kx) of x[iy][ix][c]
 *   dx[iy][ix][c] = sum over the windows (oy, ox) that hold the pixel of dy[oy][ox][c],
 *                   where it was the maximum, or / (kh kw)
 *   iy = oy stride_h - top + ky,  ix = ox stride_w - left + kx
 *
 * Rows can be made in any order and by any thread. Row r of a batch is row r % height
 * of image r / height. Where vectors of channels are read or written, that of a pixel
 * with few channels reaches into the pixels behind it (rows.h); the gradient of a
 * maximum is scattered real by real, which costs the same for any number of channels.
 */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define CHAIN_PIXELS 64 /* that are added up in `real` */
#define SMALL_WINDOW 16 /* pixels */
#define WIDE 512        /* channels of a large window that are done together */
#define FEW_CHANNELS 16 /* so few do not fill the vectors of a pixel */

/* argmax: bytes, or int32 for large windows */
typedef uint8_t vec_u8 __attribute__((vector_size(VECTOR_BYTES / sizeof(real))));
typedef uint16_t vec_u16 __attribute__((vector_size(VECTOR_BYTES / sizeof(real) * 2)));
typedef int32_t vec_i32 __attribute__((vector_size(VECTOR_BYTES / sizeof(real) * 4)));

/* The first n lanes, or the whole vector. Compilers convert well between types of
 * which one is twice as wide. */
ALWAYS_INLINE vec_int load_argmax(const void *argmax, int bytes, ptrdiff_t at,
                                  ptrdiff_t n) {
  const size_t count = (size_t)(n < LANES ? n : LANES);
  vec_i32 large = {0};
  if (bytes == 1) {
    vec_u8 small = {0};
    memcpy(&small, (const uint8_t *)argmax + at, count);
/* One instruction, which compilers do not find. */
#if defined(__AVX512F__) && REAL_BITS == 32
    return (vec_int)_mm512_cvtepu8_epi32((__m128i)small);
#elif defined(__AVX2__) && REAL_BITS == 32
    return (vec_int)_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)small));
#else
    const vec_u16 wider = __builtin_convertvector(small, vec_u16);
    large = __builtin_convertvector(wider, vec_i32);
#endif
  } else {
    memcpy(&large, (const int32_t *)argmax + at, count * sizeof(int32_t));
  }
  return __builtin_convertvector(large, vec_int);
}

ALWAYS_INLINE void store_argmax(void *argmax, int bytes, vec_int index, ptrdiff_t at,
                                ptrdiff_t n) {
  const size_t count = (size_t)(n < LANES ? n : LANES);
  const vec_i32 large = __builtin_convertvector(index, vec_i32);
  if (bytes == 1) {
#if defined(__AVX512F__) /* one instruction */
    const vec_u8 small = __builtin_convertvector(index, vec_u8);
#else
    const vec_u16 wider = __builtin_convertvector(large, vec_u16);
    const vec_u8 small = __builtin_convertvector(wider, vec_u8);
#endif
    memcpy((uint8_t *)argmax + at, &small, count);
  } else {
    memcpy((int32_t *)argmax + at, &large, count * sizeof(int32_t));
  }
}

/* Lanes that a vector at channel c may touch: all, or those of this pixel. */
#define LANES_AT(c) (whole ? LANES : channels - (c))

/* In the functions below `whole` says that whole vectors stay within the arrays, and
 * argmax is NULL for the mean. They are inlined, for constant arguments. */

/* One pixel of y and argmax. x is the first pixel of rows x cols, which is number
 * `first` in the whole window. */
ALWAYS_INLINE void max_window(const int whole, const ptrdiff_t rows,
                              const ptrdiff_t cols, const Pool2d *g, const real *x,
                              lane_int first, real *y, void *argmax) {
  const ptrdiff_t channels = g->c;
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    vec best = load_some(x + c, LANES_AT(c));
    vec_int where = (vec_int){0} + first;
    for (ptrdiff_t p = 0; p < rows; p++)
      for (ptrdiff_t q = 0; q < cols; q++) {
        const vec v = load_some(x + (p * g->w + q) * channels + c, LANES_AT(c));
        const vec_int number = (vec_int){0} + (first + (lane_int)(p * g->kw + q));
        /* above, or the first NaN */
        const vec_int better = ~(v <= best) & (best == best);
        best = choose(better, v, best);
        where = (where & ~better) | (number & better);
      }
    store_some(y + c, best, LANES_AT(c));
    store_argmax(argmax, g->argmax_bytes, where, c, LANES_AT(c));
  }
}

/* The sum of rows x cols pixels, for several vectors of channels side by side: as many
 * chains of additions. `row` reals lie between rows. */
ALWAYS_INLINE void sum_block(const int vectors, const int whole, const ptrdiff_t rows,
                             const ptrdiff_t cols, const real *x, ptrdiff_t row,
                             ptrdiff_t pixel, ptrdiff_t channels, vec *sum) {
  for (int v = 0; v < vectors; v++) sum[v] = splat(0);
  for (ptrdiff_t p = 0; p < rows; p++)
    for (ptrdiff_t q = 0; q < cols; q++)
      for (int v = 0; v < vectors; v++)
        sum[v] += load_some(x + p * row + q * pixel + v * LANES, LANES_AT(v * LANES));
}

ALWAYS_INLINE void add_pixels(const ptrdiff_t pixels, int whole, ptrdiff_t channels,
                              const real *x, ptrdiff_t pixel, real *sum) {
  for (ptrdiff_t c = 0; c < channels; c += LANES) {
    vec s = load(sum + c);
    for (ptrdiff_t i = 0; i < pixels; i++)
      s += load_some(x + i * pixel + c, LANES_AT(c));
    store(sum + c, s);
  }
}

/* The mean over a large window. Its pixels are read in the order of memory, and the
 * sums of WIDE channels stay in the cache meanwhile. A long chain of additions loses
 * digits: after CHAIN_PIXELS pixels, about, it is added to a sum in float64. */
static void mean_large(int whole, ptrdiff_t rows, ptrdiff_t cols, const Pool2d *g,
                       const real *x, ptrdiff_t row, real *y) {
  const real share = (real)(1.0 / (double)(g->kh * g->kw));
  const ptrdiff_t pixel = g->c, width = cols < CHAIN_PIXELS ? cols : CHAIN_PIXELS,
                  height = CHAIN_PIXELS / width;
  /* Few pixels in a run are few streams; few channels stay in registers. */
  const ptrdiff_t run = pixel > 4 * LANES ? 4 : width;
  for (ptrdiff_t c = 0; c < pixel; c += WIDE) {
    const ptrdiff_t channels = pixel - c < WIDE ? pixel - c : WIDE;
    double total[WIDE];
    for (ptrdiff_t l = 0; l < channels; l++) total[l] = 0;
    for (ptrdiff_t p = 0; p < rows; p += height)
      for (ptrdiff_t q = 0; q < cols; q += width) {
        const ptrdiff_t bottom = p + height < rows ? p + height : rows,
                        right = q + width < cols ? q + width : cols;
        real sum[WIDE];
        for (ptrdiff_t l = 0; l < channels; l += LANES) store(sum + l, splat(0));
        for (ptrdiff_t i = p; i < bottom; i++) {
          const real *from = x + i * row + c;
          for (ptrdiff_t j = q; j < right; j += run) {
            const ptrdiff_t pixels = right - j < run ? right - j : run;
            if (pixels == 4)
              add_pixels(4, whole, channels, from + j * pixel, pixel, sum);
            else
              add_pixels(pixels, whole, channels, from + j * pixel, pixel, sum);
          }
        }
        for (ptrdiff_t l = 0; l < channels; l++) total[l] += sum[l];
      }
    for (ptrdiff_t l = 0; l < channels; l++) y[c + l] = (real)total[l] * share;
  }
}

/* The sum of rows x cols pixels, `row` reals apart from row to row, over the size of a
 * window. */
ALWAYS_INLINE void mean_window(const int whole, const ptrdiff_t rows,
                               const ptrdiff_t cols, const Pool2d *g, const real *x,
                               ptrdiff_t row, real *y) {
  if (rows * cols > SMALL_WINDOW) {
    mean_large(whole, rows, cols, g, x, row, y);
    return;
  }
  const real share = (real)(1.0 / (double)(g->kh * g->kw));
  vec sum[4];
  ptrdiff_t c = 0;
  for (; c + 4 * LANES <= g->c; c += 4 * LANES) {
    sum_block(4, 1, rows, cols, x + c, row, g->c, g->c - c, sum);
    for (int v = 0; v < 4; v++) store(y + c + v * LANES, sum[v] * share);
  }
  for (; c < g->c; c += LANES) {
    const ptrdiff_t channels = g->c;
    sum_block(1, whole, rows, cols, x + c, row, g->c, channels - c, sum);
    store_some(y + c, sum[0] * share, LANES_AT(c));
  }
}

ALWAYS_INLINE void pool_window(const int whole, const ptrdiff_t rows,
                               const ptrdiff_t cols, const Pool2d *g, const real *x,
                               lane_int first, real *y, void *argmax) {
  if (argmax)
    max_window(whole, rows, cols, g, x, first, y, argmax);
  else
    mean_window(whole, rows, cols, g, x, g->w * g->c, y);
}

/* Rows of y and, unless it is NULL, argmax. */
ALWAYS_INLINE void pool_rows(const Pool2d *geometry, ptrdiff_t row0, ptrdiff_t row1,
                             void *argmax) {
  const Pool2d g = *geometry; /* a copy that no store can change */
  const real *x = g.source;
  real *y = g.result;
  const ptrdiff_t vectors = (g.c + LANES - 1) / LANES * LANES;
  const ptrdiff_t n = g.n * g.h * g.w * g.c, end = row1 * g.ow * g.c;
  ptrdiff_t to = row0 * g.ow * g.c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const ptrdiff_t top = row % g.oh * g.stride_h - g.top;
    const ptrdiff_t y0 = top > 0 ? top : 0, y1 = top + g.kh < g.h ? top + g.kh : g.h;
    const ptrdiff_t image_row = row / g.oh * g.h + y0, rows = y1 - y0;
    ptrdiff_t left = -g.left;
    for (ptrdiff_t ox = 0; ox < g.ow; ox++, left += g.stride_w, to += g.c) {
      const ptrdiff_t x0 = left > 0 ? left : 0;
      const ptrdiff_t cols = (left + g.kw < g.w ? left + g.kw : g.w) - x0;
      const ptrdiff_t from = (image_row * g.w + x0) * g.c;
      const ptrdiff_t last = from + ((rows - 1) * g.w + cols - 1) * g.c;
      const lane_int first = (lane_int)((y0 - top) * g.kw + x0 - left);
      void *index = argmax ? (char *)argmax + to * g.argmax_bytes : NULL;
      if (to + vectors > end || last + vectors > n)
        pool_window(0, rows, cols, &g, x + from, first, y + to, index);
      else if (rows == 2 && cols == 2)
        pool_window(1, 2, 2, &g, x + from, first, y + to, index);
      else if (rows == 3 && cols == 3)
        pool_window(1, 3, 3, &g, x + from, first, y + to, index);
      else
        pool_window(1, rows, cols, &g, x + from, first, y + to, index);
    }
  }
}

static void max_pool2d(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  pool_rows(g, first, end, g->argmax);
}

static void avg_pool2d(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  pool_rows(g, first, end, NULL);
}

/* Where the maxima of one window were, its gradients are added to dx. `place` has the
 * pixels of a window; numbers that no forward pass makes stay inside it, too. */
ALWAYS_INLINE void scatter_window(ptrdiff_t channels, const real *dy,
                                  const uint8_t *argmax, const ptrdiff_t *place,
                                  real *dx) {
  for (ptrdiff_t c = 0; c < channels; c++) dx[place[argmax[c]] + c] += dy[c];
}

/* The same for the part of a window at (y, x) that lies in rows y0 to y1 - 1 of the
 * image dx, or whose numbers are int32. */
static void scatter_part(const Pool2d *g, ptrdiff_t y, ptrdiff_t x, ptrdiff_t y0,
                         ptrdiff_t y1, const real *dy, const void *argmax, real *dx) {
  const int32_t width = (int32_t)g->kw;
  for (ptrdiff_t c = 0; c < g->c; c++) {
    const int32_t k = g->argmax_bytes == 1 ? ((const uint8_t *)argmax)[c]
                                           : ((const int32_t *)argmax)[c];
    const ptrdiff_t iy = y + k / width, ix = x + k % width;
    if (y0 <= iy && iy < y1 && 0 <= ix && ix < g->w)
      dx[(iy * g->w + ix) * g->c + c] += dy[c];
  }
}

/* Rows y0 to y1 - 1 of an image dx. */
static void scatter_rows(const Pool2d *geometry, ptrdiff_t image, ptrdiff_t y0,
                         ptrdiff_t y1) {
  const Pool2d g = *geometry; /* a copy that no store can change */
  const ptrdiff_t row = g.w * g.c;
  real *dx = (real *)g.result + image * g.h * row;
  ptrdiff_t place[256] = {0};
  for (ptrdiff_t k = 0; k < g.kh * g.kw && k < 256; k++)
    place[k] = k / g.kw * row + k % g.kw * g.c;
  /* Windows oy0 to oy1 - 1 hold pixels of the rows, counted from the padding's edge. */
  const ptrdiff_t upper = y0 + g.top, lower = y1 - 1 + g.top;
  const ptrdiff_t oy0 = upper < g.kh ? 0 : (upper - g.kh) / g.stride_h + 1;
  const ptrdiff_t oy1 = lower / g.stride_h + 1 < g.oh ? lower / g.stride_h + 1 : g.oh;
  ptrdiff_t zeroed = y0; /* rows, just before they are needed */
  for (ptrdiff_t oy = oy0; oy <= oy1; oy++) {
    const ptrdiff_t y = oy * g.stride_h - g.top;
    const ptrdiff_t until = oy < oy1 && y + g.kh < y1 ? y + g.kh : y1;
    if (until > zeroed) {
      memset(dx + zeroed * row, 0, (size_t)((until - zeroed) * row) * sizeof(real));
      zeroed = until;
    }
    if (oy == oy1) break;
    const int whole = g.argmax_bytes == 1 && y0 <= y && y + g.kh <= y1;
    ptrdiff_t at = (image * g.oh + oy) * g.ow * g.c, x = -g.left;
    for (ptrdiff_t ox = 0; ox < g.ow; ox++, at += g.c, x += g.stride_w) {
      const real *from = (const real *)g.source + at;
      const char *argmax = (const char *)g.argmax + at * g.argmax_bytes;
      if (whole && x >= 0 && x + g.kw <= g.w)
        scatter_window(g.c, from, (const uint8_t *)argmax, place,
                       dx + y * row + x * g.c);
      else
        scatter_part(&g, y, x, y0, y1, from, argmax, dx);
    }
  }
}

/* One pixel of dx, for several vectors of channels side by side, where the maxima of
 * rows x cols windows were: the first window sees the pixel as number k. */
ALWAYS_INLINE void gather_block(const int vectors, const int whole,
                                const ptrdiff_t rows, const ptrdiff_t cols,
                                const Pool2d *g, const real *dy, const void *argmax,
                                ptrdiff_t at, ptrdiff_t k, ptrdiff_t channels,
                                real *dx) {
  vec sum[4];
  for (int v = 0; v < vectors; v++) sum[v] = splat(0);
  for (ptrdiff_t p = 0; p < rows; p++)
    for (ptrdiff_t q = 0; q < cols; q++) {
      const lane_int number = (lane_int)(k - p * g->stride_h * g->kw - q * g->stride_w);
      for (int v = 0; v < vectors; v++) {
        const ptrdiff_t from = at + (p * g->ow + q) * g->c + v * LANES;
        const vec_int where =
            load_argmax(argmax, g->argmax_bytes, from, LANES_AT(v * LANES));
        const vec value = load_some(dy + from, LANES_AT(v * LANES));
        sum[v] += choose(where == number, value, splat(0));
      }
    }
  for (int v = 0; v < vectors; v++)
    store_some(dx + v * LANES, sum[v], LANES_AT(v * LANES));
}

/* One pixel of dx; of the mean, each window gives an equal share. */
ALWAYS_INLINE void gather_pixel(const int whole, const ptrdiff_t rows,
                                const ptrdiff_t cols, const Pool2d *g, const real *dy,
                                const void *argmax, ptrdiff_t at, ptrdiff_t k,
                                real *dx) {
  if (!argmax) {
    mean_window(whole, rows, cols, g, dy + at, g->ow * g->c, dx);
    return;
  }
  ptrdiff_t c = 0;
  for (; c + 4 * LANES <= g->c; c += 4 * LANES)
    gather_block(4, 1, rows, cols, g, dy, argmax, at + c, k, 0, dx + c);
  for (; c < g->c; c += LANES)
    gather_block(1, whole, rows, cols, g, dy, argmax, at + c, k, g->c - c, dx + c);
}

/* Rows of dx. */
ALWAYS_INLINE void gather_rows(const Pool2d *geometry, ptrdiff_t row0, ptrdiff_t row1,
                               const void *argmax) {
  const Pool2d g = *geometry;
  const real *dy = g.source;
  real *dx = g.result;
  const ptrdiff_t vectors = (g.c + LANES - 1) / LANES * LANES;
  const ptrdiff_t n = g.n * g.oh * g.ow * g.c, end = row1 * g.w * g.c;
  ptrdiff_t to = row0 * g.w * g.c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    /* Windows oy0 to oy1 - 1 hold the row, counted from the edge of the padding. */
    const ptrdiff_t iy = row % g.h + g.top;
    const ptrdiff_t oy1 = iy / g.stride_h + 1 < g.oh ? iy / g.stride_h + 1 : g.oh;
    ptrdiff_t oy0 = iy < g.kh ? 0 : (iy - g.kh) / g.stride_h + 1;
    if (oy0 > oy1) oy0 = oy1;
    const ptrdiff_t rows = oy1 - oy0, first = (iy - oy0 * g.stride_h) * g.kw;
    ptrdiff_t ox0 = 0, ox1 = 0;
    for (ptrdiff_t ix = g.left; ix < g.left + g.w; ix++, to += g.c) {
      while (ox1 < g.ow && ox1 * g.stride_w <= ix) ox1++;
      while (ox0 < ox1 && ox0 * g.stride_w + g.kw <= ix) ox0++;
      const ptrdiff_t cols = ox1 - ox0, k = first + ix - ox0 * g.stride_w;
      const ptrdiff_t at = ((row / g.h * g.oh + oy0) * g.ow + ox0) * g.c;
      const ptrdiff_t last = at + ((rows - 1) * g.ow + cols - 1) * g.c;
      if (to + vectors > end || last + vectors > n)
        gather_pixel(0, rows, cols, &g, dy, argmax, at, k, dx + to);
      else if (rows == 1 && cols == 1)
        gather_pixel(1, 1, 1, &g, dy, argmax, at, k, dx + to);
      else if (rows == 3 && cols == 3)
        gather_pixel(1, 3, 3, &g, dy, argmax, at, k, dx + to);
      else
        gather_pixel(1, rows, cols, &g, dy, argmax, at, k, dx + to);
    }
  }
}

static void avg_pool2d_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  gather_rows(g, first, end, NULL);
}

static void max_pool2d_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  if (g->c >= FEW_CHANNELS) {
    gather_rows(g, first, end, g->argmax);
    return;
  }
  for (ptrdiff_t row = first, next; row < end; row = next) {
    const ptrdiff_t image = row / g->h;
    next = (image + 1) * g->h < end ? (image + 1) * g->h : end;
    scatter_rows(g, image, row - image * g->h, next - image * g->h);
  }
}
