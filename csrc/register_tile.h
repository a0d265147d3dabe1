/* The body of the register tile of matmul.c, for one type of vector: VEC, with its
 * LOAD_FIRST and STORE_FIRST. BODY computes `rows` x `vectors` accumulators, both
 * constants where it is inlined, so that they stay in registers. */

ALWAYS_INLINE void BODY(const int rows, const int vectors, ptrdiff_t cols,
                        const real *const *a, const real *b, real *const *c,
                        const real *bias, int accumulate, const Reduction *k) {
  typedef VEC unaligned __attribute__((aligned(sizeof(real)), may_alias));
  const ptrdiff_t lanes = sizeof(VEC) / sizeof(real);
  const ptrdiff_t last = cols - (vectors - 1) * lanes; /* columns of the last vector */
  VEC sum[TILE_ROWS][4];

#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      if (bias && !accumulate)
        sum[r][v] = (VEC) * (const unaligned *)(bias + v * lanes);
      else
        sum[r][v] = (VEC){0};
    }
  }

  const ptrdiff_t step = k->step, b_stride = k->b_stride, length = k->length;
  for (ptrdiff_t s = 0; s < k->runs; s++) {
    const real *row[TILE_ROWS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) row[r] = a[r] + k->offset[s];
    for (ptrdiff_t i = 0, at = 0; i < length; i++, at += step, b += b_stride) {
      VEC right[4];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) right[v] = *(const unaligned *)(b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < rows; r++) {
        const VEC left = row[r][at] - (VEC){0}; /* splat */
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
      }
    }
  }

#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      real *end = c[r] + v * lanes;
      VEC result = sum[r][v];
      if (v == vectors - 1 && last < lanes) {
        if (accumulate) result += LOAD_FIRST(end, last, 0);
        STORE_FIRST(end, result, last);
      } else {
        if (accumulate) result += *(const unaligned *)end;
        *(unaligned *)end = result;
      }
    }
  }
}
