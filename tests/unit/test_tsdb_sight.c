/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_sight.c: a limited reader of either engine shows visible targets alone (security Z2):
 * readings, roll-ups, groups, relations, texts, events, streams, records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "dialect_fixture.h"
#include "os/entropy.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "store/tsdb/rollup/rolled.h"
#include "tsdb_fixture.h"

#define EVENTS 1200 /* more than a page that is passed over */

static enum sqldb_dialect dialect;
static struct dialect_fixture place;
static struct tsdb_fixture f;
static struct tsdb_sender sender;
static struct uuid mine, foreign;
static struct arena arena;
static struct err e;

static void must(enum err_code rc)
{
    if (rc != ERR_OK)
        fail_msg("%s", e.text);
}

static void migrate(void)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    store_migrations(&set, NULL);
    must(sqldb_open(place.url, NULL, &db, &e));
    must(sqldb_migrate_up(db, &set, NULL, &e));
    sqldb_close(db);
}

/* A reading of a relation that both have, one of a relation of its own, a text. */
static void put_target(struct buf *out, const struct uuid *id, const char *own)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(id, target);
    buf_printf(out,
               "{\"slices\":[{\"relation\":\"both\",\"target\":\"%s\",\"t\":%lld,\"every_ms\":1000,"
               "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"k\":[\"%s\"]},"
               "\"columns\":{\"v\":[1]}},"
               "{\"relation\":\"%s\",\"target\":\"%s\",\"t\":%lld,\"every_ms\":1000,"
               "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"k\":[\"x\"]},"
               "\"columns\":{\"v\":[1]}}],"
               "\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"7\",\"text\":\"%s\"}],"
               "\"events\":[",
               target, (long long)f.now_ms, own, own, target, (long long)f.now_ms, target, own);
}

static void put_event(struct buf *out, const struct uuid *id, int64_t t_ms, const char *kind)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(id, target);
    buf_printf(
        out,
        "{\"t\":%lld,\"target\":\"%s\",\"kind\":\"%s\",\"severity\":\"info\",\"title\":\"t\","
        "\"body\":{}}",
        (long long)t_ms, target, kind);
}

static void push(void)
{
    static const char agent[] = "{\"events\":[{\"t\":%lld,\"kind\":\"agent\",\"severity\":\"info\","
                                "\"title\":\"t\",\"body\":{}}]}";
    char text[200];
    struct buf out;

    buf_init(&out, 1 << 20);
    put_target(&out, &mine, "own");
    put_event(&out, &mine, f.now_ms - EVENTS - 5, "old");
    buf_add_c(&out, "]}");
    tsdb_send_ok(&sender, out.ptr);
    buf_reset(&out);
    put_target(&out, &foreign, "other");
    for (int i = 0; i < EVENTS; i++) {
        put_event(&out, &foreign, f.now_ms - EVENTS + i, "foreign");
        buf_add_c(&out, i + 1 < EVENTS ? "," : "]}");
    }
    tsdb_send_ok(&sender, out.ptr);
    snprintf(text, sizeof(text), agent, (long long)f.now_ms);
    tsdb_send_ok(&sender, text);
    tsdb_flush_ok(&f);
    buf_fini(&out);
}

static int begin(void **state)
{
    (void)state;
    dialect_fixture_begin(&place, dialect);
    arena_init(&arena, "test", 1 << 24);
    tsdb_fixture_init(&f);
    if (dialect == SQLDB_PG) {
        migrate();
        f.config.url = place.url;
    }
    entropy_uuid(&mine);
    entropy_uuid(&foreign);
    tsdb_fixture_start(&f);
    tsdb_sender_init(&sender, &f);
    push();
    return 0;
}

static int end(void **state)
{
    (void)state;
    tsdb_fixture_fini(&f);
    arena_fini(&arena);
    dialect_fixture_end(&place);
    return 0;
}

/* A reader that sees `mine`, and its collector or none. */
static struct tsdb_reader *limited(struct tsdb_sight *sight, bool collector)
{
    struct tsdb_reader *r = tsdb_borrow(&f);

    *sight = (struct tsdb_sight){1, &mine, collector, &f.collector};
    tsdb_reader_limit(r, sight);
    return r;
}

static enum err_code count_slice(void *arg, const struct tsdb_slice *s, struct err *err)
{
    (void)err;
    *(size_t *)arg += s->row_count;
    return ERR_OK;
}

/* Rows of a relation of a target; -1: there is no such thing. */
static int rows_of(struct tsdb_reader *r, const struct uuid *target, const char *relation)
{
    struct tsdb_scan_spec spec = {.target = *target,
                                  .relation = str_of(relation),
                                  .from_ms = f.now_ms - 1000,
                                  .to_ms = f.now_ms};
    struct tsdb_sink sink = {.visit = count_slice, .arena = &arena};
    size_t rows = 0, numbers = 0;
    enum err_code rc = tsdb_scan(r, &spec, count_slice, &rows, &e);
    bool has = rc == ERR_OK;

    if (!has)
        assert_int_equal(rc, ERR_NOT_FOUND);
    if (!has) {
        sink.arg = &numbers;
        assert_int_equal(tsdb_scan_numbers(r, &spec, &sink, &e), ERR_NOT_FOUND);
    }
    return has ? (int)rows : -1;
}

