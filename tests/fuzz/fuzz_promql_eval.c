/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_promql_eval.c: any bytes as a query over a few series; the first byte says instant or range.
 *
 * Rows have labels in order and times that rise within the question; no absent value gets out.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "os/clock.h"
#include "promql/promql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS  20
#define MINUTE 60000LL

#define LABEL(name, value)           \
    {                                \
        {name, sizeof(name) - 1},    \
        {                            \
            value, sizeof(value) - 1 \
        }                            \
    }

static const struct label rows[][3] = {
    {LABEL("__name__", "a"), LABEL("n", "1"), LABEL("o", "x")},
    {LABEL("__name__", "a"), LABEL("n", "2"), LABEL("o", "x")},
    {LABEL("__name__", "b"), LABEL("n", "1"), LABEL("o", "x")},
    {LABEL("__name__", "b_bucket"), LABEL("le", "1"), LABEL("n", "1")},
    {LABEL("__name__", "b_bucket"), LABEL("le", "+Inf"), LABEL("n", "1")},
    {LABEL("__name__", "target_info"), LABEL("instance", "1"), LABEL("v", "9")},
};

struct few {
    struct series_source source;
    struct series_set set;
    struct series_select spec;
    size_t next;
    int64_t t_ms[STEPS];
    double value[STEPS];
};

static enum err_code few_select(struct series_source *s, struct arena *a,
                                const struct series_select *spec, struct series_set **out,
                                struct err *e)
{
    struct few *set = arena_alloc(a, sizeof(*set));

    if (!set)
        return arena_fail(a, e);
    set->set.ops = s->ops;
    set->spec = *spec;
    *out = &set->set;
    return ERR_OK;
}

static double few_value(size_t row, int64_t i)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -0.0, 1e308};

    if ((i + (int64_t)row) % 7 == 6)
        return row % 2 ? series_stale() : odd[i % 5];
    return (double)(i % 9) * (double)(row + 1);
}

static enum err_code few_next(struct series_set *base, struct series *out, bool *more,
                              struct err *e)
{
    struct few *f = (struct few *)((char *)base - offsetof(struct few, set));

    (void)e;
    for (*more = true; f->next < sizeof(rows) / sizeof(rows[0]);) {
        size_t row = f->next++;
        struct series s = {.labels = {3, rows[row]}, .t_ms = f->t_ms, .value = f->value};

        for (int64_t i = 0; i < STEPS; i++) {
            int64_t t = i * MINUTE + (int64_t)row;

            if (t <= f->spec.from_ms || t > f->spec.to_ms)
                continue;
            f->t_ms[s.count] = t;
            f->value[s.count++] = few_value(row, i);
        }
        s.kind = (enum series_kind)(row % 4);
        s.every_ms = s.kind == SERIES_LOOSE ? 0 : MINUTE;
        *out = s;
        if (s.count > 0 && matchers_match(f->spec.matchers, f->spec.matcher_count, &s.labels))
            return ERR_OK;
    }
    *more = false;
    return ERR_OK;
}

static void few_close(struct series_set *set)
{
    (void)set;
}

static void check(const struct promql_result *r, const struct promql_query *q)
{
    for (size_t i = 0; i < r->row_count; i++) {
        const struct promql_row *row = &r->rows[i];

        for (size_t l = 1; l < row->labels.count; l++) {
            if (label_compare(&row->labels.items[l - 1], &row->labels.items[l]) >= 0)
                abort();
        }
        for (size_t p = 0; p < row->count; p++) {
            if (series_is_stale(row->value[p]) || (p > 0 && row->t_ms[p] <= row->t_ms[p - 1]))
                abort();
        }
        if (row->count == 0 || (q->step_ms > 0 && row->t_ms[row->count - 1] > q->end_ms))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct series_source_ops ops = {few_select, few_next, few_close};
    struct series_source source = {.ops = &ops};
    struct promql_query q = {.start_ms = 5 * MINUTE, .end_ms = 5 * MINUTE, .experimental = true};
    struct promql_result *r = NULL;
    struct arena a;
    struct err e;

    if (size < 1)
        return 0;
    if (data[0] & 1) {
        q.end_ms = 12 * MINUTE;
        q.step_ms = 90000;
    }
    q.text = str_make(data + 1, size - 1);
    q.limits = (struct promql_limits){.samples = 100000, .series = 1000};
    q.limits.deadline_mono_us = clock_mono_us() + 200000;
    arena_init(&a, "fuzz", 32 << 20);
    if (promql_run(&a, &source, &q, &r, &e) == ERR_OK)
        check(r, &q);
    arena_fini(&a);
    return 0;
}
