/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_engines.c: the same pushes to a store in SQLite and to one in PostgreSQL: the same
 * acknowledgements, and the same readings, slice by slice; two nodes on one database; a node that
 * ends without a word. Runs with PGA_TEST_PG=postgres://... (dialect_fixture.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "dialect_fixture.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "store/tsdb/read/aggregate.h"
#include "store/tsdb/postgres/pgstore.h"
#include "tls/hash.h"
#include "tsdb_fixture.h"
#include "tsdb_scan_text.h"

#define WAIT_US 60000000LL

struct both {
    struct dialect_fixture place;
    struct tsdb_fixture lite, pg, other; /* other: a second node on the database of pg */
    struct tsdb_sender to_lite, to_pg;
};

static struct err e;

static void migrate(const char *url)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    store_migrations(&set, NULL);
    if (sqldb_open(url, NULL, &db, &e) || sqldb_migrate_up(db, &set, NULL, &e)) {
        fail_msg("migrate: %s", e.text);
    }
    sqldb_close(db);
}

static void init_node(struct both *b, struct tsdb_fixture *f)
{
    tsdb_fixture_init(f);
    f->config.url = b->place.url;
    f->collector = b->lite.collector;
    f->target = b->lite.target;
    f->now_ms = b->lite.now_ms;
}

static int set_up(void **state)
{
    struct both *b = alloc_new(sizeof(*b));

    dialect_fixture_begin(&b->place, SQLDB_PG);
    migrate(b->place.url);
    tsdb_fixture_init(&b->lite);
    init_node(b, &b->pg);
    init_node(b, &b->other);
    tsdb_fixture_start(&b->lite);
    tsdb_fixture_start(&b->pg);
    tsdb_sender_init(&b->to_lite, &b->lite);
    tsdb_sender_init(&b->to_pg, &b->pg);
    b->to_pg.stream = b->to_lite.stream;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct both *b = *state;

    tsdb_fixture_fini(&b->lite);
    tsdb_fixture_fini(&b->pg);
    tsdb_fixture_fini(&b->other);
    dialect_fixture_end(&b->place);
    alloc_free(b);
    return 0;
}

static void same_scan(struct both *b, const char *relation, const struct tsdb_text_range *range,
                      size_t slices)
{
    char *lite = NULL;
    char *pg = NULL;
    size_t count = tsdb_scan_text(&b->lite, relation, range, &lite);

    assert_int_equal(tsdb_scan_text(&b->pg, relation, range, &pg), count);
    if (slices != SIZE_MAX) {
        assert_int_equal(count, slices);
    }
    if (strcmp(lite, pg) != 0) {
        fail_msg("%s differs:\n%.1500s\n--- PostgreSQL:\n%.1500s", relation, lite, pg);
    }
    alloc_free(lite);
    alloc_free(pg);
}

static struct tsdb_text_range whole(const struct both *b)
{
    return (struct tsdb_text_range){.from_ms = b->lite.now_ms - 40 * 3600000LL,
                                    .to_ms = b->lite.now_ms + 60000};
}

/* --- pushes --- */

static void send_both(struct both *b, const char *record)
{
    struct tsdb_ack lite = {0};
    struct tsdb_ack pg = {0};

    if (tsdb_send(&b->to_lite, record, &lite, &e) || tsdb_send(&b->to_pg, record, &pg, &e)) {
        fail_msg("push: %s", e.text);
    }
    assert_int_equal(pg.next_seq, lite.next_seq);
    assert_int_equal(pg.stored_records, lite.stored_records);
    assert_int_equal(pg.duplicate_records, lite.duplicate_records);
    assert_int_equal(pg.samples, lite.samples);
    assert_int_equal(pg.rejected, lite.rejected);
}

struct head {
    const char *relation, *scope, *flags;
    int64_t t_ms, from_ms, every_ms;
    int rows;
};

