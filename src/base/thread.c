/* SPDX-License-Identifier: PostgreSQL */
/*
 * thread.c: threads, ranked locks, condition variables on the monotonic clock.
 *
 * Test builds (PGA_FAULTS) keep the locks a thread holds in a small stack of that thread: taking a
 * lock of equal or lower rank than the newest held one is a bug that asserts at once, not a
 * deadlock on some later day.
 */
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/alloc.h"

#define THREAD_NAME_BYTES 16 /* the kernel's limit */
#define BACKGROUND_NICE   5

/* The sanitizers' frames are several times larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
#define THREAD_STACK_BYTES ((size_t)1024 * 1024)
#else
#define THREAD_STACK_BYTES ((size_t)256 * 1024)
#endif

#ifdef PGA_FAULTS

#define LOCK_HELD_MAX 16

static _Thread_local const struct lock *lock_held[LOCK_HELD_MAX];
static _Thread_local int lock_held_count;

static void lock_note_wanted(const struct lock *l)
{
    assert(lock_held_count < LOCK_HELD_MAX);
    assert(lock_held_count == 0 || lock_held[lock_held_count - 1]->rank < l->rank);
}

static void lock_note_taken(const struct lock *l)
{
    lock_held[lock_held_count++] = l;
}

static void lock_note_released(const struct lock *l)
{
    int at = lock_held_count - 1;

    while (at >= 0 && lock_held[at] != l)
        at--;
    assert(at >= 0);
    lock_held_count--;
    memmove(&lock_held[at], &lock_held[at + 1],
            (size_t)(lock_held_count - at) * sizeof(lock_held[0]));
}

bool lock_is_mine(const struct lock *l)
{
    for (int i = 0; i < lock_held_count; i++) {
        if (lock_held[i] == l)
            return true;
    }
    return false;
}

#else

static void lock_note_wanted(const struct lock *l)
{
    (void)l;
}

static void lock_note_taken(const struct lock *l)
{
    (void)l;
}

static void lock_note_released(const struct lock *l)
{
    (void)l;
}

bool lock_is_mine(const struct lock *l)
{
    (void)l;
    return true;
}

#endif

/* These calls fail on misuse alone. */
static void thread_must(int rc)
{
    assert(rc == 0);
    (void)rc;
}

void lock_init(struct lock *l, const char *name, int rank)
{
    l->name = name;
    l->rank = rank;
    thread_must(pthread_mutex_init(&l->mutex, NULL));
}

void lock_fini(struct lock *l)
{
    thread_must(pthread_mutex_destroy(&l->mutex));
}

void lock_take(struct lock *l)
{
    lock_note_wanted(l);
    thread_must(pthread_mutex_lock(&l->mutex));
    lock_note_taken(l);
}

void lock_release(struct lock *l)
{
    lock_note_released(l);
    thread_must(pthread_mutex_unlock(&l->mutex));
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    thread_must(pthread_condattr_init(&attr));
    thread_must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
    thread_must(pthread_cond_init(&c->cond, &attr));
    (void)pthread_condattr_destroy(&attr);
}

void cond_fini(struct cond *c)
{
    thread_must(pthread_cond_destroy(&c->cond));
}

void cond_wait(struct cond *c, struct lock *l)
{
    assert(lock_is_mine(l));
    thread_must(pthread_cond_wait(&c->cond, &l->mutex));
}

bool cond_wait_until(struct cond *c, struct lock *l, int64_t mono_us)
{
    struct timespec at;
    int rc;

    assert(lock_is_mine(l));
    if (mono_us == INT64_MAX) {
        cond_wait(c, l);
        return true;
    }
    if (mono_us < 0)
        mono_us = 0;
    at.tv_sec = (time_t)(mono_us / 1000000);
    at.tv_nsec = (long)(mono_us % 1000000) * 1000;
    rc = pthread_cond_timedwait(&c->cond, &l->mutex, &at);
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc != ETIMEDOUT;
}

void cond_signal(struct cond *c)
{
    thread_must(pthread_cond_signal(&c->cond));
}

void cond_broadcast(struct cond *c)
{
    thread_must(pthread_cond_broadcast(&c->cond));
}

struct thread_start_arg {
    void (*run)(void *);
    void *arg;
    char name[THREAD_NAME_BYTES];
};

static void *thread_main(void *ptr)
{
    struct thread_start_arg start = *(struct thread_start_arg *)ptr;

    alloc_free(ptr);
    (void)pthread_setname_np(pthread_self(), start.name);
    start.run(start.arg);
    return NULL;
}

enum err_code thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg,
                           struct err *e)
{
    struct thread_start_arg *start = alloc_new(sizeof(*start));
    size_t name_len = strnlen(name, sizeof(start->name) - 1);
    pthread_attr_t attr;
    sigset_t all, old;
    int rc;

    start->run = run;
    start->arg = arg;
    memcpy(start->name, name, name_len);
    thread_must(pthread_attr_init(&attr));
    thread_must(pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES));
    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSYS); /* the sandbox: blocked, a refused call would be the end */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&t->id, &attr, thread_main, start);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)pthread_attr_destroy(&attr);
    t->running = rc == 0;
    if (rc == 0)
        return ERR_OK;
    alloc_free(start);
    return err_set_errno(e, ERR_IO, rc, "start thread %s", name);
}

void thread_background(void)
{
    (void)setpriority(PRIO_PROCESS, 0, BACKGROUND_NICE); /* 0 is this thread alone */
}

void thread_join(struct thread *t)
{
    if (!t->running)
        return;
    thread_must(pthread_join(t->id, NULL));
    t->running = false;
}
