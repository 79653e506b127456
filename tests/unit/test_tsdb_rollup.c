/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_rollup.c: roll-ups say what the readings say.
 *
 * The wall clock is the test's own; readings are random but the same in each run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "os/clock.h"
#include "rollup_fixture.h"

static const struct question dense_questions[] = {
    {"n", AGGREGATE_INCREASE, AGGREGATE_BY_ROW}, {"n", AGGREGATE_INCREASE, AGGREGATE_BY_KEYS},
    {"n", AGGREGATE_RATE, AGGREGATE_BY_ROW},     {"n", AGGREGATE_LAST, AGGREGATE_BY_ROW},
    {"g", AGGREGATE_MIN, AGGREGATE_BY_ROW},      {"g", AGGREGATE_MAX, AGGREGATE_BY_ROW},
    {"g", AGGREGATE_SUM, AGGREGATE_BY_ROW},      {"g", AGGREGATE_SUM, AGGREGATE_BY_KEYS},
    {"g", AGGREGATE_AVG, AGGREGATE_BY_ROW},      {"g", AGGREGATE_COUNT, AGGREGATE_BY_ROW},
    {"g", AGGREGATE_COUNT, AGGREGATE_BY_KEYS},   {"g", AGGREGATE_LAST, AGGREGATE_BY_ROW},
    {"level", AGGREGATE_AVG, AGGREGATE_BY_ROW},  {"level", AGGREGATE_LAST, AGGREGATE_BY_KEYS},
    {"d", AGGREGATE_SUM, AGGREGATE_BY_ROW},      {"d", AGGREGATE_RATE, AGGREGATE_BY_KEYS},
    {"d", AGGREGATE_MAX, AGGREGATE_BY_ROW},      {"d", AGGREGATE_COUNT, AGGREGATE_BY_ROW},
};

static void test_dense_relations_give_the_same(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    rolling_expect_tier(g, "dense", 300000, TSDB_TIER_5M);
    rolling_expect_tier(g, "dense", HOUR, TSDB_TIER_1H);
    rolling_expect_tier(g, "dense", 60000, TSDB_RAW);
    rolling_compare_all(g, "dense", dense_questions,
                        sizeof(dense_questions) / sizeof(dense_questions[0]), 6);
    tsdb_clock_set(START_MS + 8 * HOUR); /* and what is not rolled up yet */
    rolling_send(g, rolling_dense, START_MS + 7 * HOUR, START_MS + 7 * HOUR + 1800000, 10000);
    rolling_compare_all(g, "dense", dense_questions,
                        sizeof(dense_questions) / sizeof(dense_questions[0]), 9);
}

static void test_sparse_relations_give_the_same(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_sparse, hour, 10000);
    }
    rolling_compare_all(g, "sparse", dense_questions, 12, 6);
    rolling_compare_all(g, "sparse", dense_questions + 14, 4, 6);
}

static void test_fact_relations_give_the_same(void **state)
{
    static const struct question questions[] = {{"d", AGGREGATE_SUM, AGGREGATE_BY_ROW},
                                                {"d", AGGREGATE_RATE, AGGREGATE_BY_KEYS},
                                                {"d", AGGREGATE_MAX, AGGREGATE_BY_ROW},
                                                {"d", AGGREGATE_COUNT, AGGREGATE_BY_ROW}};
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_fact, hour, 60000);
    }
    rolling_expect_tier(g, "fact", 300000, TSDB_RAW); /* its clock has no tier of 5 minutes */
    rolling_expect_tier(g, "fact", HOUR, TSDB_TIER_1H);
    rolling_compare_all(g, "fact", questions, 4, 6);
}

/* --- totals of one interval --- */

static struct aggregate_total *total_of(struct rolling *g, struct aggregate_total_spec spec,
                                        bool readings_only)
{
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct aggregate_total *out = NULL;
    struct err e = {0};

    spec.target = g->f.target;
    spec.readings_only = readings_only;
    if (aggregate_totals(r, &g->arena, &spec, &out, &e)) {
        fail_msg("totals: %s", e.text);
    }
    tsdb_reader_return(r);
    return out;
}

static const struct cell *cells_of(const struct aggregate_total *in, const struct str *keys,
                                   size_t count)
{
    for (size_t i = 0; i < in->row_count; i++) {
        bool same = true;
        for (size_t k = 0; k < count; k++) {
            same &= str_eq(in->rows[i].keys[k], keys[k]);
        }
        if (same) {
            return in->rows[i].cells;
        }
    }
    return NULL;
}

/* An object of a sparse relation that no reading names did not change: a bucket says 0, readings
 * say nothing. */
static bool is_same(const struct cell *want, const struct cell *got, bool sparse)
{
    if (want->tag == CELL_NULL && sparse) {
        return got->tag == CELL_NULL || got->i64 == 0;
    }
    return want->tag == got->tag && (want->tag == CELL_NULL || want->i64 == got->i64);
}

/* Integers are the same; how many readings that took is not. */
static void compare_totals(struct rolling *g, const struct aggregate_total_spec *spec)
{
    const struct aggregate_total *want = total_of(g, *spec, true);
    const struct aggregate_total *got = total_of(g, *spec, false);

    assert_true(want->row_count > 0);
    assert_int_equal(got->row_count, want->row_count);
    assert_int_equal(got->incomplete, want->incomplete);
    assert_int_equal(got->covered_to_ms, want->covered_to_ms);
    for (size_t i = 0; i < want->row_count; i++) {
        const struct cell *w = want->rows[i].cells;
        const struct cell *o = cells_of(got, want->rows[i].keys, spec->by_count);
        assert_non_null(o);
        for (size_t c = 0; c < want->column_count; c++) {
            if (!is_same(&w[c], &o[c], want->relation->sparse)) {
                fail_msg("%s.%s, row %zu of %lld to %lld: %lld of readings, %lld of roll-ups",
                         spec->relation.ptr, want->columns[c]->name.ptr, i,
                         (long long)(spec->from_ms - START_MS) / 1000,
                         (long long)(spec->to_ms - START_MS) / 1000, (long long)w[c].i64,
                         (long long)o[c].i64);
            }
        }
    }
    if (spec->to_ms - spec->from_ms >= 4 * HOUR) {
        assert_true(got->slices < want->slices);
    }
    arena_reset(&g->arena);
}

