/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_rollup_store.c: roll-ups are made once, made again after late readings and crashes,
 * stand for readings that went, and go with their target.
 *
 * The wall clock is the test's own. A crash is a child that dies at a fault point.
 */
#include <math.h>
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
#include "os/clock.h"
#include "os/file.h"
#include "rollup_fixture.h"
#include "sqldb/sqldb.h"

/* --- late readings, crashes, deletions --- */

static const struct question counter_questions[] = {{"n", AGGREGATE_INCREASE, AGGREGATE_BY_ROW},
                                                    {"level", AGGREGATE_AVG, AGGREGATE_BY_ROW},
                                                    {"d", AGGREGATE_SUM, AGGREGATE_BY_KEYS}};

/* A collector was away for three hours; it delivers them in two parts, after the hours that
 * follow. */
static void test_late_readings_are_rolled_up_again(void **state)
{
    struct rolling *g = *state;
    struct tsdb_stats now;

    rolling_hour(g, rolling_dense, 0, 10000);
    rolling_hour(g, rolling_dense, 1, 10000);
    rolling_hour(g, rolling_dense, 5, 10000);
    for (int part = 0; part < 2; part++) {
        int64_t from = START_MS + 2 * HOUR + (1 - part) * 5400000;
        g->last_t = from;
        tsdb_sender_init(&g->sender, &g->f);
        rolling_send(g, rolling_dense, from, from + 5400000, 10000);
        tsdb_flush_ok(&g->f);
        rolling_wait(g, START_MS + 6 * HOUR);
        rolling_compare_all(g, "dense", counter_questions, 3, 5);
    }
    rolling_expect_tier(g, "dense", HOUR, TSDB_TIER_1H);
    tsdb_stats(g->f.db, &now);
    assert_int_equal(now.refused[TSDB_REFUSED_ORDER], 0);
}

/* In a child: start, flush what is there, roll it up, until the fault point. */
static void roll_up_until_fault(const char *dir, const char *start_ms)
{
    struct tsdb_fixture f = {.config = {.dir = dir}};
    struct rolling *g = alloc_new(sizeof(*g));

    tsdb_clock_take(strtoll(start_ms, NULL, 10));
    tsdb_fixture_start(&f);
    g->f = f;
    tsdb_flush_ok(&g->f);
    rolling_wait(g, START_MS + 3 * HOUR);
    _exit(0); /* the fault point was not reached */
}

static void die_at(struct rolling *g, const char *point)
{
    char now[32];
    int status = 0;

    (void)snprintf(now, sizeof(now), "%lld", (long long)clock_wall_ms());
    pid_t pid = fork();
    if (pid == 0) {
        (void)setenv("PGA_FAULT", point, 1);
        execl("/proc/self/exe", "test_tsdb_rollup_store", g->f.dir, now, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fail_msg("it does not die at %s", point);
    }
}

static void expect_sound(struct rolling *g)
{
    struct tsdb_verify v = {0};
    struct err e = {0};

    if (tsdb_verify(g->f.dir, &v, &e)) {
        fail_msg("%s", e.text);
    }
    assert_true(v.rollup_blocks > 0);
}

static void test_a_crash_leaves_nothing_out_and_nothing_twice(void **state)
{
    /* each goes on from what the one before left */
    static const char *const points[] = {"tsdb.rollup_writing",   "tsdb.rollup_written",
                                         "tsdb.rollup_written:2", "tsdb.rollup_marks",
                                         "tsdb.rollup_writing:3", "tsdb.rollup_marks",
                                         "tsdb.rollup_watermark", "tsdb.rollup_watermark"};
    struct rolling *g = *state;

    rolling_hour(g, rolling_dense, 0, 10000);
    rolling_send(g, rolling_dense, START_MS + HOUR, START_MS + 3 * HOUR - 1800000, 10000);
    tsdb_clock_set(START_MS + 3 * HOUR + 600000);
    rolling_send(g, rolling_dense, START_MS + 3 * HOUR - 1800000, START_MS + 3 * HOUR, 10000);
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        tsdb_fixture_kill(&g->f);
        die_at(g, points[i]);
        tsdb_fixture_start(&g->f);
        rolling_compare_all(g, "dense", counter_questions, 3, 2);
    }
    tsdb_flush_ok(&g->f);
    rolling_wait(g, START_MS + 3 * HOUR);
    rolling_compare_all(g, "dense", counter_questions, 3, 2);
    tsdb_fixture_stop(&g->f);
    expect_sound(g);
    tsdb_fixture_start(&g->f);
}

