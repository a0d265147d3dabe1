/* Tests of what the parallel loop stands on: memory, clock, team, pool, forks and
 * denormals. test_csrc.py compiles it with the files of csrc, and says where it runs.
 */
#define _DEFAULT_SOURCE
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "aligned.h"
#include "check.h"
#include "denormals.h"
#include "pool.h"
#include "team.h"
#include "thread.h"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

enum { MOST_TASKS = 40, MOST_THREADS = 5, SCRATCH = 64, LOOPS = 2000 };
enum { NAP = 1000 * 1000 }; /* nanoseconds: longer than a helper looks for work */

static void spin(int64_t length) {
  const int64_t start = fastdl_nanoseconds();
  while (fastdl_nanoseconds() - start < length) continue;
}

static void memory_is_aligned(void) {
  for (size_t alignment = 64; alignment <= 2 << 20; alignment *= 2) {
    void *memory = take_aligned(alignment, 2 * alignment);
    CHECK(memory && (uintptr_t)memory % alignment == 0);
    advise_huge_pages(memory, 2 * alignment);
    memset(memory, 1, 2 * alignment);
    free_aligned(memory);
  }
  CHECK(!take_aligned(64, SIZE_MAX / 2));
  free_aligned(NULL);
  return_pages();
}

static void clock_goes_on(void) {
  const int64_t start = fastdl_nanoseconds();
  int64_t last = start;
  while (last - start < NAP) {
    const int64_t now = fastdl_nanoseconds();
    CHECK(now >= last);
    last = now;
  }
}

static void team_has_one_owner(void) {
  CHECK(fastdl_take_team());
  CHECK(!fastdl_take_team());
  fastdl_leave_team();
  CHECK(fastdl_take_team());
  fastdl_leave_team();
}

/* Of two numbers that are normal, a product that is not. */
static int denormals_are_zero(void) {
  volatile float small = 1e-30f;
  volatile double tiny = 1e-300;
  const float product = small * 1e-10f;
  const double other = tiny * 1e-10;
  CHECK((product == 0) == (other == 0));
  return product == 0;
}

static void denormals_come_back(void) {
  CHECK(!denormals_are_zero());
  const uint64_t before = flush_denormals();
  CHECK(denormals_are_zero());
  const uint64_t inner = flush_denormals();
  restore_denormals(inner);
  CHECK(denormals_are_zero());
  restore_denormals(before);
  CHECK(!denormals_are_zero());
}

typedef struct {
  atomic_int times[MOST_TASKS];
  int64_t length; /* of each third task */
  int flushed;    /* whether the caller flushes denormals; helpers always do */
} Work;

static void note_task(const void *arguments, ptrdiff_t index, char *scratch) {
  Work *work = (Work *)(uintptr_t)arguments;
  CHECK(scratch[0] == 0); /* nobody else is here */
  memset(scratch, 1, SCRATCH);
  if (index % 3 == 0) spin(work->length);
  if (work->flushed) CHECK(denormals_are_zero());
  atomic_fetch_add(&work->times[index], 1);
  memset(scratch, 0, SCRATCH);
}

static void each_task_runs_once(int loops) {
  static char scratch[MOST_THREADS * SCRATCH];
  for (int i = 0; i < loops; i++) {
    Work work = {.length = i % 50 == 0 ? NAP / 2 : 0, .flushed = i % 2};
    const ptrdiff_t count = 1 + i * 7 % MOST_TASKS;
    const int threads = 2 + i % (MOST_THREADS - 1);
    const uint64_t before = work.flushed ? flush_denormals() : 0;
    CHECK(fastdl_take_team());
    fastdl_run_in_pool(note_task, &work, count, threads, scratch, SCRATCH);
    fastdl_leave_team();
    if (work.flushed) restore_denormals(before);
    for (ptrdiff_t task = 0; task < MOST_TASKS; task++)
      CHECK(atomic_load(&work.times[task]) == (task < count));
    if (i % 100 == 0) spin(2 * NAP); /* the helpers fall asleep meanwhile */
  }
}

static void wait_for_others(const void *arguments, ptrdiff_t index, char *scratch) {
  atomic_int *here = (atomic_int *)(uintptr_t)arguments;
  (void)index, (void)scratch;
  atomic_fetch_add(here, 1);
  while (atomic_load(here) < MOST_THREADS) yield_core();
}

/* No task ends before all have begun, each on a thread of its own. */
static void threads_work_side_by_side(void) {
  for (int i = 0; i < 20; i++) {
    atomic_int here = 0;
    CHECK(fastdl_take_team());
    fastdl_run_in_pool(wait_for_others, &here, MOST_THREADS, MOST_THREADS, NULL, 0);
    fastdl_leave_team();
    CHECK(atomic_load(&here) == MOST_THREADS);
  }
}

/* Whoever had the team, the child can have it, and gets helpers of its own. */
static void child_has_its_own_pool(void) {
#ifndef _WIN32
  for (int taken = 0; taken <= 1; taken++) {
    int status;
    CHECK(!fastdl_is_forked());
    if (taken) CHECK(fastdl_take_team());
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      CHECK(fastdl_is_forked());
      CHECK(!fastdl_pool_is_awake());
      each_task_runs_once(LOOPS / 10);
      threads_work_side_by_side();
      _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (taken) fastdl_leave_team();
  }
#endif
}

/* Any argument leaves forks out: an emulator may not know threads of a child. */
int main(int argc, char **argv) {
  (void)argv;
  fastdl_watch_forks();
  memory_is_aligned();
  clock_goes_on();
  team_has_one_owner();
  denormals_come_back();
  each_task_runs_once(LOOPS);
  threads_work_side_by_side();
  if (argc == 1) child_has_its_own_pool();
  puts("runtime: all well");
  return 0;
}
