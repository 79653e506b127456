/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_promql_eval.c: what the evaluator does beyond Prometheus (clocks of relations), what it
 * asks of a source, and where it stops. Answers of expressions are tested by tests/promql
 * and compared with Prometheus by tests/tool/promql_compare.py.
 */
#include "promql/promql.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/thread.h"
#include "os/clock.h"
#include "series_fixture.h"

#define MINUTE 60000LL

struct world {
    struct series_fixture fixture;
    struct arena arena;
    struct promql_query query;
    struct promql_result *result;
    struct err err;
};

static int set_up(void **state)
{
    struct world *w = alloc_new(sizeof(*w));

    series_fixture_init(&w->fixture);
    arena_init(&w->arena, "query", 64UL * 1024 * 1024);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    arena_fini(&w->arena);
    series_fixture_fini(&w->fixture);
    alloc_free(w);
    return 0;
}

/* A counter that rises by `rise` every `every_ms` from 0 to `until_ms`. */
static void add_rising(struct world *w, const char *labels, int64_t every_ms, double rise,
                       int64_t until_ms)
{
    series_fixture_series(&w->fixture, str_of(labels), ',');
    for (int64_t t = 0; t <= until_ms; t += every_ms)
        series_fixture_sample(&w->fixture, t, (double)(t / every_ms) * rise);
}

static enum err_code run(struct world *w, const char *text, int64_t at_ms)
{
    w->query.text = str_of(text);
    w->query.start_ms = at_ms;
    if (w->query.step_ms == 0)
        w->query.end_ms = at_ms;
    err_clear(&w->err);
    arena_reset(&w->arena);
    w->result = NULL;
    return promql_run(&w->arena, &w->fixture.source, &w->query, &w->result, &w->err);
}

static void expect_one(struct world *w, const char *text, int64_t at_ms, double value)
{
    if (run(w, text, at_ms) != ERR_OK)
        fail_msg("%s: %s", text, w->err.text);
    if (w->result->row_count != 1)
        fail_msg("%s: %zu rows", text, w->result->row_count);
    if (fabs(w->result->rows[0].value[0] - value) > 1e-9)
        fail_msg("%s: %.17g, not %.17g", text, w->result->rows[0].value[0], value);
}

static void expect_nothing(struct world *w, const char *text, int64_t at_ms)
{
    if (run(w, text, at_ms) != ERR_OK)
        fail_msg("%s: %s", text, w->err.text);
    assert_int_equal(w->result->row_count, 0);
}

static bool notes_have(const struct promql_notes *notes, const char *part)
{
    for (size_t i = 0; i < notes->count; i++) {
        size_t at;

        if (str_find(notes->items[i], str_of(part), &at))
            return true;
    }
    return false;
}

/* --- Clocks of relations (tsdb.md 5) --- */

static void a_sample_of_a_slow_clock_counts_as_long_as_the_source_says(void **state)
{
    struct world *w = *state;

    series_fixture_series(&w->fixture, STR("__name__=size_bytes,db=a"), ',');
    series_fixture_kind(&w->fixture, SERIES_GAUGE, 10 * MINUTE);
    series_fixture_sample(&w->fixture, 0, 7);
    series_fixture_until(&w->fixture, 20 * MINUTE + 5000);
    expect_one(w, "size_bytes", 20 * MINUTE + 4999, 7);
    expect_nothing(w, "size_bytes", 20 * MINUTE + 5000);
    w->query.lookback_ms = 5 * MINUTE;
    expect_one(w, "size_bytes", 5 * MINUTE - 1, 7);
    expect_nothing(w, "size_bytes", 5 * MINUTE);
    assert_true(w->fixture.last.own_lookback);
}

static void a_loose_sample_counts_for_the_lookback(void **state)
{
    struct world *w = *state;

    series_fixture_series(&w->fixture, STR("__name__=loose"), ',');
    series_fixture_sample(&w->fixture, 0, 7);
    expect_one(w, "loose", 5 * MINUTE - 1, 7);
    expect_nothing(w, "loose", 5 * MINUTE);
    series_fixture_sample(&w->fixture, 1, series_stale());
    expect_one(w, "loose", 0, 7);
    expect_nothing(w, "loose", 1);
    expect_one(w, "count_over_time(loose[1m])", 30000, 1);
}