static void put_head(const struct both *b, struct buf *out, const struct head *h)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&b->lite.target, target);
    buf_printf(out,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"%s\",\"t\":%lld,\"from_t\":%lld,"
               "\"every_ms\":%lld,\"flags\":[%s],\"rows\":%d",
               h->relation, target, h->scope, (long long)h->t_ms, (long long)h->from_ms,
               (long long)h->every_ms, h->flags, h->rows);
}

static const char descriptions[] =
    "\"relations\":["
    "{\"name\":\"mixed\",\"help\":\"All types.\",\"shape\":\"object\",\"sparse\":false,"
    "\"keys\":[{\"name\":\"a\",\"help\":\"\"},{\"name\":\"b\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"big\",\"kind\":\"counter\",\"type\":\"u64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"x\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"s\",\"help\":\"\","
    "\"resolution\":0.000001},"
    "{\"name\":\"state\",\"kind\":\"text\",\"type\":\"text\",\"unit\":\"\",\"help\":\"\"}]},"
    "{\"name\":\"statements\",\"help\":\"Deltas.\",\"shape\":\"object\",\"sparse\":true,"
    "\"keys\":[{\"name\":\"id\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"calls\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]},"
    "{\"name\":\"history\",\"help\":\"Facts.\",\"shape\":\"fact\",\"sparse\":false,"
    "\"keys\":[{\"name\":\"wait\",\"help\":\"\"},{\"name\":\"user\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"samples\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}]";

static void put_mixed(const struct both *b, struct buf *out, int i)
{
    const struct head h = {"mixed",
                           i % 2 ? "app" : "",
                           i % 3 ? "\"complete\"" : "\"complete\",\"keyframe\"",
                           b->lite.now_ms - 3600000 + i * 10000LL,
                           b->lite.now_ms - 3600000 + i * 10000LL - 10000,
                           10000,
                           3};

    put_head(b, out, &h);
    buf_printf(out,
               ",\"keys\":{\"a\":[\"x\",\"y\",\"\"],\"b\":[\"tab\\there\",\"\",\"\\\\N\"]},"
               "\"columns\":{\"n\":[%d,%lld,null],\"big\":[18446744073709551615,%d,%d.5],"
               "\"x\":[%d,0.000001,%s],\"state\":[\"up\",null,\"a\\nb\\\\c\"],"
               "\"later%d\":[%d,2.5,null]},\"reset\":[%d]}",
               i * 7, 9007199254740993LL + i, i, i, i * 3, i % 2 ? "-0.0" : "1e300", i / 10, i,
               i % 3);
}

static void put_statements(const struct both *b, struct buf *out, int i)
{
    const int64_t t = b->lite.now_ms - 3600000 + i * 10000LL;
    const struct head h = {
        "statements", "", i % 10 ? "" : "\"complete\",\"keyframe\"", t, t - 10000, 10000, 1};

    put_head(b, out, &h);
    buf_printf(out, ",\"keys\":{\"id\":[\"q%d\"]},\"columns\":{\"calls\":[%d]}", i % 4, i);
    buf_printf(out, i % 5 == 4 ? ",\"gone\":[[\"q%d\"],[\"never\"]]}" : "}", (i + 2) % 4);
}

static void put_rest(const struct both *b, struct buf *out, int i)
{
    const int64_t t = b->lite.now_ms - 3600000 + i * 10000LL;
    const struct head facts = {"history", "", "\"complete\"", t, t - 10000, 10000, 2};
    const struct head failed = {"mixed", "down", "\"failed\"", t, t, 10000, 0};
    const struct head loose = {"loose", "", "", t, t, 0, 1};

    put_head(b, out, &facts);
    buf_printf(out,
               ",\"keys\":{\"wait\":[\"IO\",\"IO\"],\"user\":[\"u%d\",\"u%d\"]},"
               "\"columns\":{\"samples\":[%d,1]}},",
               i, i, i);
    put_head(b, out, &failed);
    buf_add_c(out, ",\"reason\":\"connection\\trefused\"},");
    put_head(b, out, &loose);
    buf_printf(out, ",\"keys\":{\"job\":[\"j%d\"]},\"columns\":{\"value\":[%d.25]}}", i % 3, i);
}

