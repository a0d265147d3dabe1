/* y = a + b, element by element; y may be a or b. */
#include "microkernels.h"
#include "rows.h"
#include "simd.h"

static void add_elements(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Sum *sum = arguments;
  const int streams = sum->streams;
  const real *a = (const real *)sum->a + first, *a_end = a + (end - first);
  const real *b = (const real *)sum->b + first, *b_end = b + (end - first);
  real *y = (real *)sum->y + first, *y_end = y + (end - first);
  for (; a < a_end; a += LANES, b += LANES, y += LANES)
    put_until(y, load_until(a, a_end) + load_until(b, b_end), y_end, streams);
  if (streams) stream_end();
}
