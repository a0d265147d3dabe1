/* The input gradient of few channels: a plane for each channel, vectors along the
 * pixels of a line, which are full however few the channels.
 *
 *     dx[c][i] = sum_k weight[k][c] * dy[k][i]
 *
 * k counts taps and channels of dy: dy[k] is the line of a channel from where its tap
 * begins, offset[k] bytes behind dy. Lines end with whole vectors. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

/* Blocks of pixels and channels are transposed in vectors of at most 256 bits: more
 * lanes than channels would be wasted. */
#define PART_BYTES (VECTOR_BYTES > 32 ? 32 : VECTOR_BYTES)
#define PART_LANES (PART_BYTES * 8 / REAL_BITS)
typedef real part __attribute__((vector_size(PART_BYTES)));
typedef lane_int part_int __attribute__((vector_size(PART_BYTES)));
typedef real part_unaligned
    __attribute__((vector_size(PART_BYTES), aligned(sizeof(real)), may_alias));

ALWAYS_INLINE part part_load(const real *p) { return *(const part_unaligned *)p; }
ALWAYS_INLINE void part_store(real *p, part v) { *(part_unaligned *)p = v; }

ALWAYS_INLINE part part_load_first(const real *p, ptrdiff_t n) {
  part v = {0};
  if (n >= PART_LANES) return part_load(p);
  memcpy(&v, p, (size_t)n * sizeof(real));
  return v;
}

ALWAYS_INLINE void part_store_first(real *p, part v, ptrdiff_t n) {
  if (n >= PART_LANES)
    part_store(p, v);
  else if (n > 0)
    memcpy(p, &v, (size_t)n * sizeof(real));
}

/* -1 in the first n lanes, 0 in the others */
ALWAYS_INLINE part_int part_mask(ptrdiff_t n) {
  static const lane_int number[8] = {0, 1, 2, 3, 4, 5, 6, 7};
  part_int lane;
  memcpy(&lane, number, sizeof lane);
  return lane < (lane_int)(n < PART_LANES ? n : PART_LANES);
}

#if defined(__clang__)
#define PART_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define PART_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (part_int){__VA_ARGS__})
#endif
/* Lanes of a and b in turn, of the lower or upper halves of each 128 bits: there a
 * processor has an instruction for it. And the lower or upper 128 bits of both. */
#if PART_LANES == 8
#define PART_LOW(a, b) PART_SHUFFLE(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define PART_HIGH(a, b) PART_SHUFFLE(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define PART_FRONT(a, b) PART_SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define PART_BACK(a, b) PART_SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#elif PART_LANES == 4 && REAL_BITS == 64
#define PART_LOW(a, b) PART_SHUFFLE(a, b, 0, 4, 2, 6)
#define PART_HIGH(a, b) PART_SHUFFLE(a, b, 1, 5, 3, 7)
#define PART_FRONT(a, b) PART_SHUFFLE(a, b, 0, 1, 4, 5)
#define PART_BACK(a, b) PART_SHUFFLE(a, b, 2, 3, 6, 7)
#elif PART_LANES == 4
#define PART_LOW(a, b) PART_SHUFFLE(a, b, 0, 4, 1, 5)
#define PART_HIGH(a, b) PART_SHUFFLE(a, b, 2, 6, 3, 7)
#else
#define PART_LOW(a, b) PART_SHUFFLE(a, b, 0, 2)
#define PART_HIGH(a, b) PART_SHUFFLE(a, b, 1, 3)
#endif

/* Transposes PART_LANES x PART_LANES reals: first within 128 bits of as many vectors as
 * those have lanes, by rounds that merge vectors half their number apart, then 128 bits
 * at a time. */
ALWAYS_INLINE void part_transpose(part *block) {
  const int lanes = 128 / REAL_BITS;
#pragma GCC unroll 2
  for (int first = 0; first < PART_LANES; first += lanes)
#pragma GCC unroll 2
    for (int round = 1; round < lanes; round *= 2) {
      part merged[4];
#pragma GCC unroll 2
      for (int i = 0; i < lanes / 2; i++) {
        const part a = block[first + i], b = block[first + i + lanes / 2];
        merged[2 * i] = PART_LOW(a, b);
        merged[2 * i + 1] = PART_HIGH(a, b);
      }
#pragma GCC unroll 4
      for (int i = 0; i < lanes; i++) block[first + i] = merged[i];
    }
#if defined(PART_FRONT)
#pragma GCC unroll 4
  for (int i = 0; i < lanes; i++) {
    const part a = block[i], b = block[i + lanes];
    block[i] = PART_FRONT(a, b);
    block[i + lanes] = PART_BACK(a, b);
  }
#endif
}

/* Pixels to planes: planes[j][i] = x[i][j] for i < n, j < channels. What lies up to a
 * vector behind the n pixels of a plane becomes 0. Before `end`, x may be read. */
