/* c[r][j] = start + sum_k a[r][k] * b[k][j]: the register tile under dense layers and
 * convolutions.
 *
 * a: rows a_row apart, each walked as the Reduction says; nothing is copied, so a
 *    convolution hands over a pointer into the image, a transposed matrix a step.
 * b: rows of TILE_COLS reals; read up to the next multiple of LANES above `cols`.
 * c: rows of `cols` <= TILE_COLS reals.
 * start: c itself (accumulate), else the bias row (padded like b), else 0. c is added
 * last, to the finished sum: a sum of sums loses fewer digits than one long chain. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

/* A number in a register of its own: the compiler would make eight pointers of the
 * sums that depend on it, and keep some of them in vectors. */
ALWAYS_INLINE ptrdiff_t keep_apart(ptrdiff_t n) {
  __asm__("" : "+r"(n));
  return n;
}

#define VEC vec
#define BODY tile_whole
#define LOAD_FIRST load_first
#define STORE_FIRST store_first
#include "register_tile.h"

/* Half a register costs half where there are two 256-bit units to one of 512 bits;
 * 8 columns then need not pay for 16. */
#if defined(__AVX512F__)
#undef VEC
#undef BODY
#undef LOAD_FIRST
#undef STORE_FIRST
#define VEC half_vec
#define BODY tile_half
#define LOAD_FIRST half_load_first
#define STORE_FIRST half_store_first
#include "register_tile.h"
#define HALVES 1
#else
#define tile_half tile_whole /* not called */
#define HALVES 0
#endif

/* One specialised body for each number of rows, so that the accumulators of a short
 * last tile stay in registers too. Only one vector wide is a tile of TALL_ROWS. */
ALWAYS_INLINE void product_tile(const int rows, const int packed, const Product *p,
                                const real *a, real *c) {
  if (HALVES && p->cols <= LANES / 2)
    tile_half(rows, 1, packed, p, a, c);
  else if (rows > TILE_ROWS || p->cols <= LANES)
    tile_whole(rows, 1, packed, p, a, c);
  else if (HALVES && p->cols <= LANES + LANES / 2)
    tile_half(rows, 3, packed, p, a, c);
  else
    tile_whole(rows, 2, packed, p, a, c);
}

/* Tiles of nearly equal height, since one of a row or two would leave the multipliers
 * waiting. */
ALWAYS_INLINE void product_tiles(const int packed, const Product *p) {
  const real *a = p->a;
  real *c = p->c;
  ptrdiff_t rows = p->rows;
  const ptrdiff_t most = p->cols <= LANES ? TALL_ROWS : TILE_ROWS;
  for (ptrdiff_t left = (rows + most - 1) / most; left > 0; left--) {
    const ptrdiff_t height = (rows + left - 1) / left;
#define ROWS(n)                       \
  case n:                             \
    product_tile(n, packed, p, a, c); \
    break;
    switch (height) {
      ROWS(1)
      ROWS(2)
      ROWS(3)
      ROWS(4)
      ROWS(5)
      ROWS(6)
      ROWS(7)
      ROWS(8)
#if TALL_ROWS > 8
      ROWS(9)
      ROWS(10)
      ROWS(11)
      ROWS(12)
#endif
    }
#undef ROWS
    a = behind(a, height * p->a_row);
    c = behind(c, height * p->c_row);
    rows -= height;
  }
}

static void product(const Product *p) {
  assert(p->rows >= 0 && 1 <= p->cols && p->cols <= TILE_COLS);
  assert(p->k.runs >= 0 && p->k.length >= 0);
  if (p->a_row == (ptrdiff_t)sizeof(real))
    product_tiles(1, p);
  else
    product_tiles(0, p);
}

/* Copies b (rows x cols) into a panel, whose rows are `width` >= cols reals: the last
 * vector of a row is filled up with zeros, vectors beyond it are not written. Where
 * `width` is no whole number of vectors, the panel ends one vector later. One of the
 * strides of b is 1 real. */
static void pack_panel(ptrdiff_t rows, ptrdiff_t cols, const void *b,
                       ptrdiff_t row_stride, ptrdiff_t col_stride, ptrdiff_t width,
                       void *panel) {
  assert(rows >= 0 && 1 <= cols && cols <= width && width <= TILE_COLS);
  const real *from = b;
  real *to = panel;
  if (col_stride == (ptrdiff_t)sizeof(real)) {
    const ptrdiff_t rest = cols % LANES, whole = cols - rest;
    const vec_int mask = first_lanes(rest);
    /* A vector that reaches beyond a row ends before the next one does. */
    const ptrdiff_t inside = rest && row_stride < (ptrdiff_t)sizeof(vec) ? 0 : rows - 1;
    for (ptrdiff_t i = 0; i < rows; i++, to += width, from = behind(from, row_stride)) {
      for (ptrdiff_t j = 0; j < whole; j += LANES) store(to + j, load(from + j));
      if (rest && i < inside)
        store(to + whole, choose(mask, load(from + whole), splat(0)));
      else if (rest)
        store(to + whole, load_first(from + whole, rest, 0));
    }
    return;
  }
  assert(row_stride == (ptrdiff_t)sizeof(real));
  for (ptrdiff_t i = 0; i < rows; i += LANES) {
    const ptrdiff_t height = rows - i < LANES ? rows - i : LANES;
    /* The last vector first: where it reaches into the next row, that comes later. */
    for (ptrdiff_t j = (cols - 1) / LANES * LANES; j >= 0; j -= LANES) {
      vec block[VECTOR_LANES];
#pragma GCC unroll 16
      for (ptrdiff_t u = 0; u < LANES; u++) {
        const real *column = behind(from, (j + u) * col_stride) + i;
        block[u] = j + u >= cols ? splat(0) : load_some(column, height);
      }
      transpose(block);
#pragma GCC unroll 16
      for (ptrdiff_t u = 0; u < LANES; u++)
        if (u < height) store(to + (i + u) * width + j, block[u]);
    }
  }
}

/* Copies the channels of some pixels, `stride` apart, into blocks of TILE_ROWS of them:
 * blocks[b][i][c]. Whole vectors are stored, so a block ends one vector later. */
static void pack_blocks(ptrdiff_t pixels, ptrdiff_t channels, const void *x,
                        ptrdiff_t stride, void *blocks, ptrdiff_t block) {
  const ptrdiff_t vectors = (TILE_ROWS + LANES - 1) / LANES;
  for (ptrdiff_t i = 0; i < pixels; i++) {
    const real *from = behind(x, i * stride);
    real *to = (real *)blocks + i * TILE_ROWS;
    ptrdiff_t c = 0;
    for (; c + vectors * LANES <= channels; c += TILE_ROWS, to = behind(to, block))
      for (int v = 0; v < vectors; v++)
        store(to + v * LANES, load(from + c + v * LANES));
    for (; c < channels; c += TILE_ROWS, to = behind(to, block))
      for (ptrdiff_t j = c; j < c + TILE_ROWS && j < channels; j += LANES)
        store(to + j - c, load_some(from + j, channels - j));
  }
}