static void a_short_window_on_a_slow_clock_is_stretched(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=work_total,db=a", 5 * MINUTE, 600, 60 * MINUTE);
    series_fixture_kind(&w->fixture, SERIES_COUNTER, 5 * MINUTE);
    expect_one(w, "rate(work_total[5m])", 60 * MINUTE, 2);
    assert_true(notes_have(&w->result->infos, "2.5 intervals of \"work_total\""));
    assert_true(notes_have(&w->result->infos, "comes every 300 s: 750 s were looked at (1:6)"));
    expect_one(w, "increase(work_total[5m])", 60 * MINUTE, 600);
    expect_one(w, "delta(work_total[1m])", 60 * MINUTE, 120);
    expect_one(w, "irate(work_total[1m])", 60 * MINUTE, 2);
    expect_one(w, "deriv(work_total[1m])", 60 * MINUTE, 2);
    /* Long enough, or no function of that kind: as it is. */
    expect_one(w, "rate(work_total[20m])", 60 * MINUTE, 2);
    assert_int_equal(w->result->infos.count, 0);
    expect_one(w, "count_over_time(work_total[5m])", 60 * MINUTE, 1);
    assert_int_equal(w->result->infos.count, 0);
}

static void a_short_window_on_loose_samples_is_not_stretched(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=work_total,db=a", 5 * MINUTE, 600, 60 * MINUTE);
    expect_nothing(w, "rate(work_total[5m])", 60 * MINUTE);
    assert_int_equal(w->result->infos.count, 0);
}

static void a_delta_stands_for_its_interval(void **state)
{
    struct world *w = *state;

    series_fixture_series(&w->fixture, STR("__name__=calls,db=a"), ',');
    series_fixture_kind(&w->fixture, SERIES_DELTA, MINUTE);
    for (int i = 1; i <= 10; i++)
        series_fixture_sample(&w->fixture, i * MINUTE, i);
    expect_one(w, "calls", 11 * MINUTE + 29999, 10);
    expect_nothing(w, "calls", 11 * MINUTE + 30000);
    expect_one(w, "sum_over_time(calls[10m])", 10 * MINUTE, 55);
    assert_int_equal(w->result->warnings.count, 0);
    assert_int_equal(run(w, "rate(calls[5m])", 10 * MINUTE), ERR_OK);
    assert_true(notes_have(&w->result->warnings, "\"calls_total\""));
    assert_int_equal(w->result->infos.count, 0);
    w->query.lookback_ms = 5 * MINUTE;
    expect_one(w, "calls", 15 * MINUTE - 1, 10);
}

static void a_known_counter_needs_no_name_of_one(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=commits,db=a", MINUTE, 60, 60 * MINUTE);
    assert_int_equal(run(w, "rate(commits[5m])", 60 * MINUTE), ERR_OK);
    assert_true(notes_have(&w->result->infos,
                           "PromQL info: metric might not be a counter, name does not end in "
                           "_total/_sum/_count/_bucket: \"commits\" (1:6)"));
    series_fixture_kind(&w->fixture, SERIES_COUNTER, MINUTE);
    assert_int_equal(run(w, "rate(commits[5m])", 60 * MINUTE), ERR_OK);
    assert_int_equal(w->result->infos.count, 0);
}

/* --- The source --- */

static void the_source_is_asked_for_what_is_needed(void **state)
{
    struct world *w = *state;
    const struct series_select *last = &w->fixture.last;

    w->query.step_ms = MINUTE;
    w->query.end_ms = 20 * MINUTE;
    assert_int_equal(run(w, "sum(rate(x[3m] offset 1m))", 10 * MINUTE), ERR_OK);
    assert_int_equal(last->from_ms, 6 * MINUTE);
    assert_int_equal(last->to_ms, 19 * MINUTE);
    assert_int_equal(last->range_ms, 3 * MINUTE);
    assert_int_equal(last->step_ms, MINUTE);
    assert_false(last->own_lookback);
    assert_int_equal(run(w, "x @ start()", 10 * MINUTE), ERR_OK);
    assert_int_equal(last->from_ms, 5 * MINUTE);
    assert_int_equal(last->to_ms, 10 * MINUTE);
    assert_int_equal(last->range_ms, 0);
    assert_int_equal(last->step_ms, 0);
}