static void split_planes(ptrdiff_t n, ptrdiff_t channels, const void *x,
                         const void *end, void *planes, ptrdiff_t plane) {
  const ptrdiff_t pixel = channels * (ptrdiff_t)sizeof(real);
  if (channels == 1) {
    const real *from = x;
    real *to = planes;
    for (ptrdiff_t i = 0; i < n; i += LANES) store(to + i, load_some(from + i, n - i));
    return;
  }
  for (ptrdiff_t i = 0; i < n; i += PART_LANES) {
    const part_int mask = part_mask(n - i);
    for (ptrdiff_t j = 0; j < channels; j += PART_LANES) {
      const real *from = (const real *)behind(x, i * pixel) + j;
      const ptrdiff_t width = channels - j;
      part block[PART_LANES];
      if (behind(from, (PART_LANES - 1) * pixel) + PART_LANES <= (const real *)end) {
#pragma GCC unroll 8
        for (ptrdiff_t u = 0; u < PART_LANES; u++)
          block[u] = part_load(behind(from, u * pixel));
      } else {
        for (ptrdiff_t u = 0; u < PART_LANES; u++)
          block[u] = part_load_first(behind(from, u * pixel), i + u >= n ? 0 : width);
      }
      part_transpose(block);
#pragma GCC unroll 8
      for (ptrdiff_t u = 0; u < PART_LANES; u++)
        if (u < width)
          part_store((real *)behind(planes, (j + u) * plane) + i,
                     (part)((part_int)block[u] & mask));
    }
  }
}

/* Planes to pixels: y[i][j] = planes[j][i]. Whole vectors of a plane are read, and
 * anything may be written behind the n pixels, before `end`. */
static void join_planes(ptrdiff_t n, ptrdiff_t channels, const void *planes,
                        ptrdiff_t plane, void *y, const void *end) {
  for (ptrdiff_t i = 0; i < n; i += PART_LANES)
    /* The last channels first: they may reach into the next pixel. */
    for (ptrdiff_t j = (channels - 1) / PART_LANES * PART_LANES; j >= 0;
         j -= PART_LANES) {
      real *to = (real *)y + i * channels + j;
      part block[PART_LANES];
#pragma GCC unroll 8
      for (ptrdiff_t u = 0; u < PART_LANES; u++) {
        block[u] = (part){0};
        if (j + u < channels)
          block[u] = part_load((const real *)behind(planes, (j + u) * plane) + i);
      }
      part_transpose(block);
      if (to + (PART_LANES - 1) * channels + PART_LANES <= (const real *)end) {
#pragma GCC unroll 8
        for (ptrdiff_t u = 0; u < PART_LANES; u++)
          part_store(to + u * channels, block[u]);
      } else {
        for (ptrdiff_t u = 0; u < PART_LANES && i + u < n; u++)
          part_store_first(to + u * channels, block[u],
                           (const real *)end - (to + u * channels));
      }
    }
}

/* `rows` x `vectors` sums from real `first` of the lines on; both are constants. */
ALWAYS_INLINE void product_block(const int rows, const int vectors,
                                 const LineProducts *p, ptrdiff_t first) {
  const real *dy = (const real *)p->dy + first, *weight = p->weight;
  vec sum[TILE_ROWS][4];
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) sum[r][v] = splat(0);
  for (ptrdiff_t k = 0; k < p->k; k++, weight += rows) {
    const real *line = behind(dy, p->offset[k]);
    vec right[4];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) right[v] = load(line + v * LANES);
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
      const vec left = splat(weight[r]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
      store((real *)behind(p->dx, r * p->plane) + first + v * LANES, sum[r][v]);
}

/* The fewer rows, the more vectors: nine to a dozen sums keep the multipliers busy. */
ALWAYS_INLINE void product_line(const int rows, const LineProducts *p) {
  const int most = rows > 4 ? 2 : rows > 2 ? 3 : 4;
  ptrdiff_t first = 0;
  for (; first + most * LANES <= p->n; first += most * LANES)
    product_block(rows, most, p, first);
  switch ((p->n - first + LANES - 1) / LANES) {
    case 1:
      product_block(rows, 1, p, first);
      break;
    case 2:
      product_block(rows, 2, p, first);
      break;
    case 3:
      product_block(rows, most > 2 ? 3 : 2, p, first);
      break;
    case 4:
      product_block(rows, most, p, first);
      break;
  }
}

static void line_products(const LineProducts *p) {
  assert(1 <= p->rows && p->rows <= TILE_ROWS);
#define PRODUCT_LINE(n) \
  case n:               \
    product_line(n, p); \
    break;
  switch (p->rows) {
    PRODUCT_LINE(1)
    PRODUCT_LINE(2)
    PRODUCT_LINE(3)
    PRODUCT_LINE(4)
#if TILE_ROWS > 4
    PRODUCT_LINE(5)
    PRODUCT_LINE(6)
#endif
#if TILE_ROWS > 6
    PRODUCT_LINE(7)
    PRODUCT_LINE(8)
#endif
  }
#undef PRODUCT_LINE
}
