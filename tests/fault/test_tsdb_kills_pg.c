/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_kills_pg.c: a server of a store in PostgreSQL that is killed again and again in each
 * phase of its work loses nothing that was acknowledged and has nothing twice; nor does a copy of
 * a store from SQLite to PostgreSQL, or back.
 *
 * After each kill another server takes over: rows that the dead one left in the journal are moved,
 * and the readings are compared with the ledger, the rows of the tables for people with the same;
 * after every second one the roll-ups as well, with events and texts. It goes on with the next
 * kill, so damage would add up; every KILLS_STORE a new store begins.
 * Settings: kills/killing.h; and PGA_TEST_PG=postgres://..., a server in which databases may be
 * made. Without it the test is skipped (exit 77).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kills_check.h"
#include "os/clock.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "store/tsdb/postgres/pgstore.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

/* Not among the parts that every test links: these replace calls of the C library. */
#include "kills/child.c"    /* NOLINT(bugprone-suspicious-include) */
#include "kills/database.c" /* NOLINT(bugprone-suspicious-include) */
#include "kills/killing.c"  /* NOLINT(bugprone-suspicious-include) */
#include "kills/look.c"     /* NOLINT(bugprone-suspicious-include) */
#include "kills/moment.c"   /* NOLINT(bugprone-suspicious-include) */

#define WAIT_SETTLED_US 120000000LL
#define SKIPPED         77

/* --- a store --- */

static void migrate_up(const char *url)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;
    struct err e = {0};

    store_migrations(&set, NULL);
    if (sqldb_open(url, NULL, &db, &e) || sqldb_migrate_up(db, &set, NULL, &e)) {
        fail_msg("migrate: %s", e.text);
    }
    sqldb_close(db);
}

static void new_store(struct killing *k)
{
    struct kills_shared *shared = k->shared;
    struct err e = {0};

    killing_new_ledger(k);
    (void)snprintf(shared->database, sizeof(shared->database), "pga_kills_%ld", (long)getpid());
    if (k->phase == PHASE_TO_PG) {
        killing_add_meta(k);
        return;
    }
    assert_true(kills_database_url(shared->url, shared->database));
    if (kills_database_new(shared->database, &e)) {
        fail_msg("%s: %s", shared->database, e.text);
    }
    migrate_up(shared->url);
    k->f.config.url = shared->url;
}

/* --- looking at what is left --- */

static void require(struct tsdb_fixture *f, struct kills_check *c, const char *condition,
                    const char *value, const char *what)
{
    struct err e = {0};

    if (kills_database_holds(f->config.url, condition, value, &e)) {
        c->wrong++;
        kills_say(c, "%s: %s", what, e.text);
    }
}

static void hurry_up(struct tsdb_fixture *f)
{
    lock_take(&f->db->state);
    cond_signal(&f->db->wake_applier);
    lock_release(&f->db->state);
}

/*
 * Start, and wait until the leader's first round is over: what is too old goes in that, and should
 * not between two looks at it.
 */
static void start(struct tsdb_fixture *f)
{
    static void (*const bodies[3])(void *) = {run_writer, run_flusher, run_applier};
    int64_t end_us = clock_mono_us() + WAIT_SETTLED_US;
    struct err e = {0};

    if (tsdb_open(&f->config, &f->db, &e)) {
        fail_msg("open: %s", e.text);
    }
    atomic_store(&pgstore_of(f->db)->rolled_up_ms, -1); /* it says how far it is at the end */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thread_start(&f->threads[i], "kills", bodies[i], f->db, &e), ERR_OK);
    }
    while (atomic_load(&pgstore_of(f->db)->rolled_up_ms) == -1 && clock_mono_us() < end_us) {
        hurry_up(f);
        clock_sleep_ms(2);
    }
}

/* Wait for something that the store does by itself. */
static void wait_for(struct tsdb_fixture *f, struct kills_check *c, const char *condition,
                     const char *what)
{
    int64_t end_us = clock_mono_us() + WAIT_SETTLED_US;
    struct err e = {0};

    while (kills_database_holds(f->config.url, condition, "'not yet'", &e)) {
        if (clock_mono_us() > end_us) {
            c->wrong++;
            kills_say(c, "%s: %s", what, e.text);
            return;
        }
        hurry_up(f);
        tsdb_flush_ok(f);
        clock_sleep_ms(5);
    }
}

