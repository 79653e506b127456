/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_engines_rollup.c: the same random readings to a store in SQLite and to one in
 * PostgreSQL: the same buckets, the same answers over a month, before and after the readings went;
 * what retention and the quota take. Runs with PGA_TEST_PG=postgres://... (dialect_fixture.h).
 *
 * The wall clock is the test's own.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "dialect_fixture.h"
#include "os/clock.h"
#include "rollup_fixture.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store.h"
#include "store/tsdb/engine.h"
#include "store/tsdb/series/series.h"

#define DAY  (24 * HOUR)
#define DAYS 3

struct both {
    struct dialect_fixture place;
    struct rolling lite, pg;
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

static int set_up(void **state)
{
    struct both *b = alloc_new(sizeof(*b));

    tsdb_clock_take(START_MS);
    dialect_fixture_begin(&b->place, SQLDB_PG);
    migrate(b->place.url);
    rolling_begin(&b->lite, NULL);
    rolling_begin(&b->pg, b->place.url);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct both *b = *state;

    rolling_end(&b->lite);
    rolling_end(&b->pg);
    dialect_fixture_end(&b->place);
    tsdb_clock_give_back();
    alloc_free(b);
    return 0;
}

/* --- what there is in the database --- */

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
    int64_t end = clock_mono_us() + WAIT_US;
    struct sqldb *db = NULL;
    char sql[1024];

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

/* --- the same readings --- */

static void send(struct both *b, rolling_put *put, int64_t from, int64_t to, int64_t every)
{
    b->lite.last_t = b->pg.last_t = from;
    rolling_send(&b->lite, put, from, to, every);
    rolling_send(&b->pg, put, from, to, every);
}

static void wait_both(struct both *b, int64_t until_ms)
{
    tsdb_flush_ok(&b->lite.f);
    tsdb_flush_ok(&b->pg.f);
    rolling_wait(&b->lite, until_ms);
    rolling_wait(&b->pg, until_ms); /* by what its leader saw of late */
    becomes_true(b, "NOT EXISTS (SELECT FROM ts_dirty d, ts_rollup r WHERE d.hour < r.open_hour)");
}

/* Hours 6 to 8 of the second day come two hours after their successors. */
static void live_day(struct both *b, int day)
{
    int64_t from = START_MS + day * DAY;

    tsdb_clock_set(from + DAY + 600000);
    send(b, rolling_dense, from, from + 2 * HOUR, 10000);
    send(b, rolling_dense, from + 2 * HOUR, from + 6 * HOUR, 60000);
    send(b, rolling_dense, from + (day == 1 ? 9 : 6) * HOUR, from + DAY, 120000);
    send(b, rolling_sparse, from, from + DAY, 300000);
    send(b, rolling_fact, from + HOUR, from + 5 * HOUR, 60000);
}

static void live_late(struct both *b, int64_t from)
{
    tsdb_sender_init(&b->lite.sender, &b->lite.f);
    tsdb_sender_init(&b->pg.sender, &b->pg.f);
    send(b, rolling_dense, from, from + 3 * HOUR, 60000);
}

static void live(struct both *b)
{
    for (int day = 0; day < DAYS; day++) {
        live_day(b, day);
        if (day == 1) {
            wait_both(b, START_MS + 2 * DAY);
            live_late(b, START_MS + DAY + 6 * HOUR);
        }
    }
    wait_both(b, START_MS + DAYS * DAY);
}

/* --- buckets as text --- */

struct dump {
    struct tsdb_reader *reader;
    struct buf text;
    size_t buckets;
    struct arena arena;
};

static void put_cell(struct buf *out, const char *name, const struct cell *c)
{
    switch (c->tag) {
    case CELL_NULL:
        break;
    case CELL_I64:
    case CELL_U64:
        buf_printf(out, " %s=%lld", name, (long long)c->i64);
        break;
    case CELL_F64:
        buf_printf(out, " %s=%.17g", name, c->f64);
        break;
    case CELL_STR:
        buf_printf(out, " %s='%.*s'", name, STR_ARG(c->str));
        break;
    }
}

static void put_column(struct buf *out, const struct tsdb_rolled *c, size_t row)
{
    buf_add_c(out, " |");
    put_cell(out, "last", &c->last[row]);
    put_cell(out, "min", &c->min[row]);
    put_cell(out, "max", &c->max[row]);
    put_cell(out, "sum", &c->sum[row]);
    put_cell(out, "count", &c->count[row]);
    put_cell(out, "first", &c->first[row]);
    put_cell(out, "rise", &c->rise[row]);
    buf_add_c(out, c->broken[row] ? " broken" : "");
    buf_add_c(out, c->no_rise[row] ? " no_rise" : "");
}

static void put_keys(struct dump *d, const struct tsdb_bucket *b, size_t row)
{
    struct str *found = NULL;

    if (b->objects) {
        assert_int_equal(tsdb_object_keys(d->reader, &d->arena, b->objects[row], &found, &e),
                         ERR_OK);
        buf_printf(&d->text, "  %.*s", STR_ARG(found[0]));
        return;
    }
    for (size_t k = 0; k < b->key_count; k++) {
        buf_printf(&d->text, "  %.*s", STR_ARG(b->keys[k][row]));
    }
}

static enum err_code put_bucket(void *arg, const struct tsdb_bucket *b, struct err *err)
{
    struct dump *d = arg;

