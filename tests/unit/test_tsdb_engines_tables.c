/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_engines_tables.c: what readings say stands in the tables that people query, also when
 * the leader makes a table just while the mover looks for it. Runs with
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
#include "base/fault.h"
#include "dialect_fixture.h"
#include "os/clock.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "store/tsdb/postgres/pgstore.h"
#include "tsdb_fixture.h"

#define WAIT_US 60000000LL

struct store {
    struct dialect_fixture place;
    struct tsdb_fixture f;
    struct tsdb_sender sender;
};

static struct err e;
static struct store *watched; /* by the mover's thread, between fault_watch and its end */
static atomic_int passed;

static int set_up(void **state)
{
    struct store *b = alloc_new(sizeof(*b));
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    dialect_fixture_begin(&b->place, SQLDB_PG);
    store_migrations(&set, NULL);
    if (sqldb_open(b->place.url, NULL, &db, &e) || sqldb_migrate_up(db, &set, NULL, &e)) {
        fail_msg("migrate: %s", e.text);
    }
    sqldb_close(db);
    tsdb_fixture_init(&b->f);
    b->f.config.url = b->place.url;
    tsdb_fixture_start(&b->f);
    tsdb_sender_init(&b->sender, &b->f);
    atomic_store(&passed, 0);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct store *b = *state;

    fault_watch(NULL);
    tsdb_fixture_fini(&b->f);
    dialect_fixture_end(&b->place);
    alloc_free(b);
    return 0;
}

/* An object of one relation and a fact of another, so many readings of each; n[i] = i `more`. */
static void push_readings(struct store *b, int count, const char *more)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&b->f.target, target);
    buf_init(&out, 1 << 20);
    buf_add_c(&out,
              "{\"relations\":["
              "{\"name\":\"thing\",\"help\":\"One row.\",\"shape\":\"object\",\"sparse\":false,"
              "\"keys\":[{\"name\":\"id\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\","
              "\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]},"
              "{\"name\":\"fact\",\"help\":\"Facts.\",\"shape\":\"fact\",\"sparse\":false,"
              "\"keys\":[{\"name\":\"id\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\","
              "\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}],"
              "\"slices\":[");
    for (int i = 0; i < 2 * count; i++) {
        buf_printf(&out,
                   "%s{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,"
                   "\"from_t\":%lld,\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":1,"
                   "\"keys\":{\"id\":[\"a\"]},\"columns\":{\"n\":[%d%s]}}",
                   i ? "," : "", i % 2 ? "fact" : "thing", target,
                   (long long)(b->f.now_ms - 3600000 + i / 2 * 10000LL),
                   (long long)(b->f.now_ms - 3610000 + i / 2 * 10000LL), i, more);
    }
    buf_add_c(&out, "]}");
    tsdb_send_ok(&b->sender, out.ptr);
    buf_fini(&out);
}

/* Of a relation that gets no table: the days are there after it. */
static void push_undescribed(struct store *b)
{
    char target[TEXT_UUID_SIZE];
    char record[300];

    text_uuid(&b->f.target, target);
    (void)snprintf(record, sizeof(record),
                   "{\"slices\":[{\"relation\":\"loose\",\"target\":\"%s\",\"scope\":\"\","
                   "\"t\":%lld,\"from_t\":%lld,\"every_ms\":10000,\"flags\":[],\"rows\":1,"
                   "\"keys\":{\"id\":[\"a\"]},\"columns\":{\"v\":[1]}}]}",
                   target, (long long)b->f.now_ms - 3600000, (long long)b->f.now_ms - 3610000);
    tsdb_send_ok(&b->sender, record);
    tsdb_flush_ok(&b->f);
}

static bool holds(struct store *b, const char *condition)
{
    struct sqldb *db = NULL;
    char sql[256];
    struct err why = {0};

    (void)snprintf(sql, sizeof(sql), "DO $$ BEGIN ASSERT %s; END $$", condition);
    enum err_code code = sqldb_open(b->place.url, NULL, &db, &why);
    code = code ? code : sqldb_script(db, sql, &why);
    sqldb_close(db);
    return code == ERR_OK;
}

/* The mover has looked which tables there are; now the leader makes them. */
static void make_tables(const char *point)
{
    struct tsdb *db = watched->f.db;
    int64_t end_us = clock_mono_us() + WAIT_US;

    if (strcmp(point, "pgstore.tables_known") != 0 || atomic_fetch_add(&passed, 1) > 0) {
        return;
    }
    while (!holds(watched, "(SELECT count(DISTINCT relation) FROM ts_wide) = 2") &&
           clock_mono_us() < end_us) {
        lock_take(&db->state);
        pgstore_of(db)->tables_wanted = true;
        cond_signal(&db->wake_applier);
        lock_release(&db->state);
        clock_sleep_ms(20);
    }
}

static void test_a_table_that_is_made_meanwhile_gets_the_readings(void **state)
{
    struct store *b = *state;

    push_undescribed(b);
    watched = b;
    fault_watch(make_tables);
    push_readings(b, 5, "");
    tsdb_flush_ok(&b->f);
    fault_watch(NULL);
    assert_true(atomic_load(&passed) > 0);
    assert_true(holds(b, "(SELECT count(*) FROM ts_slice) = 11"));
    assert_true(holds(b, "(SELECT concat_ws(' ', count(*), sum(n)) FROM metric_thing) = '5 20'"));
    assert_true(holds(b, "(SELECT concat_ws(' ', count(*), sum(n)) FROM metric_fact) = '5 25'"));
    assert_true(holds(b, "(SELECT count(*) FROM ts_extra) = 1"));
}

static void test_what_a_column_cannot_hold_stands_beside(void **state)
{
    struct store *b = *state;

    push_readings(b, 3, ".5");
    tsdb_flush_ok(&b->f);
    assert_true(holds(b, "(SELECT concat_ws(' ', count(*), count(n)) FROM metric_thing) = '3 0'"));
    assert_true(holds(b, "(SELECT concat_ws(' ', count(*), sum(v)) FROM ts_extra) = '3 7.5'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_table_that_is_made_meanwhile_gets_the_readings,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_column_cannot_hold_stands_beside, set_up,
                                        tear_down),
    };

    if (!dialect_fixture_has_pg()) {
        print_message("PGA_TEST_PG is not set: no PostgreSQL to look at\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