/* Hours were rolled up, and the process died before it said so; then comes an hour of before. */
static void test_what_follows_is_made_again_above_the_watermark_too(void **state)
{
    struct rolling *g = *state;

    rolling_hour(g, rolling_dense, 0, 10000);
    tsdb_clock_set(START_MS + 3 * HOUR + 600000);
    rolling_send(g, rolling_dense, START_MS + 2 * HOUR, START_MS + 3 * HOUR, 10000);
    tsdb_fixture_kill(&g->f);
    die_at(g, "tsdb.rollup_watermark");
    tsdb_clock_set(START_MS + 2 * HOUR + 60000); /* the late hour is not over */
    tsdb_fixture_start(&g->f);
    g->last_t = START_MS + HOUR;
    rolling_send(g, rolling_dense, START_MS + HOUR, START_MS + 2 * HOUR, 10000);
    tsdb_flush_ok(&g->f);
    tsdb_clock_set(START_MS + 3 * HOUR + 600000);
    tsdb_flush_ok(&g->f);
    rolling_wait(g, START_MS + 3 * HOUR);
    rolling_compare_all(g, "dense", counter_questions, 3, 2);
}

/* --- a day goes, and the hour that ends with it --- */

#define EVENING    4 /* hours; the last one ends at midnight */
#define NEXT_DAY   (START_MS + EVENING * HOUR)
#define TWO_COUNTS 2

static void count_file(void *arg, const char *name)
{
    int *count = arg;
    *count += strstr(name, ".db") != NULL && strchr(name, '-') == NULL;
}

static int count_files(struct rolling *g, const char *folder)
{
    char path[128];
    int count = 0;
    struct err e;

    (void)snprintf(path, sizeof(path), "%s/%s", g->f.dir, folder);
    assert_int_equal(file_list(path, count_file, &count, &e), ERR_OK);
    return count;
}

static void wait_files(struct rolling *g, const char *folder, int count)
{
    int64_t end = clock_mono_us() + WAIT_US;

    while (count_files(g, folder) > count) {
        if (clock_mono_us() > end) {
            fail_msg("%s holds %d files", folder, count_files(g, folder));
        }
        clock_sleep_ms(2);
    }
}

static const struct question evening_questions[TWO_COUNTS] = {
    {"g", AGGREGATE_COUNT, AGGREGATE_BY_ROW}, {"n", AGGREGATE_INCREASE, AGGREGATE_BY_ROW}};

/* Sums over the series, hour by hour. */
static void sum_evening(struct rolling *g, bool readings, double sums[TWO_COUNTS * EVENING])
{
    memset(sums, 0, TWO_COUNTS * EVENING * sizeof(*sums));
    for (int q = 0; q < TWO_COUNTS; q++) {
        struct str column[] = {str_of(evening_questions[q].column)};
        const struct aggregate_spec spec = {.relation = STR("dense"),
                                            .columns = column,
                                            .column_count = 1,
                                            .op = evening_questions[q].op,
                                            .from_ms = START_MS,
                                            .to_ms = NEXT_DAY,
                                            .step_ms = HOUR};
        struct aggregate_result *r = rolling_run(g, spec, readings);
        for (size_t p = 0; p < r->point_count; p++) {
            for (size_t i = 0; i < r->series_count; i++) {
                double v = r->series[i].values[p];
                sums[(size_t)q * EVENING + p] += isnan(v) ? 0 : v;
            }
        }
    }
    arena_reset(&g->arena);
}

static void expect_evening(struct rolling *g, const double want[TWO_COUNTS * EVENING])
{
    double got[TWO_COUNTS * EVENING];

    sum_evening(g, false, got);
    for (int i = 0; i < TWO_COUNTS * EVENING; i++) {
        if (got[i] != want[i]) {
            fail_msg("%s of hour %d: %.17g instead of %.17g", i < EVENING ? "readings" : "increase",
                     i % EVENING, got[i], want[i]);
        }
    }
}

