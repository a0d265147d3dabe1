/* Depthwise convolutions, and the transforms of Winograd's. */
#include "arrays.h"

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
