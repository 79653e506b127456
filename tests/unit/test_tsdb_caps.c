/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_caps.c: what a collector may have: beyond its caps readings lose rows, columns or all,
 * texts are not kept, it is counted, and everything else goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "tsdb_fixture.h"

#define OBJECTS    100
#define GROUPS     20
#define RELATIONS  5
#define CELLS      100000
#define TEXTS      50
#define TEXT_BYTES (1024 * 1024)

static int set_up(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));

    tsdb_fixture_init(f);
    f->config.caps[TSDB_CAP_OBJECTS] = OBJECTS;
    f->config.caps[TSDB_CAP_GROUPS] = GROUPS;
    f->config.caps[TSDB_CAP_RELATIONS] = RELATIONS;
    f->config.caps[TSDB_CAP_CELLS] = CELLS;
    f->config.caps[TSDB_CAP_TEXTS] = TEXTS;
    f->config.caps[TSDB_CAP_TEXT_BYTES] = TEXT_BYTES;
    tsdb_fixture_start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tsdb_fixture_fini(*state);
    alloc_free(*state);
    return 0;
}

/* A reading: rows k<from> .. of a relation and a scope, with so many columns c<n>. */
struct reading {
    const char *relation, *scope;
    int from, rows, columns, first_column;
    int64_t t_ms;
};

static void put_columns(struct buf *out, const struct reading *r)
{
    for (int c = 0; c < r->columns; c++) {
        buf_printf(out, "%s\"c%d\":[", c ? "," : "", r->first_column + c);
        for (int i = 0; i < r->rows; i++) {
            buf_printf(out, "%s%d", i ? "," : "", i);
        }
        buf_add_c(out, "]");
    }
}

static char *make(const struct tsdb_fixture *f, const struct reading *r)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&f->target, target);
    buf_init(&out, 1 << 24);
    buf_printf(&out,
               "{\"made_ms\":%lld,\"slices\":[{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":"
               "\"%s\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":10000,\"flags\":[\"complete\"],"
               "\"rows\":%d,\"keys\":{\"k\":[",
               (long long)r->t_ms, r->relation, target, r->scope, (long long)r->t_ms,
               (long long)r->t_ms, r->rows);
    for (int i = 0; i < r->rows; i++) {
        buf_printf(&out, "%s\"k%d\"", i ? "," : "", r->from + i);
    }
    buf_add_c(&out, "]},\"columns\":{");
    put_columns(&out, r);
    buf_add_c(&out, "}}]}");
    return buf_take(&out, NULL);
}

/* Push it; gives how many values were refused. */
static uint64_t push(struct tsdb_sender *s, const struct reading *r)
{
    struct tsdb_ack ack;
    struct err e = {0};
    char *text = make(s->f, r);

    if (tsdb_send(s, text, &ack, &e)) {
        fail_msg("push: %s", e.text);
    }
    alloc_free(text);
    return ack.rejected;
}

static struct tsdb_use use_of(struct tsdb_fixture *f)
{
    struct tsdb_use *uses = NULL, found = {0};
    struct arena a;
    struct err e;
    size_t count = 0;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_uses(f->db, &a, &uses, &count, &e), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        if (text_uuid_eq(&uses[i].collector, &f->collector)) {
            found = uses[i];
        }
    }
    arena_fini(&a);
    return found;
}

struct seen {
    size_t slices, rows;
    unsigned flags;
};

static enum err_code see(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct seen *seen = arg;
    (void)e;
    seen->slices++;
    seen->rows = s->row_count;
    seen->flags = s->flags;
    return ERR_OK;
}

static struct seen scan(struct tsdb_fixture *f, const char *relation)
{
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = str_of(relation), .from_ms = 0, .to_ms = INT64_MAX};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct seen seen = {0};
    struct err e;

    if (tsdb_scan(r, &spec, see, &seen, &e)) {
        fail_msg("scan: %s", e.text);
    }
    tsdb_reader_return(r);
    return seen;
}

static void test_rows_over_the_cap_are_left_out_and_the_reading_is_not_complete(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    assert_int_equal(push(&s, &(struct reading){"r", "", 0, 90, 2, 0, f->now_ms - 90000}), 0);
    struct seen seen = scan(f, "r");
    assert_int_equal(seen.rows, 90);
    assert_true(seen.flags & SLICE_COMPLETE);

    /* 20 new ones, room for 10 */
    assert_int_equal(push(&s, &(struct reading){"r", "", 80, 30, 2, 0, f->now_ms - 80000}), 20);
    seen = scan(f, "r");
    assert_int_equal(seen.rows, 20);
    assert_false(seen.flags & SLICE_COMPLETE);
    struct tsdb_use use = use_of(f);
    assert_int_equal(use.used[TSDB_CAP_OBJECTS], OBJECTS);
    assert_int_equal(use.refused[TSDB_CAP_OBJECTS], 20);

    /* the known ones go on as before */
    assert_int_equal(push(&s, &(struct reading){"r", "", 0, 90, 2, 0, f->now_ms - 70000}), 0);
    assert_true(scan(f, "r").flags & SLICE_COMPLETE);
}