static enum err_code broken_select(struct series_source *s, struct arena *a,
                                   const struct series_select *spec, struct series_set **out,
                                   struct err *e)
{
    (void)a;
    (void)out;
    s->note(s->note_arg, "raw data is gone");
    if (str_eq(spec->func, STR("sum")))
        return err_set(e, ERR_IO, "the disk says no");
    s->note(s->note_arg, "raw data is gone");
    return err_set(e, ERR_DENIED, "not yours");
}

static void an_error_of_the_source_is_the_query_s(void **state)
{
    static const struct series_source_ops ops = {.select = broken_select};
    struct world *w = *state;
    const struct series_source_ops *whole = w->fixture.source.ops;

    w->fixture.source.ops = &ops;
    assert_int_equal(run(w, "sum(x)", 0), ERR_IO);
    assert_string_equal(w->err.text, "the disk says no");
    assert_int_equal(run(w, "x", 0), ERR_DENIED);
    assert_null(w->fixture.source.note);
    w->fixture.source.ops = whole;
}

static enum err_code noting_select(struct series_source *s, struct arena *a,
                                   const struct series_select *spec, struct series_set **out,
                                   struct err *e)
{
    struct series_fixture other;

    (void)spec;
    s->note(s->note_arg, "raw data is gone");
    s->note(s->note_arg, "raw data is gone");
    series_fixture_init(&other);
    return other.source.ops->select(s, a, spec, out, e);
}

static void a_note_of_the_source_is_an_info(void **state)
{
    struct world *w = *state;
    const struct series_source_ops *whole = w->fixture.source.ops;
    struct series_source_ops ops = {noting_select, whole->next, whole->close};

    add_rising(w, "__name__=x", MINUTE, 1, 10 * MINUTE);
    w->fixture.source.ops = &ops;
    expect_one(w, "x", 10 * MINUTE, 10);
    assert_int_equal(w->result->infos.count, 1);
    assert_true(str_eq(w->result->infos.items[0], STR("raw data is gone")));
    w->fixture.source.ops = whole;
}

/* --- Limits --- */

static void add_many(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        char labels[64];

        (void)snprintf(labels, sizeof(labels), "__name__=many,n=%d,g=%d", i, i % 3);
        add_rising(w, labels, MINUTE, i, 300 * MINUTE);
    }
}

static void a_query_reads_no_more_samples_than_it_may(void **state)
{
    struct world *w = *state;

    add_many(w, 10);
    w->query.limits.samples = 20;
    assert_int_equal(run(w, "sum_over_time(many[2m])", 300 * MINUTE), ERR_OK);
    assert_int_equal(w->result->samples, 20);
    assert_int_equal(run(w, "sum_over_time(many[3m])", 300 * MINUTE), ERR_LIMIT);
    assert_int_equal(run(w, "vector(1)[1d:1s]", 300 * MINUTE), ERR_LIMIT);
}

static void a_query_keeps_no_more_series_than_it_may(void **state)
{
    struct world *w = *state;

    add_many(w, 10);
    w->query.limits.series = 9;
    assert_int_equal(run(w, "many", 300 * MINUTE), ERR_LIMIT);
    assert_int_equal(run(w, "sum by (g) (many)", 300 * MINUTE), ERR_OK);
    assert_int_equal(w->result->row_count, 3);
    assert_int_equal(w->result->peak_series, 10);
}

