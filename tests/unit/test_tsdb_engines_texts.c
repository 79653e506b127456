/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_engines_texts.c: texts of a collector are bounded in PostgreSQL as in SQLite; a text
 * that is replaced goes; a restored database becomes a store of its own. Runs with
 * PGA_TEST_PG=postgres://... (dialect_fixture.h).
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
#include "os/clock.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "tsdb_fixture.h"

#define TEXTS      5
#define TEXT_BYTES 20000

struct both {
    struct dialect_fixture place;
    struct tsdb_fixture lite, pg;
    struct tsdb_sender to_lite, to_pg;
};

static struct err e;

static void start(struct tsdb_fixture *f, struct tsdb_sender *s, const char *url)
{
    tsdb_fixture_init(f);
    f->config.url = url;
    f->config.caps[TSDB_CAP_TEXTS] = TEXTS;
    f->config.caps[TSDB_CAP_TEXT_BYTES] = TEXT_BYTES;
    tsdb_fixture_start(f);
    tsdb_sender_init(s, f);
}

static int set_up(void **state)
{
    struct both *b = alloc_new(sizeof(*b));
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    dialect_fixture_begin(&b->place, SQLDB_PG);
    store_migrations(&set, NULL);
    if (sqldb_open(b->place.url, NULL, &db, &e) || sqldb_migrate_up(db, &set, NULL, &e)) {
        fail_msg("migrate: %s", e.text);
    }
    sqldb_close(db);
    start(&b->lite, &b->to_lite, NULL);
    start(&b->pg, &b->to_pg, b->place.url);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct both *b = *state;

    tsdb_fixture_fini(&b->lite);
    tsdb_fixture_fini(&b->pg);
    dialect_fixture_end(&b->place);
    alloc_free(b);
    return 0;
}

/* A text of so many bytes that does not compress, another one with each salt. */
static void push_text(struct tsdb_sender *s, const char *key, size_t bytes, unsigned salt)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&s->f->target, target);
    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%s\",\"text\":\"",
               target, key);
    for (size_t i = 0; i < bytes; i++) {
        salt = salt * 1103515245 + 12345;
        buf_add_char(
            &out,
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[salt >> 16 & 63]);
    }
    buf_add_c(&out, "\"}]}");
    tsdb_send_ok(s, out.ptr);
    buf_fini(&out);
}

static void push_both(struct both *b, const char *key, size_t bytes, unsigned salt)
{
    push_text(&b->to_lite, key, bytes, salt);
    push_text(&b->to_pg, key, bytes, salt);
}

static struct tsdb_use use_of(struct tsdb_fixture *f)
{
    struct tsdb_use *uses = NULL;
    struct tsdb_use found = {0};
    struct arena a;
    size_t count = 0;

    tsdb_flush_ok(f);
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tsdb_uses(f->db, &a, &uses, &count, &e), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        found = text_uuid_eq(&uses[i].collector, &f->collector) ? uses[i] : found;
    }
    arena_fini(&a);
    return found;
}

static bool has_text(struct tsdb_fixture *f, const char *key)
{
    const struct tsdb_text_key name = {f->target, STR("query"), str_of(key)};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct arena a;
    struct str text;

    arena_init(&a, "test", 1 << 20);
    bool found = tsdb_text(r, &a, &name, &text, &e) == ERR_OK;
    arena_fini(&a);
    tsdb_reader_return(r);
    return found;
}

static void both_have(struct both *b, uint64_t texts, uint64_t refused, uint64_t over)
{
    struct tsdb_fixture *stores[] = {&b->lite, &b->pg};

    for (int i = 0; i < 2; i++) {
        struct tsdb_use use = use_of(stores[i]);
        assert_int_equal(use.used[TSDB_CAP_TEXTS], texts);
        assert_int_equal(use.refused[TSDB_CAP_TEXTS], refused);
        assert_int_equal(use.refused[TSDB_CAP_TEXT_BYTES], over);
        assert_true(use.used[TSDB_CAP_TEXT_BYTES] <= TEXT_BYTES);
    }
}