/* Days before it may have gone. */
static int64_t kept_ms(const struct kills_check *c)
{
    return (atomic_load(&c->ledger->wall_ms) / KILLS_DAY - c->retention_days) * KILLS_DAY;
}

/* A relation since then, as the ledger says: rows, sums of two columns. Returns the readings. */
static uint64_t sum_up(const struct kills_check *c, enum kills_relation relation, char *out,
                       size_t size)
{
    int64_t from_ms = kept_ms(c);
    uint64_t kept = 0;
    struct kills_reading *readings = NULL;
    size_t count = kills_expect(c->ledger, c->next, relation, &readings);
    int64_t rows = 0;
    int64_t n = 0;
    int64_t d = 0;

    for (size_t i = 0; i < count; i++) {
        kept += readings[i].t_ms >= from_ms;
        for (size_t k = 0; readings[i].t_ms >= from_ms && k < kills_row_count(relation); k++) {
            struct kills_row row;
            kills_row(relation, &readings[i], k, &row);
            rows++;
            n += row.n;
            d += row.d;
        }
    }
    free(readings);
    (void)snprintf(out, size, "%" PRId64 " %" PRId64 " %" PRId64, rows, n, d);
    return kept;
}

/* The table for people has the same: of days that are kept for sure. */
static uint64_t check_wide(struct tsdb_fixture *f, struct kills_check *c,
                           enum kills_relation relation)
{
    char sums[100];
    char value[300];
    char condition[500];

    uint64_t kept = sum_up(c, relation, sums, sizeof(sums));
    if (kept == 0) {
        return 0; /* there may be no such table yet */
    }
    (void)snprintf(value, sizeof(value),
                   "SELECT concat_ws(' ', count(*), sum(n), sum(d)) FROM metric_%s WHERE t >= "
                   "to_timestamp(%" PRId64 ")",
                   kills_relation_name(relation), kept_ms(c) / 1000);
    (void)snprintf(condition, sizeof(condition), "(%s) = '%s'", value, sums);
    require(f, c, condition, value, kills_relation_name(relation));
    return kept;
}

static void check_tables(struct tsdb_fixture *f, struct kills_check *c)
{
    uint64_t kept = 0;
    char value[120];
    char condition[200];

    for (int r = 0; r < KILLS_RELATIONS; r++) {
        kept += check_wide(f, c, (enum kills_relation)r);
    }
    (void)snprintf(value, sizeof(value), "SELECT count(*) FROM ts_slice WHERE t_ms >= %" PRId64,
                   kept_ms(c));
    (void)snprintf(condition, sizeof(condition), "(%s) = %" PRIu64, value, kept);
    require(f, c, condition, value, "readings in ts_slice");
    require(f, c, "NOT EXISTS (SELECT FROM ts_slice GROUP BY grp, t_ms HAVING count(*) > 1)",
            "'twice'", "a reading");
}

static void wait_rolled_up(struct tsdb_fixture *f, struct kills_check *c)
{
    int64_t now_ms = atomic_load(&c->ledger->wall_ms);
    char condition[300];

    c->rolled_ms = (now_ms - 180000) / KILLS_HOUR * KILLS_HOUR;
    (void)snprintf(condition, sizeof(condition),
                   "(SELECT watermark_ms >= %" PRId64 " AND NOT EXISTS (SELECT FROM ts_dirty d "
                   "WHERE d.hour < r.open_hour) FROM ts_rollup r)",
                   c->rolled_ms);
    wait_for(f, c, condition, "roll-ups stay");
}

static void look_at_pg(struct tsdb_fixture *f, struct kills_check *c, bool settle)
{
    start(f);
    wait_for(f, c, "(SELECT count(*) FROM ts_journal) = 0", "journal rows stay");
    kills_check_readings(f, c);
    check_tables(f, c);
    if (settle) {
        wait_rolled_up(f, c);
        kills_check_derived(f, c);
    }
    tsdb_fixture_stop(f);
}

