/* The body of the register tile of matmul.c, for one type of vector: VEC, with its
 * LOAD_FIRST and STORE_FIRST. BODY computes `rows` x `vectors` accumulators, both
 * constants where it is inlined, so that they stay in registers. `packed` says that the
 * rows of a are neighbours: one pointer then serves for all. */

ALWAYS_INLINE void BODY(const int rows, const int vectors, const int packed,
                        const Product *p, const real *a, real *c) {
  typedef VEC unaligned __attribute__((aligned(sizeof(real)), may_alias));
  const ptrdiff_t lanes = sizeof(VEC) / sizeof(real);
  const ptrdiff_t last = p->cols - (vectors - 1) * lanes; /* of the last vector */
  const int accumulate = p->accumulate;
  const real *b = p->b, *bias = p->bias;
  VEC sum[TALL_ROWS][4];

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

  if (accumulate) /* c is wanted at the end, and may be far away */
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++)
        __builtin_prefetch(behind(c, r * p->c_row) + v * lanes);

  const ptrdiff_t step = p->k.step, b_stride = p->k.b_stride, length = p->k.length;
  const ptrdiff_t a_row = packed ? (ptrdiff_t)sizeof(real) : p->a_row;
  /* A pointer and the distances 1, 2 and 3 serve four rows. */
  const ptrdiff_t distance[] = {0, a_row, 2 * a_row, keep_apart(3 * a_row)};
  const ptrdiff_t half = keep_apart(4 * a_row);
  for (ptrdiff_t s = 0; s < p->k.runs; s++) {
    const real *row[3];
    row[0] = behind(a, p->k.offset[s]);
    row[1] = behind(row[0], half);
    row[2] = behind(row[1], half);
    for (ptrdiff_t i = 0; i < length; i++) {
      VEC right[4];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) right[v] = *(const unaligned *)(b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < rows; r++) {
        const real *x = packed ? row[0] + r : behind(row[r / 4], distance[r % 4]);
        const VEC left = *x - (VEC){0}; /* splat */
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) sum[r][v] += left * right[v];
      }
#pragma GCC unroll 3
      for (int r = 0; r < 3; r++) row[r] = behind(row[r], step);
      b = behind(b, b_stride);
    }
  }

#pragma GCC unroll 16
  for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      real *end = behind(c, r * p->c_row) + v * lanes;
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