static void put_record(const struct both *b, struct buf *out, int i)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&b->lite.target, target);
    buf_add_c(out, "{");
    if (i == 0) {
        buf_printf(out, "%s,", descriptions);
    }
    buf_add_c(out, "\"slices\":[");
    put_mixed(b, out, i);
    buf_add_c(out, ",");
    put_statements(b, out, i);
    buf_add_c(out, ",");
    put_rest(b, out, i);
    buf_printf(out,
               "],\"events\":[{\"t\":%lld,\"target\":\"%s\",\"kind\":\"k%d\",\"severity\":\"%s\","
               "\"title\":\"event number %d\",\"body\":{\"word\":\"zebra%d\"}}],"
               "\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"q%d\","
               "\"text\":\"SELECT %d\"}]}",
               (long long)(b->lite.now_ms - 1000 + i), target, i % 2, i % 3 ? "info" : "warning", i,
               i % 2, target, i % 4, i);
}

static void send_records(struct both *b, int from, int to)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    for (int i = from; i < to; i++) {
        buf_reset(&text);
        put_record(b, &text, i);
        send_both(b, text.ptr);
    }
    buf_fini(&text);
}

/* --- the same readings --- */

static void test_the_same_pushes_read_the_same(void **state)
{
    static const struct str columns[] = {{"x", 1}, {"nowhere", 7}, {"later1", 6}};
    static const struct str scope = {"app", 3};
    struct both *b = *state;
    struct tsdb_text_range all = whole(b);

    send_records(b, 0, 25);
    same_scan(b, "mixed", &all, 50);
    same_scan(b, "statements", &all, 25);
    same_scan(b, "history", &all, 25);
    same_scan(b, "loose", &all, 25);
    struct tsdb_text_range some = {.scope = &scope,
                                   .columns = columns,
                                   .column_count = 3,
                                   .from_ms = b->lite.now_ms - 3600000 + 50000,
                                   .to_ms = b->lite.now_ms - 3600000 + 150000};
    same_scan(b, "mixed", &some, 5);
    tsdb_fixture_stop(&b->lite); /* blocks on disk, another process */
    tsdb_fixture_stop(&b->pg);
    tsdb_fixture_start(&b->lite);
    tsdb_fixture_start(&b->pg);
    same_scan(b, "mixed", &all, 50);
    same_scan(b, "statements", &all, 25);
    same_scan(b, "history", &all, 25);
    send_records(b, 25, 30);
    same_scan(b, "mixed", &all, 60);
}

/* Many slices of one group: more than a page, and rows that repeat. */
static void test_what_does_not_rise_is_refused_alike(void **state)
{
    struct both *b = *state;
    struct tsdb_text_range all = whole(b);
    struct buf text;

    buf_init(&text, 1 << 20);
    for (int i = 0; i < 150; i++) {
        int64_t t = b->lite.now_ms - 2000000 + (i % 10 == 9 ? i - 5 : i);
        const struct head h = {"loose", "", "\"complete\"", t, t, 1000, 2};
        buf_reset(&text);
        buf_add_c(&text, "{\"slices\":[");
        put_head(b, &text, &h);
        buf_printf(&text, ",\"keys\":{\"k\":[\"a\",\"%s\"]},\"columns\":{\"value\":[%d,%d]}}]}",
                   i % 7 ? "b" : "a", i, -i);
        send_both(b, text.ptr);
    }
    const struct head old = {"loose", "old", "", b->lite.now_ms - 50 * 3600000LL, 0, 0, 1};
    buf_reset(&text);
    buf_add_c(&text, "{\"slices\":[");
    put_head(b, &text, &old);
    buf_add_c(&text, ",\"keys\":{\"k\":[\"a\"]},\"columns\":{\"value\":[1]}}]}");
    send_both(b, text.ptr);
    buf_fini(&text);
    same_scan(b, "loose", &all, 135);
}