static void look_at_copy(struct killing *k, uint64_t number, struct kills_check *c)
{
    struct tsdb_fixture f = {.config = k->f.config};
    char dir[120];
    char name[100];
    char url[KILLS_URL];
    struct err e = {0};

    f.config.target_arg = &f;
    if (k->phase == PHASE_TO_PG) {
        (void)snprintf(name, sizeof(name), KILLS_COPY_NAME, k->shared->database, number);
        assert_true(kills_database_url(url, name));
        assert_int_equal(kills_database_bury(url, &e), ERR_OK);
        f.config.url = url;
        look_at_pg(&f, c, true);
        assert_int_equal(kills_database_drop(name, &e), ERR_OK);
        return;
    }
    (void)snprintf(dir, sizeof(dir), "%s/%" PRIu64, k->copies, number);
    f.config.dir = dir;
    f.config.url = NULL;
    kills_look_at_rest(&f, c);
    kills_look_settled(&f, c);
}

static void bury(struct killing *k)
{
    uint64_t number = atomic_load(&k->shared->copies) + 1;
    bool copying = atomic_load(&k->shared->migrating) && k->phase == PHASE_TO_PG;
    char name[100];
    char url[KILLS_URL];
    struct err e = {0};

    if (k->shared->url[0] && kills_database_bury(k->shared->url, &e)) {
        fail_msg("%s", e.text);
    }
    (void)snprintf(name, sizeof(name), KILLS_COPY_NAME, k->shared->database, number);
    if (copying && kills_database_url(url, name) && kills_database_bury(url, &e)) {
        fail_msg("%s", e.text);
    }
}

static void check(struct killing *k, bool settle)
{
    bool copying = atomic_load(&k->shared->migrating); /* meanwhile the source rests */
    struct tsdb_verify v;

    tsdb_clock_set(atomic_load(&k->shared->ledger.wall_ms));
    bury(k);
    settle = settle && !copying;
    if (k->phase == PHASE_TO_PG) {
        kills_look_verify(k->f.dir, &k->now, &v);
        kills_look_at_rest(&k->f, &k->now);
    } else if (copying) {
        kills_look_at_rest(&k->f, &k->now);
        bury(k);
    } else {
        look_at_pg(&k->f, &k->now, settle);
    }
    if (k->phase >= PHASE_PG_MIGRATE) {
        killing_check_copy(k);
    }
    killing_note(k, settle);
}

static int set_up(void **state)
{
    struct killing *k = killing_new();

    k->new_store = new_store;
    k->check = check;
    k->look_at_copy = look_at_copy;
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    struct killing *k = *state;
    struct err e = {0};
    char name[100];

    assert_int_equal(kills_database_drop(k->shared->database, &e), ERR_OK);
    (void)snprintf(name, sizeof(name), KILLS_COPY_NAME, k->shared->database,
                   atomic_load(&k->shared->copies) + 1);
    assert_int_equal(kills_database_drop(name, &e), ERR_OK);
    killing_free(k);
    return 0;
}

#define KILLS_OF(name, phase)                   \
    static void test_kills_##name(void **state) \
    {                                           \
        killing_many(*state, phase);            \
    }

KILLS_OF(during_start, PHASE_PG_START)
KILLS_OF(during_ingest, PHASE_PG_INGEST)
KILLS_OF(during_names, PHASE_PG_NAMES)
KILLS_OF(during_move, PHASE_PG_MOVE)
KILLS_OF(during_tables, PHASE_PG_TABLES)
KILLS_OF(during_rollup, PHASE_PG_ROLLUP)
KILLS_OF(during_retention, PHASE_PG_RETAIN)
KILLS_OF(during_copy_to_sqlite, PHASE_PG_MIGRATE)
KILLS_OF(during_copy_to_pg, PHASE_TO_PG)

#define TEST(name) cmocka_unit_test_setup_teardown(test_kills_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(during_start),     TEST(during_ingest),         TEST(during_names),
        TEST(during_move),      TEST(during_tables),         TEST(during_rollup),
        TEST(during_retention), TEST(during_copy_to_sqlite), TEST(during_copy_to_pg),
    };
    char url[KILLS_URL];

    if (!kills_database_url(url, "postgres")) {
        print_message("skipped: PGA_TEST_PG is not set: no PostgreSQL to store in\n");
        return SKIPPED;
    }
    killing_choose();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
