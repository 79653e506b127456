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
        cmocka_unit_test_setup_teardown(test_roll_ups_as_readings_rise_as_the_readings_do,
                                        rolling_set_up, rolling_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