    (void)err;
    d->buckets++;
    buf_printf(&d->text, "%lld %lld covered=%lld every=%lld flags=%u %.*s\n",
               (long long)(b->end_ms - START_MS), (long long)(b->t_ms - START_MS),
               (long long)b->covered_ms, (long long)b->every_ms, b->flags, STR_ARG(b->reason));
    for (size_t row = 0; row < b->row_count; row++) {
        put_keys(d, b, row);
        buf_printf(&d->text, " t=%lld born=%lld%s", (long long)(b->row_t_ms[row] - START_MS),
                   (long long)b->born_ms[row], b->ended[row] ? " ended" : "");
        put_cell(&d->text, "readings", &b->readings[row]);
        for (size_t c = 0; c < b->column_count; c++) {
            put_column(&d->text, &b->columns[c], row);
        }
        buf_add_char(&d->text, '\n');
    }
    arena_reset(&d->arena);
    return ERR_OK;
}

static void dump(struct rolling *g, const char *relation, enum tsdb_tier tier, struct dump *d)
{
    const struct tsdb_tier_spec spec = {.tier = tier,
                                        .target = g->f.target,
                                        .relation = str_of(relation),
                                        .from_ms = START_MS,
                                        .to_ms = START_MS + DAYS * DAY};

    d->reader = tsdb_borrow(&g->f);
    d->buckets = 0;
    buf_init(&d->text, 64 << 20);
    arena_init(&d->arena, "test", 1 << 20);
    if (tsdb_tier_scan(d->reader, &spec, put_bucket, d, &e)) {
        fail_msg("%s: %s", relation, e.text);
    }
    tsdb_reader_return(d->reader);
    arena_fini(&d->arena);
}

static void same_buckets(struct both *b, const char *relation, enum tsdb_tier tier, size_t least)
{
    struct dump lite;
    struct dump pg;
    size_t at = 0;

    dump(&b->lite, relation, tier, &lite);
    dump(&b->pg, relation, tier, &pg);
    assert_true(lite.buckets >= least);
    while (lite.text.ptr[at] && lite.text.ptr[at] == pg.text.ptr[at]) {
        at++;
    }
    if (lite.text.ptr[at] || pg.text.ptr[at]) {
        at = at < 300 ? 0 : at - 300;
        fail_msg("%s, tier %d, %zu and %zu buckets:\n%.600s\n--- PostgreSQL:\n%.600s", relation,
                 (int)tier, lite.buckets, pg.buckets, lite.text.ptr + at, pg.text.ptr + at);
    }
    buf_fini(&lite.text);
    buf_fini(&pg.text);
}

/* --- answers --- */

static const struct question questions[] = {
    {"n", AGGREGATE_INCREASE, AGGREGATE_BY_ROW}, {"n", AGGREGATE_RATE, AGGREGATE_BY_KEYS},
    {"n", AGGREGATE_LAST, AGGREGATE_BY_ROW},     {"g", AGGREGATE_MIN, AGGREGATE_BY_ROW},
    {"g", AGGREGATE_MAX, AGGREGATE_BY_ROW},      {"g", AGGREGATE_SUM, AGGREGATE_BY_KEYS},
    {"g", AGGREGATE_AVG, AGGREGATE_BY_ROW},      {"g", AGGREGATE_COUNT, AGGREGATE_BY_ROW},
    {"d", AGGREGATE_SUM, AGGREGATE_BY_ROW},      {"d", AGGREGATE_MAX, AGGREGATE_BY_ROW},
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

static void same_result(const struct aggregate_result *a, const struct aggregate_result *b,
                        const struct question *q)
{
    assert_int_equal(a->series_count, b->series_count);
    assert_int_equal(a->point_count, b->point_count);
    assert_true(a->series_count > 0);
    for (size_t i = 0; i < a->series_count; i++) {
        assert_true(str_eq(a->series[i].label_values[0], b->series[i].label_values[0]));
        for (size_t p = 0; p < a->point_count; p++) {
            double x = a->series[i].values[p];
            double y = b->series[i].values[p];
            if (isnan(x) != isnan(y) || (!isnan(x) && x != y)) {
                fail_msg("%s %s, series %zu, point %zu: %.17g, PostgreSQL %.17g", q->column,
                         aggregate_op_name(q->op), i, p, x, y);
            }
        }
    }
}

/* Thirty days, most of them before there was anything. */
static void same_month(struct both *b, const char *relation)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        const struct str column[] = {str_of(questions[i].column)};
        const struct aggregate_spec spec = {.relation = str_of(relation),
                                            .columns = column,
                                            .column_count = 1,
                                            .op = questions[i].op,
                                            .by_mode = questions[i].by,
                                            .from_ms = START_MS + (DAYS - 30) * DAY,
                                            .to_ms = START_MS + DAYS * DAY,
                                            .step_ms = HOUR};
        same_result(rolling_run(&b->lite, spec, false), rolling_run(&b->pg, spec, false),
                    &questions[i]);
    }
    arena_reset(&b->lite.arena);
    arena_reset(&b->pg.arena);
}

