/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_drop.c: a deleted target is gone at once and for good, and all others are whole.
 *
 * Real files. A crash is a stop without flush, or a child that dies at a fault point.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/json.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "sqldb/sqldb.h"
#include "tsdb_fixture.h"

#define WAIT_US 20000000LL

/* A store that watches two targets; the first one is deleted. */
struct two {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct uuid gone, other;
    size_t drops; /* that the sink saw */
    char by[64];
};

static enum err_code drop_sink(void *arg, uint64_t lsn, const struct uuid *target,
                               const struct json *by, struct err *e)
{
    struct two *two = arg; /* the fixture is its first member */
    (void)e;
    assert_true(lsn > 0);
    assert_true(text_uuid_eq(target, &two->gone));
    (void)snprintf(two->by, sizeof(two->by), "%.*s", STR_ARG(json_str(json_get(by, "name"))));
    two->drops++;
    return ERR_OK;
}

static int set_up(void **state)
{
    struct two *two = alloc_new(sizeof(*two));
    tsdb_fixture_init(&two->f);
    two->f.config.drop_sink = drop_sink;
    two->gone = two->f.target;
    entropy_uuid(&two->other);
    tsdb_sender_init(&two->sender, &two->f);
    *state = two;
    return 0;
}

static int tear_down(void **state)
{
    struct two *two = *state;
    tsdb_fixture_fini(&two->f);
    alloc_free(two);
    return 0;
}

static void put_slice(struct buf *out, const char *target, int64_t t_ms, int64_t value)
{
    buf_printf(out,
               "{\"relation\":\"thing\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"from_t\":"
               "%lld,\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":2,\"keys\":{\"name\":"
               "[\"a\",\"b\"]},\"columns\":{\"n\":[%lld,7]}}",
               target, (long long)t_ms, (long long)t_ms, (long long)value);
}

/* One record with a reading, an event, a text and the description of both targets. */
static char *record(const struct two *two, int64_t t_ms, int64_t value)
{
    const struct uuid *const ids[2] = {&two->gone, &two->other};
    char names[2][TEXT_UUID_SIZE];
    struct buf out;

    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"made_ms\":%lld", (long long)t_ms);
    for (int i = 0; i < 2; i++) {
        text_uuid(ids[i], names[i]);
    }
    buf_add_c(&out, ",\"targets\":[");
    for (int i = 0; i < 2; i++) {
        buf_printf(&out, "%s{\"id\":\"%s\",\"kind\":\"postgresql\",\"name\":\"t%d\"}", i ? "," : "",
                   names[i], i);
    }
    buf_add_c(&out, "],\"events\":[");
    for (int i = 0; i < 2; i++) {
        buf_printf(&out,
                   "%s{\"t\":%lld,\"target\":\"%s\",\"kind\":\"settings\",\"severity\":\"info\","
                   "\"title\":\"work_mem of %d\"}",
                   i ? "," : "", (long long)t_ms, names[i], i);
    }
    buf_add_c(&out, "],\"texts\":[");
    for (int i = 0; i < 2; i++) {
        buf_printf(&out,
                   "%s{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"own\",\"text\":\"SELECT %d\"}"
                   ",{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"shared\",\"text\":\"COMMIT\"}",
                   i ? "," : "", names[i], i, names[i]);
    }
    buf_add_c(&out, "],\"slices\":[");
    put_slice(&out, names[0], t_ms, value);
    buf_add_char(&out, ',');
    put_slice(&out, names[1], t_ms, value);
    buf_add_c(&out, "]}");
    return buf_take(&out, NULL);
}

/* Readings of both, ten seconds apart, the last one `age_s` ago. */
static void send(struct two *two, int count, int age_s)
{
    for (int i = count - 1; i >= 0; i--) {
        char *text = record(two, two->f.now_ms - (age_s + 10 * i) * 1000, i);
        tsdb_send_ok(&two->sender, text);
        alloc_free(text);
    }
}

