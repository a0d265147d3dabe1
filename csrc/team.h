/* Who may run a parallel loop now: one thread of the program at a time. */
#ifndef FASTDL_TEAM_H
#define FASTDL_TEAM_H

#include <stdint.h>

/* Gives the helpers to the calling thread; 0 while another thread has them. */
int fastdl_take_team(void);
void fastdl_leave_team(void);

/* To be called once, when the library is loaded. */
void fastdl_watch_forks(void);

/* Whether this process was forked since: it has its parent's memory, but none of the
 * parent's threads. */
int fastdl_is_forked(void);

/* A clock that never goes back. */
int64_t fastdl_nanoseconds(void);

#endif
