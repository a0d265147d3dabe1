/* The gradient of pooling: dx[iy][ix][c] = the sum over the windows (oy, ox) that hold
 * the pixel of dy[oy][ox][c], where it was the maximum, or / (kh kw).
 *
 * Windows that do not overlap are spread: each gives its pixels their values. Others
 * are gathered pixel by pixel or, for the maximum of few channels, scattered real by
 * real, which costs the same for any number of channels. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

#define FEW_CHANNELS 16 /* so few do not fill the vectors of a pixel */

/* The pixels of a window: where they lie behind its first one, and their row in it.
 * Numbers that no forward pass makes stay inside the window, too. */
typedef struct {
  ptrdiff_t place[256];
  uint8_t down[256];
} WindowPixels;

ALWAYS_INLINE void set_window_pixels(const Pool2d *g, WindowPixels *pixels) {
  memset(pixels, 0, sizeof *pixels);
  for (ptrdiff_t k = 0; k < g->kh * g->kw && k < 256; k++) {
    pixels->place[k] = (k / g->kw * g->w + k % g->kw) * g->c;
    pixels->down[k] = (uint8_t)(k / g->kw);
  }
}

/* Where the maxima of windows side by side were, their gradients are added to dx; the
 * windows lie within the image, `step` reals apart. */
ALWAYS_INLINE void scatter_windows(const ptrdiff_t channels, ptrdiff_t windows,
                                   const WindowPixels *pixels, ptrdiff_t step,
                                   const real *dy, const uint8_t *argmax, real *dx) {
  for (; windows > 0; windows--, dy += channels, argmax += channels, dx += step)
    for (ptrdiff_t c = 0; c < channels; c++) dx[pixels->place[argmax[c]] + c] += dy[c];
}

/* The same for the part of a window at (y, x) that lies in rows y0 to y1 - 1 of the
 * image dx, or whose numbers are int32. */
static void scatter_part(const Pool2d *g, const WindowPixels *pixels, ptrdiff_t y,
                         ptrdiff_t x, ptrdiff_t y0, ptrdiff_t y1, const real *dy,
                         const void *argmax, real *dx) {
  for (ptrdiff_t c = 0; c < g->c; c++) {
    const ptrdiff_t k = g->argmax_bytes == 1 ? ((const uint8_t *)argmax)[c]
                                             : ((const int32_t *)argmax)[c];
    const ptrdiff_t p = g->argmax_bytes == 1 ? pixels->down[k] : k / g->kw;
    const ptrdiff_t iy = y + p, ix = x + k - p * g->kw;
    if (y0 <= iy && iy < y1 && 0 <= ix && ix < g->w)
      dx[(iy * g->w + ix) * g->c + c] += dy[c];
  }
}

/* Rows y0 to y1 - 1 of an image dx. */
static void scatter_rows(const Pool2d *geometry, const WindowPixels *pixels,
                         ptrdiff_t image, ptrdiff_t y0, ptrdiff_t y1) {
  const Pool2d g = *geometry; /* a copy that no store can change */
  const ptrdiff_t row = g.w * g.c, step = g.stride_w * g.c;
  real *dx = (real *)g.result + image * g.h * row;
  memset(dx + y0 * row, 0, (size_t)((y1 - y0) * row) * sizeof(real));
  /* Windows oy0 to oy1 - 1 hold pixels of the rows, counted from the padding's edge. */
  const ptrdiff_t upper = y0 + g.top, lower = y1 - 1 + g.top;
  const ptrdiff_t oy0 = upper < g.kh ? 0 : (upper - g.kh) / g.stride_h + 1;
  const ptrdiff_t oy1 = lower / g.stride_h + 1 < g.oh ? lower / g.stride_h + 1 : g.oh;
  /* Windows ox0 to ox1 - 1 of a row lie within the image, if there are any. */
  const ptrdiff_t ox0 = (g.left + g.stride_w - 1) / g.stride_w;
  const ptrdiff_t last = g.w + g.left < g.kw ? -1 : (g.w + g.left - g.kw) / g.stride_w;
  const ptrdiff_t ox1 = last + 1 < g.ow ? last + 1 : g.ow;
  for (ptrdiff_t oy = oy0; oy < oy1; oy++) {
    const ptrdiff_t y = oy * g.stride_h - g.top;
    const int whole = g.argmax_bytes == 1 && y0 <= y && y + g.kh <= y1;
    for (ptrdiff_t ox = 0, next; ox < g.ow; ox = next) {
      const ptrdiff_t x = ox * g.stride_w - g.left;
      const ptrdiff_t at = ((image * g.oh + oy) * g.ow + ox) * g.c;
      const real *dy = (const real *)g.source + at;
      const char *argmax = (const char *)g.argmax + at * g.argmax_bytes;
      const uint8_t *bytes = (const uint8_t *)argmax;
      real *to = dx + y * row + x * g.c;
      next = whole && ox0 <= ox && ox < ox1 ? ox1 : ox + 1;
      if (next == ox + 1)
        scatter_part(&g, pixels, y, x, y0, y1, dy, argmax, dx);
      else if (g.c == 1)
        scatter_windows(1, next - ox, pixels, step, dy, bytes, to);
      else if (g.c == 3)
        scatter_windows(3, next - ox, pixels, step, dy, bytes, to);
      else
        scatter_windows(g.c, next - ox, pixels, step, dy, bytes, to);
    }
  }
}

