/* The tasks of a loop, in one share for each thread. A thread takes its own share
 * first, in order, so that from loop to loop it meets the same examples of the batch,
 * which it left in its own caches; then it takes what others have not begun. */
#ifndef FASTDL_SHARES_H
#define FASTDL_SHARES_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>

/* One piece of an operation: `arguments` is the operation's struct, `index` says
 * which piece, `scratch` is memory that no other thread uses meanwhile. */
typedef void (*fastdl_task)(const void *arguments, ptrdiff_t index, char *scratch);

enum { MAX_SHARES = 64 };

typedef struct {
  alignas(64) _Atomic ptrdiff_t next; /* a line of the cache for each */
  ptrdiff_t end;
} Share;

typedef struct {
  int count;
  Share share[MAX_SHARES];
} Shares;

static inline void cut_shares(Shares *s, ptrdiff_t tasks, int threads) {
  s->count = threads < MAX_SHARES ? threads : MAX_SHARES;
  for (int i = 0; i < s->count; i++) {
    atomic_store_explicit(&s->share[i].next, tasks * i / s->count,
                          memory_order_relaxed);
    s->share[i].end = tasks * (i + 1) / s->count;
  }
}

/* Does tasks until none is left to begin; `thread` counts from 0. */
static inline void take_tasks(Shares *s, int thread, fastdl_task task,
                              const void *arguments, char *scratch) {
  for (int i = 0; i < s->count; i++) {
    Share *share = &s->share[(thread + i) % s->count];
    ptrdiff_t index;
    while (atomic_load_explicit(&share->next, memory_order_relaxed) < share->end &&
           (index = atomic_fetch_add(&share->next, 1)) < share->end)
      task(arguments, index, scratch);
  }
}

#endif
