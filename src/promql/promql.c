/* SPDX-License-Identifier: PostgreSQL */
/*
 * promql.c: a query from its text to its answer.
 */
#include "promql/promql.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "promql/eval.h"

static enum err_code promql_frame(const struct promql_query *q, struct eval_frame *out,
                                  struct err *e)
{
    int64_t steps;

    if (q->end_ms < q->start_ms)
        return err_set(e, ERR_INVALID, "end timestamp must not be before start time");
    if (q->step_ms < 0 || (q->step_ms == 0 && q->end_ms != q->start_ms))
        return err_set(e, ERR_INVALID,
                       "zero or negative query resolution step widths are not "
                       "accepted. Try a positive integer");
    steps = q->step_ms > 0 ? (q->end_ms - q->start_ms) / q->step_ms : 0;
    if (steps >= LIMIT_QUERY_POINTS)
        return err_set(e, ERR_LIMIT,
                       "exceeded maximum resolution of %d points per timeseries. Try decreasing "
                       "the query resolution (?step=XX)",
                       LIMIT_QUERY_POINTS);
    *out = (struct eval_frame){q->start_ms, q->step_ms > 0 ? q->step_ms : 1, (size_t)steps + 1};
    return ERR_OK;
}

/* --- The answer --- */

/* The samples of a row that has values. */
static enum err_code promql_row_fill(struct eval *ev, const struct eval_row *row,
                                     struct promql_row *out)
{
    const struct eval_frame *f = ev->frame;
    int64_t *t_ms = arena_array(ev->arena, f->count, sizeof(*t_ms));
    double *value = eval_values(ev);
    size_t n = 0;

    if (!t_ms || !value)
        return eval_full(ev);
    for (size_t i = 0; i < f->count; i++) {
        if (eval_absent(row->value[i]))
            continue;
        t_ms[n] = eval_frame_ms(f, i);
        value[n++] = row->value[i];
    }
    *out = (struct promql_row){row->set->labels, n, t_ms, value};
    return ERR_OK;
}

static int promql_row_compare(const void *a, const void *b)
{
    const struct promql_row *x = a, *y = b;

    return labels_compare(&x->labels, &y->labels);
}

static enum err_code promql_vector(struct eval *ev, const struct expr *x, struct promql_result *r)
{
    struct eval_vec vec;
    enum err_code rc = eval_vec(ev, x, &vec);

    if (rc != ERR_OK)
        return rc;
    r->rows = arena_array(ev->arena, vec.count, sizeof(*r->rows));
    if (!r->rows)
        return eval_full(ev);
    for (size_t i = 0; rc == ERR_OK && i < vec.count; i++) {
        if (eval_has_value(ev, vec.rows[i].value))
            rc = promql_row_fill(ev, &vec.rows[i], &r->rows[r->row_count++]);
    }
    if (ev->query->step_ms > 0 && r->row_count > 1)
        qsort(r->rows, r->row_count, sizeof(*r->rows), promql_row_compare);
    return rc;
}

static enum err_code promql_scalar(struct eval *ev, const struct expr *x, struct promql_result *r)
{
    struct labelset none = {0};
    struct eval_row row = {&none, NULL};
    enum err_code rc = eval_scalar(ev, x, &row.value);

    if (rc != ERR_OK)
        return rc;
    r->rows = arena_array(ev->arena, 1, sizeof(*r->rows));
    if (!r->rows)
        return eval_full(ev);
    r->row_count = 1;
    return promql_row_fill(ev, &row, &r->rows[0]);
}

struct promql_matrix {
    struct promql_result *result;
    size_t cap;
    int64_t start_ms, end_ms; /* (start, end] */
};

static enum err_code promql_matrix_grow(struct eval *ev, struct promql_matrix *m)
{
    struct promql_result *r = m->result;
    struct promql_row *rows;

    if (r->row_count < m->cap)
        return ERR_OK;
    m->cap = m->cap ? m->cap * 2 : 16;
    rows = arena_array(ev->arena, m->cap, sizeof(*rows));
    if (!rows)
        return eval_full(ev);
    if (r->row_count > 0)
        memcpy(rows, r->rows, r->row_count * sizeof(*rows));
    r->rows = rows;
    return ERR_OK;
}