static int64_t number(struct both *b, const char *statement, struct sqldb_args args)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;

    if (sqldb_open(b->place.url, NULL, &db, &e) || sqldb_row(db, statement, args, &s, &e)) {
        fail_msg("%s: %s", statement, e.text);
    }
    int64_t n = sqldb_get_i64(s, 0);
    sqldb_end(s);
    sqldb_close(db);
    return n;
}

static void run(struct both *b, const char *sql)
{
    struct sqldb *db = NULL;

    if (sqldb_open(b->place.url, NULL, &db, &e) || sqldb_script(db, sql, &e)) {
        fail_msg("%s: %s", sql, e.text);
    }
    sqldb_close(db);
}

/* Within a minute. */
static void becomes_true(struct both *b, const char *condition)
{
    int64_t end = clock_mono_us() + 60000000;
    struct sqldb *db = NULL;
    char sql[256];

    (void)snprintf(sql, sizeof(sql), "DO $$ BEGIN ASSERT %s; END $$", condition);
    if (sqldb_open(b->place.url, NULL, &db, &e)) {
        fail_msg("%s", e.text);
    }
    while (sqldb_script(db, sql, &e)) {
        if (clock_mono_us() > end) {
            fail_msg("%s: %s", condition, e.text);
        }
        clock_sleep_ms(50);
    }
    sqldb_close(db);
}

static void test_texts_are_bounded_in_number(void **state)
{
    struct both *b = *state;
    char key[16];

    for (unsigned i = 0; i < TEXTS + 3; i++) {
        (void)snprintf(key, sizeof(key), "q%u", i);
        push_both(b, key, 72, i);
    }
    both_have(b, TEXTS, 3, 0);
    assert_true(has_text(&b->pg, "q4"));
    assert_false(has_text(&b->pg, "q5"));
    push_both(b, "q3", 72, 99); /* a known name may get another text */
    push_both(b, "q2", 72, 2);  /* the same again */
    both_have(b, TEXTS, 3, 0);
    uint64_t bytes = use_of(&b->pg).used[TSDB_CAP_TEXT_BYTES];
    tsdb_fixture_stop(&b->pg);
    tsdb_fixture_start(&b->pg);
    assert_int_equal(use_of(&b->pg).used[TSDB_CAP_TEXTS], TEXTS);
    assert_int_equal(use_of(&b->pg).used[TSDB_CAP_TEXT_BYTES], bytes);
}

static void test_texts_are_bounded_in_bytes_and_replaced_ones_go(void **state)
{
    struct both *b = *state;

    for (unsigned i = 0; i < 10; i++) {
        push_both(b, "one", 6000, i);
    }
    both_have(b, 1, 0, 0);
    run(b, "DO $$ BEGIN ASSERT (SELECT count(*) FROM ts_text) = 1; END $$");
    push_both(b, "two", 12000, 100);
    push_both(b, "three", 12000, 101);
    push_both(b, "four", 12000, 100); /* it has a name already: nothing is added */
    both_have(b, 3, 0, 1);
    assert_false(has_text(&b->pg, "three"));
    assert_true(has_text(&b->pg, "four"));
    push_both(b, "two", 72, 102); /* its text has another name and stays */
    both_have(b, 3, 0, 1);
    assert_true(has_text(&b->pg, "four"));
    assert_int_equal(
        tsdb_target_drop(b->pg.db, &b->pg.target, STR("{}"), clock_mono_us() + 60000000, &e),
        ERR_OK);
    assert_int_equal(use_of(&b->pg).used[TSDB_CAP_TEXTS], 0);
    assert_int_equal(use_of(&b->pg).used[TSDB_CAP_TEXT_BYTES], 0);
}

/* --- a database that was restored --- */

static struct uuid epoch_of(struct tsdb_fixture *f)
{
    struct tsdb_stats now;