/*
 * Intervals that end anywhere and begin where nothing is missing: what is not there shortly before
 * the beginning, full readings do not compare with. `by` NULL: all in one row.
 */
static void compare_intervals(struct rolling *g, const char *relation, const char *by, int hours)
{
    const struct str key = str_of(by ? by : "");
    uint64_t random = 7;

    for (int i = 0; i < 40; i++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        int64_t from = START_MS + 59 * 60000 + (int64_t)(random >> 33) % (3 * 60000);
        int64_t to = START_MS + hours * HOUR - (int64_t)(random >> 20) % HOUR;
        const struct aggregate_total_spec spec = {.relation = str_of(relation),
                                                  .by = &key,
                                                  .by_count = by ? 1 : 0,
                                                  .from_ms = i % 4 ? from : START_MS + HOUR,
                                                  .to_ms = i % 4 ? to : START_MS + hours * HOUR};
        compare_totals(g, &spec);
    }
}

static void test_totals_are_those_of_the_readings(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    compare_intervals(g, "dense", "db", 7);
    tsdb_clock_set(START_MS + 8 * HOUR); /* and what is not rolled up yet */
    rolling_send(g, rolling_dense, START_MS + 7 * HOUR, START_MS + 7 * HOUR + 1800000, 10000);
    compare_intervals(g, "dense", "db", 8);
}

static void test_totals_of_facts_are_those_of_the_readings(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_fact, hour, 60000);
    }
    compare_intervals(g, "fact", "wait", 7);
    compare_intervals(g, "fact", NULL, 7);
}

static void test_totals_of_sparse_relations_are_those_of_the_readings(void **state)
{
    struct rolling *g = *state;

    for (int hour = 0; hour < 7; hour++) {
        rolling_hour(g, rolling_sparse, hour, 10000);
    }
    compare_intervals(g, "sparse", "db", 7);
}

/* --- roll-ups as readings --- */

/* What PromQL's increase() sees of one object: no gap is anything to it. */
struct increasing {
    uint64_t object;
    bool any;
    double last, sum;
    size_t values;
    int64_t last_t;
};

static enum err_code add_increase(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct increasing *in = arg;
    size_t reset = 0;
    (void)e;

    assert_true(s->t_ms > in->last_t);
    in->last_t = s->t_ms;
    for (size_t row = 0; row < s->row_count; row++) {
        bool is_reset = reset < s->reset_count && s->resets[reset] == row;
        reset += is_reset;
        if (s->objects[row] != in->object || s->cells[0][row].tag == CELL_NULL) {
            continue;
        }
        double v = cell_to_f64(s->cells[0][row]);
        in->sum += !in->any ? 0 : is_reset || v < in->last ? v : v - in->last;
        in->any = true;
        in->last = v;
        in->values++;
    }
    return ERR_OK;
}

static struct increasing increase_of(struct rolling *g, uint64_t object, int hours, int64_t range)
{
    const struct str columns[] = {STR("n")};
    const struct str scope = {"", 0};
    const struct tsdb_scan_spec scan = {.target = g->f.target,
                                        .relation = STR("dense"),
                                        .scope = &scope,
                                        .columns = columns,
                                        .column_count = 1,
                                        .from_ms = START_MS,
                                        .to_ms = START_MS + hours * HOUR};
    struct increasing in = {.object = object};
    const struct tsdb_tiered_spec spec = {.scan = &scan,
                                          .need = TSDB_NEED_RISE,
                                          .range_ms = range,
                                          .step_ms = range / 4,
                                          .visit = add_increase,
                                          .arg = &in};
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct tsdb_plan plan;
    struct err e = {0};

    if (tsdb_tiered_scan(r, &spec, &plan, &e)) {
        fail_msg("tiered scan: %s", e.text);
    }
    tsdb_reader_return(r);
    return in;
}

/* Objects that are never away: what lies between two lives of one is a rise to PromQL alone. */
static void test_roll_ups_as_readings_rise_as_the_readings_do(void **state)
{
    struct rolling *g = *state;
    const int hours = 5;

    g->steady = true;
    for (int hour = 0; hour < hours; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
    for (uint64_t object = 1; object <= OBJECTS; object++) {
        struct increasing raw = increase_of(g, object, hours, 60000);
        struct increasing fine = increase_of(g, object, hours, 4 * 300000);
        struct increasing coarse = increase_of(g, object, hours, 4 * HOUR);
        assert_true(raw.values > 1000);
        assert_true(fine.values < 200);
        assert_true(coarse.values <= 3 * (size_t)hours);
        if (fine.sum != raw.sum || coarse.sum != raw.sum) {
            fail_msg("object %d: %.17g, of 5 minutes %.17g, of hours %.17g", (int)object, raw.sum,
                     fine.sum, coarse.sum);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_dense_relations_give_the_same, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_sparse_relations_give_the_same, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_fact_relations_give_the_same, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_totals_are_those_of_the_readings, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_totals_of_facts_are_those_of_the_readings,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_totals_of_sparse_relations_are_those_of_the_readings,
                                        rolling_set_up, rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_roll_ups_as_readings_rise_as_the_readings_do,
                                        rolling_set_up, rolling_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