/* --- retention --- */

static void restart(struct both *b, int64_t now_ms)
{
    tsdb_fixture_stop(&b->lite.f);
    tsdb_fixture_stop(&b->pg.f);
    tsdb_clock_set(now_ms);
    tsdb_fixture_start(&b->lite.f); /* retention looks at once after a start */
    tsdb_fixture_start(&b->pg.f);
}

static const char *with_number(char *out, size_t size, const char *format, int64_t n)
{
    (void)snprintf(out, size, format, (long long)n);
    return out;
}

/* --- series of PromQL --- */

static void put_note(void *arg, const char *text)
{
    buf_printf(arg, "# %s\n", text);
}

static void put_series(struct buf *out, const struct series *s)
{
    buf_printf(out, "series every=%lld\n", (long long)s->every_ms);
    for (size_t i = 0; i < s->count; i++) {
        uint64_t bits = 0;
        memcpy(&bits, &s->value[i], sizeof(bits));
        buf_printf(out, "%lld %llx %lld\n", (long long)(s->t_ms[i] - START_MS),
                   (unsigned long long)bits, s->until_ms ? (long long)s->until_ms[i] : 0);
    }
}

static void select_text(struct rolling *g, const struct series_select *spec, struct buf *out)
{
    struct series_tsdb_config config = {.reader = tsdb_borrow(&g->f)};
    struct series_tsdb *s = NULL;
    struct series_set *set = NULL;
    struct series one;
    bool more = true;

    buf_init(out, 64 << 20);
    assert_int_equal(series_tsdb_init(&g->arena, &config, &s, &e), ERR_OK);
    series_tsdb_source(s)->note = put_note;
    series_tsdb_source(s)->note_arg = out;
    assert_int_equal(series_select(series_tsdb_source(s), &g->arena, spec, &set, &e), ERR_OK);
    while (more) {
        assert_int_equal(series_next(set, &one, &more, &e), ERR_OK);
        if (more) {
            put_series(out, &one);
        }
    }
    series_close(set);
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
    arena_reset(&g->arena);
}

