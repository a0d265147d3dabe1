/* y_e = x_e * scale where word e of the random stream is below the threshold, else 0.
 *
 * The stream is Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011): block b encrypts the
 * counter b under the seed and gives the words 4 b to 4 b + 3. */
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "microkernels.h"
#include "rows.h"
#include "simd.h"

/* A word of 32 bits in each lane of 64, so that a product fits. Bits above the word are
 * left to be whatever they are. */
typedef uint64_t vec_word __attribute__((vector_size(VECTOR_BYTES)));
/* As many words as a vector has reals, and each of them as wide as a real. */
typedef uint32_t vec_u32 __attribute__((vector_size(VECTOR_LANES * 4)));
#if REAL_BITS == 64
typedef vec_word vec_uint;
#else
typedef vec_u32 vec_uint;
#endif
#define BLOCKS ((ptrdiff_t)(VECTOR_BYTES / sizeof(uint64_t)))
#define WORDS (4 * BLOCKS)

/* Lanes of a and b in turn, from lane i on. */
#define LANE_PAIR(i) (i), (i) + VECTOR_BYTES / 8
#if VECTOR_BYTES == 64
#define LANE_PAIRS(i) \
  LANE_PAIR(i), LANE_PAIR((i) + 1), LANE_PAIR((i) + 2), LANE_PAIR((i) + 3)
#elif VECTOR_BYTES == 32
#define LANE_PAIRS(i) LANE_PAIR(i), LANE_PAIR((i) + 1)
#else
#define LANE_PAIRS(i) LANE_PAIR(i)
#endif
#if defined(__clang__)
#define WORD_PAIRS(a, b, i) __builtin_shufflevector(a, b, LANE_PAIRS(i))
#else
#define WORD_PAIRS(a, b, i) __builtin_shuffle(a, b, (vec_word){LANE_PAIRS(i)})
#endif

/* The 64-bit products of the words. The intrinsics name the one instruction that does
 * it, which compilers do not find: three times as fast without AVX-512. */
ALWAYS_INLINE vec_word multiply_words(vec_word a, uint32_t b) {
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
ALWAYS_INLINE void philox_words(uint64_t block, uint64_t seed, uint32_t *words) {
  uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
  vec_word c0, c1, c2 = {0}, c3 = {0};
  static const uint64_t lane[] = {0, 1, 2, 3, 4, 5, 6, 7};
  memcpy(&c0, lane, sizeof c0);
  c0 += block;
  c1 = c0 >> 32;
  for (int step = 0; step < 10; step++) {
    const vec_word product0 = multiply_words(c0, 0xD2511F53),
                   product2 = multiply_words(c2, 0xCD9E8D57);
    c0 = (product2 >> 32) ^ c1 ^ key0;
    c1 = product2;
    c2 = (product0 >> 32) ^ c3 ^ key1;
    c3 = product0;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  /* Two words of a block to a lane, then the two lanes of each block side by side. */
  const vec_word low = (c0 & 0xFFFFFFFF) | c1 << 32,
                 high = (c2 & 0xFFFFFFFF) | c3 << 32;
  const vec_word pairs[] = {WORD_PAIRS(low, high, 0),
                            WORD_PAIRS(low, high, VECTOR_BYTES / 16)};
  memcpy(words, pairs, sizeof pairs);
}

/* Vectors by hand: a compiler may not multiply what is dropped, and a branch that is
 * taken at random costs more than all the rest. */
ALWAYS_INLINE void keep_words(ptrdiff_t n, const uint32_t *words, uint32_t last,
                              real scale, const real *x, real *y) {
  for (ptrdiff_t i = 0; i < n; i += LANES) {
    vec_u32 some;
    memcpy(&some, words + i, sizeof some);
    const vec_int keep = (vec_int)(__builtin_convertvector(some, vec_uint) <= last);
    store_some(y + i, choose(keep, load_some(x + i, n - i) * scale, splat(0)), n - i);
  }
}

static void dropout(const void *arguments, ptrdiff_t first, ptrdiff_t end) {
  const Dropout *d = arguments;
  const real *x = d->x;
  real *y = d->y;
  if (d->threshold == 0) { /* keep_prob < 2^-32 */
    memset(y + first, 0, (size_t)(end - first) * sizeof(real));
    return;
  }
  const uint32_t last = (uint32_t)(d->threshold - 1);
  const real scale = (real)d->scale;
  uint32_t words[WORDS + VECTOR_LANES]; /* whole vectors are read */
  /* The number of a word may pass 2^64, that of its block does not. */
  const uint64_t number = d->offset % 4 + (uint64_t)first;
  uint64_t block = d->offset / 4 + number / 4;
  ptrdiff_t skip = (ptrdiff_t)(number % 4);
  while (first < end) {
    philox_words(block, d->seed, words);
    const ptrdiff_t count = end - first < WORDS - skip ? end - first : WORDS - skip;
    if (count == WORDS)
      keep_words(WORDS, words, last, scale, x + first, y + first);
    else /* the first words when `number` lies within a block, and the last ones */
      keep_words(count, words + skip, last, scale, x + first, y + first);
    first += count;
    block += BLOCKS;
    skip = 0;
  }
}
