/* y_e = x_e * scale where word e of the random stream is below the threshold, else 0.
 *
 * The stream is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): block b encrypts the
 * counter b under the seed and gives the words 4 b to 4 b + 3. */
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "microkernels.h"
#include "simd.h"

/* A word of 32 bits in each lane of 64, so that a product fits. Bits above the word are
 * left to be whatever they are. */
typedef uint64_t vec_word __attribute__((vector_size(VECTOR_BYTES)));
#define BLOCKS ((ptrdiff_t)(VECTOR_BYTES / sizeof(uint64_t)))
#define WORDS (4 * BLOCKS)

/* The 64-bit products of the words. The intrinsics name the one instruction that does
 * it, which compilers do not find: three times as fast without AVX-512. */
ALWAYS_INLINE vec_word multiply(vec_word a, uint32_t b) {
#if defined(__AVX512F__)
  return (vec_word)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif defined(__AVX2__)
  return (vec_word)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
  return (vec_word)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
  return (a & 0xFFFFFFFF) * (uint64_t)b;
#endif
}

/* The words of BLOCKS blocks, one block in each lane. */
ALWAYS_INLINE void philox(uint64_t block, uint64_t seed, uint32_t *words) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  vec_word c0, c1, c2 = {0}, c3 = {0};
  for (ptrdiff_t b = 0; b < BLOCKS; b++) c0[b] = block + (uint64_t)b;
  c1 = c0 >> 32;
  for (int step = 0; step < 10; step++) {
    const vec_word product0 = multiply(c0, 0xD2511F53),
                   product2 = multiply(c2, 0xCD9E8D57);
    c0 = (product2 >> 32) ^ c1 ^ key0;
    c1 = product2;
    c2 = (product0 >> 32) ^ c3 ^ key1;
    c3 = product0;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  for (ptrdiff_t b = 0; b < BLOCKS; b++) {
    words[4 * b] = (uint32_t)c0[b];
    words[4 * b + 1] = (uint32_t)c1[b];
    words[4 * b + 2] = (uint32_t)c2[b];
    words[4 * b + 3] = (uint32_t)c3[b];
  }
}

ALWAYS_INLINE void keep(ptrdiff_t n, const uint32_t *words, uint32_t last, real scale,
                        const real *x, real *y) {
  for (ptrdiff_t i = 0; i < n; i++) y[i] = words[i] <= last ? x[i] * scale : 0;
}

/* Element 0 has number `first` in the stream; threshold <= 2^32. */
static void dropout(ptrdiff_t n, uint64_t seed, uint64_t first, uint64_t threshold,
                    double scale, const void *x, void *y) {
  const real *from = x;
  real *to = y;
  if (threshold == 0) { /* keep_prob < 2^-32 */
    memset(to, 0, (size_t)n * sizeof(real));
    return;
  }
  const uint32_t last = (uint32_t)(threshold - 1);
  uint32_t words[WORDS];
  uint64_t block = first / 4;
  ptrdiff_t skip = (ptrdiff_t)(first % 4), i = 0;
  while (i < n) {
    philox(block, seed, words);
    const ptrdiff_t count = n - i < WORDS - skip ? n - i : WORDS - skip;
    if (count == WORDS)
      keep(WORDS, words, last, (real)scale, from + i, to + i);
    else /* the first words when `first` lies within a block, and the last ones */
      keep(count, words + skip, last, (real)scale, from + i, to + i);
    i += count;
    block += BLOCKS;
    skip = 0;
  }
}
