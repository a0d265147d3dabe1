/* Images seen through a map of the plane, by bilinear interpolation:
 *
 *   y[i][j][c] = sum over the pixels (p, q) around (u, v) of
 *                (1 - |u - p|) (1 - |v - q|) x[p][q][c]
 *   u = m[0][0] i + m[0][1] j + m[0][2] + d[0][i][j]
 *   v = m[1][0] i + m[1][1] j + m[1][2] + d[1][i][j]
 *
 * for each image (h, w, c), its matrix m (2, 3) and, unless it is NULL, its
 * displacement d (2, h, w). Outside the image, x is 0, or the image goes on with its
 * nearest pixel, or mirrored at the middle of the pixels at its border. Row r of a
 * batch is row r % h of image r / h. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

enum { CONSTANT, EDGE, REFLECT }; /* the order of shapes.FILLS */

/* For each of LANES output pixels, along one axis: the two pixels around its source,
 * and the share of each. */
typedef struct {
  lane_int low[VECTOR_BYTES / sizeof(real)], high[VECTOR_BYTES / sizeof(real)];
  real low_share[VECTOR_BYTES / sizeof(real)], high_share[VECTOR_BYTES / sizeof(real)];
} Neighbours;

ALWAYS_INLINE vec vec_min(vec a, vec b) { return choose(a < b, a, b); }
ALWAYS_INLINE vec vec_max(vec a, vec b) { return choose(a > b, a, b); }

ALWAYS_INLINE vec vec_floor(vec u) {
  const vec towards_0 =
      __builtin_convertvector(__builtin_convertvector(u, vec_int), vec);
  return towards_0 - choose(towards_0 > u, splat(1), splat(0));
}

ALWAYS_INLINE vec_int clamp_index(vec_int i, lane_int last) {
  i &= i >= 0;
  return (i & (i <= last)) | (last & (i > last));
}

ALWAYS_INLINE void find_neighbours(vec u, ptrdiff_t size, int fill, Neighbours *found) {
  const lane_int last = (lane_int)(size - 1);
  if (fill == REFLECT && last > 0) {
    const real period = 2 * (real)last;
    u -= period * vec_floor(u / period);
    u = vec_min(u, period - u);
  }
  /* u comes to lie on the image or, where zeros are around it, at most one pixel off:
   * no neighbour inside has a share there. A NaN counts as the first place. */
  const real margin = fill == CONSTANT ? 1 : 0;
  u = vec_min(vec_max(u, splat(-margin)), splat((real)last + margin));
  const vec base = vec_floor(u), share = u - base;
  const vec_int low = __builtin_convertvector(base, vec_int), high = low + 1;
  const vec low_share = choose((low >= 0) & (low <= last), 1 - share, splat(0));
  const vec high_share = choose(high <= last, share, splat(0));
  /* Pixels beyond the image have no share, and are not read. */
  const vec_int first = clamp_index(low, last), second = clamp_index(high, last);
  memcpy(found->low, &first, sizeof first);
  memcpy(found->high, &second, sizeof second);
  memcpy(found->low_share, &low_share, sizeof low_share);
  memcpy(found->high_share, &high_share, sizeof high_share);
}

static void affine_warp(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Warp *g = arguments;
  const ptrdiff_t row = g->w * g->c, plane = g->h * g->w;
  const real *x = g->x, *x_end = x + g->n * g->h * row;
  real *to = (real *)g->y + first * row, *y_end = (real *)g->y + end * row;
  vec lane;
  for (ptrdiff_t l = 0; l < LANES; l++) lane[l] = (real)l;

  for (ptrdiff_t r = first; r < end; r++) {
    const ptrdiff_t n = r / g->h;
    const real i = (real)(r % g->h);
    const real *image = x + n * g->h * row;
    const real *m = (const real *)g->matrix + 6 * n;
    const real *d = g->displacement;
    if (d) d += 2 * n * plane + r % g->h * g->w;
    for (ptrdiff_t j = 0; j < g->w; j += LANES) {
      const vec column = lane + (real)j;
      vec u = m[1] * column + (m[0] * i + m[2]);
      vec v = m[4] * column + (m[3] * i + m[5]);
      if (d) {
        u += load_some(d + j, g->w - j);
        v += load_some(d + plane + j, g->w - j);
      }
      Neighbours rows, columns;
      find_neighbours(u, g->h, g->fill, &rows);
      find_neighbours(v, g->w, g->fill, &columns);
      const ptrdiff_t pixels = g->w - j < LANES ? g->w - j : LANES;
      for (ptrdiff_t l = 0; l < pixels; l++, to += g->c) {
        const real *upper = image + rows.low[l] * row,
                   *lower = image + rows.high[l] * row;
        const ptrdiff_t left = columns.low[l] * g->c, right = columns.high[l] * g->c;
        const real up = rows.low_share[l], down = rows.high_share[l];
        const vec upper_left = splat(up * columns.low_share[l]);
        const vec upper_right = splat(up * columns.high_share[l]);
        const vec lower_left = splat(down * columns.low_share[l]);
        const vec lower_right = splat(down * columns.high_share[l]);
        for (ptrdiff_t c = 0; c < g->c; c += LANES) {
          const vec above = upper_left * load_until(upper + left + c, x_end) +
                            upper_right * load_until(upper + right + c, x_end);
          const vec below = lower_left * load_until(lower + left + c, x_end) +
                            lower_right * load_until(lower + right + c, x_end);
          store_until(to + c, above + below, y_end);
        }
      }
    }
  }
}
