/* The maximum or the mean of each window of an image, channel by channel:
 *
 *   y[oy][ox][c]  = max or mean over (ky, kx) of x[iy][ix][c]
 *   iy = oy stride_h - top + ky,  ix = ox stride_w - left + kx
 *
 * Rows can be made in any order and by any thread. Row r of a batch is row r % height
 * of image r / height. Where vectors of channels are read or written, that of a pixel
 * with few channels reaches into the pixels behind it (rows.h). The gradient stands in
 * pool2d_backward.c. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define CHAIN_PIXELS 64 /* that are added up in `real` */
#define SMALL_WINDOW 16 /* pixels */
#define WIDE 512        /* channels of a large window that are done together */

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

/* n channels, or a whole vector, of pixels of y and argmax side by side. x is number
 * `first` in the window of the first one, of which rows x cols pixels exist. */
ALWAYS_INLINE void max_block(const int pixels, const ptrdiff_t rows,
                             const ptrdiff_t cols, const Pool2d *g, const real *x,
                             lane_int first, ptrdiff_t n, ptrdiff_t to) {
  const ptrdiff_t step = g->stride_w * g->c;
  vec best[4];
  vec_int where[4];
  for (int i = 0; i < pixels; i++) {
    best[i] = load_some(x + i * step, n);
    where[i] = (vec_int){0} + first;
  }
  for (ptrdiff_t p = 0; p < rows; p++)
    for (ptrdiff_t q = 0; q < cols; q++) {
      const vec_int number = (vec_int){0} + (first + (lane_int)(p * g->kw + q));
      for (int i = 0; i < pixels; i++) {
        const vec v = load_some(x + (p * g->w + q) * g->c + i * step, n);
        /* above, or the first NaN */
        const vec_int better = ~(v <= best[i]) & (best[i] == best[i]);
        best[i] = choose(better, v, best[i]);
        where[i] = (where[i] & ~better) | (number & better);
      }
    }
  for (int i = 0; i < pixels; i++) {
    store_some((real *)g->result + to + i * g->c, best[i], n);
    store_argmax(g->argmax, g->argmax_bytes, where[i], to + i * g->c, n);
  }
}

/* One pixel of y and argmax. */
ALWAYS_INLINE void max_window(const int whole, const ptrdiff_t rows,
                              const ptrdiff_t cols, const Pool2d *g, const real *x,
                              lane_int first, ptrdiff_t to) {
  const ptrdiff_t channels = g->c;
  for (ptrdiff_t c = 0; c < channels; c += LANES)
    max_block(1, rows, cols, g, x + c, first, LANES_AT(c), to + c);
}

/* Four of them side by side: as many chains of comparisons. Few channels are stored
 * upwards, so that what reaches into the next pixel is overwritten; more of them must
 * be whole vectors. */
ALWAYS_INLINE void max_windows(const ptrdiff_t rows, const ptrdiff_t cols,
                               const Pool2d *g, const real *x, lane_int first,
                               ptrdiff_t to) {
  for (ptrdiff_t c = 0; c < g->c; c += LANES)
    max_block(4, rows, cols, g, x + c, first, LANES, to + c);
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

ALWAYS_INLINE void pool_window(const int mean, const int whole, const ptrdiff_t rows,
                               const ptrdiff_t cols, const Pool2d *g, const real *x,
                               lane_int first, ptrdiff_t to) {
  if (mean)
    mean_window(whole, rows, cols, g, x, g->w * g->c, (real *)g->result + to);
  else
    max_window(whole, rows, cols, g, x, first, to);
}

/* Rows of y and, of a maximum, argmax. */
ALWAYS_INLINE void pool_rows(const int mean, const Pool2d *geometry, ptrdiff_t row0,
                             ptrdiff_t row1) {
  const Pool2d g = *geometry; /* a copy that no store can change */
  const real *x = g.source;
  const ptrdiff_t vectors = (g.c + LANES - 1) / LANES * LANES;
  const ptrdiff_t n = g.n * g.h * g.w * g.c, end = row1 * g.ow * g.c;
  const int fours = !mean && g.c < 4 * LANES && (g.c < LANES || g.c % LANES == 0);
  const ptrdiff_t wide = 3 * g.stride_w + g.kw; /* what four windows see */
  ptrdiff_t to = row0 * g.ow * g.c;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const ptrdiff_t top = row % g.oh * g.stride_h - g.top;
    const ptrdiff_t y0 = top > 0 ? top : 0, y1 = top + g.kh < g.h ? top + g.kh : g.h;
    const ptrdiff_t image_row = row / g.oh * g.h + y0, rows = y1 - y0;
    for (ptrdiff_t ox = 0, pixels; ox < g.ow; ox += pixels, to += pixels * g.c) {
      const ptrdiff_t left = ox * g.stride_w - g.left, x0 = left > 0 ? left : 0;
      const int four = fours && left >= 0 && ox + 4 <= g.ow && left + wide <= g.w;
      const ptrdiff_t cols = (left + g.kw < g.w ? left + g.kw : g.w) - x0;
      const ptrdiff_t from = (image_row * g.w + x0) * g.c;
      const ptrdiff_t right = four ? wide : cols;
      const ptrdiff_t last = from + ((rows - 1) * g.w + right - 1) * g.c;
      const lane_int first = (lane_int)((y0 - top) * g.kw + x0 - left);
      pixels = four ? 4 : 1;
      if (to + (pixels - 1) * g.c + vectors > end || last + vectors > n) {
        pixels = 1;
        pool_window(mean, 0, rows, cols, &g, x + from, first, to);
      } else if (four && rows == 2 && cols == 2)
        max_windows(2, 2, &g, x + from, first, to);
      else if (four)
        max_windows(rows, cols, &g, x + from, first, to);
      else if (rows == 2 && cols == 2)
        pool_window(mean, 1, 2, 2, &g, x + from, first, to);
      else if (rows == 3 && cols == 3)
        pool_window(mean, 1, 3, 3, &g, x + from, first, to);
      else
        pool_window(mean, 1, rows, cols, &g, x + from, first, to);
    }
  }
}

static void max_pool2d(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  pool_rows(0, g, first, end);
}

static void avg_pool2d(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  pool_rows(1, g, first, end);
}
