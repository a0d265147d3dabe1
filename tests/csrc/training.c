/* Dropout, steps of optimisers, penalties and limits of norms. */
#include "arrays.h"

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
