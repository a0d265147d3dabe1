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

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "denormals.h"
#include "team.h"

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

static pthread_once_t prepared = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
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
      sched_yield(); /* to whoever has something to do */
    } while (fastdl_nanoseconds() - start < AWAKE);
    pthread_mutex_lock(&mutex);
    atomic_fetch_add(&helpers_asleep, 1); /* before the last look at the door */
    if (!has_work(last, &state)) pthread_cond_wait(&opened, &mutex);
    atomic_fetch_sub(&helpers_asleep, 1);
    pthread_mutex_unlock(&mutex);
  }
}

static void *help(void *number_of_thread) {
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
      pthread_mutex_lock(&mutex);
      pthread_cond_signal(&finished);
      pthread_mutex_unlock(&mutex);
    }
  }
  return NULL;
}

/* A child process has none of its parent's helpers. */
static void forget_helpers(void) {
  atomic_store(&helpers_started, 0);
  atomic_store(&helpers_asleep, 0);
  atomic_store(&owner_asleep, 0);
  atomic_store(&door, 0);
  pthread_mutex_init(&mutex, NULL);
  pthread_cond_init(&opened, NULL);
  pthread_cond_init(&finished, NULL);
}

static void prepare(void) { pthread_atfork(NULL, NULL, forget_helpers); }

/* Starts helpers up to `wanted`, or as many as the system gives. */
static void start_helpers(int wanted) {
  sigset_t all, before;
  pthread_once(&prepared, prepare);
  sigfillset(&all); /* signals are for the program's own threads */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (atomic_load(&helpers_started) < wanted) {
    const intptr_t number_of_thread = atomic_load(&helpers_started) + 1;
    pthread_t thread;
    if (pthread_create(&thread, NULL, help, (void *)number_of_thread)) break;
    pthread_detach(thread);
    atomic_fetch_add(&helpers_started, 1);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The owner ----------------------------------------------------------------------- */

static void open_loop(int helpers) {
  const uint64_t next = number(atomic_load(&door)) + 1;
  atomic_store(&helpers_left, 0);
  atomic_store(&door, next << 32 | (uint64_t)helpers);
  if (atomic_load(&helpers_asleep)) {
    pthread_mutex_lock(&mutex);
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&mutex);
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
  pthread_mutex_lock(&mutex);
  atomic_store(&owner_asleep, 1); /* before the last look at the helpers */
  while (atomic_load(&helpers_left) != entered) pthread_cond_wait(&finished, &mutex);
  atomic_store(&owner_asleep, 0);
  pthread_mutex_unlock(&mutex);
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