static void drop(struct two *two)
{
    struct err e = {0};
    enum err_code code = tsdb_target_drop(two->f.db, &two->gone, STR("{\"name\":\"alice\"}"),
                                          clock_mono_us() + WAIT_US, &e);
    if (code) {
        fail_msg("drop: %s", e.text);
    }
}

static enum err_code count_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    size_t *slices = arg;
    (void)e;
    assert_int_equal(s->row_count, 2);
    ++*slices;
    return ERR_OK;
}

static size_t slices_of(struct two *two, const struct uuid *target)
{
    const struct tsdb_scan_spec spec = {.target = *target,
                                        .relation = STR("thing"),
                                        .from_ms = two->f.now_ms - 40 * 3600000LL,
                                        .to_ms = two->f.now_ms + 110000};
    struct tsdb_reader *r = tsdb_borrow(&two->f);
    size_t slices = 0;
    struct err e = {0};

    enum err_code code = tsdb_scan(r, &spec, count_slice, &slices, &e);
    assert_true(code == ERR_OK || code == ERR_NOT_FOUND);
    tsdb_reader_return(r);
    return slices;
}

static uint64_t group_of(struct two *two, const struct uuid *target)
{
    struct tsdb_reader *r = tsdb_borrow(&two->f);
    struct tsdb_group *groups = NULL;
    struct arena a;
    struct err e = {0};
    size_t count = 0;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_groups(r, &a, target, &groups, &count, &e), ERR_OK);
    assert_true(count <= 1);
    uint64_t id = count ? groups[0].id : 0;
    tsdb_reader_return(r);
    arena_fini(&a);
    return id;
}

static size_t events_of(struct two *two, const struct uuid *target, const char *search)
{
    struct tsdb_event_spec spec = {.target = target, .search = str_of(search), .limit = 1000};
    struct tsdb_reader *r = tsdb_borrow(&two->f);
    struct tsdb_event *events = NULL;
    struct arena a;
    struct err e = {0};
    size_t count = 0;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_events(r, &a, &spec, &events, &count, &e), ERR_OK);
    tsdb_reader_return(r);
    arena_fini(&a);
    return count;
}

static bool has_text(struct two *two, const struct uuid *target, const char *name)
{
    const struct tsdb_text_key key = {*target, STR("query"), str_of(name)};
    struct tsdb_reader *r = tsdb_borrow(&two->f);
    struct arena a;
    struct err e = {0};
    struct str text;

    arena_init(&a, "test", 1 << 20);
    bool found = tsdb_text(r, &a, &key, &text, &e) == ERR_OK;
    tsdb_reader_return(r);
    arena_fini(&a);
    return found;
}

/* Nothing of the one can be read, and all of the other: `count` readings and events. */
static void check_gone(struct two *two, size_t count)
{
    assert_int_equal(slices_of(two, &two->gone), 0);
    assert_int_equal(group_of(two, &two->gone), 0);
    assert_int_equal(events_of(two, &two->gone, ""), 0);
    assert_false(has_text(two, &two->gone, "own"));
    assert_false(has_text(two, &two->gone, "shared"));
    assert_int_equal(slices_of(two, &two->other), count);
    assert_int_equal(events_of(two, &two->other, ""), count);
    assert_int_equal(events_of(two, NULL, "work_mem"), count);
    assert_true(has_text(two, &two->other, "own"));
    assert_true(has_text(two, &two->other, "shared"));
}

/* The appliers have taken all that was pushed. */
static void wait_applied(struct two *two)
{
    struct tsdb_stats stats;

    for (int i = 0; i < 400; i++) {
        tsdb_stats(two->f.db, &stats);
        if (stats.applied_lsn >= stats.lsn) {
            return;
        }
        clock_sleep_ms(50);
    }
    fail_msg("events and texts are not applied");
}

static void wait_purged(struct two *two)
{
    struct tsdb_stats stats;

    for (int i = 0; i < 400; i++) {
        tsdb_stats(two->f.db, &stats);
        if (stats.dropped_groups == 0) {
            return;
        }
        clock_sleep_ms(50);
    }
    fail_msg("%llu groups are still to be purged", (unsigned long long)stats.dropped_groups);
}