static void same_series(struct both *b, const char *metric, const char *func, int64_t range_ms,
                        int64_t step_ms)
{
    const struct matcher name = {
        .kind = MATCHER_EQUAL, .name = STR("__name__"), .value = str_of(metric)};
    const struct series_select spec = {.matchers = &name,
                                       .matcher_count = 1,
                                       .from_ms = START_MS + (DAYS - 30) * DAY,
                                       .to_ms = START_MS + DAYS * DAY,
                                       .range_ms = range_ms,
                                       .step_ms = step_ms,
                                       .func = str_of(func)};
    struct buf lite;
    struct buf pg;

    select_text(&b->lite, &spec, &lite);
    select_text(&b->pg, &spec, &pg);
    assert_true(lite.len > 1000);
    if (strcmp(lite.ptr, pg.ptr) != 0) {
        fail_msg("%s(%s):\n%.600s\n--- PostgreSQL:\n%.600s", func, metric, lite.ptr, pg.ptr);
    }
    buf_fini(&lite);
    buf_fini(&pg);
}

static void same_promql(struct both *b)
{
    same_series(b, "dense_n", "rate", 4 * HOUR, HOUR);
    same_series(b, "dense_n", "rate", HOUR / 2, HOUR / 4);
    same_series(b, "dense_n", "changes", 4 * HOUR, HOUR);
    same_series(b, "dense_g", "max_over_time", 6 * HOUR, HOUR);
    same_series(b, "sparse_n", "increase", 8 * HOUR, 2 * HOUR);
    same_series(b, "dense_level", "", 0, HOUR);
}

/* --- a leader that dies --- */

/* In a child: roll up what is there, until the fault point. */
static void lead_until_fault(const char *url, const char *now_ms)
{
    struct rolling *g = alloc_new(sizeof(*g));

    tsdb_clock_take(strtoll(now_ms, NULL, 10));
    rolling_begin(g, url);
    rolling_wait(g, START_MS + 5 * HOUR);
    _exit(0); /* the fault point was not reached */
}

static void die_at(struct both *b, const char *point)
{
    char now[32];
    int status = 0;

    (void)snprintf(now, sizeof(now), "%lld", (long long)clock_wall_ms());
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("PGA_FAULT", point, 1);
        execl("/proc/self/exe", "test_tsdb_engines_rollup", b->place.url, now, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("it does not die at %s", point);
    }
    run(b, "UPDATE ts_leader SET until = '-infinity'"); /* its lease lasts 8 s */
}

static void test_a_leader_that_dies_leaves_nothing_out_and_nothing_twice(void **state)
{
    static const char *const points[] = {"pgstore.rollup_writing", "pgstore.rollup_written",
                                         "pgstore.rollup_writing"};
    struct both *b = *state;

    tsdb_clock_set(START_MS + 5 * HOUR); /* the hours of before are being rolled up */
    send(b, rolling_dense, START_MS, START_MS + 5 * HOUR, 60000);
    send(b, rolling_sparse, START_MS, START_MS + 5 * HOUR, 300000);
    tsdb_flush_ok(&b->pg.f);
    tsdb_fixture_stop(&b->pg.f);
    tsdb_clock_set(START_MS + 5 * HOUR + 600000);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        run(b, "INSERT INTO ts_dirty SELECT DISTINCT (t_ms - 1) / 3600000, grp, 1 FROM ts_slice "
               "ON CONFLICT DO NOTHING");
        die_at(b, points[i]);
    }
    tsdb_fixture_start(&b->pg.f);
    wait_both(b, START_MS + 5 * HOUR);
    same_buckets(b, "dense", TSDB_TIER_1H, 5);
    same_buckets(b, "sparse", TSDB_TIER_1H, 5);
}

static void test_buckets_and_answers_are_the_same(void **state)
{
    struct both *b = *state;

    live(b);
    same_buckets(b, "dense", TSDB_TIER_5M, 50);
    same_buckets(b, "dense", TSDB_TIER_1H, 60);
    same_buckets(b, "sparse", TSDB_TIER_1H, 60);
    same_buckets(b, "fact", TSDB_TIER_1H, 12);
    same_month(b, "dense");
    same_month(b, "sparse");
    same_promql(b);
    rolling_compare_all(&b->pg, "sparse", questions, QUESTIONS, 2 * 24);
}

static struct tsdb_plan plan_of(struct rolling *g)
{
    const struct tsdb_plan_spec ask = {.target = g->f.target,
                                       .relation = STR("dense"),
                                       .from_ms = START_MS,
                                       .to_ms = START_MS + DAYS * DAY,
                                       .range_ms = 600000};
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct tsdb_plan plan;

    assert_int_equal(tsdb_tier_plan(r, &ask, &plan, &e), ERR_OK);
    tsdb_reader_return(r);
    return plan;
}

