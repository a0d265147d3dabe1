/* Pooling, resampling, scaling and warping of images. */
#include "arrays.h"

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
