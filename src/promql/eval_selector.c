/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_selector.c: instant vector selectors: which sample of a series counts at each step.
 *
 * A sample counts for the lookback (5 minutes, or what the query says). A series of a relation has
 * a clock: its samples count as long as the source says (until_ms), those of kind delta for one
 * and a half intervals, because each stands for its own interval alone (tsdb.md 5).
 */
#include "promql/eval.h"

int64_t eval_when(const struct eval *ev, const struct expr_when *when, int64_t t_ms)
{
    switch (when->at) {
    case AT_NONE:
        break;
    case AT_TIME:
        t_ms = when->at_ms;
        break;
    case AT_START:
        t_ms = ev->top.start_ms;
        break;
    case AT_END:
        t_ms = eval_frame_ms(&ev->top, ev->top.count - 1);
        break;
    }
    return t_ms - when->offset_ms;
}

enum err_code eval_open(struct eval *ev, const struct expr *x, const char *hint,
                        struct series_set **out)
{
    const struct eval_frame *f = ev->frame;
    struct series_select spec = {
        .matchers = x->u.selector.matchers,
        .matcher_count = x->u.selector.matcher_count,
        .range_ms = x->u.selector.range_ms,
        .func = str_of(hint),
        .own_lookback = ev->query->lookback_ms != 0,
        .deadline_mono_us = ev->query->limits.deadline_mono_us,
    };
    int64_t back = spec.range_ms > 0 ? spec.range_ms : ev->lookback_ms;

    spec.from_ms = eval_when(ev, &x->u.selector.when, f->start_ms) - back;
    spec.to_ms = eval_when(ev, &x->u.selector.when, eval_frame_ms(f, f->count - 1));
    if (f->count > 1 && x->u.selector.when.at == AT_NONE)
        spec.step_ms = f->step_ms;
    return series_select(ev->source, ev->arena, &spec, out, ev->err);
}

enum err_code eval_matched(struct eval *ev, const struct expr *x)
{
    for (size_t i = 0; i < x->u.selector.matcher_count; i++) {
        const struct matcher *m = &x->u.selector.matchers[i];

        if (m->regex && regex_failed(m->regex))
            return err_set(ev->err, ERR_LIMIT,
                           "the regular expression \"%.*s\" takes too long to match",
                           STR_ARG(m->value));
    }
    return ERR_OK;
}

enum err_code eval_next(struct eval *ev, struct series_set *set, struct series *out, bool *more)
{
    enum err_code rc = eval_check(ev);

    if (rc == ERR_OK)
        rc = series_next(set, out, more, ev->err);
    if (rc != ERR_OK || !*more)
        return rc;
    ev->samples += out->count;
    if (ev->samples > ev->max_samples)
        return err_set(ev->err, ERR_LIMIT,
                       "query processing would load too many samples into memory in query "
                       "execution: more than %llu",
                       (unsigned long long)ev->max_samples);
    return ERR_OK;
}

/* How long a sample counts at most, without what until_ms adds. */
static int64_t selector_lookback(const struct eval *ev, const struct series *s)
{
    if (s->kind == SERIES_DELTA && s->every_ms > 0 && ev->query->lookback_ms == 0)
        return s->every_ms + s->every_ms / 2;
    return ev->lookback_ms;
}

bool eval_selector_fill(const struct eval *ev, const struct expr_when *when, enum eval_what what,
                        const struct series *s, double *value)
{
    const struct eval_frame *f = ev->frame;
    const int64_t *until = ev->query->lookback_ms == 0 && s->kind != SERIES_DELTA ? s->until_ms
                                                                                  : NULL;
    int64_t back = selector_lookback(ev, s);
    size_t next = 0; /* first sample after the step */
    bool any = false;

    for (size_t i = 0; i < f->count; i++) {
        int64_t t = eval_when(ev, when, eval_frame_ms(f, i));

        value[i] = eval_nothing();
        while (next < s->count && s->t_ms[next] <= t)
            next++;
        if (next == 0)
            continue;
        if (s->t_ms[next - 1] <= t - back && (!until || t >= until[next - 1]))
            continue;
        if (eval_absent(s->value[next - 1]))
            continue;
        value[i] = what == EVAL_STAMPS ? (double)s->t_ms[next - 1] / 1000 : s->value[next - 1];
        any = true;
    }
    return any;
}

enum err_code eval_selector(struct eval *ev, const struct expr *x, enum eval_what what,
                            struct eval_sink sink)
{
    struct series_set *set = NULL;
    double *value = eval_values(ev);
    struct series s;
    uint64_t count = 0;
    bool more = true;
    enum err_code rc;

    if (!value)
        return eval_full(ev);
    rc = eval_open(ev, x, sink.hint, &set);
    while (rc == ERR_OK) {
        rc = eval_next(ev, set, &s, &more);
        if (rc != ERR_OK || !more)
            break;
        if (!eval_selector_fill(ev, &x->u.selector.when, what, &s, value))
            continue;
        rc = sink.fn(ev, sink.arg, &s.labels, value);
        if (++count > ev->peak_series)
            ev->peak_series = count;
    }
    series_close(set);
    return rc == ERR_OK ? eval_matched(ev, x) : rc;
}
