/* Aligned memory of the system, on huge pages where it has them. */
#ifndef FASTDL_ALIGNED_H
#define FASTDL_ALIGNED_H

/* Includers that -std=c11 keeps from madvise define _DEFAULT_SOURCE first. */
#include <stdlib.h>

#ifdef _WIN32
#include <malloc.h>
#elif defined(__linux__)
#include <sys/mman.h>
#endif
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* NULL where there is none; `alignment` is a power of two. */
static inline void *take_aligned(size_t alignment, size_t bytes) {
#ifdef _WIN32
  return _aligned_malloc(bytes, alignment);
#else
  void *memory = NULL;
  return posix_memalign(&memory, alignment, bytes) ? NULL : memory;
#endif
}

/* Windows keeps the two kinds of memory apart. */
static inline void free_aligned(void *memory) {
#ifdef _WIN32
  _aligned_free(memory);
#else
  free(memory);
#endif
}

/* Whether the system follows is all the same. */
static inline void advise_huge_pages(void *memory, size_t bytes) {
#ifdef __linux__
  madvise(memory, bytes, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}

/* glibc keeps what is freed between blocks in use. */
static inline void return_pages(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

#endif