static void a_query_takes_no_more_memory_than_its_arena_has(void **state)
{
    struct world *w = *state;

    add_many(w, 300);
    arena_fini(&w->arena);
    arena_init(&w->arena, "query", 200UL * 1024);
    w->query.step_ms = MINUTE;
    w->query.end_ms = 300 * MINUTE;
    /* 300 series x 301 steps are 720 kB: an aggregation right over them keeps its groups alone. */
    assert_int_equal(run(w, "sum by (g) (rate(many[5m]) * 2)", 0), ERR_OK);
    assert_int_equal(w->result->row_count, 3);
    assert_int_equal(run(w, "many", 0), ERR_LIMIT);
    assert_int_equal(run(w, "many + many", 0), ERR_LIMIT);
    assert_int_equal(run(w, "topk(1, many)", 0), ERR_LIMIT);
    assert_int_equal(run(w, "quantile(0.5, many)", 0), ERR_LIMIT);
    assert_int_equal(run(w, "max_over_time(many[300m:1s])", 0), ERR_LIMIT);
}

static void a_query_has_no_more_steps_than_allowed(void **state)
{
    struct world *w = *state;

    w->query.step_ms = 1000;
    w->query.end_ms = (LIMIT_QUERY_POINTS - 1) * 1000LL;
    assert_int_equal(run(w, "vector(1)", 0), ERR_OK);
    assert_int_equal(w->result->rows[0].count, LIMIT_QUERY_POINTS);
    w->query.end_ms += 1000;
    assert_int_equal(run(w, "vector(1)", 0), ERR_LIMIT);
    w->query.end_ms = -1;
    assert_int_equal(run(w, "vector(1)", 0), ERR_INVALID);
}

static bool cancel_at_once(void *arg)
{
    return ++*(int *)arg > 1;
}

static void a_query_stops_when_it_is_told_to(void **state)
{
    struct world *w = *state;
    int asked = 0;

    add_many(w, 200);
    w->query.limits.cancelled = cancel_at_once;
    w->query.limits.cancelled_arg = &asked;
    assert_int_equal(run(w, "many", 300 * MINUTE), ERR_CANCELLED);
    assert_int_equal(asked, 2);
    w->query.limits = (struct promql_limits){.deadline_mono_us = clock_mono_us() - 1};
    assert_int_equal(run(w, "many", 300 * MINUTE), ERR_TIMEOUT);
    w->query.limits.deadline_mono_us = clock_mono_us() + 3600 * 1000000LL;
    assert_int_equal(run(w, "many", 300 * MINUTE), ERR_OK);
}

static void windows_over_windows_stop_at_the_deadline(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=x", MINUTE, 1, 10 * MINUTE);
    w->query.limits.deadline_mono_us = clock_mono_us() + 50000;
    /* 200 000 windows of up to 100 000 values each, over one series. */
    assert_int_equal(run(w, "max_over_time(vector(1)[100000s:1s])[100000s:1s]", 0), ERR_TIMEOUT);
}

/* --- Depth: a query of a thread with 256 kB of stack --- */

struct deep {
    struct world *w;
    char *text;
    enum err_code rc;
};

static void deep_run(void *arg)
{
    struct deep *d = arg;

    d->rc = run(d->w, d->text, 0);
}

/* head, head, ... x ... tail, tail, as deep as the parser lets it. */
static void deep_try(struct world *w, const char *head, const char *tail)
{
    size_t h = strlen(head), t = strlen(tail);
    struct deep d = {.w = w, .rc = ERR_LIMIT};
    size_t parsed = 0;

    for (size_t n = LIMIT_QUERY_DEPTH; n > 0 && d.rc == ERR_LIMIT; n--) {
        struct thread thread = {0};
        char *p;

        d.text = p = alloc_new(n * (h + t) + 2);
        for (size_t i = 0; i < n; i++, p += h)
            memcpy(p, head, h);
        *p++ = 'x';
        for (size_t i = 0; i < n; i++, p += t)
            memcpy(p, tail, t);
        assert_int_equal(thread_start(&thread, "deep", deep_run, &d, &w->err), ERR_OK);
        thread_join(&thread);
        alloc_free(d.text);
        parsed = n;
    }
    if (d.rc != ERR_OK)
        fail_msg("%s: %s", head, w->err.text);
    assert_true(parsed >= LIMIT_QUERY_DEPTH / 4);
}