/* n channels, or a whole vector, of pixels q0 to q1 - 1 of a row of the window at `at`;
 * pixel 0 of the row has the number `first`. */
ALWAYS_INLINE void spread_block(const int mean, const int whole, const ptrdiff_t q0,
                                const ptrdiff_t q1, const Pool2d *g, lane_int first,
                                ptrdiff_t at, ptrdiff_t n, real *dx) {
  const ptrdiff_t lanes = whole ? LANES : n;
  const real share = mean ? (real)(1.0 / (double)(g->kh * g->kw)) : 1;
  const vec dy = load_some((const real *)g->source + at, lanes) + 0; /* no -0 */
  const vec_int where = mean ? (vec_int){0} : load_argmax(g->argmax, 1, at, lanes);
  for (ptrdiff_t q = q0; q < q1; q++) {
    const vec part =
        mean ? dy * share : choose(where == first + (lane_int)q, dy, splat(0));
    store_some(dx + q * g->c, part, n);
  }
}

/* Windows side by side. The stores of few channels go upwards, so that what reaches
 * into the next pixel is overwritten. */
ALWAYS_INLINE void spread_windows(const int mean, const int whole, const ptrdiff_t q0,
                                  const ptrdiff_t q1, const Pool2d *g, lane_int first,
                                  ptrdiff_t windows, ptrdiff_t at, real *dx) {
  const ptrdiff_t channels = g->c, step = g->stride_w * channels;
  for (; windows > 0; windows--, at += channels, dx += step) {
    if (whole && channels < LANES) {
      spread_block(mean, 1, q0, q1, g, first, at, LANES, dx);
      continue;
    }
    ptrdiff_t c = 0;
    for (; c + LANES <= channels; c += LANES)
      spread_block(mean, 1, q0, q1, g, first, at + c, LANES, dx + c);
    if (c < channels)
      spread_block(mean, whole, q0, q1, g, first, at + c, channels - c, dx + c);
  }
}

/* Rows of dx whose windows do not overlap: each pixel is written once. */
ALWAYS_INLINE void spread_rows(const int mean, const Pool2d *geometry, ptrdiff_t row0,
                               ptrdiff_t row1) {
  const Pool2d g = *geometry; /* a copy that no store can change */
  const ptrdiff_t length = g.w * g.c, end = g.n * g.oh * g.ow * g.c;
  const int gaps = g.stride_w > g.kw;
  for (ptrdiff_t row = row0; row < row1; row++) {
    const ptrdiff_t iy = row % g.h + g.top, oy = iy / g.stride_h;
    const ptrdiff_t p = iy - oy * g.stride_h;
    const ptrdiff_t windows = oy < g.oh && p < g.kh ? g.ow : 0;
    const ptrdiff_t at = (row / g.h * g.oh + oy) * g.ow * g.c;
    const int whole = !gaps && row < row1 - 1 && at + g.ow * g.c + LANES <= end;
    const lane_int first = (lane_int)(p * g.kw);
    real *dx = (real *)g.result + row * length;
    if (gaps) memset(dx, 0, (size_t)length * sizeof(real));
    ptrdiff_t done = 0; /* reals */
    for (ptrdiff_t ox = 0, count; ox < windows; ox += count) {
      const ptrdiff_t x = ox * g.stride_w - g.left, rest = g.w - x;
      const ptrdiff_t q0 = x < 0 ? -x : 0, q1 = rest < g.kw ? rest : g.kw;
      const ptrdiff_t fit = x < 0 || rest < g.kw ? 1 : (rest - g.kw) / g.stride_w + 1;
      count = fit < windows - ox ? fit : windows - ox;
      const ptrdiff_t from = at + ox * g.c;
      real *to = dx + x * g.c;
      if (whole && q0 == 0 && q1 == 2)
        spread_windows(mean, 1, 0, 2, &g, first, count, from, to);
      else if (whole)
        spread_windows(mean, 1, q0, q1, &g, first, count, from, to);
      else
        spread_windows(mean, 0, q0, q1, &g, first, count, from, to);
      done = (x + (count - 1) * g.stride_w + q1) * g.c;
    }
    memset(dx + done, 0, (size_t)(length - done) * sizeof(real));
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

ALWAYS_INLINE int windows_overlap(const Pool2d *g) {
  return g->stride_h < g->kh || g->stride_w < g->kw;
}

static void avg_pool2d_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  if (windows_overlap(g))
    gather_rows(g, first, end, NULL);
  else
    spread_rows(1, g, first, end);
}

static void max_pool2d_backward(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Pool2d *g = arguments;
  const int dense = g->c > 3 && 3 * g->c > LANES; /* enough for whole vectors */
  if (dense && g->argmax_bytes == 1 && !windows_overlap(g)) {
    spread_rows(0, g, first, end);
    return;
  }
  if (g->c >= FEW_CHANNELS) {
    gather_rows(g, first, end, g->argmax);
    return;
  }
  WindowPixels pixels;
  set_window_pixels(g, &pixels);
  for (ptrdiff_t row = first, next; row < end; row = next) {
    const ptrdiff_t image = row / g->h;
    next = (image + 1) * g->h < end ? (image + 1) * g->h : end;
    scatter_rows(g, &pixels, image, row - image * g->h, next - image * g->h);
  }
}