static void test_a_bomb_of_labels_leaves_nothing_behind(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_stats stats;

    tsdb_sender_init(&s, f);
    for (int i = 0; i < 50; i++) {
        (void)push(&s, &(struct reading){"r", "", i * 400, 400, 1, 0, f->now_ms - 90000 + i});
    }
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.objects, OBJECTS);
    assert_int_equal(use_of(f).refused[TSDB_CAP_OBJECTS], 50 * 400 - OBJECTS);
    assert_int_equal(stats.refused[TSDB_REFUSED_CAP], 50 * 400 - OBJECTS);

    /* after a restart the count goes on where it was */
    tsdb_fixture_stop(f);
    tsdb_fixture_start(f);
    assert_int_equal(use_of(f).used[TSDB_CAP_OBJECTS], OBJECTS);
    assert_int_equal(push(&s, &(struct reading){"r", "", 99000, 10, 1, 0, f->now_ms - 60000}), 10);
}

static void test_another_collector_has_room_of_its_own(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s, other;
    struct uuid first = f->collector;

    tsdb_sender_init(&s, f);
    (void)push(&s, &(struct reading){"r", "", 0, 300, 1, 0, f->now_ms - 90000});
    entropy_uuid(&f->collector);
    tsdb_sender_init(&other, f);
    assert_int_equal(push(&other, &(struct reading){"r", "b", 0, 100, 1, 0, f->now_ms - 90000}), 0);
    assert_int_equal(use_of(f).used[TSDB_CAP_OBJECTS], 100);
    f->collector = first;
    assert_int_equal(use_of(f).refused[TSDB_CAP_OBJECTS], 200);
}

static void test_groups_and_relations_over_the_cap_are_refused_whole(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_stats stats;
    char name[16];

    tsdb_sender_init(&s, f);
    for (int i = 0; i < RELATIONS + 3; i++) {
        (void)snprintf(name, sizeof(name), "r%d", i);
        uint64_t want = i < RELATIONS ? 0 : 2;
        assert_int_equal(push(&s, &(struct reading){name, "", 0, 1, 2, 0, f->now_ms - 90000}),
                         want);
    }
    for (int i = RELATIONS; i < GROUPS + 3; i++) {
        (void)snprintf(name, sizeof(name), "s%d", i);
        uint64_t want = i < GROUPS ? 0 : 2;
        assert_int_equal(push(&s, &(struct reading){"r0", name, 0, 1, 2, 0, f->now_ms - 90000}),
                         want);
    }
    struct tsdb_use use = use_of(f);
    assert_int_equal(use.used[TSDB_CAP_RELATIONS], RELATIONS);
    assert_int_equal(use.used[TSDB_CAP_GROUPS], GROUPS);
    assert_int_equal(use.refused[TSDB_CAP_RELATIONS], 6);
    assert_int_equal(use.refused[TSDB_CAP_GROUPS], 6);
    tsdb_fixture_stop(f);
    tsdb_fixture_start(f);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.relations, RELATIONS);
    use = use_of(f);
    assert_int_equal(use.used[TSDB_CAP_RELATIONS], RELATIONS);
    assert_int_equal(use.used[TSDB_CAP_GROUPS], GROUPS);
}

static void test_columns_over_the_cap_are_left_out_and_the_others_kept(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    assert_int_equal(push(&s, &(struct reading){"r", "", 0, 2, 200, 0, f->now_ms - 90000}), 0);
    assert_int_equal(push(&s, &(struct reading){"r", "", 0, 2, 60, 195, f->now_ms - 80000}),
                     2 * (195 + 60 - LIMIT_RELATION_COLUMNS));
    assert_int_equal(scan(f, "r").rows, 2);
    assert_int_equal(push(&s, &(struct reading){"r", "", 0, 2, 60, 195, f->now_ms - 70000}), 10);
    assert_int_equal(use_of(f).refused[TSDB_CAP_COLUMNS], 20);
}

static void test_values_of_an_hour_are_bounded(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    uint64_t refused = 0;

    tsdb_sender_init(&s, f);
    for (int i = 0; i < 12; i++) {
        refused += push(&s, &(struct reading){"r", "", 0, 100, 100, 0, f->now_ms - 90000 + i});
    }
    assert_int_equal(refused, 2 * 100 * 100);
    assert_int_equal(use_of(f).refused[TSDB_CAP_CELLS], refused);
    assert_int_equal(scan(f, "r").slices, 10);
}

/* --- texts --- */