static void begin_evening(struct rolling *g)
{
    tsdb_fixture_stop(&g->f);
    g->f.config.retention_days = g->f.config.retention_slow_days = 3;
    tsdb_fixture_start(&g->f);
    g->steady = g->whole = true;
    g->last_t = START_MS;
    tsdb_clock_set(NEXT_DAY + 600000);
}

static void send_until(struct rolling *g, int64_t until, double sums[TWO_COUNTS * EVENING])
{
    rolling_send(g, rolling_dense, g->last_t, until, 10000);
    sum_evening(g, true, sums);
}

static void roll_up_evening(struct rolling *g)
{
    tsdb_flush_ok(&g->f);
    rolling_wait(g, NEXT_DAY);
}

/* The reading of midnight comes late, and is not rolled up when the server ends. What is too old
 * goes at the start, before anything else is done; not the day whose last hour it belongs to. */
static void midnight_comes_late(struct rolling *g, bool flushed)
{
    double before[TWO_COUNTS * EVENING];

    begin_evening(g);
    send_until(g, NEXT_DAY - 10000, before);
    roll_up_evening(g);
    send_until(g, NEXT_DAY, before);
    tsdb_fixture_kill(&g->f);
    if (flushed) {
        die_at(g, "tsdb.rollup_hour");
    }
    tsdb_clock_set(NEXT_DAY + 72 * HOUR + 600000);
    tsdb_fixture_start(&g->f);
    tsdb_flush_ok(&g->f);
    rolling_wait(g, NEXT_DAY + 72 * HOUR);
    tsdb_fixture_stop(&g->f);
    tsdb_fixture_start(&g->f);
    wait_files(g, "raw/fast", 1);
    expect_evening(g, before);
}

static void test_a_day_stays_until_its_last_hour_is_rolled_up(void **state)
{
    midnight_comes_late(*state, true);
}

static void test_a_day_stays_until_its_late_readings_are_flushed(void **state)
{
    midnight_comes_late(*state, false);
}

/* Three readings of the last hour of the evening, between those that are there. */
static void send_late(struct rolling *g)
{
    tsdb_sender_init(&g->sender, &g->f);
    g->last_t = NEXT_DAY - 600000 + 5000;
    rolling_send(g, rolling_dense, g->last_t, g->last_t + 30000, 10000);
}

static void expect_no_readings(struct rolling *g)
{
    const struct tsdb_plan_spec ask = {.target = g->f.target,
                                       .relation = STR("dense"),
                                       .answers = false,
                                       .from_ms = START_MS,
                                       .to_ms = NEXT_DAY,
                                       .range_ms = 60000};
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct tsdb_plan plan;
    struct err e = {0};

    assert_int_equal(tsdb_tier_plan(r, &ask, &plan, &e), ERR_OK);
    tsdb_reader_return(r);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.parts[0].tier, TSDB_TIER_5M);
}

static uint64_t size_of_store(struct rolling *g)
{
    struct tsdb_stats now = {0};

    tsdb_fixture_stop(&g->f);
    tsdb_fixture_start(&g->f);
    for (int i = 0; now.disk_bytes == 0 && i < 1000; i++) {
        clock_sleep_ms(2);
        tsdb_stats(g->f.db, &now);
    }
    return now.disk_bytes;
}

/* The quota took a day while some of its readings were in the journal; more of them come. What the
 * roll-ups say stays. */
static void test_what_comes_late_for_a_day_that_went_changes_nothing(void **state)
{
    struct rolling *g = *state;
    double before[TWO_COUNTS * EVENING];
    struct tsdb_stats now;

    begin_evening(g);
    send_until(g, NEXT_DAY, before);
    roll_up_evening(g);
    g->f.config.flush_bytes = 32768; /* for which the quota keeps room */
    uint64_t most = size_of_store(g) + 32768 - 16384;
    send_late(g);
    tsdb_fixture_kill(&g->f);
    g->f.config.max_bytes = most;
    tsdb_fixture_start(&g->f);
    wait_files(g, "raw/fast", 1);
    tsdb_fixture_stop(&g->f); /* the day begins again, with a few readings */
    g->f.config.max_bytes = 0;
    tsdb_fixture_start(&g->f);
    assert_int_equal(count_files(g, "raw/fast"), 2);
    tsdb_flush_ok(&g->f);
    rolling_wait(g, NEXT_DAY);
    expect_evening(g, before);
    expect_no_readings(g);
    send_late(g);
    tsdb_stats(g->f.db, &now);
    assert_true(now.refused[TSDB_REFUSED_CLOCK] > 0);
    assert_int_equal(now.samples_stored, 0);
    tsdb_flush_ok(&g->f);
    expect_evening(g, before);
}

