/* SPDX-License-Identifier: PostgreSQL */
/* source.c: series in memory. */
#include "source.h"

#include <string.h>

#define SOURCE_ARENA_BYTES ((size_t)1 << 30)

/* --- Selecting --- */

struct set {
    struct series_set base; /* first */
    const struct source *source;
    const struct series_select *spec;
    size_t next;
};

static enum err_code source_select(struct series_source *base, struct arena *a,
                                   const struct series_select *spec, struct series_set **out,
                                   struct err *e)
{
    struct source *s = (struct source *)base;
    struct set *set = arena_alloc(a, sizeof(*set));
    struct series_select *copy = arena_alloc(a, sizeof(*copy));

    if (!set || !copy)
        return arena_fail(a, e);
    *copy = *spec;
    *set = (struct set){{base->ops}, s, copy, 0};
    for (size_t i = 0; i < s->count; i++)
        if (s->series[i].histogram &&
            matchers_match(spec->matchers, spec->matcher_count, &s->series[i].labels))
            s->touched = true;
    *out = &set->base;
    return ERR_OK;
}

/* The first sample later than `t`. */
static size_t later(const struct source_row *s, int64_t t)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (s->t_ms[middle] <= t)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static enum err_code set_next(struct series_set *base, struct series *out, bool *more,
                              struct err *e)
{
    struct set *set = (struct set *)base;
    const struct series_select *spec = set->spec;

    (void)e;
    while (set->next < set->source->count) {
        const struct source_row *s = &set->source->series[set->next++];
        size_t from, to;

        if (!matchers_match(spec->matchers, spec->matcher_count, &s->labels))
            continue;
        from = later(s, spec->from_ms);
        to = later(s, spec->to_ms);
        if (from >= to)
            continue;
        memset(out, 0, sizeof(*out));
        out->labels = s->labels;
        out->kind = SERIES_LOOSE;
        if (!spec->labels_only) {
            out->count = to - from;
            out->t_ms = s->t_ms + from;
            out->value = s->value + from;
        }
        *more = true;
        return ERR_OK;
    }
    *more = false;
    return ERR_OK;
}

static void set_close(struct series_set *set)
{
    (void)set;
}

static const struct series_source_ops source_ops = {
    .select = source_select,
    .next = set_next,
    .close = set_close,
};

/* --- Loading --- */

void source_init(struct source *s)
{
    memset(s, 0, sizeof(*s));
    s->base.ops = &source_ops;
    arena_init(&s->arena, "loaded series", SOURCE_ARENA_BYTES);
}

void source_fini(struct source *s)
{
    arena_fini(&s->arena);
}

void source_clear(struct source *s)
{
    arena_reset(&s->arena);
    s->count = s->room = 0;
    s->series = NULL;
}

/* Room for one more of `size` bytes; the old array stays until source_clear. */
static void *grown(struct source *s, void *items, size_t count, size_t *room, size_t size)
{
    void *more;

    if (count < *room)
        return items;
    *room = *room ? 2 * *room : 16;
    more = arena_array(&s->arena, *room, size);
    if (more && count > 0)
        memcpy(more, items, count * size);
    return more;
}

static struct labels copied(struct source *s, const struct labels *l)
{
    struct label *items = arena_array(&s->arena, l->count, sizeof(*items));

    for (size_t i = 0; items && i < l->count; i++)
        items[i] = (struct label){arena_str(&s->arena, l->items[i].name),
                                  arena_str(&s->arena, l->items[i].value)};
    return (struct labels){items ? l->count : 0, items};
}

static struct source_row *series_of(struct source *s, const struct labels *labels)
{
    struct source_row *more;

    for (size_t i = 0; i < s->count; i++)
        if (labels_compare(&s->series[i].labels, labels) == 0)
            return &s->series[i];
    more = grown(s, s->series, s->count, &s->room, sizeof(*more));
    if (!more)
        return NULL;
    s->series = more;
    more = &s->series[s->count++];
    memset(more, 0, sizeof(*more));
    more->labels = copied(s, labels);
    return more;
}

/* A sample at a time that is there already takes its place. */
static bool add_sample(struct source *s, struct source_row *x, int64_t t_ms, double value)
{
    size_t room = x->room, at = later(x, t_ms);

    if (at > 0 && x->t_ms[at - 1] == t_ms) {
        x->value[at - 1] = value;
        return true;
    }
    x->t_ms = grown(s, x->t_ms, x->count, &room, sizeof(*x->t_ms));
    x->value = grown(s, x->value, x->count, &x->room, sizeof(*x->value));
    if (!x->t_ms || !x->value)
        return false;
    memmove(x->t_ms + at + 1, x->t_ms + at, (x->count - at) * sizeof(*x->t_ms));
    memmove(x->value + at + 1, x->value + at, (x->count - at) * sizeof(*x->value));
    x->t_ms[at] = t_ms;
    x->value[at] = value;
    x->count++;
    return true;
}

enum err_code source_load(struct source *s, const struct notation *n, int64_t step_ms,
                          struct err *e)
{
    struct source_row *x = series_of(s, &n->labels);
    bool good = x != NULL;

    for (size_t i = 0; good && i < n->count; i++) {
        x->histogram = x->histogram || n->values[i].histogram;
        if (!n->values[i].omitted && !n->values[i].histogram)
            good = add_sample(s, x, (int64_t)i * step_ms, n->values[i].value);
    }
    return good ? ERR_OK : arena_fail(&s->arena, e);
}

enum err_code source_mark_histogram(struct source *s, const struct labels *labels, struct err *e)
{
    struct source_row *x = series_of(s, labels);

    if (!x)
        return arena_fail(&s->arena, e);
    x->histogram = true;
    return ERR_OK;
}
