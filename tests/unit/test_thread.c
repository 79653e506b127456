/* SPDX-License-Identifier: PostgreSQL */
/* test_thread.c: threads, ranked locks, conditions with deadlines, the queue. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/queue.h"
#include "base/thread.h"
#include "os/clock.h"

#define PRODUCERS 3
#define ITEMS     2000

struct shared {
    struct queue *queue;
    atomic_int taken;
    atomic_long sum;
};

static void produce(void *arg)
{
    struct shared *s = arg;

    for (uintptr_t i = 1; i <= ITEMS; i++) {
        while (queue_put(s->queue, (void *)i, NULL) != ERR_OK) /* NOLINT: a number as an item */
            clock_sleep_ms(1);
    }
}

static void consume(void *arg)
{
    struct shared *s = arg;
    void *item;

    while ((item = queue_take(s->queue, INT64_MAX)) != NULL) {
        atomic_fetch_add(&s->taken, 1);
        atomic_fetch_add(&s->sum, (long)(uintptr_t)item);
    }
}

static void nothing_is_lost_between_threads(void **state)
{
    struct shared s = {.queue = queue_new("test", 10, 16)};
    struct thread producers[PRODUCERS], consumers[2];
    struct err e;

    (void)state;
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(thread_start(&producers[i], "producer", produce, &s, &e), ERR_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            thread_start(&consumers[i], "a-consumer-with-a-long-name", consume, &s, &e), ERR_OK);
    for (int i = 0; i < PRODUCERS; i++)
        thread_join(&producers[i]);
    queue_close(s.queue); /* what is left is still taken */
    for (int i = 0; i < 2; i++)
        thread_join(&consumers[i]);
    thread_join(&consumers[0]); /* a second time: nothing */
    assert_int_equal(s.taken, PRODUCERS * ITEMS);
    assert_int_equal(s.sum, (long)PRODUCERS * ITEMS * (ITEMS + 1) / 2);
    queue_free(s.queue);
}

static void a_queue_is_bounded_ordered_and_closes(void **state)
{
    struct queue *q = queue_new("orders", 10, 2);
    struct err e;
    int a, b, c;

    (void)state;
    assert_null(queue_take(q, 0));
    assert_int_equal(queue_put(q, &a, &e), ERR_OK);
    assert_int_equal(queue_put(q, &b, &e), ERR_OK);
    assert_int_equal(queue_put(q, &c, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "orders"));
    assert_int_equal(queue_length(q), 2);
    assert_ptr_equal(queue_take(q, 0), &a);
    assert_int_equal(queue_put(q, &c, &e), ERR_OK); /* around the end of the ring */
    queue_close(q);
    assert_int_equal(queue_put(q, &a, &e), ERR_CANCELLED);
    assert_ptr_equal(queue_take(q, INT64_MAX), &b);
    assert_ptr_equal(queue_take(q, 0), &c);
    assert_null(queue_take(q, INT64_MAX));
    queue_free(q);
    queue_free(NULL);
}

static void waiting_ends_at_the_deadline(void **state)
{
    struct queue *q = queue_new("test", 10, 1);
    int64_t start = clock_mono_us();

    (void)state;
    assert_null(queue_take(q, start + 20000));
    assert_true(clock_mono_us() >= start + 20000);
    assert_null(queue_take(q, start)); /* in the past */
    queue_free(q);
}

static void signals_are_blocked_in_threads(void *arg)
{
    sigset_t set;

    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    *(int *)arg = sigismember(&set, SIGTERM) + sigismember(&set, SIGHUP);
}

static void threads_block_signals(void **state)
{
    struct thread t = {0};
    int blocked = 0;
    sigset_t set;

    (void)state;
    assert_int_equal(thread_start(&t, "t", signals_are_blocked_in_threads, &blocked, NULL), ERR_OK);
    thread_join(&t);
    assert_int_equal(blocked, 2);
    (void)pthread_sigmask(SIG_BLOCK, NULL, &set);
    assert_int_equal(sigismember(&set, SIGTERM), 0);
}

/* Taking locks against their ranks must end a test build: seen from a child process. */
static int child_status(int first_rank, int second_rank)
{
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        struct lock a, b;

        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        lock_init(&a, "a", first_rank);
        lock_init(&b, "b", second_rank);
        lock_take(&a);
        lock_take(&b);
        lock_release(&a); /* any order of releasing is fine */
        lock_release(&b);
        lock_take(&b);
        _exit(lock_is_mine(&b) && !lock_is_mine(&a) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void ranks_are_asserted(void **state)
{
    int status;

    (void)state;
    assert_int_equal(child_status(1, 2), 0);
    status = child_status(2, 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    status = child_status(2, 2);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(a_queue_is_bounded_ordered_and_closes),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(threads_block_signals),
        cmocka_unit_test(ranks_are_asserted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