/* Buckets stand for readings that went, also for who asks for readings. */
static void same_plan(struct both *b, int64_t raw_from_ms)
{
    struct tsdb_plan lite = plan_of(&b->lite);
    struct tsdb_plan pg = plan_of(&b->pg);

    assert_int_equal(pg.count, lite.count);
    assert_int_equal(pg.instead, lite.instead);
    assert_int_not_equal(pg.instead, TSDB_RAW);
    assert_int_equal(pg.range_ms, lite.range_ms);
    for (size_t i = 0; i < lite.count; i++) {
        assert_int_equal(pg.parts[i].tier, lite.parts[i].tier);
        assert_true(pg.parts[i].from_ms == lite.parts[i].from_ms);
        assert_true(pg.parts[i].to_ms == lite.parts[i].to_ms);
    }
    assert_int_equal(pg.parts[pg.count - 1].tier, TSDB_RAW);
    assert_true(pg.parts[pg.count - 1].from_ms == raw_from_ms);
}

/* What comes for a day that went is not taken: nobody would see it. */
static void expect_refused(struct both *b, int64_t today)
{
    int64_t end_us = clock_mono_us() + WAIT_US;
    struct tsdb_stats now;

    while (atomic_load(&b->pg.f.db->raw_day[DAY_FAST]) < today) {
        assert_true(clock_mono_us() < end_us);
        clock_sleep_ms(5);
    }
    tsdb_sender_init(&b->pg.sender, &b->pg.f);
    b->pg.last_t = today * DAY - HOUR;
    rolling_send(&b->pg, rolling_dense, b->pg.last_t, today * DAY - HOUR + 120000, 60000);
    tsdb_stats(b->pg.f.db, &now);
    assert_true(now.refused[TSDB_REFUSED_CLOCK] > 0);
    assert_int_equal(now.samples_stored, 0);
}

static void test_retention_and_quota(void **state)
{
    struct both *b = *state;
    int64_t now_ms = START_MS + 4 * DAY + 600000;
    int64_t today = now_ms / DAY;
    char text[256];

    b->lite.whole = b->pg.whole = true;
    b->lite.f.config.retention_slow_days = 3;
    b->lite.f.config.retention_days = b->pg.f.config.retention_days = 3;
    b->lite.f.config.rollup_5m_days = b->pg.f.config.rollup_5m_days = 5;
    live(b);
    restart(b, now_ms);
    becomes_true(
        b, with_number(text, sizeof(text), "(SELECT min(day) FROM ts_day) = %lld", today - 3));
    becomes_true(
        b, with_number(text, sizeof(text), "(SELECT raw_day FROM ts_rollup) = %lld", today - 3));
    same_plan(b, (today - 3) * DAY);
    same_month(b, "dense");
    same_promql(b);
    /* every second reading was there already, and the first one counts */
    live_late(b, START_MS + 2 * DAY + 6 * HOUR);
    wait_both(b, START_MS + DAYS * DAY);
    same_buckets(b, "dense", TSDB_TIER_1H, 60);
    becomes_true(b, "to_regclass('ts_tier5m_202602') IS NOT NULL");
    restart(b, START_MS + 6 * DAY);
    becomes_true(b, "to_regclass('ts_tier5m_202602') IS NULL"); /* ended five days ago */
    becomes_true(b, "to_regclass('ts_tier1h_202602') IS NOT NULL");
    same_buckets(b, "dense", TSDB_TIER_5M, 20);
    b->pg.f.config.max_bytes = 1;
    restart(b, START_MS + 6 * DAY);
    today = (START_MS + 6 * DAY) / DAY;
    becomes_true(b, with_number(text, sizeof(text), "(SELECT min(day) FROM ts_day) = %lld", today));
    becomes_true(b, "to_regclass('ts_tier1h_202602') IS NULL");
    becomes_true(b, "to_regclass('ts_tier1h_202603') IS NOT NULL"); /* it is being written */
    becomes_true(b, "(SELECT count(*) FROM ts_dirty) = 0");
    expect_refused(b, today);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        lead_until_fault(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_buckets_and_answers_are_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_leader_that_dies_leaves_nothing_out_and_nothing_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retention_and_quota, set_up, tear_down),
    };
    if (!dialect_fixture_has_pg()) {
        print_message("PGA_TEST_PG is not set: no PostgreSQL to compare with\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