static void same_aggregate(struct both *b, const char *relation)
{
    struct tsdb_fixture *stores[] = {&b->lite, &b->pg};
    struct aggregate_result *results[2] = {NULL, NULL};
    struct arena a;

    arena_init(&a, "test", 64 << 20);
    for (int i = 0; i < 2; i++) {
        struct tsdb_reader *r = tsdb_borrow(stores[i]);
        const struct aggregate_spec spec = {.target = b->lite.target,
                                            .relation = str_of(relation),
                                            .by_mode = AGGREGATE_BY_ROW,
                                            .from_ms = b->lite.now_ms - 3600000,
                                            .to_ms = b->lite.now_ms - 3000000,
                                            .step_ms = 60000};
        if (aggregate_run(r, &a, &spec, &results[i], &e)) {
            fail_msg("aggregate %s: %s", relation, e.text);
        }
        tsdb_reader_return(r);
    }
    assert_int_equal(results[0]->samples, results[1]->samples);
    assert_int_equal(results[0]->series_count, results[1]->series_count);
    assert_int_equal(results[0]->point_count, results[1]->point_count);
    assert_true(results[0]->series_count > 0);
    arena_fini(&a);
}

static void test_what_is_built_on_readings_works_on_both(void **state)
{
    struct both *b = *state;

    send_records(b, 0, 20);
    same_aggregate(b, "mixed");
    same_aggregate(b, "statements");
    same_aggregate(b, "history");
}

/* --- beside readings --- */

static void check_groups(struct both *b)
{
    struct tsdb_fixture *stores[] = {&b->lite, &b->pg};
    struct tsdb_group *groups[2];
    struct tsdb_group last[2];
    size_t counts[2];
    struct arena a;

    arena_init(&a, "test", 1 << 20);
    for (int i = 0; i < 2; i++) {
        struct tsdb_reader *r = tsdb_borrow(stores[i]);
        assert_int_equal(tsdb_groups(r, &a, NULL, &groups[i], &counts[i], &e), ERR_OK);
        assert_int_equal(tsdb_last(r, &a, &b->lite.target, STR("mixed"), &last[i], &e), ERR_OK);
        assert_int_equal(tsdb_last(r, &a, &b->lite.target, STR("none"), &last[i], &e),
                         ERR_NOT_FOUND);
        assert_int_equal(tsdb_last(r, &a, &b->lite.target, STR("mixed"), &last[i], &e), ERR_OK);
        tsdb_reader_return(r);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(last[0].last_t_ms, last[1].last_t_ms);
    for (size_t i = 0; i < counts[0]; i++) {
        assert_true(str_eq(groups[0][i].relation, groups[1][i].relation));
        assert_true(str_eq(groups[0][i].scope, groups[1][i].scope));
        assert_true(str_eq(groups[0][i].last_reason, groups[1][i].last_reason));
        assert_int_equal(groups[0][i].last_t_ms, groups[1][i].last_t_ms);
        assert_int_equal(groups[0][i].last_every_ms, groups[1][i].last_every_ms);
        assert_int_equal(groups[0][i].last_flags, groups[1][i].last_flags);
        assert_int_equal(groups[0][i].objects, groups[1][i].objects);
    }
    arena_fini(&a);
}

static size_t count_events(struct tsdb_fixture *f, const struct tsdb_event_spec *spec)
{
    struct tsdb_reader *r = tsdb_borrow(f);
    struct tsdb_event *list = NULL;
    size_t count = 0;
    struct arena a;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_events(r, &a, spec, &list, &count, &e), ERR_OK);
    for (size_t i = 1; i < count; i++) {
        assert_true(list[i].event.t_ms <= list[i - 1].event.t_ms);
    }
    tsdb_reader_return(r);
    arena_fini(&a);
    return count;
}

