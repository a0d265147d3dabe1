/* Products, and what packs, sums and lays out their operands. */
#include "arrays.h"

/* Products ------------------------------------------------------------------------ */

/* c = bias + a b, by panels of b and with the tiles of the table. */
static void product_case(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t depth, int transpose,
                         int has_bias, int accumulate) {
  void *a = reals(rows * depth), *b = reals(depth * cols), *bias = reals(cols);
  void *c = accumulate ? reals(rows * cols) : blank(rows * cols);
  for (ptrdiff_t j = 0; j < cols; j += k->tile_cols) {
    const ptrdiff_t left = cols - j, width = k->tile_cols;
    void *panel = blank(depth * width);
    Product p = {.rows = rows, .cols = left < width ? left : width};
    const ptrdiff_t row = bytes(transpose ? 1 : cols),
                    col = bytes(transpose ? depth : 1);
    k->pack_panel(depth, p.cols, at(b, transpose ? j * depth : j), row, col, width,
                  panel);
    p.a_row = bytes(transpose ? 1 : depth);
    p.c_row = bytes(cols);
    p.a = a, p.b = panel, p.c = at(c, j);
    p.bias = has_bias ? at(bias, j) : NULL;
    p.accumulate = accumulate;
    p.k = (Reduction){.runs = 1,
                      .length = depth,
                      .step = bytes(transpose ? rows : 1),
                      .b_stride = bytes(width),
                      .offset = fastdl_no_offset};
    k->product(&p);
  }
  show("c", c, rows * cols);
}

static void try_product(void) {
  const ptrdiff_t heights[] = {1, 3, 4, 5, 7, 8, 9, 13},
                  widths[] = {1, 3, 8, 12, 19, 37};
  ptrdiff_t rows, cols;
  int form = 0;
  EACH(rows, heights)
  EACH(cols, widths) {
    used = 0;
    product_case(rows, cols, 1 + form % 7, form & 1, form & 2, form & 4);
    form++;
  }
}

static void try_pack_panel(void) {
  for (int transpose = 0; transpose <= 1; transpose++) {
    const ptrdiff_t rows = 21, cols = 3, width = k->tile_cols;
    const ptrdiff_t whole = (cols + k->lanes - 1) / k->lanes * k->lanes;
    void *b = reals(rows * cols), *panel = blank(rows * width);
    k->pack_panel(rows, cols, b, bytes(transpose ? 1 : cols),
                  bytes(transpose ? rows : 1), width, panel);
    for (ptrdiff_t i = 0; i < rows; i++) {
      show("row", at(panel, i * width), cols);
      for (ptrdiff_t j = cols; j < whole; j++) CHECK(get(panel, i * width + j) == 0);
    }
  }
}

static void try_pack_blocks(void) {
  ptrdiff_t channels;
  EACH(channels, sizes) {
    const ptrdiff_t pixels = 3, block = pixels * k->tile_rows + k->lanes;
    void *x = reals(pixels * channels), *blocks = blank(block * channels);
    void *y = blank(pixels * channels);
    k->pack_blocks(pixels, channels, x, bytes(channels), blocks, bytes(block));
    for (ptrdiff_t i = 0; i < pixels; i++)
      for (ptrdiff_t c = 0; c < channels; c++) {
        const ptrdiff_t place = c / k->tile_rows * block + i * k->tile_rows;
        set(y, i * channels + c, get(blocks, place + c % k->tile_rows));
      }
    show("blocks", y, pixels * channels);
  }
}

/* Sums ---------------------------------------------------------------------------- */

static void try_column_sum(void) {
  ptrdiff_t cols;
  EACH(cols, sizes) {
    void *sum = reals(cols);
    k->column_sum(9, cols, reals(9 * (cols + 2)), bytes(cols + 2), sum);
    show("sum", sum, cols);
  }
}

static void try_add_span(void) {
  void *sum = reals(37);
  k->add_span(37, reals(37), sum);
  show("sum", sum, 37);
}

static void try_add_runs(void) {
  ptrdiff_t n;
  EACH(n, sizes) { /* runs that overlap where n is above 5 */
    void *sum = reals(6 * 5 + n);
    k->add_runs(6, n, reals(6 * n), bytes(n), sum, bytes(5));
    show("sum", sum, 5 * 5 + n);
  }
}

static void try_total_rows(void) {
  void *sum = blank(37);
  k->total_rows(11, 37, reals(11 * 37), bytes(37), sum);
  show("sum", sum, 37);
}

/* Planes -------------------------------------------------------------------------- */

static void try_split_planes(void) {
  ptrdiff_t channels;
  EACH(channels, sizes) {
    const ptrdiff_t n = 19, plane = 2 * ROOM;
    void *x = reals(n * channels), *planes = blank(channels * plane);
    k->split_planes(n, channels, x, at(x, n * channels), planes, bytes(plane));
    for (ptrdiff_t c = 0; c < channels; c++) show("plane", at(planes, c * plane), n);
  }
}

static void try_join_planes(void) {
  ptrdiff_t channels;
  EACH(channels, sizes) {
    const ptrdiff_t n = 19, plane = 2 * ROOM;
    void *y = blank(n * channels);
    k->join_planes(n, channels, reals(channels * plane), bytes(plane), y,
                   at(y, n * channels));
    show("y", y, n * channels);
  }
}

static void try_line_products(void) {
  ptrdiff_t n;
  EACH(n, sizes) {
    const ptrdiff_t taps = 5, line = 4 * ROOM, lines = 9;
    const ptrdiff_t offset[] = {0, bytes(line), bytes(1), bytes(line + 1), bytes(2)};
    void *dy = reals(2 * line), *weight = reals(lines * taps);
    for (ptrdiff_t first = 0; first < lines; first += k->tile_rows) {
      const ptrdiff_t left = lines - first;
      LineProducts p = {.rows = left < k->tile_rows ? left : k->tile_rows, .n = n};
      void *part = blank(taps * p.rows), *dx = blank(p.rows * line);
      for (ptrdiff_t t = 0; t < taps; t++)
        for (ptrdiff_t r = 0; r < p.rows; r++)
          set(part, t * p.rows + r, get(weight, t * lines + first + r));
      p.k = taps, p.offset = offset, p.dy = dy, p.weight = part, p.dx = dx;
      p.plane = bytes(line);
      k->line_products(&p);
      for (ptrdiff_t r = 0; r < p.rows; r++) show("line", at(dx, r * line), n);
    }
  }
}