static void a_deep_query_does_not_run_out_of_stack(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=x,le=1", MINUTE, 1, 0);
    deep_try(w, "(", ")");
    deep_try(w, "-(", ")");
    deep_try(w, "abs(", ")");
    deep_try(w, "sum(", ")");
    deep_try(w, "topk(1,", ")");
    deep_try(w, "vector(scalar(", "))");
    deep_try(w, "sort(", ")");
    deep_try(w, "1 + ", "");
    deep_try(w, "", " + x");
    deep_try(w, "", " or x");
    deep_try(w, "x * ", "");
    deep_try(w, "label_replace(", ",'a','b','c','d')");
    deep_try(w, "histogram_quantile(1, label_replace(", ",'le','+Inf','',''))");
    deep_try(w, "absent(", ")");
    deep_try(w, "max_over_time(", "[1m:1m])");
    deep_try(w, "count_values('a',", ")");
    w->query.experimental = true;
    deep_try(w, "info(", ")");
}

/* --- Answers --- */

static void a_range_query_is_sorted_by_labels_and_an_instant_one_as_sorted(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=x,n=b", MINUTE, 1, 10 * MINUTE);
    add_rising(w, "__name__=x,n=a", MINUTE, 2, 10 * MINUTE);
    assert_int_equal(run(w, "sort(x)", 10 * MINUTE), ERR_OK);
    assert_true(str_eq(labels_get(&w->result->rows[0].labels, STR("n")), STR("b")));
    w->query.step_ms = MINUTE;
    w->query.end_ms = 10 * MINUTE;
    assert_int_equal(run(w, "sort(x)", 5 * MINUTE), ERR_OK);
    assert_true(str_eq(labels_get(&w->result->rows[0].labels, STR("n")), STR("a")));
    assert_int_equal(w->result->type, PROMQL_MATRIX);
    assert_int_equal(w->result->rows[0].count, 6);
    assert_int_equal(run(w, "x[1m]", 5 * MINUTE), ERR_INVALID);
    assert_int_equal(run(w, "'x'", 5 * MINUTE), ERR_INVALID);
}

static void types_of_instant_answers_are_those_of_the_expression(void **state)
{
    struct world *w = *state;

    add_rising(w, "__name__=x,n=b", MINUTE, 1, 10 * MINUTE);
    assert_int_equal(run(w, "1 + 1", 0), ERR_OK);
    assert_int_equal(w->result->type, PROMQL_SCALAR);
    assert_int_equal(run(w, "(x[2m])", 10 * MINUTE), ERR_OK);
    assert_int_equal(w->result->type, PROMQL_MATRIX);
    assert_int_equal(w->result->rows[0].count, 2);
    assert_int_equal(w->result->rows[0].t_ms[0], 9 * MINUTE);
    assert_int_equal(run(w, "'text'", 0), ERR_OK);
    assert_int_equal(w->result->type, PROMQL_STRING);
    assert_true(str_eq(w->result->string, STR("text")));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_sample_of_a_slow_clock_counts_as_long_as_the_source_says),
        CASE(a_loose_sample_counts_for_the_lookback),
        CASE(a_short_window_on_a_slow_clock_is_stretched),
        CASE(a_short_window_on_loose_samples_is_not_stretched),
        CASE(a_delta_stands_for_its_interval),
        CASE(a_known_counter_needs_no_name_of_one),
        CASE(the_source_is_asked_for_what_is_needed),
        CASE(an_error_of_the_source_is_the_query_s),
        CASE(a_note_of_the_source_is_an_info),
        CASE(a_query_reads_no_more_samples_than_it_may),
        CASE(a_query_keeps_no_more_series_than_it_may),
        CASE(a_query_takes_no_more_memory_than_its_arena_has),
        CASE(a_query_has_no_more_steps_than_allowed),
        CASE(a_query_stops_when_it_is_told_to),
        CASE(windows_over_windows_stop_at_the_deadline),
        CASE(a_deep_query_does_not_run_out_of_stack),
        CASE(a_range_query_is_sorted_by_labels_and_an_instant_one_as_sorted),
        CASE(types_of_instant_answers_are_those_of_the_expression),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
