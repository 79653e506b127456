/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_window.c: range vectors: the samples of each series of a range selector or a subquery.
 *
 * Stale markers are no samples. The samples of a subquery are the values of its expression at its
 * own steps, which are multiples of its step.
 */
#include <string.h>

#include "promql/eval.h"

#define SUBQUERY_STEP_MS 60000 /* when it names none; the global interval in Prometheus */

int64_t eval_window_range(const struct expr *x)
{
    return x->kind == EXPR_SUBQUERY ? x->u.subquery.range_ms : x->u.selector.range_ms;
}

const struct expr_when *eval_window_when(const struct expr *x)
{
    return x->kind == EXPR_SUBQUERY ? &x->u.subquery.when : &x->u.selector.when;
}

/* --- Selectors --- */

struct window_room {
    int64_t *t_ms;
    double *value, *readings, *sum;
    size_t cap;
};

static bool window_reserve(struct eval *ev, struct window_room *room, size_t count)
{
    if (count <= room->cap)
        return true;
    room->cap = count * 2;
    room->t_ms = arena_array(ev->arena, room->cap, sizeof(*room->t_ms));
    room->value = arena_array(ev->arena, room->cap, sizeof(*room->value));
    return room->t_ms && room->value;
}

/* Leave out parts of absent values. */
static bool window_parts(struct eval *ev, struct window_room *room, const struct series *s)
{
    size_t n = 0;

    room->readings = arena_array(ev->arena, s->count, sizeof(*room->readings));
    room->sum = arena_array(ev->arena, s->count, sizeof(*room->sum));
    for (size_t i = 0; room->readings && room->sum && i < s->count; i++) {
        if (eval_absent(s->value[i]))
            continue;
        room->readings[n] = s->readings[i];
        room->sum[n++] = s->sum[i];
    }
    return room->readings && room->sum;
}

/* Leave out absent values. */
static size_t window_compact(struct window_room *room, const int64_t *t_ms, const double *value,
                             size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (eval_absent(value[i]))
            continue;
        room->t_ms[n] = t_ms[i];
        room->value[n++] = value[i];
    }
    return n;
}

static enum err_code window_of_series(struct eval *ev, struct window_room *room,
                                      const struct series *s, struct eval_window *w)
{
    *w = (struct eval_window){.labels = &s->labels,
                              .kind = s->kind,
                              .every_ms = s->every_ms,
                              .count = s->count,
                              .t_ms = s->t_ms,
                              .value = s->value,
                              .readings = s->readings,
                              .sum = s->sum};
    for (size_t i = 0; i < s->count; i++) {
        if (!eval_absent(s->value[i]))
            continue;
        if (!window_reserve(ev, room, s->count))
            return eval_full(ev);
        w->count = window_compact(room, s->t_ms, s->value, s->count);
        w->t_ms = room->t_ms;
        w->value = room->value;
        if (!s->readings)
            break;
        if (!window_parts(ev, room, s))
            return eval_full(ev);
        w->readings = room->readings;
        w->sum = room->sum;
        break;
    }
    return ERR_OK;
}

static enum err_code window_selector(struct eval *ev, const struct expr *x, const char *hint,
                                     eval_window_fn *fn, void *arg)
{
    struct window_room room = {0};
    struct series_set *set = NULL;
    struct eval_window w;
    struct series s;
    bool more = true;
    enum err_code rc = eval_open(ev, x, hint, &set);

    while (rc == ERR_OK) {
        rc = eval_next(ev, set, &s, &more);
        if (rc != ERR_OK || !more)
            break;
        rc = window_of_series(ev, &room, &s, &w);
        if (rc == ERR_OK && w.count > 0)
            rc = fn(ev, arg, &w);
    }
    series_close(set);
    return rc == ERR_OK ? eval_matched(ev, x) : rc;
}

/* --- Subqueries --- */

/* The first multiple of the step after the window's start. */
static int64_t subquery_start(int64_t after_ms, int64_t step_ms)
{
    int64_t start = step_ms * (after_ms / step_ms);

    return start <= after_ms ? start + step_ms : start;
}

static enum err_code subquery_frame(struct eval *ev, const struct expr *x, struct eval_frame *out)
{
    const struct eval_frame *f = ev->frame;
    const struct expr_when *when = &x->u.subquery.when;
    int64_t step = x->u.subquery.step_ms > 0 ? x->u.subquery.step_ms : SUBQUERY_STEP_MS;
    int64_t first = eval_when(ev, when, f->start_ms);
    int64_t last = eval_when(ev, when, eval_frame_ms(f, f->count - 1));
    int64_t start = subquery_start(first - x->u.subquery.range_ms, step);

    *out = (struct eval_frame){start, step, 0};
    if (last < start)
        return ERR_OK;
    if ((uint64_t)((last - start) / step) >= ev->max_samples)
        return err_set(ev->err, ERR_LIMIT, "the subquery has more than %llu steps",
                       (unsigned long long)ev->max_samples);
    out->count = (size_t)((last - start) / step) + 1;
    return ERR_OK;
}

static enum err_code subquery_vec(struct eval *ev, const struct expr *x,
                                  const struct eval_frame *inner, struct eval_vec *vec)
{
    const struct eval_frame *outer = ev->frame;
    const struct expr *of = eval_unwrap(x->u.subquery.x);
    struct labelset *none;
    double *value;
    enum err_code rc;

    ev->frame = inner;
    if (of->type == PROMQL_VECTOR) {
        rc = eval_vec(ev, of, vec);
    } else {
        struct labels empty = {0};

        *vec = (struct eval_vec){0};
        rc = eval_scalar(ev, of, &value);
        if (rc == ERR_OK)
            rc = eval_intern(ev, &empty, &none);
        if (rc == ERR_OK)
            rc = eval_vec_add(ev, vec, none, value);
    }
    ev->frame = outer;
    return rc;
}

static enum err_code window_subquery(struct eval *ev, const struct expr *x, eval_window_fn *fn,
                                     void *arg)
{
    struct window_room room = {0};
    struct eval_frame inner;
    struct eval_vec vec = {0};
    int64_t *t_ms;
    enum err_code rc = subquery_frame(ev, x, &inner);

    if (rc == ERR_OK && inner.count > 0)
        rc = subquery_vec(ev, x, &inner, &vec);
    if (rc != ERR_OK || vec.count == 0)
        return rc;
    t_ms = arena_array(ev->arena, inner.count, sizeof(*t_ms));
    if (!t_ms || !window_reserve(ev, &room, inner.count))
        return eval_full(ev);
    for (size_t i = 0; i < inner.count; i++)
        t_ms[i] = eval_frame_ms(&inner, i);
    for (size_t r = 0; rc == ERR_OK && r < vec.count; r++) {
        struct eval_window w = {.labels = &vec.rows[r].set->labels};

        w.count = window_compact(&room, t_ms, vec.rows[r].value, inner.count);
        w.t_ms = room.t_ms;
        w.value = room.value;
        rc = eval_check(ev);
        if (rc == ERR_OK && w.count > 0)
            rc = fn(ev, arg, &w);
    }
    return rc;
}

enum err_code eval_windows(struct eval *ev, const struct expr *x, const char *hint,
                           eval_window_fn *fn, void *arg)
{
    if (x->kind == EXPR_SUBQUERY)
        return window_subquery(ev, x, fn, arg);
    return window_selector(ev, x, hint, fn, arg);
}
