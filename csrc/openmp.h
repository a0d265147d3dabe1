/* OpenMP, or its absence. */
#ifndef FASTDL_OPENMP_H
#define FASTDL_OPENMP_H

#ifdef _OPENMP
#include <omp.h>
enum { FASTDL_HAS_OPENMP = 1 };
#else
#include <limits.h>
enum { FASTDL_HAS_OPENMP = 0 };
static inline int omp_get_max_threads(void) { return INT_MAX; }
static inline int omp_get_num_procs(void) { return INT_MAX; }
#endif

#endif
