/* SPDX-License-Identifier: PostgreSQL */
/*
 * thread.h: threads with a stack size and a name; mutexes with a rank; condition variables on the
 * monotonic clock.
 *
 * A lock has a name and a rank; a thread may only take locks of rising rank (asserted in test
 * builds). Never call out (callback, I/O, log) while holding one. Ranks in use are listed in
 * src/README.md.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct lock {
    pthread_mutex_t mutex;
    const char *name;
    int rank;
};

struct cond {
    pthread_cond_t cond;
};

struct thread {
    pthread_t id;
    bool running;
};

void lock_init(struct lock *l, const char *name, int rank);
void lock_fini(struct lock *l);
void lock_take(struct lock *l);
void lock_release(struct lock *l);
bool lock_is_mine(const struct lock *l); /* true in release builds; for asserts */

void cond_init(struct cond *c);
void cond_fini(struct cond *c);
void cond_wait(struct cond *c, struct lock *l);
/* mono_us: absolute deadline on os/clock's monotonic clock. Returns false when it passed. */
bool cond_wait_until(struct cond *c, struct lock *l, int64_t mono_us);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* Start `run(arg)` in a thread with 256 kB of stack; all signals are blocked in it. */
enum err_code thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg,
                           struct err *e) ERR_MUST_CHECK;
/* This thread's work can wait: it gets a processor when others leave one. It stays so. */
void thread_background(void);
void thread_join(struct thread *t); /* no-op if not running */

#endif
