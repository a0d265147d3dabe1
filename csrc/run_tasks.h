/* The parallel loop under every kernel: numbered tasks, shared by the thread that
 * asks for them and by helpers. */
#ifndef FASTDL_RUN_TASKS_H
#define FASTDL_RUN_TASKS_H

#include <stddef.h>

/* One piece of an operation: `arguments` is the operation's struct, `index` says
 * which piece, `scratch` is memory that no other thread uses meanwhile. */
typedef void (*fastdl_task)(const void *arguments, ptrdiff_t index, char *scratch);

/* Runs task 0 ... count - 1, each once, in any order, on up to `threads` threads;
 * each of them has `scratch_bytes` of its own in `scratch`. Returns when all are done.
 * Numbers below the smallest normal one count as zero in them. */
void fastdl_run_tasks(fastdl_task task, const void *arguments, ptrdiff_t count,
                      int threads, char *scratch, ptrdiff_t scratch_bytes);

/* Whether a helper is awake, so that the next loop finds it at once. */
int fastdl_helpers_awake(void);

#endif
