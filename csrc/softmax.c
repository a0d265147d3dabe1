/* Rows of logits z, with M = max z and S = sum_k exp(z_k - M):
 *
 *   softmax            p_k = exp(z_k - M) / S
 *   log softmax        log p_k = (z_k - M) - log S
 *   cross-entropy      L = log S - (z_label - M), or -sum_k t_k log p_k
 *                      dz_k = (p_k - [k = label]) dL, or (p_k sum_j t_j - t_k) dL
 *
 * and, element by element, the cross-entropy of the logistic function s:
 *
 *   L = max(z, 0) - z t + log(1 + exp(-|z|)),  dz = (s(z) - t) dL;  0 where t is NaN */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"
#include "vecmath.h"

#define GROUP 16          /* rows that are done together */
#define CHAIN_VECTORS 256 /* of a part of a sum */

ALWAYS_INLINE real largest_lane(vec v) {
  real lane[LANES];
  store(lane, v);
#pragma GCC unroll 4
  for (int half = (int)LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
  return lane[0];
}

/* A sum over the classes is made of the sums of parts, since a long chain of additions
 * loses digits. Called when the vector at class k has been added to a part. */
ALWAYS_INLINE void end_chain(ptrdiff_t k, vec *part, vec *sum) {
  if ((k / LANES + 1) % CHAIN_VECTORS) return;
  *sum += *part;
  *part = splat(0);
}

/* `end` is that of the rows that hold z, in this and the following functions. A NaN
 * is not found here, but makes S NaN. */
ALWAYS_INLINE real row_max(ptrdiff_t n, const real *z, const real *end) {
  const vec lowest = splat(-(real)__builtin_inf());
  vec max = lowest;
  for (ptrdiff_t k = 0; k < n; k += LANES) {
    const vec v = choose(first_lanes(n - k), load_until(z + k, end), lowest);
    max = choose(v > max, v, max);
  }
  return largest_lane(max);
}

/* Returns S; stores exp(z - M) unless y is NULL. */
ALWAYS_INLINE real row_exp(ptrdiff_t n, const real *z, const real *end, real max,
                           real *y, const real *y_end) {
  vec sum = splat(0), part = splat(0);
  for (ptrdiff_t k = 0; k < n; k += LANES) {
    const vec e = vec_exp(load_until(z + k, end) - max);
    if (y) store_until(y + k, e, y_end);
    part += choose(first_lanes(n - k), e, splat(0));
    end_chain(k, &part, &sum);
  }
  return sum_of_lanes(sum + part);
}

ALWAYS_INLINE void row_scale(ptrdiff_t n, real factor, real *y, const real *end) {
  for (ptrdiff_t k = 0; k < n; k += LANES)
    store_until(y + k, load_until(y + k, end) * factor, end);
}

/* M and log S of n <= GROUP rows, and p unless it is NULL. Doing a group of rows step
 * by step hides the latency of the steps when rows are short. */
ALWAYS_INLINE void group_softmax(ptrdiff_t n, ptrdiff_t classes, const real *z,
                                 const real *end, real *max, real *log_sum, real *p,
                                 const real *p_end) {
  for (ptrdiff_t r = 0; r < n; r++) max[r] = row_max(classes, z + r * classes, end);
  real sum[GROUP] = {0};
  for (ptrdiff_t r = 0; r < n; r++) {
    real *row = p ? p + r * classes : NULL;
    sum[r] = row_exp(classes, z + r * classes, end, max[r], row, p_end);
    if (p) row_scale(classes, 1 / sum[r], row, p_end);
  }
  for (ptrdiff_t r = 0; r < n; r += LANES) store(log_sum + r, vec_log(load(sum + r)));
}

static void softmax(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Softmax *g = arguments;
  const ptrdiff_t classes = g->classes;
  const real *z = g->x, *z_end = z + end * classes;
  real *p = g->result, *p_end = p + end * classes;
  for (ptrdiff_t row = first; row < end; row += GROUP) {
    const ptrdiff_t n = end - row < GROUP ? end - row : GROUP, at = row * classes;
    real max[GROUP], log_sum[GROUP];
    group_softmax(n, classes, z + at, z_end, max, log_sum, p + at, p_end);
  }
}

static void log_softmax(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Softmax *g = arguments;
  const ptrdiff_t classes = g->classes;
  const real *z = g->x, *z_end = z + end * classes;
  real *y = g->result, *y_end = y + end * classes;
  for (ptrdiff_t row = first; row < end; row += GROUP) {
    const ptrdiff_t n = end - row < GROUP ? end - row : GROUP;
    real max[GROUP], log_sum[GROUP];
    group_softmax(n, classes, z + row * classes, z_end, max, log_sum, NULL, NULL);
    for (ptrdiff_t r = 0, at = row * classes; r < n; r++, at += classes)
      for (ptrdiff_t k = at; k < at + classes; k += LANES)
        store_until(y + k, (load_until(z + k, z_end) - max[r]) - log_sum[r], y_end);
  }
}

/* The labels are integers, or, when `labels` is NULL, rows of targets. */
static void softmax_cross_entropy(const void *arguments, ptrdiff_t first,
                                  ptrdiff_t end) {
  const Softmax *g = arguments;
  const ptrdiff_t classes = g->classes;
  const int64_t *labels = g->labels;
  const real *z = g->x, *z_end = z + end * classes;
  real *p = g->result, *p_end = p + end * classes, *loss = g->loss;
  for (ptrdiff_t row = first; row < end; row += GROUP) {
    const ptrdiff_t n = end - row < GROUP ? end - row : GROUP, at = row * classes;
    real max[GROUP], log_sum[GROUP];
    group_softmax(n, classes, z + at, z_end, max, log_sum, p + at, p_end);
    for (ptrdiff_t r = 0; r < n; r++) {
      const real *z_row = z + at + r * classes;
      if (labels) {
        loss[row + r] = log_sum[r] - (z_row[labels[row + r]] - max[r]);
        continue;
      }
      const real *t = (const real *)g->targets + at + r * classes,
                 *t_end = (const real *)g->targets + end * classes;
      vec total = splat(0), part = splat(0);
      for (ptrdiff_t k = 0; k < classes; k += LANES) {
        const vec weight = load_until(t + k, t_end);
        const vec term =
            weight * (log_sum[r] - (load_until(z_row + k, z_end) - max[r]));
        /* 0 log 0 = 0 */
        part += choose(first_lanes(classes - k) & (weight != 0), term, splat(0));
        end_chain(k, &part, &total);
      }
      loss[row + r] = sum_of_lanes(total + part);
    }
  }
}

static void softmax_cross_entropy_backward(const void *arguments, ptrdiff_t first,
                                           ptrdiff_t end) {
  const Softmax *g = arguments;
  const ptrdiff_t classes = g->classes;
  const real *p_end = (const real *)g->x + end * classes, *dl = g->dloss;
  real *dz_end = (real *)g->result + end * classes;
  for (ptrdiff_t r = first; r < end; r++) {
    const real *p = (const real *)g->x + r * classes;
    real *dz = (real *)g->result + r * classes;
    if (g->labels) {
      const int64_t label = g->labels[r];
      for (ptrdiff_t k = 0; k < classes; k += LANES)
        store_until(dz + k, load_until(p + k, p_end) * dl[r], dz_end);
      dz[label] = (p[label] - 1) * dl[r];
      continue;
    }
    const real *t = (const real *)g->targets + r * classes,
               *t_end = (const real *)g->targets + end * classes;
    vec total = splat(0), part = splat(0);
    for (ptrdiff_t k = 0; k < classes; k += LANES) {
      part += choose(first_lanes(classes - k), load_until(t + k, t_end), splat(0));
      end_chain(k, &part, &total);
    }
    const real weight = sum_of_lanes(total + part);
    for (ptrdiff_t k = 0; k < classes; k += LANES) {
      const vec share = load_until(p + k, p_end) * weight - load_until(t + k, t_end);
      store_until(dz + k, share * dl[r], dz_end);
    }
  }
}

static void sigmoid_cross_entropy(const void *arguments, ptrdiff_t first,
                                  ptrdiff_t end) {
  const Softmax *g = arguments;
  const real *x = g->x, *x_end = x + end;
  const real *t = g->targets, *t_end = t + end;
  real *loss = g->result, *loss_end = loss + end;
  for (ptrdiff_t i = first; i < end; i += LANES) {
    const vec z = load_until(x + i, x_end), target = load_until(t + i, t_end);
    const vec value = at_least(z, 0) - z * target + vec_log1p(vec_exp(-vec_abs(z)));
    store_until(loss + i, choose(target == target, value, splat(0)), loss_end);
  }
}

static void sigmoid_cross_entropy_backward(const void *arguments, ptrdiff_t first,
                                           ptrdiff_t end) {
  const Softmax *g = arguments;
  const real *x = g->x, *x_end = x + end;
  const real *t = g->targets, *t_end = t + end;
  const real *dl = g->dloss, *dl_end = dl + end;
  real *dz = g->result, *dz_end = dz + end;
  for (ptrdiff_t i = first; i < end; i += LANES) {
    const vec z = load_until(x + i, x_end), target = load_until(t + i, t_end);
    const vec value = (vec_sigmoid(z) - target) * load_until(dl + i, dl_end);
    store_until(dz + i, choose(target == target, value, splat(0)), dz_end);
  }
}