static void push_text(struct tsdb_sender *s, const char *key, size_t bytes)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&s->f->target, target);
    buf_init(&out, 1 << 22);
    buf_printf(&out,
               "{\"made_ms\":1,\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%s\","
               "\"text\":\"",
               target, key);
    for (size_t i = 0; i < bytes; i += 36) {
        struct uuid random;
        char text[TEXT_UUID_SIZE];
        entropy_uuid(&random);
        text_uuid(&random, text);
        buf_add_c(&out, text);
    }
    buf_add_c(&out, "\"}],\"slices\":[]}");
    tsdb_send_ok(s, out.ptr);
    buf_fini(&out);
}

static bool has_text(struct tsdb_fixture *f, const char *key)
{
    const struct tsdb_text_key k = {f->target, STR("query"), str_of(key)};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct arena a;
    struct str text;
    struct err e;

    arena_init(&a, "test", 1 << 24);
    enum err_code code = tsdb_text(r, &a, &k, &text, &e);
    tsdb_reader_return(r);
    arena_fini(&a);
    return code == ERR_OK;
}

static void test_texts_are_bounded_in_number(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char key[16];

    tsdb_sender_init(&s, f);
    for (int i = 0; i < TEXTS + 5; i++) {
        (void)snprintf(key, sizeof(key), "q%d", i);
        push_text(&s, key, 72);
    }
    tsdb_flush_ok(f);
    struct tsdb_use use = use_of(f);
    assert_int_equal(use.used[TSDB_CAP_TEXTS], TEXTS);
    assert_int_equal(use.refused[TSDB_CAP_TEXTS], 5);
    assert_true(has_text(f, "q49"));
    assert_false(has_text(f, "q50"));
    push_text(&s, "q3", 72); /* a known name may get another text */
    tsdb_flush_ok(f);
    assert_int_equal(use_of(f).refused[TSDB_CAP_TEXTS], 5);
    tsdb_fixture_stop(f);
    tsdb_fixture_start(f);
    struct tsdb_use again = use_of(f);
    assert_int_equal(again.used[TSDB_CAP_TEXTS], TEXTS);
    assert_int_equal(again.used[TSDB_CAP_TEXT_BYTES], use.used[TSDB_CAP_TEXT_BYTES]);
}

static void test_a_bomb_of_texts_stays_within_its_bytes(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct stat st;
    char key[16], path[96];

    tsdb_sender_init(&s, f);
    for (int i = 0; i < 40; i++) { /* about 100 kB each after compression */
        (void)snprintf(key, sizeof(key), "q%d", i);
        push_text(&s, key, 180000);
    }
    for (int i = 0; i < 40; i++) { /* and always another text under one name */
        push_text(&s, "q1", 180000);
    }
    tsdb_flush_ok(f);
    struct tsdb_use use = use_of(f);
    assert_true(use.used[TSDB_CAP_TEXT_BYTES] <= TEXT_BYTES);
    assert_true(use.used[TSDB_CAP_TEXT_BYTES] > TEXT_BYTES * 8 / 10);
    assert_true(use.refused[TSDB_CAP_TEXT_BYTES] > 60);
    tsdb_fixture_stop(f);
    (void)snprintf(path, sizeof(path), "%s/text.db", f->dir);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= TEXT_BYTES * 11 / 10);
    tsdb_fixture_start(f);
    assert_true(has_text(f, "q1"));
}

static void test_a_text_that_is_replaced_goes(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;

    tsdb_sender_init(&s, f);
    for (int i = 0; i < 30; i++) {
        push_text(&s, "q", 180000);
        tsdb_flush_ok(f);
    }
    struct tsdb_use use = use_of(f);
    assert_int_equal(use.refused[TSDB_CAP_TEXT_BYTES], 0);
    assert_int_equal(use.used[TSDB_CAP_TEXTS], 1);
    assert_true(use.used[TSDB_CAP_TEXT_BYTES] < 200000);
}

static void test_a_deleted_target_gives_its_room_back(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct err e;

    tsdb_sender_init(&s, f);
    (void)push(&s, &(struct reading){"r", "", 0, 300, 1, 0, f->now_ms - 90000});
    push_text(&s, "q", 720);
    assert_int_equal(tsdb_target_drop(f->db, &f->target, STR("{}"), clock_mono_us() + 30000000, &e),
                     ERR_OK);
    struct tsdb_use use = use_of(f);
    assert_int_equal(use.used[TSDB_CAP_OBJECTS], 0);
    assert_int_equal(use.used[TSDB_CAP_GROUPS], 0);
    assert_int_equal(use.used[TSDB_CAP_TEXTS], 0);
    assert_int_equal(use.used[TSDB_CAP_TEXT_BYTES], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_rows_over_the_cap_are_left_out_and_the_reading_is_not_complete, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bomb_of_labels_leaves_nothing_behind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_another_collector_has_room_of_its_own, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_groups_and_relations_over_the_cap_are_refused_whole,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_over_the_cap_are_left_out_and_the_others_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_values_of_an_hour_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_are_bounded_in_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bomb_of_texts_stays_within_its_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_text_that_is_replaced_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_gives_its_room_back, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
