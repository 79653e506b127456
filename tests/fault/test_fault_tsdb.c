/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_fault_tsdb.c: each file operation of a store fails once, for each kind of failure.
 *
 * The scenario opens a store, pushes, flushes and restarts. Operations of several threads share one
 * row of numbers, so a number does not always mean the same operation; what must hold does not
 * depend on it: no crash, and what was acknowledged is there exactly once when the failure is over.
 * A push that was refused may have become durable or not: it is sent again, and then counts once as
 * well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fault_file.h"
#include "os/clock.h"
#include "os/file.h"
#include "tsdb_fixture.h"

#define PUSHES 10
#define STEP   11 /* not every operation: a round takes a while; FAULT_STEP=1 takes them all */

struct scene {
    struct tsdb_fixture f;
    struct tsdb_sender s;
    int sent; /* acknowledged */
};

static void run_writer(void *db)
{
    tsdb_run_writer(db);
}

static void run_flusher(void *db)
{
    tsdb_run_flusher(db);
}

static void run_applier(void *db)
{
    tsdb_run_applier(db);
}

/* As tsdb_fixture_start, but a store that does not open is an answer. */
static bool start(struct scene *x)
{
    static void (*const bodies[3])(void *) = {run_writer, run_flusher, run_applier};
    struct err e = {0};

    if (tsdb_open(&x->f.config, &x->f.db, &e)) {
        x->f.db = NULL;
        return false;
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thread_start(&x->f.threads[i], "tsdb-test", bodies[i], x->f.db, &e), 0);
    }
    return true;
}

static bool push(struct scene *x)
{
    char target[TEXT_UUID_SIZE], text[1024];
    struct tsdb_ack ack;
    struct err e = {0};
    int i = x->sent;

    text_uuid(&x->f.target, target);
    (void)snprintf(
        text, sizeof(text),
        "{\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%d\",\"text\":\"q\"}],"
        "\"slices\":[{\"relation\":\"r\",\"target\":\"%s\",\"t\":%lld,\"every_ms\":10000,"
        "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"k\":[\"a%d\"]},"
        "\"columns\":{\"v\":[%d]}}]}",
        target, i, target, (long long)(x->f.now_ms - 600000 + i * 10000LL), i % 4, i);
    if (tsdb_send(&x->s, text, &ack, &e)) {
        return false;
    }
    assert_int_equal(ack.next_seq, i + 2);
    x->sent++;
    return true;
}

static void play(struct scene *x)
{
    struct err e = {0};

    if (!start(x)) {
        return;
    }
    for (int tries = 0; x->sent < PUSHES / 2 && tries < PUSHES; tries++) {
        (void)push(x);
    }
    if (tsdb_flush(x->f.db, clock_mono_us() + 200000, &e)) {
        clock_sleep_ms(1);
    }
    (void)push(x);
    tsdb_fixture_kill(&x->f);
    if (!start(x)) {
        return;
    }
    for (int tries = 0; x->sent < PUSHES && tries < PUSHES; tries++) {
        (void)push(x);
    }
    tsdb_fixture_stop(&x->f);
}

struct seen {
    int count, next;
};

static enum err_code see(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct seen *seen = arg;

    (void)e;
    assert_int_equal(s->row_count, 1);
    assert_int_equal(s->cells[0][0].tag, CELL_I64);
    assert_int_equal(s->cells[0][0].i64, seen->next);
    seen->next++;
    seen->count++;
    return ERR_OK;
}

static void check_read(struct scene *x)
{
    const struct str columns[] = {STR("v")};
    const struct tsdb_scan_spec spec = {.target = x->f.target,
                                        .relation = STR("r"),
                                        .columns = columns,
                                        .column_count = 1,
                                        .from_ms = x->f.now_ms - 3600000,
                                        .to_ms = x->f.now_ms};
    struct tsdb_reader *r = tsdb_borrow(&x->f);
    struct seen seen = {0, 0};
    struct err e = {0};

    if (tsdb_scan(r, &spec, see, &seen, &e)) {
        fail_msg("scan: %s", e.text);
    }
    tsdb_reader_return(r);
    assert_int_equal(seen.count, x->sent);
}

static void check(struct scene *x)
{
    struct tsdb_verify v = {.finding = NULL};
    struct err e = {0};

    tsdb_fixture_start(&x->f);
    for (int tries = 0; x->sent < PUSHES + 2; tries++) {
        assert_true(tries < 4 * PUSHES);
        (void)push(x);
    }
    check_read(x);
    tsdb_flush_ok(&x->f);
    check_read(x);
    tsdb_fixture_stop(&x->f);
    if (tsdb_verify(x->f.dir, &v, &e)) {
        fail_msg("verify: %s", e.text);
    }
}

static uint64_t play_with(const struct fault_plan *plan)
{
    struct scene *x = alloc_new(sizeof(*x));

    tsdb_fixture_init(&x->f);
    if (access("/dev/shm", W_OK) == 0) { /* in memory: there are many rounds */
        assert_int_equal(file_remove_tree(x->f.dir, NULL), ERR_OK);
        (void)snprintf(x->f.dir, sizeof(x->f.dir), "/dev/shm/pga-tsdb-XXXXXX");
        assert_non_null(mkdtemp(x->f.dir));
    }
    tsdb_sender_init(&x->s, &x->f);
    fault_file_arm(plan);
    play(x);
    uint64_t calls = fault_file_disarm();
    check(x);
    tsdb_fixture_fini(&x->f);
    alloc_free(x);
    return calls;
}

static struct fault_plan running; /* told when a test fails */

static int tell(void **state)
{
    (void)state;
    if (running.at) {
        print_message("# %s at operation %llu\n", fault_kind_name(running.kind),
                      (unsigned long long)running.at);
    }
    running.at = 0;
    return 0;
}

static void run(enum fault_kind kind)
{
    const struct fault_plan none = {.kind = FAULT_EIO};
    const char *step_text = getenv("FAULT_STEP");
    uint64_t step = step_text ? strtoull(step_text, NULL, 10) : STEP;
    uint64_t total = play_with(&none);

    assert_true(step > 0 && total > 100);
    for (uint64_t at = 1 + (uint64_t)kind; at <= total; at += step) {
        running = (struct fault_plan){kind, at, false};
        play_with(&running);
    }
    running.at = 0;
}

static void an_io_error_loses_nothing(void **state)
{
    (void)state;
    run(FAULT_EIO);
}

static void a_moment_without_room_loses_nothing(void **state)
{
    (void)state;
    run(FAULT_ENOSPC);
}

static void a_short_write_loses_nothing(void **state)
{
    (void)state;
    run(FAULT_SHORT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_io_error_loses_nothing, tell),
        cmocka_unit_test_teardown(a_moment_without_room_loses_nothing, tell),
        cmocka_unit_test_teardown(a_short_write_loses_nothing, tell),
    };
    fault_file_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