/* The SQLite engine applies events a little later: flush waits for that. */
static void check_events(struct both *b)
{
    const struct tsdb_event_spec specs[] = {
        {.limit = 100},
        {.limit = 3},
        {.limit = 100, .target = &b->lite.target, .kind = STR("k1")},
        {.limit = 100, .min_severity = BATCH_WARNING},
        {.limit = 100, .search = STR("zebra1 number")},
        {.limit = 100, .search = STR("zebra1 zebra0")},
        {.limit = 100, .from_ms = b->lite.now_ms - 1000 + 4},
    };
    static const size_t want[] = {10, 3, 5, 4, 5, 0, 5};

    tsdb_flush_ok(&b->lite);
    for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
        assert_int_equal(count_events(&b->lite, &specs[i]), want[i]);
        assert_int_equal(count_events(&b->pg, &specs[i]), want[i]);
    }
}

static void check_rest(struct tsdb_fixture *f, const struct uuid *stream)
{
    struct tsdb_reader *r = tsdb_borrow(f);
    const struct tsdb_text_key key = {f->target, STR("query"), STR("q1")};
    const struct tsdb_record_spec spec = {f->collector, *stream, 3, 4};
    struct tsdb_stream *streams = NULL;
    struct tsdb_record *records = NULL;
    struct str text;
    size_t count = 0;
    struct arena a;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_text(r, &a, &key, &text, &e), ERR_OK);
    assert_true(str_eq_c(text, "SELECT 9"));
    assert_int_equal(tsdb_streams(r, &a, &streams, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(streams[0].next_seq, 14);
    assert_int_equal(streams[0].stored, 10);
    assert_int_equal(streams[0].gap_count, 1);
    assert_int_equal(streams[0].gaps[0].records, 3);
    assert_int_equal(tsdb_records(r, &a, &spec, &records, &count, &e), ERR_OK);
    assert_int_equal(count, 4);
    assert_int_equal(records[0].seq, 3);
    assert_int_equal(records[3].seq, 6);
    assert_int_equal(records[0].slices, 5);
    tsdb_reader_return(r);
    arena_fini(&a);
}

static void test_groups_events_texts_streams_records(void **state)
{
    static const char gap[] = "{\"span\":3,\"gap\":{\"reason\":\"spool_full\"}}";
    struct both *b = *state;
    struct tsdb_ack ack;

    send_records(b, 0, 10);
    assert_int_equal(tsdb_send_at(&b->to_lite, (struct tsdb_span){11, 3}, gap, &ack, &e), ERR_OK);
    assert_int_equal(tsdb_send_at(&b->to_pg, (struct tsdb_span){11, 3}, gap, &ack, &e), ERR_OK);
    assert_int_equal(ack.next_seq, 14);
    check_groups(b);
    check_events(b);
    check_rest(&b->lite, &b->to_lite.stream);
    check_rest(&b->pg, &b->to_pg.stream);
    assert_int_equal(b->pg.targets_seen, 0);
}

/* --- sequence --- */

static void test_numbers_are_checked_over_nodes(void **state)
{
    struct both *b = *state;
    struct tsdb_sender far = {.f = &b->other};
    struct tsdb_ack ack;
    struct tsdb_text_range all = whole(b);
    struct buf text;

    buf_init(&text, 1 << 20);
    tsdb_fixture_start(&b->other);
    send_records(b, 0, 3);
    far.stream = b->to_pg.stream;
    far.seq = 4;
    put_record(b, &text, 3);
    assert_int_equal(tsdb_send(&b->to_lite, text.ptr, &ack, &e), ERR_OK);
    assert_int_equal(tsdb_send(&far, text.ptr, &ack, &e), ERR_OK); /* the other node goes on */
    assert_int_equal(ack.next_seq, 5);
    b->to_pg.seq = 4;
    assert_int_equal(tsdb_send(&b->to_pg, text.ptr, &ack, &e), ERR_OK); /* the answer was lost */
    assert_int_equal(ack.duplicate_records, 1);
    assert_int_equal(ack.stored_records, 0);
    b->to_pg.seq = 4;
    assert_int_equal(tsdb_send(&b->to_pg, "{\"made_ms\":1}", &ack, &e), ERR_CONFLICT);
    assert_true(ack.mismatch);
    b->to_pg.seq = 9;
    assert_int_equal(tsdb_send(&b->to_pg, text.ptr, &ack, &e), ERR_CONFLICT);
    assert_int_equal(ack.next_seq, 5);
    b->to_pg.seq = 5;
    send_records(b, 4, 6); /* and the first node again */
    tsdb_flush_ok(&b->other);
    same_scan(b, "mixed", &all, 12);
    same_scan(b, "statements", &all, 6);
    buf_fini(&text);
}

static void run(const char *url, const char *sql)
{
    struct sqldb *db = NULL;

    if (sqldb_open(url, NULL, &db, &e) || sqldb_script(db, sql, &e)) {
        fail_msg("%s: %s", sql, e.text);
    }
    sqldb_close(db);
}

/* What a node acknowledged and did not move when it ended, another one moves. */
static void test_rows_of_a_dead_node_are_taken_over(void **state)
{
    struct both *b = *state;
    struct tsdb_text_range all = whole(b);
    int64_t until = clock_mono_us() + WAIT_US;
    size_t slices = 0;

    send_records(b, 0, 2);
    tsdb_fixture_start(&b->other);
    b->to_pg.f = &b->other;
    send_records(b, 2, 4);
    tsdb_fixture_kill(&b->other); /* within the second that rows wait */
    run(b->place.url, "UPDATE ts_node SET seen = seen - interval '9 s'");
    while (clock_mono_us() < until && slices < 8) {
        char *pg = NULL;
        slices = tsdb_scan_text(&b->pg, "mixed", &all, &pg);
        alloc_free(pg);
        clock_sleep_ms(50);
    }
    same_scan(b, "mixed", &all, 8);
    same_scan(b, "statements", &all, 4);
}

/* Two collectors deliver one target, to a node each: the first one has it. */
static void test_one_collector_delivers_a_group_over_nodes(void **state)
{
    struct both *b = *state;
    struct tsdb_sender second = {.f = &b->other};
    struct tsdb_text_range all = whole(b);
    struct tsdb_ack ack;
    struct buf text;

    tsdb_fixture_start(&b->other);
    entropy_uuid(&b->other.collector);
    tsdb_sender_init(&second, &b->other);
    send_records(b, 0, 2);
    buf_init(&text, 1 << 20);
    put_record(b, &text, 2);
    assert_int_equal(tsdb_send(&second, text.ptr, &ack, &e), ERR_OK);
    assert_int_equal(ack.next_seq, 2); /* taken, without its readings */
    assert_int_equal(ack.stored_records, 1);
    assert_int_equal(ack.samples, 0);
    assert_true(ack.rejected > 10);
    send_records(b, 2, 4);
    tsdb_flush_ok(&b->other);
    same_scan(b, "mixed", &all, 8);
    buf_fini(&text);
}

/* --- retention --- */

/* Whether the SQL text runs without an error within a minute. */
static bool comes_true(const char *url, const char *sql)
{
    int64_t until = clock_mono_us() + WAIT_US;
    struct sqldb *db = NULL;
    enum err_code code = sqldb_open(url, NULL, &db, &e);

    while (code == ERR_OK && sqldb_script(db, sql, &e) && clock_mono_us() < until) {
        clock_sleep_ms(50);
    }
    code = code ? code : sqldb_script(db, sql, &e);
    sqldb_close(db);
    return code == ERR_OK;
}

static void test_old_days_are_dropped(void **state)
{
    struct both *b = *state;

    send_records(b, 0, 2);
    tsdb_flush_ok(&b->pg);
    tsdb_fixture_stop(&b->pg);
    run(b->place.url, /* day 10000 */
        "CREATE TABLE ts_slice_19970519 PARTITION OF ts_slice FOR VALUES FROM (864000000000) TO "
        "(864086400000); "
        "CREATE TABLE ts_extra_19970519 PARTITION OF ts_extra FOR VALUES FROM ('1997-05-19Z') TO "
        "('1997-05-20Z'); INSERT INTO ts_day (day) VALUES (10000)");
    tsdb_fixture_start(&b->pg);
    assert_true(comes_true(b->place.url,
                           "DO $$ BEGIN IF EXISTS (SELECT FROM ts_day WHERE day = 10000) OR "
                           "to_regclass('ts_slice_19970519') IS NOT NULL OR "
                           "to_regclass('ts_extra_19970519') IS NOT NULL THEN RAISE 'still there'; "
                           "END IF; END $$"));
    struct tsdb_text_range all = whole(b);
    same_scan(b, "mixed", &all, 4);
}

/* --- deletion --- */

static void test_a_deleted_target_comes_again_as_a_new_one(void **state)
{
    struct both *b = *state;
    struct tsdb_text_range all = whole(b);
    struct tsdb_ack ack;
    struct buf text;

    tsdb_fixture_start(&b->other); /* knows the names, and learns of the deletion by itself */
    send_records(b, 0, 3);
    b->to_pg.f = &b->other;
    send_records(b, 3, 4);
    for (int i = 0; i < 2; i++) {
        struct tsdb *db = i ? b->pg.db : b->lite.db;
        assert_int_equal(
            tsdb_target_drop(db, &b->lite.target, STR("{}"), clock_mono_us() + WAIT_US, &e),
            ERR_OK);
    }
    same_scan(b, "mixed", &all, 0);
    assert_int_equal(count_events(&b->pg, &(struct tsdb_event_spec){.limit = 9}), 0);
    buf_init(&text, 1 << 20);
    put_record(b, &text, 4); /* of before */
    assert_int_equal(tsdb_send(&b->to_lite, text.ptr, &ack, &e), ERR_OK);
    uint64_t rejected = ack.rejected;
    enum err_code code = tsdb_send(&b->to_pg, text.ptr, &ack, &e);
    if (code == ERR_TIMEOUT) { /* it was encoded for the deleted group: send again */
        code = tsdb_send(&b->to_pg, text.ptr, &ack, &e);
    }
    assert_int_equal(code, ERR_OK);
    assert_int_equal(ack.rejected, rejected);
    b->lite.now_ms = clock_wall_ms() + 3600000 + 1000;
    send_records(b, 5, 6);
    tsdb_flush_ok(&b->other);
    all.to_ms = b->lite.now_ms;
    same_scan(b, "mixed", &all, 2);
    buf_fini(&text);
}

/* --- what a collector may have --- */

static void send_rows(struct both *b, struct tsdb_sender *also, const char *scope, int rows)
{
    const int64_t t = b->lite.now_ms - 1000;
    const struct head h = {"loose", scope, "\"complete\"", t, t, 10000, rows};
    struct tsdb_ack ack = {0};
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_add_c(&text, "{\"slices\":[");
    put_head(b, &text, &h);
    buf_add_c(&text, ",\"keys\":{\"k\":[");
    for (int i = 0; i < rows; i++) {
        buf_printf(&text, "%s\"r%d\"", i ? "," : "", i);
    }
    buf_add_c(&text, "]},\"columns\":{\"value\":[");
    for (int i = 0; i < rows; i++) {
        buf_printf(&text, "%s%d", i ? "," : "", i);
    }
    buf_add_c(&text, "]}}]}");
    if (!also) {
        send_both(b, text.ptr);
    } else if (tsdb_send(also, text.ptr, &ack, &e)) {
        fail_msg("push: %s", e.text);
    }
    buf_fini(&text);
}

static struct tsdb_use use_of(const struct tsdb_fixture *f)
{
    struct tsdb_use *uses = NULL;
    struct tsdb_use found = {0};
    struct arena a;
    size_t count = 0;

    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_uses(f->db, &a, &uses, &count, &e), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        found = text_uuid_eq(&uses[i].collector, &f->collector) ? uses[i] : found;
    }
    arena_fini(&a);
    return found;
}

