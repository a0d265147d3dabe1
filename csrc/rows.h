/* Short rows by whole vectors. Rows lie one after another, so the vector at the end of
 * a row may reach into the rows behind it: to read them is harmless, and what is
 * written there is written again when their turn comes. Only at `end`, behind the last
 * row of a task, must a vector be cut. */
#ifndef FASTDL_ROWS_H
#define FASTDL_ROWS_H

#include "simd.h"

/* The first n lanes, or the whole vector. */
ALWAYS_INLINE vec load_some(const real *p, ptrdiff_t n) {
  return n >= LANES ? load(p) : load_first(p, n, 0);
}

ALWAYS_INLINE void store_some(real *p, vec v, ptrdiff_t n) {
  if (n >= LANES)
    store(p, v);
  else
    store_first(p, v, n);
}

ALWAYS_INLINE vec load_until(const real *p, const real *end) {
  return end - p >= LANES ? load(p) : load_first(p, end - p, 0);
}

ALWAYS_INLINE void store_until(real *p, vec v, const real *end) {
  if (end - p >= LANES)
    store(p, v);
  else
    store_first(p, v, end - p);
}

/* The same where it is known that whole vectors stay before the end: to test each of
 * them takes longer than to load it. */
ALWAYS_INLINE vec load_row(const int whole, const real *p, const real *end) {
  return whole ? load(p) : load_until(p, end);
}

ALWAYS_INLINE void store_row(const int whole, real *p, vec v, const real *end) {
  if (whole)
    store(p, v);
  else
    store_until(p, v, end);
}

#endif
