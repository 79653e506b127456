/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_rollup_promql.c: PromQL's functions over roll-ups give what they give over readings.
 *
 * A query with a step of a minute reads full readings; of hours, roll-ups of an hour. At the hours
 * both have the same windows.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "promql/promql.h"
#include "rollup_fixture.h"
#include "store/tsdb/series/series.h"

#define HOURS    7
#define WINDOW_H 4

static struct promql_result *ask(struct rolling *g, const char *text, int64_t step_ms)
{
    struct series_tsdb_config config = {.reader = tsdb_borrow(&g->f)};
    const struct promql_query q = {
        .text = str_of(text),
        .start_ms = START_MS + WINDOW_H * HOUR,
        .end_ms = START_MS + HOURS * HOUR,
        .step_ms = step_ms,
    };
    struct promql_result *out = NULL;
    struct series_tsdb *s = NULL;
    struct err e = {0};

    assert_int_equal(series_tsdb_init(&g->arena, &config, &s, &e), ERR_OK);
    if (promql_run(&g->arena, series_tsdb_source(s), &q, &out, &e)) {
        fail_msg("%s: %s", text, e.text);
    }
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
    return out;
}

/* The value of the same series at a time; NAN when there is none. */
static double value_at(const struct promql_result *of, const struct labels *labels, int64_t t_ms)
{
    for (size_t r = 0; r < of->row_count; r++) {
        if (labels_compare(&of->rows[r].labels, labels) != 0) {
            continue;
        }
        for (size_t i = 0; i < of->rows[r].count; i++) {
            if (of->rows[r].t_ms[i] == t_ms) {
                return of->rows[r].value[i];
            }
        }
    }
    return NAN;
}

/* Bit for bit where `exact`; returns how many values were compared. */
static size_t compare(struct rolling *g, const char *text, bool exact)
{
    const struct promql_result *rolled = ask(g, text, HOUR);
    const struct promql_result *raw = ask(g, text, 60000);
    size_t count = 0;

    assert_true(rolled->row_count > 0);
    assert_int_equal(rolled->row_count, raw->row_count);
    if (rolled->samples * 10 > raw->samples) {
        fail_msg("%s: %zu samples of %zu", text, (size_t)rolled->samples, (size_t)raw->samples);
    }
    for (size_t r = 0; r < rolled->row_count; r++) {
        const struct promql_row *row = &rolled->rows[r];
        for (size_t i = 0; i < row->count; i++) {
            double want = value_at(raw, &row->labels, row->t_ms[i]);
            double off = fabs(row->value[i] - want);
            if (exact ? row->value[i] != want : !(off <= 1e-12 * fabs(want))) {
                fail_msg("%s, hour %d: %.17g of roll-ups, %.17g of readings", text,
                         (int)((row->t_ms[i] - START_MS) / HOUR), row->value[i], want);
            }
            count++;
        }
    }
    arena_reset(&g->arena);
    return count;
}

static void test_dense_relations_give_the_same(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    assert_true(compare(g, "avg_over_time(dense_g[4h])", false) >= OBJECTS);
    assert_true(compare(g, "count_over_time(dense_g[4h])", true) >= OBJECTS);
    assert_true(compare(g, "sum_over_time(dense_g[4h])", true) >= OBJECTS);
    assert_true(compare(g, "min_over_time(dense_g[4h])", true) >= OBJECTS);
    assert_true(compare(g, "max_over_time(dense_g[4h])", true) >= OBJECTS);
    assert_true(compare(g, "last_over_time(dense_n[4h])", true) >= OBJECTS);
    assert_true(compare(g, "present_over_time(dense_n[4h])", true) >= OBJECTS);
    (void)compare(g, "avg_over_time(dense_d[4h])", false);
    (void)compare(g, "count_over_time(dense_d[4h])", true);
    (void)compare(g, "sum by (db) (sum_over_time(dense_d[4h]))", true);
    (void)compare(g, "avg_over_time(dense_level{db=\"o1\"}[4h])", false);
}

/* 360 times 0.015, divided by 360, is another number than 0.015. */
static void test_the_mean_of_a_constant_is_the_constant(void **state)
{
    struct rolling *g = *state;

    g->quiet = g->steady = g->whole = true;
    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_level, hour, 10000);
    }
    const struct promql_result *mean = ask(g, "avg_over_time(level_v[4h])", HOUR);
    assert_int_equal(mean->row_count, 1);
    assert_true(mean->samples <= (HOURS - WINDOW_H + 1) * WINDOW_H);
    assert_int_equal(mean->rows[0].count, HOURS - WINDOW_H + 1);
    for (size_t i = 0; i < mean->rows[0].count; i++) {
        assert_true(mean->rows[0].value[i] == 0.015);
    }
}

/* Without cells that are NULL, which series take for an end and roll-ups for no change. */
static void test_sparse_relations_give_the_same(void **state)
{
    struct rolling *g = *state;

    g->steady = true;
    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_sparse, hour, 10000);
    }
    (void)compare(g, "avg_over_time(sparse_g[4h])", false);
    (void)compare(g, "count_over_time(sparse_g[4h])", true);
    (void)compare(g, "count_over_time(sparse_d[4h])", true);
}

/*
 * Restarts, some of them hidden by what followed, in every hour: what counters rose by, stretched
 * to the window as Prometheus does, needs the first reading of a bucket.
 */
static void test_rates_of_counters_are_those_of_the_readings(void **state)
{
    struct rolling *g = *state;

    g->steady = true;
    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    assert_true(compare(g, "increase(dense_n[4h])", false) >= OBJECTS);
    assert_true(compare(g, "rate(dense_n[4h])", false) >= OBJECTS);
    assert_true(compare(g, "increase(dense_n[6h])", false) >= OBJECTS);
    (void)compare(g, "sum by (db) (rate(dense_n[5h]))", false);
}

/* A total adds up over the day: buckets do not say what it was at each reading. */
static void test_totals_read_readings(void **state)
{
    struct rolling *g = *state;

    g->steady = g->whole = true;
    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    const struct promql_result *hours = ask(g, "max_over_time(dense_d_total[4h])", HOUR);
    const struct promql_result *raw = ask(g, "max_over_time(dense_d_total[4h])", 60000);
    assert_int_equal(hours->row_count, OBJECTS);
    for (size_t i = 0; i < hours->rows[0].count; i++) {
        const struct promql_row *row = &hours->rows[0];
        assert_true(row->value[i] == value_at(raw, &row->labels, row->t_ms[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dense_relations_give_the_same, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_the_mean_of_a_constant_is_the_constant, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_sparse_relations_give_the_same, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_rates_of_counters_are_those_of_the_readings,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_totals_read_readings, rolling_set_up,
                                        rolling_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