/* Rows of a statement of a file of the store. */
static size_t rows_in(struct two *two, const char *file, const char *statement)
{
    struct sqldb_options o = {.flags = SQLDB_READ_ONLY};
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    size_t rows = 0;
    bool row = true;
    char url[128];

    (void)snprintf(url, sizeof(url), "sqlite:%s/%s", two->f.dir, file);
    assert_int_equal(sqldb_open(url, &o, &db, &e), ERR_OK);
    assert_int_equal(sqldb_query(db, statement, SQLDB_NO_ARGS, &s, &e), ERR_OK);
    while (sqldb_step(s, &row, &e) == ERR_OK && row) {
        rows++;
    }
    sqldb_end(s);
    sqldb_close(db);
    return rows;
}

static void on_finding(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("%s: %s\n", file, text);
}

/* Of a closed store: it is whole. Gives its blocks. */
static uint64_t verify(struct two *two)
{
    struct tsdb_verify v = {.finding = on_finding};
    struct err e = {0};

    if (tsdb_verify(two->f.dir, &v, &e)) {
        fail_msg("verify: %s", e.text);
    }
    return v.blocks;
}

static void test_it_is_gone_from_head_blocks_and_journal(void **state)
{
    struct two *two = *state;

    tsdb_fixture_start(&two->f);
    send(two, 3, 60);
    tsdb_flush_ok(&two->f); /* in day files */
    send(two, 2, 10);       /* in the head */
    assert_int_equal(slices_of(two, &two->gone), 5);
    drop(two);
    check_gone(two, 5);
    assert_int_equal(two->drops, 1);
    assert_string_equal(two->by, "alice");
    wait_purged(two);
    check_gone(two, 5);
    tsdb_fixture_stop(&two->f);
    assert_int_equal(verify(two), 2); /* blocks of the other, one of each flush */
    assert_int_equal(rows_in(two, "ingest.db", "tsdb_group_list"), 1);
    assert_int_equal(rows_in(two, "ingest.db", "tsdb_object_list"), 2);
    assert_int_equal(rows_in(two, "ingest.db", "tsdb_dropped_list"), 0);
    tsdb_fixture_start(&two->f);
    check_gone(two, 5);
}

static void test_a_crash_right_after_brings_nothing_back(void **state)
{
    struct two *two = *state;

    tsdb_fixture_start(&two->f);
    send(two, 3, 60);
    tsdb_flush_ok(&two->f);
    send(two, 2, 10);
    for (int i = 0; i < 3; i++) {
        if (i == 0) {
            drop(two);
        }
        tsdb_fixture_kill(&two->f);
        (void)verify(two);
        tsdb_fixture_start(&two->f);
        check_gone(two, 5);
    }
    wait_purged(two);
    tsdb_fixture_stop(&two->f);
    assert_int_equal(verify(two), 2);
}

static void test_it_comes_again_as_a_new_one(void **state)
{
    struct two *two = *state;

    tsdb_fixture_start(&two->f);
    send(two, 3, 60);
    uint64_t before = group_of(two, &two->gone);
    drop(two);
    send(two, 2, -60); /* the same stream, whose cache knows the old group */
    uint64_t after = group_of(two, &two->gone);
    wait_applied(two);
    assert_true(after > before);
    assert_int_equal(slices_of(two, &two->gone), 2);
    assert_int_equal(events_of(two, &two->gone, ""), 2);
    assert_int_equal(slices_of(two, &two->other), 5);
    tsdb_fixture_kill(&two->f);
    tsdb_fixture_start(&two->f);
    assert_int_equal(slices_of(two, &two->gone), 2);
    wait_purged(two);
    assert_int_equal(slices_of(two, &two->gone), 2);
    assert_int_equal(group_of(two, &two->gone), after);
    drop(two);
    tsdb_fixture_stop(&two->f);
    tsdb_fixture_start(&two->f);
    send(two, 1, -70);
    assert_true(group_of(two, &two->gone) > after); /* no id is used twice */
    tsdb_fixture_stop(&two->f);
    (void)verify(two);
}

