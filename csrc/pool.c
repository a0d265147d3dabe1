/* A pool of helpers for one loop at a time.
 *
 * The caller opens the loop, takes tasks like every helper, closes the loop when none
 * is left, and waits for the helpers inside to finish theirs: never for one that
 * sleeps or has no core. So helpers cost a loop next to nothing, and one that has
 * nothing to do may look for work a while, so that the next loop, some microseconds
 * later, finds it awake.
 */
#define _POSIX_C_SOURCE 200809L
#include "pool.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "denormals.h"
#include "team.h"
#include "thread.h"

enum {
  AWAKE = 200 * 1000, /* nanoseconds that a thread looks before it sleeps */
  ROUNDS = 32,        /* looks between two looks at the clock, about 1 us */
  CACHE_LINE = 64,
};

/* The loop; its owner alone writes it, and only while no helper is inside. */
static struct {
  fastdl_task task;
  const void *arguments;
  ptrdiff_t scratch_bytes;
  char *scratch;
  Shares shares;
} loop;

/* The door of the loop, in one word, so that a helper that comes late can't enter
 * another loop than it saw: the loop's number (upper half) and how many helpers may
 * still enter (lower half); none when it is closed. */
static alignas(CACHE_LINE) _Atomic uint64_t door;
static alignas(CACHE_LINE) atomic_int helpers_left; /* of those that entered */

static Mutex mutex = UNLOCKED;
static Condition opened = UNSIGNALLED, finished = UNSIGNALLED;
static atomic_int helpers_started, helpers_asleep, owner_asleep;

static void relax(void) {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void take_part(int thread, char *scratch) {
  take_tasks(&loop.shares, thread, loop.task, loop.arguments, scratch);
}

/* Helpers ------------------------------------------------------------------------- */

static uint64_t number(uint64_t state) { return state >> 32; }
static int places(uint64_t state) { return (int)(uint32_t)state; }

/* Whether a loop other than `last` stands open; `state` is the door as seen. */
static int has_work(uint64_t last, uint64_t *state) {
  *state = atomic_load(&door);
  return places(*state) && number(*state) != last;
}

static uint64_t wait_for_work(uint64_t last) {
  uint64_t state;
  for (;;) {
    const int64_t start = fastdl_nanoseconds();
    do {
      for (int i = 0; i < ROUNDS; i++) {
        if (has_work(last, &state)) return state;
        relax();
      }
      yield_core();
    } while (fastdl_nanoseconds() - start < AWAKE);
    lock(&mutex);
    atomic_fetch_add(&helpers_asleep, 1); /* before the last look at the door */
    if (!has_work(last, &state)) wait_for(&opened, &mutex);
    atomic_fetch_sub(&helpers_asleep, 1);
    unlock(&mutex);
  }
}

static ThreadResult THREAD_CALL help(void *number_of_thread) {
  const int thread = (int)(intptr_t)number_of_thread;
  uint64_t last = 0;
  flush_denormals();
  for (;;) {
    uint64_t state = wait_for_work(last);
    if (!atomic_compare_exchange_strong(&door, &state, state - 1)) continue;
    last = number(state);
    take_part(thread, loop.scratch + places(state) * loop.scratch_bytes);
    atomic_fetch_add(&helpers_left, 1);
    if (atomic_load(&owner_asleep)) {
      lock(&mutex);
      wake_one(&finished);
      unlock(&mutex);
    }
  }
  return 0;
}

/* A child process has none of its parent's helpers. */
static void forget_helpers(void) {
  atomic_store(&helpers_started, 0);
  atomic_store(&helpers_asleep, 0);
  atomic_store(&owner_asleep, 0);
  atomic_store(&door, 0);
  mutex = (Mutex)UNLOCKED;
  opened = finished = (Condition)UNSIGNALLED;
}

/* Starts helpers up to `wanted`, or as many as the system gives. */
static void start_helpers(int wanted) {
  static int watching = 0; /* the team's owner alone is here */
  if (!watching) watch_forks(forget_helpers);
  watching = 1;
  while (atomic_load(&helpers_started) < wanted) {
    const intptr_t number_of_thread = atomic_load(&helpers_started) + 1;
    if (!start_thread(help, (void *)number_of_thread)) break;
    atomic_fetch_add(&helpers_started, 1);
  }
}

/* The owner ----------------------------------------------------------------------- */

static void open_loop(int helpers) {
  const uint64_t next = number(atomic_load(&door)) + 1;
  atomic_store(&helpers_left, 0);
  atomic_store(&door, next << 32 | (uint64_t)helpers);
  if (atomic_load(&helpers_asleep)) {
    lock(&mutex);
    wake_all(&opened);
    unlock(&mutex);
  }
}

static void close_loop(int helpers) {
  const uint64_t state = atomic_fetch_and(&door, ~(uint64_t)UINT32_MAX);
  const int entered = helpers - places(state);
  if (atomic_load(&helpers_left) == entered) return;
  const int64_t start = fastdl_nanoseconds();
  do {
    for (int i = 0; i < ROUNDS; i++) {
      if (atomic_load(&helpers_left) == entered) return;
      relax();
    }
  } while (fastdl_nanoseconds() - start < AWAKE);
  /* A helper lost its core to another process: it can have ours. */
  lock(&mutex);
  atomic_store(&owner_asleep, 1); /* before the last look at the helpers */
  while (atomic_load(&helpers_left) != entered) wait_for(&finished, &mutex);
  atomic_store(&owner_asleep, 0);
  unlock(&mutex);
}

void fastdl_run_in_pool(fastdl_task task, const void *arguments, ptrdiff_t count,
                        int threads, char *scratch, ptrdiff_t scratch_bytes) {
  const int helpers = (int)(threads < count ? threads : count) - 1;
  loop.task = task;
  loop.arguments = arguments;
  loop.scratch = scratch;
  loop.scratch_bytes = scratch_bytes;
  cut_shares(&loop.shares, count, helpers + 1);
  if (atomic_load(&helpers_started) < helpers) start_helpers(helpers);
  open_loop(helpers);
  take_part(0, loop.scratch);
  close_loop(helpers);
}

int fastdl_pool_is_awake(void) {
  return atomic_load(&helpers_asleep) < atomic_load(&helpers_started);
}
