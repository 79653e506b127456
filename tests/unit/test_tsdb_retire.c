/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_retire.c: keys that churn: once no file names an object its row and its memory go,
 * whoever is named by a file, the head or a roll-up stays, and what returns gets a new id.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <limits.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "sqldb/sqldb.h"
#include "store/tsdb/engine.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"
#include "tsdb_scan_text.h"

#define DAY_MS  86400000LL
#define WAIT_MS 60000

static struct err e;

/* A reading of these rows, now. Once an hour: there are no roll-ups that keep the names. */
static void send(struct tsdb_sender *s, const char *kind, int from, int to)
{
    char target[TEXT_UUID_SIZE];
    struct buf text;

    text_uuid(&s->f->target, target);
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "{\"slices\":[{\"relation\":\"churn\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,"
               "\"from_t\":%lld,\"every_ms\":3600000,\"flags\":[\"complete\"],\"rows\":%d,"
               "\"keys\":{\"k\":[",
               target, (long long)clock_wall_ms(), (long long)clock_wall_ms() - 3600000, to - from);
    for (int i = from; i < to; i++) {
        buf_printf(&text, "%s\"%s%d\"", i > from ? "," : "", kind, i);
    }
    buf_add_c(&text, "]},\"columns\":{\"v\":[");
    for (int i = from; i < to; i++) {
        buf_printf(&text, "%s%d", i > from ? "," : "", i);
    }
    buf_add_c(&text, "]}}]}");
    tsdb_send_ok(s, text.ptr);
    buf_fini(&text);
}

static struct tsdb_stats stats_of(struct tsdb_fixture *f)
{
    struct tsdb_stats s;

    tsdb_stats(f->db, &s);
    return s;
}

static void wait_objects(struct tsdb_fixture *f, uint64_t count)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    while (stats_of(f).objects != count && clock_mono_ms() < until) {
        clock_sleep_ms(20);
    }
    assert_int_equal(stats_of(f).objects, count);
}

static int64_t rows_of(const struct tsdb_fixture *f)
{
    char path[PATH_MAX];
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;

    (void)snprintf(path, sizeof(path), "sqlite:%s/ingest.db", f->dir);
    if (sqldb_open(path, &(struct sqldb_options){.flags = SQLDB_READ_ONLY}, &db, &e) ||
        sqldb_query(db, "tsdb_object_list", SQLDB_NO_ARGS, &s, &e)) {
        fail_msg("%s: %s", path, e.text);
    }
    int64_t count = 0;
    for (bool row = true; sqldb_step(s, &row, &e) == ERR_OK && row;) {
        count++;
    }
    sqldb_end(s);
    sqldb_close(db);
    return count;
}

static int set_up(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));

    tsdb_fixture_init(f);
    f->config.object_rest_ms = 1;
    f->config.retention_days = f->config.retention_slow_days = 3;
    tsdb_clock_take(f->now_ms - 20 * DAY_MS);
    tsdb_fixture_start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tsdb_fixture_fini(*state);
    tsdb_clock_give_back();
    alloc_free(*state);
    return 0;
}

/* A file that is not rolled up yet stays a little; the flusher may be the one that takes it. */
static void remove_one_file(struct tsdb_fixture *f)
{
    int64_t until = clock_mono_ms() + WAIT_MS;

    while (retain_age(f->db, clock_wall_ms()) == 0 && stats_of(f).removed[TSDB_REMOVED_AGE] == 0) {
        if (clock_mono_ms() > until) {
            fail_msg("no file is too old");
        }
        clock_sleep_ms(20);
    }
}

/* The names of days ago are in files alone; then the file of that day goes. */
static void let_days_pass(struct tsdb_fixture *f, struct tsdb_sender *s)
{
    send(s, "old", 0, 50);
    tsdb_clock_set(f->now_ms - 20 * DAY_MS + 60000);
    send(s, "stay", 0, 5);
    tsdb_flush_ok(f);
    tsdb_clock_set(f->now_ms - 10 * DAY_MS);
    send(s, "stay", 0, 5);
    tsdb_flush_ok(f);
    assert_int_equal(stats_of(f).objects, 55);
    assert_int_equal(rows_of(f), 55);
    remove_one_file(f);
}

static size_t count_slices(struct tsdb_fixture *f)
{
    const struct tsdb_text_range all = {.from_ms = f->now_ms - 30 * DAY_MS, .to_ms = f->now_ms};
    char *text = NULL;
    size_t slices = tsdb_scan_text(f, "churn", &all, &text); /* fails when a name is missing */

    alloc_free(text);
    return slices;
}

static void test_what_no_file_names_goes(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    let_days_pass(f, &s);
    wait_objects(f, 5);
    assert_int_equal(stats_of(f).retired, 50);
    assert_int_equal(rows_of(f), 5);
    assert_int_equal(count_slices(f), 1);
    /* what returns is new, also to a stream that had it */
    tsdb_clock_set(f->now_ms - 10 * DAY_MS + 60000);
    send(&s, "old", 0, 50);
    assert_int_equal(stats_of(f).objects, 55);
    assert_int_equal(count_slices(f), 2);
    tsdb_fixture_kill(f);
    tsdb_fixture_start(f);
    assert_int_equal(stats_of(f).objects, 55);
    assert_int_equal(count_slices(f), 2);
}

struct named {
    uint64_t group, object;
};

static enum err_code take_first(void *arg, const struct tsdb_slice *s, struct err *unused)
{
    struct named *n = arg;

    (void)unused;
    if (!n->object) {
        *n = (struct named){s->group, s->objects[0]};
    }
    return ERR_OK;
}