    tsdb_stats(f->db, &now);
    return now.epoch;
}

static enum err_code restored(struct both *b, uint64_t *lsn)
{
    struct sqldb *db = NULL;

    if (sqldb_open(b->place.url, NULL, &db, &e)) {
        fail_msg("%s", e.text);
    }
    enum err_code code = tsdb_restored_pg(db, 5000, lsn, &e);
    sqldb_close(db);
    return code;
}

static void test_a_restored_database_is_another_store(void **state)
{
    struct both *b = *state;
    struct uuid before = epoch_of(&b->pg);
    uint64_t lsn = 0;

    push_both(b, "q", 72, 1);
    tsdb_flush_ok(&b->pg);
    assert_int_equal(restored(b, &lsn), ERR_CONFLICT); /* a server has it */
    tsdb_fixture_stop(&b->pg);
    run(b, "INSERT INTO ts_target_seen (target, lsn) VALUES ('x', 9000); "
           "ALTER TABLE ts_journal ALTER COLUMN lsn RESTART");
    assert_int_equal(restored(b, &lsn), ERR_OK);
    assert_true(lsn >= 9000);
    tsdb_fixture_start(&b->pg);
    struct uuid after = epoch_of(&b->pg);
    assert_false(text_uuid_eq(&before, &after));
    push_text(&b->to_pg, "q", 72, 2);
    tsdb_flush_ok(&b->pg);
    assert_true(number(b, "tsdb_sink_lock", SQLDB_NO_ARGS) > 9001);
    tsdb_fixture_stop(&b->pg);
    assert_int_equal(restored(b, &lsn), ERR_OK); /* twice does no harm */
    assert_true(lsn > 9001);
    tsdb_fixture_start(&b->pg);
}

/* --- a store of the version before --- */

/* It marks the hours of what is there, so that roll-ups are made of it. */
static void test_readings_of_before_are_rolled_up_after_the_migration(void **state)
{
    struct both *b = *state;
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;
    char target[TEXT_UUID_SIZE];
    char record[512];
    const int64_t t = (clock_wall_ms() / 3600000 - 3) * 3600000 + 60000;

    text_uuid(&b->pg.target, target);
    (void)snprintf(
        record, sizeof(record),
        "{\"slices\":[{\"relation\":\"loose\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,"
        "\"from_t\":%lld,\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":1,"
        "\"keys\":{\"k\":[\"a\"]},\"columns\":{\"value\":[7]}}]}",
        target, (long long)t, (long long)t);
    tsdb_send_ok(&b->to_pg, record);
    tsdb_fixture_stop(&b->pg);
    run(b, "DROP TABLE ts_tier, ts_rollup, ts_dirty, ts_month; "
           "ALTER TABLE ts_text_key DROP COLUMN collector, DROP COLUMN bytes; "
           "CREATE TABLE later AS SELECT * FROM schema_migration WHERE number > 5; "
           "DELETE FROM schema_migration WHERE number >= 5");
    store_migrations(&set, NULL);
    while (set.count > 0 && strncmp(set.files[set.count - 1].name, "0006", 4) >= 0)
        set.count--; /* the newer ones have their tables */
    if (sqldb_open(b->place.url, NULL, &db, &e) || sqldb_migrate_up(db, &set, NULL, &e)) {
        fail_msg("migrate: %s", e.text);
    }
    sqldb_close(db);
    run(b, "INSERT INTO schema_migration SELECT * FROM later; DROP TABLE later");
    tsdb_fixture_start(&b->pg);
    becomes_true(b, "(SELECT count(*) FROM ts_tier WHERE part = 0) = 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_texts_are_bounded_in_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_are_bounded_in_bytes_and_replaced_ones_go,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_restored_database_is_another_store, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_readings_of_before_are_rolled_up_after_the_migration,
                                        set_up, tear_down),
    };
    if (!dialect_fixture_has_pg()) {
        print_message("PGA_TEST_PG is not set: no PostgreSQL to compare with\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
