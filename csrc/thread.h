/* Threads of the system, POSIX's or Windows', and its clock. A file that includes this
 * defines _POSIX_C_SOURCE first. */
#ifndef FASTDL_THREAD_H
#define FASTDL_THREAD_H

#include <stdint.h>

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

typedef SRWLOCK Mutex;
typedef CONDITION_VARIABLE Condition;
typedef DWORD ThreadResult;
#define THREAD_CALL WINAPI
#define UNLOCKED SRWLOCK_INIT
#define UNSIGNALLED CONDITION_VARIABLE_INIT

static inline void lock(Mutex *mutex) { AcquireSRWLockExclusive(mutex); }
static inline void unlock(Mutex *mutex) { ReleaseSRWLockExclusive(mutex); }
static inline void wake_one(Condition *condition) { WakeConditionVariable(condition); }
static inline void wake_all(Condition *condition) {
  WakeAllConditionVariable(condition);
}
static inline void wait_for(Condition *condition, Mutex *mutex) {
  SleepConditionVariableSRW(condition, mutex, INFINITE, 0);
}

static inline int start_thread(ThreadResult(THREAD_CALL *run)(void *), void *argument) {
  const HANDLE thread = CreateThread(NULL, 0, run, argument, 0, NULL);
  return thread && CloseHandle(thread);
}

static inline void yield_core(void) { SwitchToThread(); }

static inline void watch_forks(void (*begin_child)(void)) { (void)begin_child; }

static inline int64_t nanoseconds(void) {
  LARGE_INTEGER ticks, frequency;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&frequency);
  /* Whole seconds by themselves: all ticks times 10^9 would soon pass 2^63. */
  const int64_t hz = frequency.QuadPart, seconds = ticks.QuadPart / hz;
  return seconds * 1000000000 + ticks.QuadPart % hz * 1000000000 / hz;
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

typedef pthread_mutex_t Mutex;
typedef pthread_cond_t Condition;
typedef void *ThreadResult;
#define THREAD_CALL
#define UNLOCKED PTHREAD_MUTEX_INITIALIZER
#define UNSIGNALLED PTHREAD_COND_INITIALIZER

static inline void lock(Mutex *mutex) { pthread_mutex_lock(mutex); }
static inline void unlock(Mutex *mutex) { pthread_mutex_unlock(mutex); }
static inline void wake_one(Condition *condition) { pthread_cond_signal(condition); }
static inline void wake_all(Condition *condition) { pthread_cond_broadcast(condition); }
static inline void wait_for(Condition *condition, Mutex *mutex) {
  pthread_cond_wait(condition, mutex);
}

/* Starts a thread that nobody joins; 0 where the system gives none. Signals are for the
 * program's own threads. */
static inline int start_thread(ThreadResult(THREAD_CALL *run)(void *), void *argument) {
  pthread_t thread;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int started = !pthread_create(&thread, NULL, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return started && !pthread_detach(thread);
}

/* To whoever has something to do. */
static inline void yield_core(void) { sched_yield(); }

/* Calls a function at the start of each child process that has this one's memory. */
static inline void watch_forks(void (*begin_child)(void)) {
  pthread_atfork(NULL, NULL, begin_child);
}

/* A clock that never goes back. */
static inline int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif

#endif
