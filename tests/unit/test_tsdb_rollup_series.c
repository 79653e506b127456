/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_rollup_series.c: the series of PromQL over roll-ups: increase() is that of the
 * readings, instants reach the next bucket, and what is gone is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "rollup_fixture.h"
#include "store/tsdb/series/series.h"

#define HOURS 5

/* Of all series of a name. */
struct answer {
    size_t series, samples, notes;
    double increase; /* as Prometheus adds it up */
    int64_t hole_ms; /* the longest time without a valid sample, between samples */
    int64_t every_ms;
};

static void note(void *arg, const char *text)
{
    struct answer *a = arg;
    assert_non_null(strstr(text, "roll-ups"));
    a->notes++;
}

static void add_series(struct answer *a, const struct series *s)
{
    bool any = false;
    double last = 0;
    int64_t valid = 0;

    a->series++;
    a->samples += s->count;
    a->every_ms = s->every_ms > a->every_ms ? s->every_ms : a->every_ms;
    for (size_t i = 0; i < s->count; i++) {
        if (valid && s->t_ms[i] - valid > a->hole_ms) {
            a->hole_ms = s->t_ms[i] - valid;
        }
        if (series_is_stale(s->value[i])) {
            valid = 0;
            continue;
        }
        a->increase += !any ? 0 : s->value[i] < last ? s->value[i] : s->value[i] - last;
        any = true;
        last = s->value[i];
        valid = s->until_ms ? s->until_ms[i] : s->t_ms[i] + 300000;
    }
}

static struct answer ask(struct rolling *g, const char *func, int64_t range_ms, int64_t step_ms)
{
    const struct matcher name = {
        .kind = MATCHER_EQUAL, .name = STR("__name__"), .value = STR("dense_n")};
    const struct series_select spec = {.matchers = &name,
                                       .matcher_count = 1,
                                       .from_ms = START_MS,
                                       .to_ms = START_MS + HOURS * HOUR,
                                       .range_ms = range_ms,
                                       .step_ms = step_ms,
                                       .func = str_of(func)};
    struct series_tsdb_config config = {.reader = tsdb_borrow(&g->f)};
    struct answer a = {0};
    struct series_tsdb *s = NULL;
    struct series_set *set = NULL;
    struct series one;
    struct err e = {0};
    bool more = true;

    assert_int_equal(series_tsdb_init(&g->arena, &config, &s, &e), ERR_OK);
    series_tsdb_source(s)->note = note;
    series_tsdb_source(s)->note_arg = &a;
    assert_int_equal(series_select(series_tsdb_source(s), &g->arena, &spec, &set, &e), ERR_OK);
    while (more) {
        assert_int_equal(series_next(set, &one, &more, &e), ERR_OK);
        if (more) {
            add_series(&a, &one);
        }
    }
    series_close(set);
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
    arena_reset(&g->arena);
    return a;
}

static void live(struct rolling *g)
{
    g->steady = g->whole = true;
    for (int hour = 0; hour < HOURS; hour++) {
        rolling_hour(g, rolling_dense, hour, 10000);
    }
}

static void test_increase_is_that_of_the_readings(void **state)
{
    struct rolling *g = *state;

    live(g);
    struct answer raw = ask(g, "changes", 4 * HOUR, HOUR);
    struct answer hours = ask(g, "rate", 4 * HOUR, HOUR);
    struct answer minutes = ask(g, "increase", 3600000, 300000);
    struct answer close = ask(g, "rate", 300000, 60000);
    assert_int_equal(raw.series, OBJECTS);
    assert_int_equal(hours.series, OBJECTS);
    assert_true(raw.samples > HOURS * 360 * OBJECTS);
    assert_true(hours.samples <= 5 * HOURS * OBJECTS);
    assert_true(minutes.samples < raw.samples / 5);
    assert_int_equal(close.samples, raw.samples);
    assert_true(hours.increase == raw.increase);
    assert_true(minutes.increase == raw.increase);
    assert_int_equal(hours.notes + minutes.notes + raw.notes, 0);
}

static void test_an_instant_lasts_until_the_next_bucket(void **state)
{
    struct rolling *g = *state;

    live(g);
    struct answer hours = ask(g, "", 0, HOUR);
    assert_int_equal(hours.series, OBJECTS);
    assert_true(hours.samples <= 3 * HOURS * OBJECTS);
    assert_int_equal(hours.hole_ms, 0);
}

static void test_what_is_gone_is_said(void **state)
{
    struct rolling *g = *state;

    live(g);
    struct answer raw = ask(g, "changes", 4 * HOUR, HOUR);
    tsdb_clock_set(START_MS + 10 * 24 * HOUR);
    rolling_send(g, rolling_dense, START_MS + 10 * 24 * HOUR - HOUR, START_MS + 10 * 24 * HOUR,
                 10000); /* there are younger days */
    tsdb_fixture_stop(&g->f);
    g->f.config.retention_days = g->f.config.retention_slow_days = 3;
    tsdb_fixture_start(&g->f);
    struct answer gone = raw;
    for (int i = 0; i < 6000 && gone.notes == 0; i++) { /* retention takes its time */
        clock_sleep_ms(10);
        gone = ask(g, "rate", 300000, 60000);
    }
    assert_true(gone.notes > 0);
    assert_true(gone.increase == raw.increase);
    assert_int_equal(gone.every_ms, 300000); /* so windows widen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_increase_is_that_of_the_readings, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_an_instant_lasts_until_the_next_bucket, rolling_set_up,
                                        rolling_tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_gone_is_said, rolling_set_up,
                                        rolling_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
