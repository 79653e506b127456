/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_aggregate.c: sums over time and rows follow the rules of counters, deltas, gauges and
 * absence.
 *
 * Each case runs on the head and again on blocks.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "store/tsdb/read/aggregate.h"
#include "tsdb_fixture.h"

struct aggregating {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct arena arena;
    int64_t start_ms; /* a minute boundary of the past */
};

static int set_up(void **state)
{
    struct aggregating *g = alloc_new(sizeof(*g));
    tsdb_fixture_init(&g->f);
    tsdb_fixture_start(&g->f);
    tsdb_sender_init(&g->sender, &g->f);
    arena_init(&g->arena, "test", 64 << 20);
    g->start_ms = (g->f.now_ms - 3600000) / 60000 * 60000;
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    struct aggregating *g = *state;
    arena_fini(&g->arena);
    tsdb_fixture_fini(&g->f);
    alloc_free(g);
    return 0;
}

/* A record with one slice: `rest` is its members from "flags" on; t in seconds after the start. */
static void send(struct aggregating *g, const char *relation, int t_s, int from_s, const char *rest)
{
    char target[TEXT_UUID_SIZE];
    char text[4096];

    text_uuid(&g->f.target, target);
    (void)snprintf(text, sizeof(text),
                   "{\"made_ms\":1,\"slices\":[{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":"
                   "\"\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":10000,%s}]}",
                   relation, target, (long long)g->start_ms + t_s * 1000LL,
                   (long long)g->start_ms + from_s * 1000LL, rest);
    tsdb_send_ok(&g->sender, text);
}

static void describe(struct aggregating *g, const char *relation)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "{\"made_ms\":1,\"relations\":[%s]}", relation);
    tsdb_send_ok(&g->sender, text);
}

static struct aggregate_result *run(struct aggregating *g, struct aggregate_spec *spec)
{
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct aggregate_result *out = NULL;
    struct err e = {0};

    spec->target = g->f.target;
    if (aggregate_run(r, &g->arena, spec, &out, &e)) {
        fail_msg("aggregate: %s", e.text);
    }
    tsdb_reader_return(r);
    return out;
}

static void expect(double got, double want)
{
    if (isnan(want) ? !isnan(got) : fabs(got - want) > 1e-9) {
        fail_msg("%g instead of %g", got, want);
    }
}

static const char counters[] =
    "{\"name\":\"c\",\"help\":\"\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"i64\","
    "\"unit\":\"1\","
    "\"help\":\"\"}]}";

static void send_counters(struct aggregating *g)
{
    describe(g, counters);
#define COMPLETE "\"flags\":[\"complete\"],\"rows\":2,\"keys\":{\"db\":[\"a\",\"b\"]},"
    send(g, "c", 0, 0, COMPLETE "\"columns\":{\"n\":[100,1],\"g\":[1,10]}");
    send(g, "c", 10, 10, COMPLETE "\"columns\":{\"n\":[110,1],\"g\":[3,10]}");
    send(g, "c", 20, 20, COMPLETE "\"columns\":{\"n\":[7,2],\"g\":[5,null]}"); /* a restarted */
    send(g, "c", 30, 30, COMPLETE "\"columns\":{\"n\":[9,2],\"g\":[7,10]},\"reset\":[0]");
    send(g, "c", 40, 40, "\"flags\":[\"failed\"],\"reason\":\"no\",\"rows\":0");
    send(g, "c", 60, 60, COMPLETE "\"columns\":{\"n\":[19,4],\"g\":[9,10]}");
#undef COMPLETE
}

static void test_counters_and_gauges(void **state)
{
    struct aggregating *g = *state;
    const struct str n[] = {STR("n")};
    const struct str gauge[] = {STR("g")};

    send_counters(g);
    for (int round = 0; round < 2; round++) {
        struct aggregate_spec spec = {.relation = STR("c"),
                                      .columns = n,
                                      .column_count = 1,
                                      .op = AGGREGATE_INCREASE,
                                      .from_ms = g->start_ms,
                                      .to_ms = g->start_ms + 60000,
                                      .step_ms = 20000};
        struct aggregate_result *r = run(g, &spec);
        assert_int_equal(r->point_count, 3);
        assert_int_equal(r->series_count, 2);
        assert_true(str_eq_c(r->series[0].label_values[0], "a"));
        expect(r->series[0].values[0], 10 + 7); /* then restarted at zero */
        expect(r->series[0].values[1], 9);      /* reset although it did not fall */
        expect(r->series[0].values[2], 10);
        expect(r->series[1].values[0], 1);
        expect(r->series[1].values[2], 2);
        spec.op = AGGREGATE_RATE;
        spec.by_mode = AGGREGATE_BY_KEYS;
        r = run(g, &spec);
        assert_int_equal(r->series_count, 1);
        expect(r->series[0].values[0], 18.0 / 20);
        expect(r->series[0].values[1], 9.0 / 10);
        expect(r->series[0].values[2], 12.0 / 30); /* covers the time of the failed reading */
        spec.columns = gauge;
        spec.op = AGGREGATE_DEFAULT;
        r = run(g, &spec);
        assert_int_equal(r->ops[0], AGGREGATE_AVG);
        expect(r->series[0].values[0], (13 + 5) / 2.0);
        expect(r->series[0].values[1], 17);
        spec.step_ms = 10000;
        r = run(g, &spec);
        expect(r->series[0].values[3], NAN); /* failed */
        expect(r->series[0].values[4], NAN); /* nothing */
        expect(r->series[0].values[5], 19);
        tsdb_flush_ok(&g->f);
    }
}

