/* Penalties of weights and their gradients, and the limit of norms; the equations stand
 * in fastdl/reference/penalty.py. */
#include "microkernels.h"
#include "rows.h"

/* Terms that a lane adds up as a real: few, so that it keeps the digits. */
#define PENALTY_CHAIN 16

ALWAYS_INLINE vec penalty_term(const int squares, vec w) {
  return squares ? w * w : choose(w < 0, -w, w);
}

ALWAYS_INLINE void penalty_total(const int squares, const Penalty *g, ptrdiff_t first,
                                 ptrdiff_t end) {
  const real *w = g->w;
  double total = 0;
  for (ptrdiff_t i = first; i < end;) {
    const ptrdiff_t run = 4 * PENALTY_CHAIN * LANES;
    const ptrdiff_t stop = end - i < run ? end : i + run;
    vec part[4] = {{0}}; /* four chains hide the latency of the addition */
    for (; i + 4 * LANES <= stop; i += 4 * LANES)
      for (int u = 0; u < 4; u++)
        part[u] += penalty_term(squares, load(w + i + u * LANES));
    for (; i < stop; i += LANES)
      part[0] += penalty_term(squares, load_some(w + i, stop - i));
    total += (double)sum_of_lanes((part[0] + part[1]) + (part[2] + part[3]));
  }
  g->parts[first / g->span] = total;
}

static void l1_penalty(const void *penalty, ptrdiff_t first, ptrdiff_t end) {
  penalty_total(0, penalty, first, end);
}

static void l2_penalty(const void *penalty, ptrdiff_t first, ptrdiff_t end) {
  penalty_total(1, penalty, first, end);
}

static void l1_penalty_backward(const void *penalty, ptrdiff_t first, ptrdiff_t end) {
  const Penalty *g = penalty;
  const real *w = g->w;
  real *dw = g->dw;
  const vec scale = splat((real)g->scale);
  for (ptrdiff_t i = first; i < end; i += LANES) {
    const vec v = load_some(w + i, end - i);
    /* 0 stays 0, and NaN stays NaN. */
    const vec slope = choose(v > 0, scale, choose(v < 0, -scale, scale * v));
    store_some(dw + i, slope, end - i);
  }
}

static void l2_penalty_backward(const void *penalty, ptrdiff_t first, ptrdiff_t end) {
  const Penalty *g = penalty;
  const real *restrict w = g->w;
  real *restrict dw = g->dw;
  const real scale = (real)g->scale;
  for (ptrdiff_t i = first; i < end; i++) dw[i] = scale * w[i];
}

/* Rows `first` to `end` - 1: the sum of squares of each column. */
static void norm_squares(const void *norms, ptrdiff_t first, ptrdiff_t end) {
  const Norms *g = norms;
  double *restrict part = g->parts + first / g->span * g->units;
  for (ptrdiff_t j = 0; j < g->units; j++) part[j] = 0;
  for (ptrdiff_t i = first; i < end; i++) {
    const real *restrict w = (const real *)g->w + i * g->units;
    for (ptrdiff_t j = 0; j < g->units; j++) part[j] += (double)w[j] * (double)w[j];
  }
}

/* Rows `first` to `end` - 1, each column times its factor. */
static void norm_limit(const void *norms, ptrdiff_t first, ptrdiff_t end) {
  const Norms *g = norms;
  const double *restrict factor = g->parts;
  for (ptrdiff_t i = first; i < end; i++) {
    real *restrict w = (real *)g->w + i * g->units;
    for (ptrdiff_t j = 0; j < g->units; j++) w[j] = (real)((double)w[j] * factor[j]);
  }
}