/* --- a month --- */

#define MONTH_DAYS 31
#define DAY        (24 * HOUR)
#define MONTH_AT   (START_MS + 4 * HOUR)

struct month {
    struct str column[1];
    enum aggregate_op op;
    double days[MONTH_DAYS]; /* by full readings, while they were there */
};

static struct aggregate_spec month_spec(const struct month *m, int first, int days)
{
    return (struct aggregate_spec){.relation = STR("dense"),
                                   .columns = m->column,
                                   .column_count = 1,
                                   .op = m->op,
                                   .from_ms = MONTH_AT + first * DAY,
                                   .to_ms = MONTH_AT + (first + days) * DAY,
                                   .step_ms = HOUR};
}

/* Sums over the series, of each day. */
static void sum_days(const struct aggregate_result *r, double *days)
{
    for (size_t p = 0; p < r->point_count; p++) {
        for (size_t i = 0; i < r->series_count; i++) {
            days[p / 24] += isnan(r->series[i].values[p]) ? 0 : r->series[i].values[p];
        }
    }
}

static void live_day(struct rolling *g, int day, struct month *asked, size_t count)
{
    int64_t from = MONTH_AT + day * DAY;

    tsdb_clock_set(from + DAY + 600000);
    rolling_send(g, rolling_dense, from, from + DAY, 600000);
    tsdb_flush_ok(&g->f);
    rolling_wait(g, from + DAY);
    for (size_t i = 0; i < count; i++) {
        sum_days(rolling_run(g, month_spec(&asked[i], day, 1), true), &asked[i].days[day]);
    }
    arena_reset(&g->arena);
    if (day % 5 == 4) { /* retention looks at once after a start */
        tsdb_fixture_stop(&g->f);
        tsdb_fixture_start(&g->f);
    }
}

static void expect_only_roll_ups(struct rolling *g)
{
    const struct tsdb_plan_spec ask = {.target = g->f.target,
                                       .relation = STR("dense"),
                                       .answers = false,
                                       .from_ms = MONTH_AT,
                                       .to_ms = MONTH_AT + MONTH_DAYS * DAY,
                                       .range_ms = 600000};
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct tsdb_plan plan;
    struct err e = {0};

    assert_int_equal(tsdb_tier_plan(r, &ask, &plan, &e), ERR_OK);
    tsdb_reader_return(r);
    assert_int_equal(plan.instead, TSDB_TIER_1H);
    assert_int_equal(plan.range_ms, 4 * HOUR);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.parts[0].tier, TSDB_TIER_1H);
    assert_int_equal(plan.parts[1].tier, TSDB_RAW);
    assert_true(plan.parts[0].to_ms == plan.parts[1].from_ms);
}

static void test_a_month_is_answered_after_its_readings_went(void **state)
{
    static struct month asked[] = {{{STR("n")}, AGGREGATE_INCREASE, {0}},
                                   {{STR("d")}, AGGREGATE_SUM, {0}},
                                   {{STR("g")}, AGGREGATE_MIN, {0}},
                                   {{STR("g")}, AGGREGATE_COUNT, {0}}};
    struct rolling *g = *state;

    tsdb_fixture_stop(&g->f);
    g->f.config.retention_days = g->f.config.retention_slow_days = 3;
    tsdb_fixture_start(&g->f);
    g->steady = g->whole = true;
    g->last_t = MONTH_AT;
    for (int day = 0; day < MONTH_DAYS; day++) {
        live_day(g, day, asked, 4);
        if (day % 5 == 4) { /* the day that begins is in it, too: a reading at 24:00 */
            wait_files(g, "raw/slow", 5);
        }
    }
    assert_int_equal(count_files(g, "tier1h"), 1);
    expect_only_roll_ups(g);
    for (size_t i = 0; i < 4; i++) {
        double days[MONTH_DAYS] = {0};
        sum_days(rolling_run(g, month_spec(&asked[i], 0, MONTH_DAYS), false), days);
        for (int day = 0; day < MONTH_DAYS; day++) {
            if (days[day] != asked[i].days[day]) {
                fail_msg("question %zu, day %d: %.17g instead of %.17g", i, day, days[day],
                         asked[i].days[day]);
            }
        }
    }
    tsdb_fixture_stop(&g->f);
    tsdb_clock_set(MONTH_AT + 435 * DAY);
    tsdb_fixture_start(&g->f);
    wait_files(g, "tier1h", 0);
}