static void has(const struct tsdb_fixture *f, uint64_t relations, uint64_t groups, uint64_t objects)
{
    struct tsdb_use use = use_of(f);

    assert_int_equal(use.used[TSDB_CAP_RELATIONS], relations);
    assert_int_equal(use.used[TSDB_CAP_GROUPS], groups);
    assert_int_equal(use.used[TSDB_CAP_OBJECTS], objects);
}

static void test_caps_hold_over_nodes(void **state)
{
    struct both *b = *state;
    struct tsdb_fixture *stores[] = {&b->lite, &b->pg, &b->other};
    struct tsdb_sender to_other;
    struct tsdb_text_range all = whole(b);

    tsdb_fixture_stop(&b->lite);
    tsdb_fixture_stop(&b->pg);
    for (size_t i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
        stores[i]->config.caps[TSDB_CAP_OBJECTS] = 20;
        tsdb_fixture_start(stores[i]);
    }
    send_rows(b, NULL, "first", 12);
    send_rows(b, NULL, "second", 12); /* 4 of them over the cap */
    same_scan(b, "loose", &all, 2);
    has(&b->lite, 1, 2, 20);
    has(&b->pg, 1, 2, 20);
    tsdb_sender_init(&to_other, &b->other);
    send_rows(b, &to_other, "third", 12); /* this node does not know of the others' yet */
    has(&b->other, 1, 3, 20);
    tsdb_fixture_stop(&b->pg);
    tsdb_fixture_start(&b->pg);
    has(&b->pg, 1, 3, 20);
    assert_int_equal(tsdb_copy(b->pg.db, &(struct tsdb_copy){0}, &e), ERR_UNSUPPORTED);
}

