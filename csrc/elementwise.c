/* y = a + b, element by element; y may be a or b. */
#include "microkernels.h"
#include "simd.h"

static void add_elements(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Sum *sum = arguments;
  const int streams = sum->streams;
  const real *a = sum->a, *b = sum->b;
  real *y = sum->y;
  ptrdiff_t i = first;
  for (; i + LANES <= end; i += LANES) put(y + i, load(a + i) + load(b + i), streams);
  if (i < end) {
    const ptrdiff_t n = end - i;
    store_first(y + i, load_first(a + i, n, 0) + load_first(b + i, n, 0), n);
  }
  if (streams) stream_end();
}