static uint64_t count_blocks(struct rolling *g, const char *file)
{
    char url[160];
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    bool row = true;
    uint64_t count = 0;

    (void)snprintf(url, sizeof(url), "sqlite:%s/%s", g->f.dir, file);
    assert_int_equal(sqldb_open(url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_query(db, "tsdb_block_list", SQLDB_NO_ARGS, &s, &e), ERR_OK);
    while (sqldb_step(s, &row, &e) == ERR_OK && row) {
        count++;
    }
    sqldb_end(s);
    sqldb_close(db);
    return count;
}

static void test_a_deleted_target_leaves_no_roll_ups(void **state)
{
    struct rolling *g = *state;
    struct tsdb_stats now = {.dropped_groups = 1};
    int64_t end = clock_mono_us() + WAIT_US;
    struct err e = {0};

    rolling_hour(g, rolling_dense, 0, 10000);
    rolling_hour(g, rolling_fact, 4, 60000); /* of the next month */
    assert_int_equal(count_blocks(g, "tier1h/202602.db"), 1);
    assert_int_equal(count_blocks(g, "tier5m/202602.db"), 1);
    assert_int_equal(count_blocks(g, "tier1h/202603.db"), 1);
    assert_int_equal(tsdb_target_drop(g->f.db, &g->f.target, STR("{}"), end, &e), ERR_OK);
    tsdb_flush_ok(&g->f);
    while (now.dropped_groups > 0 && clock_mono_us() < end) {
        tsdb_stats(g->f.db, &now);
        clock_sleep_ms(2);
    }
    assert_int_equal(now.dropped_groups, 0);
    assert_int_equal(count_blocks(g, "tier1h/202602.db"), 0);
    assert_int_equal(count_blocks(g, "tier5m/202602.db"), 0);
    assert_int_equal(count_blocks(g, "tier1h/202603.db"), 0);
}

static void test_damage_of_roll_ups_is_found(void **state)
{
    struct rolling *g = *state;
    struct tsdb_verify v = {0};
    char command[256];
    struct err e = {0};

    rolling_hour(g, rolling_dense, 0, 10000);
    tsdb_fixture_stop(&g->f);
    expect_sound(g);
    (void)snprintf(command, sizeof(command), /* what the WAL has as well would not be missed */
                   "cd %s/tier1h && rm -f 202602.db-* && "
                   "printf xxxxxxxx | dd of=202602.db bs=1 seek=4096 conv=notrunc 2>/dev/null",
                   g->f.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(tsdb_verify(g->f.dir, &v, &e), ERR_CORRUPT);
    (void)snprintf(command, sizeof(command), "rm %s/tier1h/202602.db*", g->f.dir);
    assert_int_equal(system(command), 0);
    tsdb_fixture_start(&g->f);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        roll_up_until_fault(argv[1], argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_late_readings_are_rolled_up_again, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_a_crash_leaves_nothing_out_and_nothing_twice,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_what_follows_is_made_again_above_the_watermark_too,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_a_day_stays_until_its_last_hour_is_rolled_up,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_a_day_stays_until_its_late_readings_are_flushed,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_what_comes_late_for_a_day_that_went_changes_nothing,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_a_month_is_answered_after_its_readings_went,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_leaves_no_roll_ups, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_damage_of_roll_ups_is_found, rolling_set_up,
                                        rolling_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