static void test_a_level_that_does_not_change_comes_out_as_it_is(void **state)
{
    struct aggregating *g = *state;
    const double level = 1795777768.0395982; /* the sum of 5 of them over 5 is another number */

    describe(g, "{\"name\":\"l\",\"help\":\"\",\"shape\":\"object\",\"sparse\":false,\"keys\":[],"
                "\"columns\":[{\"name\":\"v\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"s\","
                "\"help\":\"\"}]}");
    for (int t = 1; t <= 13; t++) {
        send(g, "l", t * 10, t * 10,
             "\"flags\":[\"complete\"],\"rows\":1,\"columns\":{\"v\":[1795777768.0395982]}");
        struct aggregate_spec spec = {.relation = STR("l"),
                                      .op = AGGREGATE_AVG,
                                      .from_ms = g->start_ms,
                                      .to_ms = g->start_ms + 200000,
                                      .step_ms = 200000};
        struct aggregate_result *r = run(g, &spec);
        assert_int_equal(r->series_count, 1);
        assert_memory_equal(&r->series[0].values[0], &level, sizeof(level));
    }
}

static void test_sparse_deltas_are_zero_when_missing(void **state)
{
    struct aggregating *g = *state;
    const struct str by[] = {STR("q")};

    describe(g,
             "{\"name\":\"s\",\"help\":\"\",\"shape\":\"object\",\"sparse\":true,\"keys\":[{"
             "\"name\":\"q\",\"help\":\"\"}],\"columns\":[{\"name\":\"calls\",\"kind\":\"delta\","
             "\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},{\"name\":\"time\",\"kind\":"
             "\"delta\",\"type\":\"f64\",\"unit\":\"ms\",\"help\":\"\"}]}");
    send(g, "s", 10, 0,
         "\"flags\":[\"complete\",\"keyframe\"],\"rows\":2,\"keys\":{\"q\":[\"1\",\"2\"]},"
         "\"columns\":{\"calls\":[10,9007199254740993],\"time\":[1.5,2]}");
    send(g, "s", 20, 10,
         "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"q\":[\"2\"]},"
         "\"columns\":{\"calls\":[4],\"time\":[0.25]}");
    for (int round = 0; round < 2; round++) {
        struct aggregate_spec spec = {.relation = STR("s"),
                                      .from_ms = g->start_ms,
                                      .to_ms = g->start_ms + 30000,
                                      .step_ms = 10000,
                                      .by_mode = AGGREGATE_BY_KEYS,
                                      .by = by,
                                      .by_count = 1};
        struct aggregate_result *r = run(g, &spec);
        assert_int_equal(r->series_count, 4); /* two columns of two series */
        expect(r->series[0].values[0], 1);
        expect(r->series[0].values[1], 0);   /* not in the reading: nothing happened */
        expect(r->series[0].values[2], NAN); /* no reading */
        expect(r->covered[0], 1);
        expect(r->covered[2], 0);

        struct aggregate_total_spec total = {.target = g->f.target,
                                             .relation = STR("s"),
                                             .by = by,
                                             .by_count = 1,
                                             .from_ms = g->start_ms,
                                             .to_ms = g->start_ms + 30000};
        struct aggregate_total *sums = NULL;
        struct tsdb_reader *reader = tsdb_borrow(&g->f);
        struct err e = {0};
        assert_int_equal(aggregate_totals(reader, &g->arena, &total, &sums, &e), ERR_OK);
        tsdb_reader_return(reader);
        assert_int_equal(sums->row_count, 2);
        assert_true(sums->rows[1].cells[0].i64 == INT64_C(9007199254740997)); /* exact */
        expect(sums->rows[1].cells[1].f64, 2.25);
        assert_true(sums->covered_from_ms == g->start_ms);
        assert_true(sums->covered_to_ms == g->start_ms + 20000);
        assert_int_equal(sums->covered_ms, 20000);
        assert_false(sums->incomplete);
        tsdb_flush_ok(&g->f);
    }
}

static void test_fact_rows_group_by_any_key(void **state)
{
    struct aggregating *g = *state;
    const struct str by[] = {STR("wait")};
    const struct aggregate_filter only[] = {{STR("db"), STR("app")}};

    describe(g, "{\"name\":\"f\",\"help\":\"\",\"shape\":\"fact\",\"sparse\":false,\"keys\":[{"
                "\"name\":\"db\",\"help\":\"\"},{\"name\":\"wait\",\"help\":\"\"}],\"columns\":[{"
                "\"name\":\"samples\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\","
                "\"help\":\"\"}]}");
    send(g, "f", 10, 0,
         "\"flags\":[\"complete\"],\"rows\":3,\"keys\":{\"db\":[\"app\",\"app\",\"x\"],\"wait\":"
         "[\"\",\"Lock\",\"Lock\"]},\"columns\":{\"samples\":[31,4,100]}");
    send(g, "f", 20, 10,
         "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"db\":[\"app\"],\"wait\":[\"Lock\"]},"
         "\"columns\":{\"samples\":[5]}");
    for (int round = 0; round < 2; round++) {
        struct aggregate_spec spec = {.relation = STR("f"),
                                      .op = AGGREGATE_SUM,
                                      .from_ms = g->start_ms,
                                      .to_ms = g->start_ms + 20000,
                                      .step_ms = 20000,
                                      .by_mode = AGGREGATE_BY_KEYS,
                                      .by = by,
                                      .by_count = 1,
                                      .filters = only,
                                      .filter_count = 1};
        struct aggregate_result *r = run(g, &spec);
        assert_int_equal(r->series_count, 2);
        expect(r->series[0].values[0], 31);
        expect(r->series[1].values[0], 9);
        tsdb_flush_ok(&g->f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters_and_gauges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_level_that_does_not_change_comes_out_as_it_is,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sparse_deltas_are_zero_when_missing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_fact_rows_group_by_any_key, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
