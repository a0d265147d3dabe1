/* C[r][j] = start + sum_k A[r][k] * B[k][j]: the register tile under dense layers and
 * convolutions.
 *
 * A: `rows` pointers, each walked as the Reduction says; nothing is copied, so a
 *    convolution hands over pointers into the image, a transposed matrix a step.
 * B: rows of TILE_COLS reals, b_stride apart; read up to the next multiple of LANES
 *    above `cols`.
 * C: `rows` pointers to `cols` <= TILE_COLS reals each.
 * start: C itself (accumulate), else the bias row (padded like B), else 0. C is added
 * last, to the finished sum: a sum of sums loses fewer digits than one long chain. */
#include "microkernels.h"
#include "simd.h"

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

static void tile(ptrdiff_t rows, ptrdiff_t cols, const void *const *a, const void *b,
                 void *const *c, const void *bias, int accumulate, const Reduction *k) {
  assert(1 <= rows && rows <= TILE_ROWS && 1 <= cols && cols <= TILE_COLS);
  assert(k->runs >= 0 && k->length >= 0);
  const real *const *a_ = (const real *const *)a;
  real *const *c_ = (real *const *)c;
  /* One specialised body for each number of rows, so that the accumulators of a
   * short last tile stay in registers too. */
#define ROWS(n)                                               \
  case n:                                                     \
    if (HALVES && cols <= LANES / 2)                          \
      tile_half(n, 1, cols, a_, b, c_, bias, accumulate, k);  \
    else if (cols <= LANES)                                   \
      tile_whole(n, 1, cols, a_, b, c_, bias, accumulate, k); \
    else if (HALVES && cols <= LANES + LANES / 2)             \
      tile_half(n, 3, cols, a_, b, c_, bias, accumulate, k);  \
    else                                                      \
      tile_whole(n, 2, cols, a_, b, c_, bias, accumulate, k); \
    break;
  switch (rows) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
#if TILE_ROWS > 4
    ROWS(5)
    ROWS(6)
#endif
#if TILE_ROWS > 6
    ROWS(7)
    ROWS(8)
#endif
  }
#undef ROWS
}

/* The same for any number of rows, a_stride and c_stride apart: tiles of nearly equal
 * height, since one of a row or two would leave the multipliers waiting. */
static void product(ptrdiff_t rows, ptrdiff_t cols, const void *a, ptrdiff_t a_stride,
                    const void *b, void *c, ptrdiff_t c_stride, const void *bias,
                    int accumulate, const Reduction *k) {
  const real *a_row = a;
  real *c_row = c;
  for (ptrdiff_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS; tiles > 0; tiles--) {
    const ptrdiff_t height = (rows + tiles - 1) / tiles;
    const void *a_rows[TILE_ROWS];
    void *c_rows[TILE_ROWS];
    for (ptrdiff_t r = 0; r < height; r++) {
      a_rows[r] = a_row + r * a_stride;
      c_rows[r] = c_row + r * c_stride;
    }
    tile(height, cols, a_rows, b, c_rows, bias, accumulate, k);
    a_row += height * a_stride;
    c_row += height * c_stride;
    rows -= height;
  }
}

/* Copies B (rows x cols <= TILE_COLS) into a panel: rows of TILE_COLS reals, zeros in
 * the rest of the last vector; vectors beyond it are not written. One of the strides
 * of B is 1. */
static void pack_panel(ptrdiff_t rows, ptrdiff_t cols, const void *b,
                       ptrdiff_t row_stride, ptrdiff_t col_stride, void *panel) {
  assert(rows >= 0 && 1 <= cols && cols <= TILE_COLS);
  assert(row_stride == 1 || col_stride == 1);
  const real *from = b;
  real *to = panel;
  const ptrdiff_t whole = cols / LANES * LANES, rest = cols - whole;
  if (col_stride == 1) {
    for (ptrdiff_t i = 0; i < rows; i++) {
      for (ptrdiff_t j = 0; j < whole; j += LANES)
        store(to + i * TILE_COLS + j, load(from + i * row_stride + j));
      if (rest)
        store(to + i * TILE_COLS + whole,
              load_first(from + i * row_stride + whole, rest, 0));
    }
    return;
  }
  for (ptrdiff_t i = 0; i < rows; i += LANES) {
    const ptrdiff_t height = rows - i < LANES ? rows - i : LANES;
    for (ptrdiff_t j = 0; j < cols; j += LANES) {
      vec block[VECTOR_LANES];
#pragma GCC unroll 16
      for (ptrdiff_t u = 0; u < LANES; u++) {
        const real *column = from + (j + u) * col_stride + i;
        block[u] = j + u >= cols     ? splat(0)
                   : height == LANES ? load(column)
                                     : load_first(column, height, 0);
      }
      transpose(block);
#pragma GCC unroll 16
      for (ptrdiff_t u = 0; u < LANES; u++)
        if (u < height) store(to + (i + u) * TILE_COLS + j, block[u]);
    }
  }
}