/* A reader that was borrowed before goes on with the bytes that it was given. */
static void test_a_reader_keeps_its_names(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct named n = {0};
    struct str key;

    tsdb_sender_init(&s, f);
    send(&s, "old", 0, 1);
    struct tsdb_reader *r = tsdb_borrow(f);
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = str_of("churn"),
                                        .from_ms = f->now_ms - 30 * DAY_MS,
                                        .to_ms = f->now_ms};
    assert_int_equal(tsdb_scan(r, &spec, take_first, &n, &e), ERR_OK);
    const struct tsdb_group_object of = {n.group, n.object};
    assert_int_equal(tsdb_group_keys(r, &of, &key, 1, &e), ERR_OK);
    tsdb_clock_set(f->now_ms - 20 * DAY_MS + 30000);
    let_days_pass(f, &s);
    wait_objects(f, 5);
    clock_sleep_ms(50);
    assert_true(str_eq(key, str_of("old0")));
    tsdb_reader_return(r);
}

/* What came meanwhile is not dead, and what is in the head keeps everything. */
static void test_what_is_in_memory_stays(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    send(&s, "old", 0, 50);
    tsdb_flush_ok(f);
    tsdb_clock_set(f->now_ms - 10 * DAY_MS);
    tsdb_flush_ok(f);       /* nothing; but the hours of that file are over now */
    send(&s, "old", 0, 20); /* in the head */
    remove_one_file(f);
    clock_sleep_ms(1500);                   /* a look of the flusher passes */
    assert_true(stats_of(f).objects >= 20); /* more, unless it looked before they were sent */
    assert_int_equal(count_slices(f), 1);
    tsdb_flush_ok(f);
    wait_objects(f, 20);
    assert_int_equal(count_slices(f), 1);
}

/* --- pushes of a form that is known: `rows_like` --- */

/* Two rows, "a" and "b", with the keys or without them. */
static enum err_code push_form(struct tsdb_fixture *f, bool keys, unsigned char hash)
{
    struct str key_name = STR("k"), rows[] = {STR("a"), STR("b")}, *all_keys[] = {rows};
    struct cell cells[] = {cell_i64(hash), cell_i64(100 + hash)};
    struct slice_column column = {.name = STR("v"), .cells = cells};
    struct slice slice = {.relation = STR("form"),
                          .target = f->target,
                          .t_ms = clock_wall_ms() + hash,
                          .from_ms = clock_wall_ms(),
                          .every_ms = 3600000,
                          .row_count = 2,
                          .key_count = 1,
                          .key_names = &key_name,
                          .keys = keys ? all_keys : NULL,
                          .rows_like = 7,
                          .column_count = 1,
                          .columns = &column};
    struct batch batch = {.slices = &slice, .slice_count = 1};
    struct push_record record = {.seq = 1, .hash = {hash}, .batch = &batch};
    struct push push = {.collector = f->collector,
                        .stream = f->collector,
                        .seq = 1,
                        .count = 1,
                        .unnumbered = true,
                        .records = &record,
                        .record_count = 1};
    struct tsdb_ack ack;
    struct arena a;

    arena_init(&a, "push", 1 << 20);
    enum err_code code = tsdb_push(f->db, &a, &push, &ack, &e);
    assert_true(code || ack.samples == 2);
    arena_fini(&a);
    return code;
}

static struct named first_of(struct tsdb_fixture *f, const char *relation)
{
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = str_of(relation),
                                        .from_ms = clock_wall_ms() - 1,
                                        .to_ms = f->now_ms};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct named n = {0};

    assert_int_equal(tsdb_scan(r, &spec, take_first, &n, &e), ERR_OK);
    tsdb_reader_return(r);
    return n;
}

/* Who was silent for so long that its objects went: its stream must not know them any more. */
static void test_a_known_form_names_its_rows_again(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char *text = NULL;

    tsdb_sender_init(&s, f);
    assert_int_equal(push_form(f, true, 1), ERR_OK);
    assert_int_equal(push_form(f, false, 2), ERR_OK);
    uint64_t before = first_of(f, "form").object;
    tsdb_clock_set(f->now_ms - 10 * DAY_MS);
    tsdb_flush_ok(f);
    remove_one_file(f);
    wait_objects(f, 0);
    assert_int_equal(rows_of(f), 0);
    assert_int_equal(push_form(f, false, 3), ERR_NOT_FOUND); /* nothing was stored */
    assert_int_equal(push_form(f, true, 4), ERR_OK);
    assert_int_equal(push_form(f, false, 5), ERR_OK);
    assert_true(first_of(f, "form").object > before);
    assert_int_equal(stats_of(f).objects, 2);
    assert_int_equal(rows_of(f), 2);
    const struct tsdb_text_range all = {.from_ms = f->now_ms - 30 * DAY_MS, .to_ms = f->now_ms};
    assert_int_equal(tsdb_scan_text(f, "form", &all, &text), 2); /* every row has its name */
    alloc_free(text);
}

/* The same of one that sends the keys each time: rows are compared with those of before. */
static void test_rows_of_before_are_not_taken_for_new_ones(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    send(&s, "old", 0, 3);
    uint64_t before = first_of(f, "churn").object;
    tsdb_clock_set(f->now_ms - 10 * DAY_MS);
    tsdb_flush_ok(f);
    remove_one_file(f);
    wait_objects(f, 0);
    send(&s, "old", 0, 3);
    assert_true(first_of(f, "churn").object > before);
    assert_int_equal(rows_of(f), 3);
    assert_int_equal(count_slices(f), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_no_file_names_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_reader_keeps_its_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_in_memory_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_known_form_names_its_rows_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_of_before_are_not_taken_for_new_ones, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