/* Agents keep what they delivered for an hour, and send it again to a server that asks. */
static void test_readings_of_before_do_not_come_back(void **state)
{
    struct two *two = *state;
    struct tsdb_stats stats;

    tsdb_fixture_start(&two->f);
    send(two, 3, 60);
    drop(two);
    for (int i = 0; i < 2; i++) {
        tsdb_sender_init(&two->sender, &two->f); /* a stream that is not known */
        send(two, 3, 30);
        wait_applied(two);
        tsdb_stats(two->f.db, &stats);
        assert_int_equal(stats.refused[TSDB_REFUSED_DELETED], 6);
        assert_int_equal(slices_of(two, &two->gone), 0);
        assert_int_equal(group_of(two, &two->gone), 0);
        assert_int_equal(events_of(two, &two->gone, ""), 0);
        assert_int_equal(slices_of(two, &two->other), 6);
        tsdb_fixture_kill(&two->f);
        tsdb_fixture_start(&two->f);
    }
    send(two, 1, -60);
    assert_int_equal(slices_of(two, &two->gone), 1);
}

static void test_an_unknown_target_is_no_error(void **state)
{
    struct two *two = *state;
    struct uuid none;

    tsdb_fixture_start(&two->f);
    send(two, 2, 10);
    none = two->gone;
    entropy_uuid(&two->gone);
    drop(two);
    assert_int_equal(two->drops, 1);
    assert_int_equal(slices_of(two, &none), 2);
    assert_int_equal(events_of(two, &none, ""), 2);
}

static void test_an_agent_cannot_delete(void **state)
{
    struct two *two = *state;
    char text[256];
    char id[TEXT_UUID_SIZE];

    tsdb_fixture_start(&two->f);
    send(two, 2, 10);
    text_uuid(&two->gone, id);
    (void)snprintf(text, sizeof(text),
                   "{\"made_ms\":1,\"drop\":{\"target\":\"%s\",\"by\":{}},\"events\":[{\"t\":%lld,"
                   "\"kind\":\"x\",\"severity\":\"info\",\"title\":\"x\"}]}",
                   id, (long long)two->f.now_ms);
    tsdb_send_ok(&two->sender, text);
    tsdb_flush_ok(&two->f);
    assert_int_equal(slices_of(two, &two->gone), 2);
    assert_int_equal(two->drops, 0);
}

/* --- deaths at named points --- */

/* This program again, as a process that shall die: argv is DIR and the target. */
static int delete_and_purge(char **argv)
{
    struct two two = {0};
    struct err e = {0};

    (void)snprintf(two.f.dir, sizeof(two.f.dir), "%s", argv[0]);
    if (!text_parse_uuid(str_of(argv[1]), &two.gone)) {
        return 1;
    }
    two.f.config.dir = two.f.dir;
    two.f.config.drop_sink = drop_sink;
    two.f.config.target_arg = &two;
    tsdb_fixture_start(&two.f);
    (void)!tsdb_target_drop(two.f.db, &two.gone, STR("{}"), clock_mono_us() + WAIT_US, &e);
    wait_purged(&two);
    tsdb_fixture_stop(&two.f);
    return 0;
}

static void die_at(struct two *two, const char *point)
{
    char id[TEXT_UUID_SIZE];
    int status = 0;

    text_uuid(&two->gone, id);
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("PGA_FAULT", point, 1);
        execl("/proc/self/exe", "test_tsdb_drop", two->f.dir, id, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("it does not die at %s", point);
    }
}

/* Readings in a day file and in the journal; no process has it open. */
static void fill(struct two *two)
{
    tsdb_fixture_start(&two->f);
    send(two, 3, 60);
    tsdb_flush_ok(&two->f);
    send(two, 2, 10);
    wait_applied(two);
    tsdb_fixture_kill(&two->f);
}

