/* Calls every micro-kernel of one table on fixed inputs and writes what it computes: a
 * line that names each array and says how many they are, then its values as doubles.
 * test_csrc.py compares what a table computes that another compiler made, for another
 * system or processor, with what this machine's do, which tests/kernels compare with
 * NumPy.
 *
 * Each micro-kernel has a function try_<name>; the compiler says which one is missing.
 */
#define _DEFAULT_SOURCE
#include "microkernels.h"

#include <math.h>
#include <string.h>

#include "aligned.h"
#include "check.h"

enum {
  ARENA = 8 << 20, /* bytes for the arrays of one case */
  MOST = 1 << 16,  /* reals of a line */
  ROOM = 32,       /* reals behind each array: whole vectors may be read there */
};

static const MicroKernels *k;
static FILE *file;
static const char *kernel; /* the name of the one that is tried */
static char *arena;
static ptrdiff_t used;
static uint64_t seed;

/* Arrays -------------------------------------------------------------------------- */

static void *take(ptrdiff_t bytes) {
  char *memory = arena + used;
  used += (bytes + 63) / 64 * 64;
  CHECK(used <= ARENA);
  return memory;
}

static ptrdiff_t bytes(ptrdiff_t n) { return n * k->real_bytes; }

static void *at(const void *array, ptrdiff_t i) {
  return (char *)(uintptr_t)array + bytes(i);
}

static double get(const void *array, ptrdiff_t i) {
  const void *p = at(array, i);
  return k->real_bytes == 8 ? *(const double *)p : (double)*(const float *)p;
}

static void set(void *array, ptrdiff_t i, double value) {
  void *p = at(array, i);
  if (k->real_bytes == 8)
    *(double *)p = value;
  else
    *(float *)p = (float)value;
}

/* Numbers that no library makes differently: seed = 5^13 seed mod 2^46. */
static double uniform(double low, double high) {
  seed = seed * 1220703125 % ((uint64_t)1 << 46);
  return low + (high - low) * (double)(seed >> 14) / 4294967296.0;
}

static void *filled(ptrdiff_t n, double value) {
  void *array = take(bytes(n + ROOM));
  for (ptrdiff_t i = 0; i < n + ROOM; i++) set(array, i, value);
  return array;
}

static void *blank(ptrdiff_t n) { return filled(n, NAN); }

static void *between(double low, double high, ptrdiff_t n) {
  void *array = filled(n, 0);
  for (ptrdiff_t i = 0; i < n; i++) set(array, i, uniform(low, high));
  return array;
}

static void *reals(ptrdiff_t n) { return between(-1, 1, n); }

static void show_doubles(const char *what, const double *values, ptrdiff_t n) {
  fprintf(file, "%s.%s %lld\n", kernel, what, (long long)n);
  CHECK(fwrite(values, sizeof *values, (size_t)n, file) == (size_t)n);
}

static void show(const char *what, const void *array, ptrdiff_t n) {
  static double values[MOST];
  CHECK(n <= MOST);
  for (ptrdiff_t i = 0; i < n; i++) values[i] = get(array, i);
  show_doubles(what, values, n);
}

