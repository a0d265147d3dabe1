/* Our own runtime for the parallel loop: helpers for which nobody waits. */
#ifndef FASTDL_POOL_H
#define FASTDL_POOL_H

#include <stddef.h>

#include "shares.h"

/* Runs task 0 ... count - 1, each once, in any order, on up to `threads` > 1 threads;
 * each of them has `scratch_bytes` of its own in `scratch`. Returns when all are done.
 * The caller has the team (team.h). */
void fastdl_run_in_pool(fastdl_task task, const void *arguments, ptrdiff_t count,
                        int threads, char *scratch, ptrdiff_t scratch_bytes);

/* Whether a helper is awake, so that the next loop finds it at once. */
int fastdl_pool_is_awake(void);

#endif
