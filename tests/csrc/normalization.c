/* Batch, layer and group normalisation. */
#include "arrays.h"

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
