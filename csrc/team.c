#define _POSIX_C_SOURCE 200809L
#include "team.h"

#include <stdatomic.h>

#include "thread.h"

static atomic_flag taken = ATOMIC_FLAG_INIT;
static int forked;

static void begin_child(void) {
  forked = 1;
  atomic_flag_clear(&taken); /* whoever had it is not in this process */
}

void fastdl_watch_forks(void) { watch_forks(begin_child); }

int fastdl_is_forked(void) { return forked; }

int fastdl_take_team(void) { return !atomic_flag_test_and_set(&taken); }

void fastdl_leave_team(void) { atomic_flag_clear(&taken); }

int64_t fastdl_nanoseconds(void) { return nanoseconds(); }
