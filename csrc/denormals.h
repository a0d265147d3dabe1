/* Numbers too small to be normal cost a hundred times the time of others: they are
 * zero inside kernels, and what they were for the rest of the program. */
#ifndef FASTDL_DENORMALS_H
#define FASTDL_DENORMALS_H

#include <stdint.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

/* Flushes them to zero on this thread; returns what `restore_denormals` takes. */
static inline uint64_t flush_denormals(void) {
#if defined(__SSE2__)
  const unsigned int before = _mm_getcsr();
  _mm_setcsr(before | 0x8040);
  return before;
#elif defined(__aarch64__)
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  __asm__ volatile("msr fpcr, %0" : : "r"(before | (uint64_t)1 << 24));
  return before;
#else
  return 0;
#endif
}

static inline void restore_denormals(uint64_t before) {
#if defined(__SSE2__)
  _mm_setcsr((unsigned int)before);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(before));
#else
  (void)before;
#endif
}

#endif
