/* SPDX-License-Identifier: PostgreSQL */
/* series_fixture.c: series in arrays; a selection walks over all of them. */
#include "series_fixture.h"

#include <stdlib.h>

#include "base/alloc.h"

struct fixture_series {
    struct series series;
    struct label *labels;
    char *text;
    int64_t *t_ms, *until_ms;
    double *value;
    size_t cap;
    bool has_until;
};

struct fixture_set {
    struct series_set set;
    struct series_fixture *fixture;
    struct series_select spec;
    size_t next;
};

static int fixture_label_compare(const void *a, const void *b)
{
    return label_compare(a, b);
}

void series_fixture_series(struct series_fixture *f, struct str text, char separator)
{
    struct fixture_series *s;
    struct str rest;

    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 64;
        f->series = alloc_resize(f->series, f->cap * sizeof(*f->series));
    }
    s = &f->series[f->count++];
    *s = (struct fixture_series){.text = alloc_strndup(text.ptr, text.len)};
    s->labels = alloc_array(64, sizeof(*s->labels));
    rest = str_make(s->text, text.len);
    while (rest.len > 0 && s->series.labels.count < 64) {
        struct str pair = str_split(&rest, separator);
        struct label label = {.name = str_split(&pair, '='), .value = pair};

        if (label.value.len > 0)
            s->labels[s->series.labels.count++] = label;
    }
    qsort(s->labels, s->series.labels.count, sizeof(*s->labels), fixture_label_compare);
    s->series.labels.items = s->labels;
}

void series_fixture_kind(struct series_fixture *f, enum series_kind kind, int64_t every_ms)
{
    f->series[f->count - 1].series.kind = kind;
    f->series[f->count - 1].series.every_ms = every_ms;
}

void series_fixture_sample(struct series_fixture *f, int64_t t_ms, double value)
{
    struct fixture_series *s = &f->series[f->count - 1];
    size_t n = s->series.count++;

    if (n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->t_ms = alloc_resize(s->t_ms, s->cap * sizeof(*s->t_ms));
        s->until_ms = alloc_resize(s->until_ms, s->cap * sizeof(*s->until_ms));
        s->value = alloc_resize(s->value, s->cap * sizeof(*s->value));
    }
    s->t_ms[n] = t_ms;
    s->until_ms[n] = t_ms;
    s->value[n] = value;
}

void series_fixture_until(struct series_fixture *f, int64_t until_ms)
{
    struct fixture_series *s = &f->series[f->count - 1];

    s->until_ms[s->series.count - 1] = until_ms;
    s->has_until = true;
}

/* --- The source --- */

static enum err_code fixture_select(struct series_source *source, struct arena *a,
                                    const struct series_select *spec, struct series_set **out,
                                    struct err *e)
{
    struct fixture_set *set = arena_alloc(a, sizeof(*set));

    if (!set)
        return arena_fail(a, e);
    set->set.ops = source->ops;
    set->fixture = (struct series_fixture *)source;
    set->spec = set->fixture->last = *spec;
    *out = &set->set;
    return ERR_OK;
}

/* The part of a series that a selection wants; a clock makes it reach back further. */
static bool fixture_cut(const struct fixture_series *s, const struct series_select *spec,
                        struct series *out)
{
    int64_t from_ms = spec->from_ms - s->series.every_ms * 3;
    size_t from = 0, to = s->series.count;

    while (from < to && s->t_ms[from] <= from_ms)
        from++;
    while (to > from && s->t_ms[to - 1] > spec->to_ms)
        to--;
    *out = s->series;
    out->count = spec->labels_only ? 0 : to - from;
    out->t_ms = s->t_ms + from;
    out->value = s->value + from;
    out->until_ms = s->has_until ? s->until_ms + from : NULL;
    return to > from;
}

static enum err_code fixture_next(struct series_set *base, struct series *out, bool *more,
                                  struct err *e)
{
    struct fixture_set *set = (struct fixture_set *)base;

    (void)e;
    *more = true;
    while (set->next < set->fixture->count) {
        const struct fixture_series *s = &set->fixture->series[set->next++];

        if (matchers_match(set->spec.matchers, set->spec.matcher_count, &s->series.labels) &&
            fixture_cut(s, &set->spec, out))
            return ERR_OK;
    }
    *more = false;
    return ERR_OK;
}

static void fixture_close(struct series_set *set)
{
    (void)set;
}

static const struct series_source_ops fixture_ops = {fixture_select, fixture_next, fixture_close};

void series_fixture_init(struct series_fixture *f)
{
    *f = (struct series_fixture){.source.ops = &fixture_ops};
}

void series_fixture_fini(struct series_fixture *f)
{
    for (size_t i = 0; i < f->count; i++) {
        alloc_free(f->series[i].text);
        alloc_free(f->series[i].labels);
        alloc_free(f->series[i].t_ms);
        alloc_free(f->series[i].until_ms);
        alloc_free(f->series[i].value);
    }
    alloc_free(f->series);
    *f = (struct series_fixture){0};
}