static const ptrdiff_t sizes[] = {1, 3, 4, 5, 8, 9, 16, 17, 33, 70};
#define EACH(i, array)                                                               \
  for (size_t i##_ = 0; i##_ < sizeof array / sizeof *array && (i = array[i##_], 1); \
       i##_++)

/* All elements, in two spans. */
typedef void Span(const void *arguments, ptrdiff_t first, ptrdiff_t end);

static void in_spans(Span *span, const void *arguments, ptrdiff_t n) {
  span(arguments, 0, n / 3);
  span(arguments, n / 3, n);
}

static int kind_of(const char *name) {
  int kind = 0;
  for (const char *p = k->activations; *p; p = strchr(p, ' ') + 1, kind++)
    if (!strncmp(p, name, strlen(name)) && p[strlen(name)] == ' ') return kind;
  CHECK(!"an activation of that name");
  return -1;
}

static int kinds(void) {
  int count = 0;
  for (const char *p = k->activations; *p; p++) count += *p == ' ';
  return count;
}

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

/* Depthwise convolutions ---------------------------------------------------------- */

enum { OH = 3, OW = 6 };

/* A case of each: a kernel of `taps` x `taps` and a stride. */
static void depthwise_case(int backward, ptrdiff_t taps, ptrdiff_t stride,
                           ptrdiff_t c) {
  const ptrdiff_t h = (OH - 1) * stride + taps, w = (OW - 1) * stride + taps;
  void *image = reals((h + taps) * w * c), *weight = reals(taps * taps * c);
  const void *x[4];
  void *weights[4];
  for (ptrdiff_t t = 0; t < taps; t++) {
    x[t] = at(image, t * w * c);
    weights[t] = at(weight, t * taps * c);
  }
  const Depthwise g = {.rows = OH,
                       .cols = OW,
                       .channels = c,
                       .runs = taps,
                       .taps = taps,
                       .fresh = stride < taps ? stride : taps,
                       .x_row = bytes(stride * w * c),
                       .x_col = bytes(stride * c),
                       .x_tap = bytes(c),
                       .y_row = bytes(OW * c),
                       .y_col = bytes(c),
                       .weight_tap = bytes(c),
                       .x = x,
                       .weight = weights};
  if (backward) {
    void *dbias = reals(c);
    k->depthwise_weight(&g, reals(OH * OW * c), dbias);
    show("dweight", weight, taps * taps * c);
    show("dbias", dbias, c);
  } else {
    void *y = blank(OH * OW * c);
    k->depthwise(&g, reals(c), y);
    show("y", y, OH * OW * c);
    k->depthwise(&g, NULL, y);
    show("y_without_bias", y, OH * OW * c);
  }
}

static void depthwise_cases(int backward) {
  const ptrdiff_t channels[] = {1, 3, 4, 8, 9, 17, 33};
  ptrdiff_t c;
  EACH(c, channels) {
    depthwise_case(backward, 3, 1, c);
    depthwise_case(backward, 3, 2, c);
    depthwise_case(backward, 2, 1, c);
    depthwise_case(backward, 4, 3, c);
  }
}

static void try_depthwise(void) { depthwise_cases(0); }
static void try_depthwise_weight(void) { depthwise_cases(1); }

/* Winograd's transforms ----------------------------------------------------------- */

static void show_places(const void *v, ptrdiff_t place, ptrdiff_t count, ptrdiff_t n) {
  for (ptrdiff_t i = 0; i < count; i++) show("place", at(v, i * place), n);
}

/* Pixels of an image of 6 x 6, whole or with an edge. */
static Pixels pixels_of(ptrdiff_t c, int edge) {
  const ptrdiff_t cut = edge ? 3 : 6;
  return (Pixels){.row = bytes(6 * c),
                  .pixel = bytes(c),
                  .top = 0,
                  .bottom = cut,
                  .right = cut + 1};
}

static void try_winograd_input(void) {
  ptrdiff_t c;
  for (int edge = 0; edge <= 1; edge++) EACH(c, sizes) {
      const ptrdiff_t place = c + ROOM;
      Pixels g = pixels_of(c, edge);
      g.top = g.left = edge;
      void *v = blank(36 * place);
      k->winograd_input(c, reals(36 * c), &g, v, bytes(place));
      show_places(v, place, 36, c);
    }
}

static void try_winograd_output(void) {
  ptrdiff_t c;
  for (int edge = 0; edge <= 1; edge++) EACH(c, sizes) {
      const ptrdiff_t place = c + ROOM;
      const Pixels g = pixels_of(c, edge);
      void *y = filled(36 * c, 0);
      k->winograd_output(c, reals(36 * place), bytes(place), y, &g);
      show("y", y, 36 * c);
    }
}

static void try_winograd_output_gradient(void) {
  ptrdiff_t c;
  for (int edge = 0; edge <= 1; edge++) EACH(c, sizes) {
      const ptrdiff_t place = c + ROOM;
      const Pixels g = pixels_of(c, edge);
      void *m = blank(36 * place);
      k->winograd_output_gradient(c, reals(36 * c), &g, m, bytes(place));
      show_places(m, place, 36, c);
    }
}

static void try_winograd_filter(void) {
  const ptrdiff_t n = 48, place = n + ROOM;
  void *u = blank(36 * place);
  k->winograd_filter(n, reals(9 * n), bytes(n), u, bytes(place));
  show_places(u, place, 36, n);
}

static void try_winograd_filter_gradient(void) {
  ptrdiff_t n;
  EACH(n, sizes) {
    const ptrdiff_t place = n + ROOM;
    void *g = blank(9 * n);
    k->winograd_filter_gradient(n, reals(36 * place), bytes(place), g, bytes(n));
    show("g", g, 9 * n);
  }
}

/* Element by element -------------------------------------------------------------- */

static void try_peak(void) {
  void *result = blank(k->lanes);
  k->peak(100, result);
  show("lane", result, 1);
}

static void activations(Span *span, int backward) {
  ptrdiff_t n;
  for (int kind = 0; kind < kinds(); kind++) EACH(n, sizes) {
      used = 0;
      Activation a = {.kind = kind, .parameter = 0.7, .dy = backward ? reals(n) : NULL};
      a.source = between(-6, 6, n);
      a.result = blank(n);
      in_spans(span, &a, n);
      show("usual", a.result, n);
      a.source = between(backward ? -60 : -1000, backward ? 60 : 1000, n);
      a.result = blank(n);
      a.streams = 1;
      span(&a, 0, n);
      show("far", a.result, n);
    }
}

static void try_activation_forward(void) { activations(k->activation_forward, 0); }
static void try_activation_backward(void) { activations(k->activation_backward, 1); }

static void try_activate(void) {
  for (int kind = 0; kind < kinds(); kind++) {
    void *y = between(-4, 4, 37);
    k->activate(kind, 37, y);
    show("y", y, 37);
  }
}

static Prelu prelu_of(ptrdiff_t cols) {
  const ptrdiff_t n = 5 * cols - cols / 2; /* the last row ends early */
  return (Prelu){.n = n,
                 .cols = cols,
                 .x = reals(n),
                 .weight = reals(cols),
                 .dy = reals(n),
                 .result = blank(n)};
}

static void try_prelu(void) {
  ptrdiff_t cols;
  EACH(cols, sizes) {
    const Prelu g = prelu_of(cols);
    in_spans(k->prelu, &g, 5);
    show("y", g.result, g.n);
  }
}

static void try_prelu_backward(void) {
  ptrdiff_t cols;
  EACH(cols, sizes) {
    const Prelu g = prelu_of(cols);
    void *sums = blank(2 * cols);
    k->prelu_backward(&g, 0, 3, sums);
    k->prelu_backward(&g, 3, 5, at(sums, cols));
    show("dx", g.result, g.n);
    show("sums", sums, 2 * cols);
  }
}

static void try_add_elements(void) {
  ptrdiff_t n;
  EACH(n, sizes)
  for (int streams = 0; streams <= 1; streams++) {
    const Sum sum = {.a = reals(n), .b = reals(n), .y = blank(n), .streams = streams};
    k->add_elements(&sum, 0, n);
    show("y", sum.y, n);
  }
}

static void try_power_elements(void) {
  for (int halves = -5; halves <= 7; halves++)
    for (int backward = 0; backward <= 1; backward++) {
      Power p = {.halves = halves, .slope = 1.5, .x = between(0.2, 2, 37)};
      p.dy = backward ? reals(37) : NULL;
      p.y = blank(37);
      in_spans(k->power_elements, &p, 37);
      show("y", p.y, 37);
    }
}

/* Softmax ------------------------------------------------------------------------- */

enum { EXAMPLES = 19 };

static Softmax softmax_of(ptrdiff_t classes, int has_labels) {
  const ptrdiff_t n = EXAMPLES * classes;
  int64_t *labels = take(EXAMPLES * (ptrdiff_t)sizeof *labels);
  for (int i = 0; i < EXAMPLES; i++) labels[i] = i * 7 % classes;
  return (Softmax){.classes = classes,
                   .x = between(-9, 9, n),
                   .labels = has_labels ? labels : NULL,
                   .targets = between(0, 1, n),
                   .dloss = reals(n),
                   .loss = blank(EXAMPLES),
                   .result = blank(n)};
}

static void softmax_cases(Span *span, int has_loss) {
  ptrdiff_t classes;
  EACH(classes, sizes)
  for (int has_labels = 0; has_labels <= 1; has_labels++) {
    const Softmax g = softmax_of(classes, has_labels);
    in_spans(span, &g, EXAMPLES);
    show("result", g.result, EXAMPLES * classes);
    if (has_loss) show("loss", g.loss, EXAMPLES);
  }
}

static void try_softmax(void) { softmax_cases(k->softmax, 0); }
static void try_log_softmax(void) { softmax_cases(k->log_softmax, 0); }
static void try_softmax_cross_entropy(void) {
  softmax_cases(k->softmax_cross_entropy, 1);
}
static void try_softmax_cross_entropy_backward(void) {
  softmax_cases(k->softmax_cross_entropy_backward, 0);
}

static void sigmoid_cases(Span *span) {
  const ptrdiff_t n = EXAMPLES * 3;
  Softmax g = softmax_of(3, 0);
  set((void *)(uintptr_t)g.targets, 4, NAN);
  in_spans(span, &g, n);
  show("result", g.result, n);
}

static void try_sigmoid_cross_entropy(void) { sigmoid_cases(k->sigmoid_cross_entropy); }
static void try_sigmoid_cross_entropy_backward(void) {
  sigmoid_cases(k->sigmoid_cross_entropy_backward);
}

/* Normalisation ------------------------------------------------------------------- */

/* 8 examples of c channels, `side` of them in a row. */
static Batchnorm batchnorm_of(ptrdiff_t c, ptrdiff_t side) {
  const ptrdiff_t m = 8, n = m * c, cols = c * side;
  static const double counts[] = {4, 4, 4, 4};
  Batchnorm g = {.m = m, .c = c, .cols = cols, .x = between(1, 3, n), .counts = counts};
  void *rows[6];
  for (int i = 0; i < 6; i++) {
    rows[i] = between(0.5, 2, cols);
    for (ptrdiff_t j = c; j < cols; j++) set(rows[i], j, get(rows[i], j % c));
  }
  g.mean = rows[0], g.rstd = rows[1], g.gamma = rows[2], g.beta = rows[3];
  g.dgamma = rows[4], g.dbeta = rows[5];
  g.dy = reals(n), g.y = NULL, g.result = blank(n);
  g.firsts = blank(4 * cols), g.seconds = blank(4 * cols);
  return g;
}

/* The tiles of two sums over columns. */
static void batchnorm_parts(void (*kernel_of)(const Batchnorm *, ptrdiff_t, ptrdiff_t,
                                              ptrdiff_t, ptrdiff_t, ptrdiff_t),
                            const Batchnorm *g) {
  const ptrdiff_t rows = g->m * g->c / g->cols, half = rows / 2;
  kernel_of(g, 0, half, 0, g->cols, 0);
  kernel_of(g, half, rows - half, 0, g->cols, 1);
  show("firsts", g->firsts, 2 * g->cols);
  show("seconds", g->seconds, 2 * g->cols);
}

static void try_batchnorm_moments(void) {
  ptrdiff_t c;
  for (int side = 1; side <= 2; side++) EACH(c, sizes) {
      const Batchnorm g = batchnorm_of(c, side);
      batchnorm_parts(k->batchnorm_moments, &g);
    }
}

/* Those that have a body of their own. */
static const char *const fused[] = {"identity", "relu", "relu6", "silu"};

static void try_batchnorm_products(void) {
  ptrdiff_t c;
  const char *kind;
  EACH(kind, fused)
  EACH(c, sizes) {
    used = 0;
    Batchnorm g = batchnorm_of(c, 2);
    g.kind = kind_of(kind);
    batchnorm_parts(k->batchnorm_products, &g);
    g.y = between(-1, 7, g.m * c);
    batchnorm_parts(k->batchnorm_products, &g);
  }
}

static void try_batchnorm_rstd(void) {
  void *rstd = blank(37);
  k->batchnorm_rstd(37, between(0, 3, 37), 1e-5, rstd);
  show("rstd", rstd, 37);
}

static void try_batchnorm_statistics(void) {
  ptrdiff_t c;
  EACH(c, sizes) {
    Batchnorm g = batchnorm_of(c, 1);
    void *mean = blank(c), *rstd = blank(c);
    g.firsts = reals(2 * c), g.seconds = between(0, 2, 2 * c);
    k->batchnorm_statistics(&g, 2, 1e-5, mean, rstd);
    show("mean", mean, c);
    show("rstd", rstd, c);
  }
}

static void try_batchnorm_gradients(void) {
  ptrdiff_t c;
  EACH(c, sizes) {
    Batchnorm g = batchnorm_of(c, 1);
    void *dgamma = blank(c), *dbeta = blank(c);
    g.firsts = reals(2 * c), g.seconds = reals(2 * c);
    k->batchnorm_gradients(&g, 2, g.rstd, dgamma, dbeta);
    show("dgamma", dgamma, c);
    show("dbeta", dbeta, c);
  }
}

static void batchnorm_rows(Span *span, int backward) {
  ptrdiff_t c;
  const char *kind;
  EACH(kind, fused)
  EACH(c, sizes)
  for (int form = 0; form < 4; form++) {
    used = 0;
    Batchnorm g = batchnorm_of(c, 1 + form % 2);
    g.kind = kind_of(kind);
    if (form / 2 && backward) g.y = between(-1, 7, g.m * c);
    if (form / 2 && !backward) g.residual = reals(g.m * c);
    in_spans(span, &g, g.m * c / g.cols);
    show("result", g.result, g.m * c);
  }
}

static void try_batchnorm_normalize(void) { batchnorm_rows(k->batchnorm_normalize, 0); }
static void try_batchnorm_backward(void) { batchnorm_rows(k->batchnorm_backward, 1); }

static Layernorm layernorm_of(ptrdiff_t pixels, ptrdiff_t size, int backward) {
  const ptrdiff_t n = 3, groups = 2, c = groups * size, all = n * pixels * c;
  Layernorm g = {.n = n, .pixels = pixels, .groups = groups, .size = size, .eps = 1e-5};
  g.part_pixels = 4;
  g.parts = (pixels + 3) / 4;
  g.x = between(1, 3, all), g.gamma = reals(c), g.beta = reals(c);
  g.dy = backward ? reals(all) : NULL;
  g.mean = between(1.5, 2.5, n * groups), g.rstd = between(0.5, 2, n * groups);
  g.result = blank(all);
  g.firsts = reals(n * g.parts * c), g.seconds = between(0, 2, n * g.parts * c);
  g.shift = reals(n * groups), g.slope = reals(n * groups);
  return g;
}

static void try_layernorm(void) {
  ptrdiff_t size;
  EACH(size, sizes) {
    const Layernorm g = layernorm_of(1, size, 0);
    in_spans(k->layernorm, &g, 6);
    show("y", g.result, 6 * size);
    show("mean", g.mean, 6);
    show("rstd", g.rstd, 6);
  }
}

static void try_layernorm_backward(void) {
  ptrdiff_t size;
  EACH(size, sizes) {
    const Layernorm g = layernorm_of(1, size, 1);
    k->layernorm_backward(&g, 0, 2, 0);
    k->layernorm_backward(&g, 2, 3, 1);
    show("dx", g.result, 6 * size);
    show("dbeta", g.firsts, 4 * size);
    show("dgamma", g.seconds, 4 * size);
  }
}

enum { PIXELS = 10 }; /* of an example, in three parts */

static void try_layernorm_reduce(void) {
  ptrdiff_t size;
  for (int backward = 0; backward <= 1; backward++) EACH(size, sizes) {
      used = 0;
      const Layernorm g = layernorm_of(PIXELS, size, backward);
      for (ptrdiff_t i = 0; i < 9; i++)
        k->layernorm_reduce(&g, i, blank(4 * (2 * size + ROOM)));
      show("firsts", g.firsts, 18 * size);
      show("seconds", g.seconds, 18 * size);
    }
}

static void try_layernorm_fold(void) {
  ptrdiff_t size;
  for (int backward = 0; backward <= 1; backward++) EACH(size, sizes) {
      used = 0;
      const Layernorm g = layernorm_of(PIXELS, size, backward);
      for (ptrdiff_t i = 0; i < 3; i++) k->layernorm_fold(&g, i);
      show("mean", g.mean, 6);
      show("rstd", g.rstd, 6);
      show("shift", g.shift, 6);
      show("slope", g.slope, 6);
    }
}

static void try_layernorm_write(void) {
  ptrdiff_t size;
  for (int backward = 0; backward <= 1; backward++) EACH(size, sizes) {
      used = 0;
      const Layernorm g = layernorm_of(PIXELS, size, backward);
      for (ptrdiff_t i = 0; i < 9; i++)
        k->layernorm_write(&g, i, blank(4 * (2 * size + ROOM)));
      show("result", g.result, 3 * PIXELS * 2 * size);
    }
}

/* Images -------------------------------------------------------------------------- */

enum { H = 7, W = 9, IMAGES = 2 };

/* Windows of `size` x `size` with a padding of 1 and, where there are maxima, which. */
static Pool2d pool_of(ptrdiff_t c, ptrdiff_t size, ptrdiff_t stride, int argmax_bytes) {
  Pool2d g = {.n = IMAGES, .h = H, .w = W, .c = c, .kh = size, .kw = size};
  g.oh = (H + 2 - size) / stride + 1, g.ow = (W + 2 - size) / stride + 1;
  g.stride_h = g.stride_w = stride;
  g.top = g.left = 1;
  g.argmax_bytes = argmax_bytes;
  return g;
}

static void *argmax_of(const Pool2d *g) {
  return memset(take(4 * (IMAGES * g->oh * g->ow * g->c + ROOM)), 0,
                (size_t)(4 * IMAGES * g->oh * g->ow * g->c));
}

static void show_argmax(const Pool2d *g, ptrdiff_t n) {
  void *numbers = blank(n);
  for (ptrdiff_t i = 0; i < n; i++)
    set(numbers, i,
        g->argmax_bytes == 1 ? ((const uint8_t *)g->argmax)[i]
                             : ((const int32_t *)g->argmax)[i]);
  show("argmax", numbers, n);
}

static void pool_case(int maximum, int backward, ptrdiff_t c, ptrdiff_t size,
                      ptrdiff_t stride, int argmax_bytes) {
  Pool2d g = pool_of(c, size, stride, argmax_bytes);
  const ptrdiff_t in = IMAGES * H * W * c, out = IMAGES * g.oh * g.ow * c;
  used = 0;
  g.argmax = maximum ? argmax_of(&g) : NULL;
  g.source = reals(in);
  g.result = blank(out);
  in_spans(maximum ? k->max_pool2d : k->avg_pool2d, &g, IMAGES * g.oh);
  if (!backward) {
    show("y", g.result, out);
    if (maximum) show_argmax(&g, out);
    return;
  }
  g.source = reals(out);
  g.result = blank(in);
  in_spans(maximum ? k->max_pool2d_backward : k->avg_pool2d_backward, &g, IMAGES * H);
  show("dx", g.result, in);
}

static void pools(int maximum, int backward) {
  const ptrdiff_t channels[] = {1, 3, 4, 8, 9, 16, 17, 33, 70};
  ptrdiff_t c;
  EACH(c, channels) {
    pool_case(maximum, backward, c, 2, 2, 1);
    pool_case(maximum, backward, c, 3, 2, 1);
    pool_case(maximum, backward, c, 3, 1, 4);
    pool_case(maximum, backward, c, 5, 2, 4);
  }
}

static void try_max_pool2d(void) { pools(1, 0); }
static void try_max_pool2d_backward(void) { pools(1, 1); }
static void try_avg_pool2d(void) { pools(0, 0); }
static void try_avg_pool2d_backward(void) { pools(0, 1); }

static void try_resample(void) {
  const ptrdiff_t first[] = {0, 1, 3, 0, 4}, count[] = {1, 2, 3, 7, 1};
  ptrdiff_t c;
  EACH(c, sizes) {
    used = 0;
    void *weight = reals(5 * 7), *y = blank(IMAGES * 5 * 5 * c);
    set(weight, 0, 1);
    const Taps taps = {.most = 7, .first = first, .count = count, .weight = weight};
    const Resample g = {.n = IMAGES,
                        .h = H,
                        .w = W,
                        .c = c,
                        .oh = 5,
                        .ow = 5,
                        .rows = taps,
                        .cols = taps,
                        .x = reals(IMAGES * H * W * c),
                        .y = y};
    void *scratch = blank(W * c + 2 * ROOM);
    k->resample(&g, 0, 4, scratch);
    k->resample(&g, 4, IMAGES * 5, scratch);
    show("y", y, IMAGES * 5 * 5 * c);
  }
}

static Scale scale_of(ptrdiff_t c) {
  Scale g = {.n = IMAGES, .pixels = PIXELS, .c = c, .parts = 3, .part_pixels = 4};
  const ptrdiff_t n = IMAGES * PIXELS * c;
  g.x = reals(n), g.s = reals(IMAGES * c), g.dy = reals(n), g.result = blank(n);
  g.sums = reals(IMAGES * g.parts * c), g.ds = blank(IMAGES * c);
  return g;
}

static void try_scale_pixels(void) {
  ptrdiff_t c;
  EACH(c, sizes) {
    const Scale g = scale_of(c);
    in_spans(k->scale_pixels, &g, IMAGES * PIXELS);
    show("y", g.result, IMAGES * PIXELS * c);
  }
}

static void try_scale_backward(void) {
  ptrdiff_t c;
  EACH(c, sizes) {
    const Scale g = scale_of(c);
    in_spans(k->scale_backward, &g, IMAGES * g.parts);
    show("dx", g.result, IMAGES * PIXELS * c);
    show("sums", g.sums, IMAGES * g.parts * c);
  }
}

static void try_scale_sum(void) {
  ptrdiff_t c;
  EACH(c, sizes) {
    const Scale g = scale_of(c);
    in_spans(k->scale_sum, &g, IMAGES);
    show("ds", g.ds, IMAGES * c);
  }
}

static void try_affine_warp(void) {
  const ptrdiff_t n = H * W;
  ptrdiff_t c;
  for (int form = 0; form < 6; form++) EACH(c, sizes) {
      used = 0;
      void *matrix = between(-0.3, 0.3, 6 * IMAGES);
      for (int i = 0; i < IMAGES; i++) { /* nearly what leaves the image as it is */
        set(matrix, 6 * i, 1.1);
        set(matrix, 6 * i + 4, 0.9);
      }
      const Warp g = {.n = IMAGES,
                      .h = H,
                      .w = W,
                      .c = c,
                      .fill = form % 3,
                      .x = reals(IMAGES * n * c),
                      .matrix = matrix,
                      .displacement = form < 3 ? NULL : between(-2, 2, 2 * IMAGES * n),
                      .y = blank(IMAGES * n * c)};
      in_spans(k->affine_warp, &g, IMAGES * H);
      show("y", g.y, IMAGES * n * c);
    }
}

static void try_bytes_to_unit(void) {
  uint8_t x[256];
  void *y = blank(256);
  for (int i = 0; i < 256; i++) x[i] = (uint8_t)i;
  k->bytes_to_unit(256, x, y);
  show("y", y, 256);
}

/* Training ------------------------------------------------------------------------ */

static void try_dropout(void) {
  const ptrdiff_t n = 1100; /* more than one set of words */
  Dropout d = {.seed = 0x123456789ABCDEF0, .offset = 3, .scale = 1.25};
  const uint64_t thresholds[] = {0, 0xCCCCCCCC, (uint64_t)1 << 32};
  uint64_t threshold;
  EACH(threshold, thresholds) {
    d.threshold = threshold;
    d.x = reals(n), d.y = blank(n);
    in_spans(k->dropout, &d, n);
    show("y", d.y, n);
  }
}

static void step_case(Span *span, Step step, int has_velocity, int has_mean,
                      int has_largest) {
  const ptrdiff_t n = 37;
  step.param = reals(n), step.grad = reals(n), step.square = between(0.1, 1, n);
  step.velocity = has_velocity ? reals(n) : NULL;
  step.mean = has_mean ? between(-0.2, 0.2, n) : NULL;
  step.largest = has_largest ? between(0, 2, n) : NULL;
  in_spans(span, &step, n);
  show("param", step.param, n);
  show("square", step.square, n);
  if (has_velocity) show("velocity", step.velocity, n);
  if (has_mean) show("mean", step.mean, n);
  if (has_largest) show("largest", step.largest, n);
}

static const Step usual_step = {.lr = 0.1,
                                .weight_decay = 0.01,
                                .eps = 1e-8,
                                .momentum = 0.9,
                                .dampening = 0.1,
                                .keep = 0.9,
                                .add = 0.1,
                                .beta1 = 0.9,
                                .beta2 = 0.99,
                                .correction1 = 0.19,
                                .correction2 = 0.0199};

static void try_sgd(void) {
  Step step = usual_step;
  step_case(k->sgd, step, 0, 0, 0);
  step_case(k->sgd, step, 1, 0, 0);
  step.nesterov = 1;
  step_case(k->sgd, step, 1, 0, 0);
}

static void try_rmsprop(void) {
  for (int form = 0; form < 4; form++)
    step_case(k->rmsprop, usual_step, form & 1, form & 2, 0);
}

static void try_adam(void) {
  Step step = usual_step;
  for (int form = 0; form < 4; form++) {
    step.decoupled = form & 1;
    step_case(k->adam, step, 0, 1, form & 2);
  }
}

static void penalties(Span *forward, Span *backward) {
  const ptrdiff_t n = 1100;
  double parts[2] = {0};
  const Penalty g = {
      .span = 600, .w = reals(n), .dw = blank(n), .scale = 0.3, .parts = parts};
  if (forward) {
    forward(&g, 0, 600);
    forward(&g, 600, n);
    show_doubles("parts", parts, 2);
  } else {
    in_spans(backward, &g, n);
    show("dw", g.dw, n);
  }
}

static void try_l1_penalty(void) { penalties(k->l1_penalty, NULL); }
static void try_l1_penalty_backward(void) { penalties(NULL, k->l1_penalty_backward); }
static void try_l2_penalty(void) { penalties(k->l2_penalty, NULL); }
static void try_l2_penalty_backward(void) { penalties(NULL, k->l2_penalty_backward); }

static void norms(Span *span, int limits) {
  double parts[2 * 19];
  for (int i = 0; i < 2 * 19; i++) parts[i] = uniform(0.5, 1);
  const Norms g = {.units = 19, .span = 4, .w = reals(7 * 19), .parts = parts};
  span(&g, 0, 4);
  span(&g, 4, 7);
  if (limits)
    show("w", g.w, 7 * 19);
  else
    show_doubles("parts", parts, 2 * 19);
}

static void try_norm_squares(void) { norms(k->norm_squares, 0); }
static void try_norm_limit(void) { norms(k->norm_limit, 1); }

/* All of them --------------------------------------------------------------------- */

static const struct {
  const char *name;
  void (*run)(void);
} tries[] = {
#define MICROKERNEL(name, arguments) {#name, try_##name},
#include "microkernels.def"
#undef MICROKERNEL
};

/* Writes what all micro-kernels of a table compute to a file. */
void fastdl_try_microkernels(const MicroKernels *table, const char *path) {
  k = table;
  seed = 1;
  arena = take_aligned(64, ARENA);
  file = fopen(path, "wb");
  CHECK(arena && file);
  for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
    used = 0;
    kernel = tries[i].name;
    tries[i].run();
  }
  CHECK(!fclose(file));
  free_aligned(arena);
}