/* --- without a server --- */

static void test_cells_of_copy(void **state)
{
    static const struct {
        int64_t t_ms;
        const char *text;
    } times[] = {
        {0, "1970-01-01 00:00:00.000Z"},
        {-1, "1969-12-31 23:59:59.999Z"},
        {951782400123, "2000-02-29 00:00:00.123Z"},
        {4107542399999, "2100-02-28 23:59:59.999Z"},
        {4107542400000, "2100-03-01 00:00:00.000Z"},
        {1795780800000, "2026-11-27 12:00:00.000Z"},
    };
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        buf_reset(&out);
        pgstore_copy_time(&out, times[i].t_ms);
        assert_string_equal(out.ptr, times[i].text);
    }
    buf_reset(&out);
    pgstore_copy_text(&out, str_make("a\tb\nc\\d\r\0e", 10));
    assert_string_equal(out.ptr, "a\\tb\\nc\\\\d\\re");
    buf_reset(&out);
    pgstore_copy_blob(&out, str_make("\0\xff", 2));
    assert_string_equal(out.ptr, "\\\\x00ff");
    buf_reset(&out);
    pgstore_put_ids(&out, (const uint64_t[]){1, 22, 333}, 3);
    assert_string_equal(out.ptr, "{1,22,333}");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest always[] = {cmocka_unit_test(test_cells_of_copy)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_pushes_read_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_rise_is_refused_alike, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_built_on_readings_works_on_both, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_groups_events_texts_streams_records, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_are_checked_over_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rows_of_a_dead_node_are_taken_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_collector_delivers_a_group_over_nodes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_caps_hold_over_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_days_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_comes_again_as_a_new_one, set_up,
                                        tear_down),
    };
    if (!dialect_fixture_has_pg()) {
        print_message("PGA_TEST_PG is not set: no PostgreSQL to compare with\n");
        return cmocka_run_group_tests(always, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL) + cmocka_run_group_tests(always, NULL, NULL);
}
