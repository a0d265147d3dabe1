/* What is computed element by element, or row by row. */
#include "arrays.h"

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