static void readings_of_others_are_not_there(void **state)
{
    struct tsdb_tier_spec tier = {.tier = TSDB_TIER_5M, .target = foreign, .relation = STR("both")};
    struct tsdb_sight sight;
    struct tsdb_reader *r = limited(&sight, false);
    struct tsdb_group last;

    (void)state;
    assert_int_equal(rows_of(r, &mine, "both"), 1);
    assert_int_equal(rows_of(r, &mine, "own"), 1);
    assert_int_equal(rows_of(r, &foreign, "both"), -1);
    assert_int_equal(rows_of(r, &foreign, "other"), -1);
    assert_int_equal(tsdb_tier_scan(r, &tier, NULL, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(tsdb_last(r, &arena, &mine, STR("both"), &last, &e), ERR_OK);
    assert_int_equal(tsdb_last(r, &arena, &foreign, STR("both"), &last, &e), ERR_NOT_FOUND);
    tsdb_reader_return(r);
    /* whoever has the reader next sees all */
    r = tsdb_borrow(&f);
    assert_int_equal(rows_of(r, &foreign, "both"), 1);
    tsdb_reader_return(r);
}

static void groups_and_relations_are_of_what_is_visible(void **state)
{
    struct tsdb_sight sight, none = {0};
    struct tsdb_reader *r = limited(&sight, false);
    struct tsdb_group *groups;
    struct relation *relation;
    size_t count;

    (void)state;
    must(tsdb_groups(r, &arena, NULL, &groups, &count, &e));
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++)
        assert_true(text_uuid_eq(&groups[i].target, &mine));
    must(tsdb_groups(r, &arena, &foreign, &groups, &count, &e));
    assert_int_equal(count, 0);
    assert_int_equal(tsdb_relation(r, &arena, STR("own"), &relation, &e), ERR_OK);
    assert_int_equal(tsdb_relation(r, &arena, STR("both"), &relation, &e), ERR_OK);
    assert_int_equal(tsdb_relation(r, &arena, STR("other"), &relation, &e), ERR_NOT_FOUND);
    tsdb_reader_limit(r, &none);
    must(tsdb_groups(r, &arena, NULL, &groups, &count, &e));
    assert_int_equal(count, 0);
    assert_int_equal(tsdb_relation(r, &arena, STR("both"), &relation, &e), ERR_NOT_FOUND);
    tsdb_reader_return(r);
}

static void texts_streams_and_records_too(void **state)
{
    const struct tsdb_text_key own = {mine, STR("query"), STR("7")};
    const struct tsdb_text_key other = {foreign, STR("query"), STR("7")};
    const struct tsdb_record_spec records = {f.collector, sender.stream, 1, 9};
    struct tsdb_sight sight;
    struct tsdb_reader *r = limited(&sight, false);
    struct tsdb_record *list;
    struct tsdb_stream *streams;
    struct str text;
    size_t count;

    (void)state;
    must(tsdb_text(r, &arena, &own, &text, &e));
    assert_true(str_eq_c(text, "own"));
    assert_int_equal(tsdb_text(r, &arena, &other, &text, &e), ERR_NOT_FOUND);
    must(tsdb_streams(r, &arena, &streams, &count, &e));
    assert_int_equal(count, 0);
    assert_int_equal(tsdb_records(r, &arena, &records, &list, &count, &e), ERR_NOT_FOUND);
    tsdb_reader_return(r);
    r = limited(&sight, true);
    must(tsdb_streams(r, &arena, &streams, &count, &e));
    assert_int_equal(count, 1);
    must(tsdb_records(r, &arena, &records, &list, &count, &e));
    assert_int_equal(count, 3);
    tsdb_reader_return(r);
}

/* The newest page of the store has foreign events alone; one's own come all the same. */
static void events_of_others_are_passed_over(void **state)
{
    struct tsdb_event_spec spec = {.limit = 10}, of_foreign = {.target = &foreign, .limit = 10};
    struct tsdb_sight sight;
    struct tsdb_reader *r = limited(&sight, false);
    struct tsdb_event *list;
    size_t count;

    (void)state;
    must(tsdb_events(r, &arena, &spec, &list, &count, &e));
    assert_int_equal(count, 1);
    assert_true(str_eq_c(list[0].event.kind, "old"));
    must(tsdb_events(r, &arena, &of_foreign, &list, &count, &e));
    assert_int_equal(count, 0);
    tsdb_reader_return(r);
    r = limited(&sight, true); /* and what a visible collector says of itself */
    must(tsdb_events(r, &arena, &spec, &list, &count, &e));
    assert_int_equal(count, 2);
    assert_true(str_eq_c(list[0].event.kind, "agent"));
    tsdb_reader_return(r);
}

int main(void)
{
    int failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readings_of_others_are_not_there),
        cmocka_unit_test(groups_and_relations_are_of_what_is_visible),
        cmocka_unit_test(texts_streams_and_records_too),
        cmocka_unit_test(events_of_others_are_passed_over),
    };

    failed = cmocka_run_group_tests_name("sight on SQLite", tests, begin, end);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("sight on PostgreSQL", tests, begin, end);
    }
    return failed;
}