static enum err_code promql_matrix_row(struct eval *ev, void *arg, const struct eval_window *w)
{
    struct promql_matrix *m = arg;
    size_t from = 0, to = w->count, count;
    struct labelset *set;
    int64_t *t_ms;
    double *value;

    while (from < to && w->t_ms[from] <= m->start_ms)
        from++;
    while (to > from && w->t_ms[to - 1] > m->end_ms)
        to--;
    count = to - from;
    if (count == 0)
        return ERR_OK;
    t_ms = arena_array(ev->arena, count, sizeof(*t_ms));
    value = arena_array(ev->arena, count, sizeof(*value));
    if (!t_ms || !value || eval_intern(ev, w->labels, &set) != ERR_OK ||
        promql_matrix_grow(ev, m) != ERR_OK)
        return eval_full(ev);
    memcpy(t_ms, w->t_ms + from, count * sizeof(*t_ms));
    memcpy(value, w->value + from, count * sizeof(*value));
    m->result->rows[m->result->row_count++] = (struct promql_row){set->labels, count, t_ms, value};
    return ERR_OK;
}

/* A range selector or subquery alone: its samples. */
static enum err_code promql_matrix(struct eval *ev, const struct expr *x, struct promql_result *r)
{
    int64_t end = eval_when(ev, eval_window_when(x), ev->frame->start_ms);
    struct promql_matrix m = {.result = r, .start_ms = end - eval_window_range(x), .end_ms = end};
    enum err_code rc = eval_windows(ev, x, "", promql_matrix_row, &m);

    if (rc == ERR_OK && r->row_count > 1)
        qsort(r->rows, r->row_count, sizeof(*r->rows), promql_row_compare);
    return rc;
}

static enum err_code promql_evaluate(struct eval *ev, const struct expr *x, struct promql_result *r)
{
    bool range = ev->query->step_ms > 0;

    x = eval_unwrap(x);
    r->type = range ? PROMQL_MATRIX : x->type;
    if (x->type == PROMQL_VECTOR)
        return promql_vector(ev, x, r);
    if (x->type == PROMQL_SCALAR)
        return promql_scalar(ev, x, r);
    if (range)
        return eval_fail(ev,
                         "invalid expression type \"%s\" for range query, must be Scalar or "
                         "instant Vector",
                         promql_type_text(x->type));
    if (x->type == PROMQL_MATRIX)
        return promql_matrix(ev, x, r);
    r->string = x->u.string;
    return ERR_OK;
}

/* --- Running --- */

static enum err_code promql_answer(struct eval *ev, const struct expr *x,
                                   struct promql_result **out)
{
    struct promql_result *r = arena_alloc(ev->arena, sizeof(*r));
    enum err_code rc;

    if (!r)
        return eval_full(ev);
    ev->source->note = eval_note_listen;
    ev->source->note_arg = ev;
    rc = promql_evaluate(ev, x, r);
    ev->source->note = NULL;
    ev->source->note_arg = NULL;
    if (rc == ERR_OK)
        rc = eval_note_list(ev, EVAL_NOTE_WARNING, &r->warnings);
    if (rc == ERR_OK)
        rc = eval_note_list(ev, EVAL_NOTE_INFO, &r->infos);
    if (rc != ERR_OK)
        return rc;
    r->samples = ev->samples;
    r->peak_series = ev->peak_series;
    *out = r;
    return arena_check(ev->arena, ev->err);
}

enum err_code promql_run(struct arena *a, struct series_source *source,
                         const struct promql_query *query, struct promql_result **out,
                         struct err *e)
{
    struct promql_options options = {.experimental = query->experimental};
    struct err own;
    struct eval ev = {
        .arena = a,
        .source = source,
        .query = query,
        .err = e ? e : &own,
        .lookback_ms = query->lookback_ms > 0 ? query->lookback_ms : PROMQL_LOOKBACK_MS,
        .max_samples = query->limits.samples > 0 ? query->limits.samples : LIMIT_PROMQL_SAMPLES,
        .max_series = query->limits.series > 0 ? query->limits.series : LIMIT_PROMQL_SERIES,
    };
    struct expr *x;
    enum err_code rc = promql_parse(a, query->text, &options, &x, ev.err);

    if (rc == ERR_OK)
        rc = promql_frame(query, &ev.top, ev.err);
    if (rc != ERR_OK)
        return rc;
    ev.frame = &ev.top;
    return promql_answer(&ev, x, out);
}