static void test_a_death_before_the_commit_leaves_all(void **state)
{
    struct two *two = *state;

    fill(two);
    die_at(two, "tsdb.before_commit");
    tsdb_fixture_start(&two->f);
    assert_int_equal(slices_of(two, &two->gone), 5);
    assert_int_equal(events_of(two, &two->gone, ""), 5);
    assert_int_equal(two->drops, 0);
}

static void test_a_death_after_the_commit_leaves_nothing(void **state)
{
    static const char *const points[] = {
        "tsdb.after_commit",        "tsdb.drop_committed", "tsdb.before_answer",
        "tsdb.apply_event",         "tsdb.apply_text",     "tsdb.flush_before_applied",
        "tsdb.flush_after_applied", "tsdb.drop_purging",   "tsdb.drop_purged",
        "tsdb.before_trim",         "tsdb.after_trim",     "tsdb.drop_forget",
    };
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        void *one = NULL;
        (void)set_up(&one);
        struct two *two = one;
        fill(two);
        die_at(two, points[i]);
        (void)verify(two);
        tsdb_fixture_start(&two->f);
        tsdb_flush_ok(&two->f); /* the appliers have taken it */
        check_gone(two, 5);
        wait_purged(two);
        tsdb_fixture_stop(&two->f);
        if (verify(two) != 2) {
            fail_msg("%s: blocks are left", points[i]);
        }
        assert_int_equal(rows_in(two, "ingest.db", "tsdb_object_list"), 2);
        (void)tear_down(&one);
    }
    (void)state;
}

/* --- beside pushes --- */

struct pusher {
    struct two *two;
    size_t sent, refused;
};

static void push_on(void *arg)
{
    struct pusher *p = arg;

    for (int i = 0; i < 400; i++) {
        struct tsdb_ack ack;
        struct err e = {0};
        char *text = record(p->two, clock_wall_ms() + 60000 + i, i); /* after each deletion */
        enum err_code code = tsdb_send(&p->two->sender, text, &ack, &e);
        while (code == ERR_TIMEOUT) { /* what the agent does with 503 */
            p->refused++;
            code = tsdb_send(&p->two->sender, text, &ack, &e);
        }
        assert_int_equal(code, ERR_OK);
        p->sent++;
        alloc_free(text);
    }
}

static void test_deletions_while_it_is_pushed(void **state)
{
    struct two *two = *state;
    struct pusher p = {two, 0, 0};
    struct thread thread;
    struct err e = {0};
    size_t drops = 0;

    two->f.config.flush_bytes = 64 * 1024; /* flushes run all the time */
    tsdb_fixture_start(&two->f);
    assert_int_equal(thread_start(&thread, "pusher", push_on, &p, &e), ERR_OK);
    for (; drops < 20; drops++) {
        drop(two);
        clock_sleep_ms(5);
    }
    thread_join(&thread);
    assert_int_equal(p.sent, 400);
    wait_applied(two);
    assert_int_equal(slices_of(two, &two->other), 400);
    drop(two);
    check_gone(two, 400);
    assert_int_equal(two->drops, drops + 1);
    tsdb_fixture_kill(&two->f);
    (void)verify(two);
    tsdb_fixture_start(&two->f);
    check_gone(two, 400);
    wait_purged(two);
    check_gone(two, 400);
    tsdb_fixture_stop(&two->f);
    (void)verify(two);
    assert_int_equal(rows_in(two, "ingest.db", "tsdb_group_list"), 1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_it_is_gone_from_head_blocks_and_journal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_crash_right_after_brings_nothing_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_it_comes_again_as_a_new_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readings_of_before_do_not_come_back, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_unknown_target_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_agent_cannot_delete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_death_before_the_commit_leaves_all, set_up,
                                        tear_down),
        cmocka_unit_test(test_a_death_after_the_commit_leaves_nothing),
        cmocka_unit_test_setup_teardown(test_deletions_while_it_is_pushed, set_up, tear_down),
    };
    if (argc == 3) {
        return delete_and_purge(argv + 1);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
