/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_aggregate.c: sum, avg, count, min, max, group, stddev, stdvar: a few numbers per group and
 * step, while the rows stream by. Memory is groups x steps, however many series there are.
 *
 * quantile needs all values of a group: its rows are kept.
 */
#include <math.h>
#include <string.h>

#include "promql/eval.h"

/* By step; what each array holds depends on the aggregation. */
struct group {
    struct labelset *set;
    double *value;       /* sum, minimum, the sum of squares ...; absent = no sample yet */
    double *c;           /* compensation of the sum; running mean of stddev */
    double *n;           /* count */
    double *mean;        /* avg after its sum overflowed: absent = not so; NULL = nowhere */
    const double **rows; /* quantile */
    size_t row_count, row_cap;
};

struct grouping {
    const struct expr *x;
    enum expr_aggregate op;
    struct eval_scratch scratch;
    struct group *groups;
    size_t count, cap;
    uint32_t epoch;
    uint64_t rows;
};

enum err_code eval_group_labels(struct eval *ev, const struct expr *x, struct eval_scratch *s,
                                const struct labels *l, struct labels *out)
{
    if (x->u.aggregate.without)
        return eval_labels_drop(ev, s, l, &x->u.aggregate.by, out);
    return eval_labels_keep(ev, s, l, &x->u.aggregate.by, out);
}

/* --- Groups --- */

static double *group_array(struct eval *ev, double fill)
{
    double *a = eval_values(ev);

    for (size_t i = 0; a && i < ev->frame->count; i++)
        a[i] = fill;
    return a;
}

static bool group_needs_count(enum expr_aggregate op)
{
    return op == AGG_AVG || op == AGG_STDDEV || op == AGG_STDVAR;
}

static bool group_needs_c(enum expr_aggregate op)
{
    return op == AGG_SUM || group_needs_count(op);
}

static enum err_code group_new(struct eval *ev, struct grouping *g, struct labelset *set)
{
    struct group *new;

    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 16;

        new = arena_array(ev->arena, cap, sizeof(*new));
        if (!new)
            return eval_full(ev);
        if (g->count > 0)
            memcpy(new, g->groups, g->count * sizeof(*new));
        g->groups = new;
        g->cap = cap;
    }
    set->epoch = g->epoch;
    set->slot = (uint32_t)g->count;
    new = &g->groups[g->count++];
    *new = (struct group){.set = set, .value = group_array(ev, eval_nothing())};
    if (group_needs_c(g->op))
        new->c = group_array(ev, 0);
    if (group_needs_count(g->op))
        new->n = group_array(ev, 0);
    if (!new->value || (group_needs_c(g->op) && !new->c) || (group_needs_count(g->op) && !new->n))
        return eval_full(ev);
    return ERR_OK;
}

static enum err_code group_find(struct eval *ev, struct grouping *g, const struct labels *labels,
                                struct group **out)
{
    struct labels key;
    struct labelset *set;
    enum err_code rc = eval_group_labels(ev, g->x, &g->scratch, labels, &key);

    if (rc == ERR_OK)
        rc = eval_intern(ev, &key, &set);
    if (g->epoch == 0)
        g->epoch = eval_epoch(ev);
    if (rc == ERR_OK && set->epoch != g->epoch)
        rc = group_new(ev, g, set);
    if (rc == ERR_OK)
        *out = &g->groups[set->slot];
    return rc;
}

/* --- One row into its group --- */

static void group_sum(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct eval_kahan k = {g->value[i], g->c[i]};

        if (eval_absent(v[i]))
            continue;
        if (eval_absent(k.sum)) {
            g->value[i] = v[i];
            continue;
        }
        eval_kahan_add(&k, v[i]);
        g->value[i] = k.sum;
        g->c[i] = k.c;
    }
}

/* The mean goes on by itself once the sum would overflow. */
static void group_running_mean(struct group *g, size_t i, double v)
{
    double n = g->n[i], q = (n - 1) / n;
    struct eval_kahan k;

    if (eval_absent(g->mean[i])) {
        g->mean[i] = g->value[i] / (n - 1);
        g->c[i] /= n - 1;
    }
    k = (struct eval_kahan){q * g->mean[i], q * g->c[i]};
    eval_kahan_add(&k, v / n);
    g->mean[i] = k.sum;
    g->c[i] = k.c;
}

static enum err_code group_avg(struct eval *ev, struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct eval_kahan k = {g->value[i], g->c[i]};

        if (eval_absent(v[i]))
            continue;
        g->n[i]++;
        if (eval_absent(k.sum)) {
            g->value[i] = v[i];
            continue;
        }
        eval_kahan_add(&k, v[i]);
        if (!isinf(k.sum) && (!g->mean || eval_absent(g->mean[i]))) {
            g->value[i] = k.sum;
            g->c[i] = k.c;
            continue;
        }
        if (!g->mean)
            g->mean = group_array(ev, eval_nothing());
        if (!g->mean)
            return eval_full(ev);
        group_running_mean(g, i, v[i]);
    }
    return ERR_OK;
}

static void group_min(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!eval_absent(v[i]) && (isnan(g->value[i]) || v[i] < g->value[i]))
            g->value[i] = v[i];
    }
}

static void group_max(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!eval_absent(v[i]) && (isnan(g->value[i]) || v[i] > g->value[i]))
            g->value[i] = v[i];
    }
}

static void group_count(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!eval_absent(v[i]))
            g->value[i] = eval_absent(g->value[i]) ? 1 : g->value[i] + 1;
    }
}

static void group_one(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!eval_absent(v[i]))
            g->value[i] = 1;
    }
}

/* Welford: c is the mean, value the sum of squares about it. */
static void group_variance(struct group *g, const double *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double delta;

        if (eval_absent(v[i]))
            continue;
        g->n[i]++;
        if (eval_absent(g->value[i])) {
            g->c[i] = v[i];
            g->value[i] = isnan(v[i]) || isinf(v[i]) ? (double)NAN : 0;
            continue;
        }
        delta = v[i] - g->c[i];
        g->c[i] += delta / g->n[i];
        g->value[i] += delta * (v[i] - g->c[i]);
    }
}

static enum err_code group_keep(struct eval *ev, struct group *g, const double *v)
{
    double *copy = eval_values(ev);

    if (g->row_count == g->row_cap) {
        size_t cap = g->row_cap ? g->row_cap * 2 : 16;
        const double **rows = arena_array(ev->arena, cap, sizeof(*rows));

        if (!rows)
            return eval_full(ev);
        if (g->row_count > 0)
            memcpy(rows, g->rows, g->row_count * sizeof(*rows));
        g->rows = rows;
        g->row_cap = cap;
    }
    if (!copy)
        return eval_full(ev);
    memcpy(copy, v, ev->frame->count * sizeof(*v));
    g->rows[g->row_count++] = copy;
    return ERR_OK;
}

static enum err_code group_row(struct eval *ev, void *arg, const struct labels *labels,
                               double *value)
{
    struct grouping *g = arg;
    size_t count = ev->frame->count;
    struct group *group;
    enum err_code rc = group_find(ev, g, labels, &group);

    if (rc != ERR_OK)
        return rc;
    if (g->op == AGG_SUM)
        group_sum(group, value, count);
    else if (g->op == AGG_AVG)
        rc = group_avg(ev, group, value, count);
    else if (g->op == AGG_MIN)
        group_min(group, value, count);
    else if (g->op == AGG_MAX)
        group_max(group, value, count);
    else if (g->op == AGG_COUNT)
        group_count(group, value, count);
    else if (g->op == AGG_GROUP)
        group_one(group, value, count);
    else if (g->op == AGG_QUANTILE)
        rc = group_keep(ev, group, value);
    else
        group_variance(group, value, count);
    return rc;
}

/* --- From what was gathered to the answer --- */

static double group_answer(const struct grouping *g, const struct group *group, size_t i)
{
    double v = group->value[i];

    if (eval_absent(v))
        return v;
    switch ((int)g->op) {
    case AGG_SUM:
        return v + group->c[i];
    case AGG_AVG:
        if (group->mean && !eval_absent(group->mean[i]))
            return group->mean[i] + group->c[i];
        return v / group->n[i] + group->c[i] / group->n[i];
    case AGG_STDVAR:
        return v / group->n[i];
    case AGG_STDDEV:
        return sqrt(v / group->n[i]);
    default:
        return v;
    }
}

static double group_quantile(const struct group *g, double q, double *room, size_t i)
{
    size_t n = 0;

    for (size_t r = 0; r < g->row_count; r++) {
        if (!eval_absent(g->rows[r][i]))
            room[n++] = g->rows[r][i];
    }
    return n > 0 ? eval_quantile(q, room, n) : eval_nothing();
}

static void aggregate_note_quantile(struct eval *ev, const struct expr *x, const double *q)
{
    char number[EVAL_NUMBER_MAX];
    uint32_t at = eval_unwrap(x->u.aggregate.param)->start;
    double low = q[0], high = q[0];

    for (size_t i = 1; i < ev->frame->count; i++) {
        low = eval_min(low, q[i]);
        high = eval_max(high, q[i]);
    }
    if (isnan(low) || isnan(high))
        eval_note(ev, EVAL_NOTE_WARNING, at, "quantile value should be between 0 and 1, got NaN");
    if (high > 1)
        eval_note(ev, EVAL_NOTE_WARNING, at, "quantile value should be between 0 and 1, got %s",
                  eval_note_number(high, number));
    if (low < 0)
        eval_note(ev, EVAL_NOTE_WARNING, at, "quantile value should be between 0 and 1, got %s",
                  eval_note_number(low, number));
}

static enum err_code aggregate_quantile(struct eval *ev, struct grouping *g, const double *q)
{
    size_t most = 0;
    double *room;

    for (size_t i = 0; i < g->count; i++)
        most = g->groups[i].row_count > most ? g->groups[i].row_count : most;
    room = arena_array(ev->arena, most, sizeof(*room));
    if (!room)
        return eval_full(ev);
    for (size_t i = 0; i < g->count; i++) {
        for (size_t t = 0; t < ev->frame->count; t++)
            g->groups[i].value[t] = group_quantile(&g->groups[i], q[t], room, t);
    }
    return ERR_OK;
}

static enum err_code aggregate_finish(struct eval *ev, struct grouping *g, struct eval_vec *out)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < g->count; i++) {
        struct group *group = &g->groups[i];

        for (size_t t = 0; t < ev->frame->count; t++)
            group->value[t] = group_answer(g, group, t);
        if (eval_has_value(ev, group->value))
            rc = eval_vec_add(ev, out, group->set, group->value);
    }
    return rc;
}

enum err_code eval_aggregate(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct grouping g = {.x = x, .op = x->u.aggregate.op};
    double *q = NULL;
    enum err_code rc = ERR_OK;

    if (g.op == AGG_COUNT_VALUES)
        return eval_count_values(ev, x, out);
    if (g.op == AGG_TOPK || g.op == AGG_BOTTOMK || g.op == AGG_LIMITK || g.op == AGG_LIMIT_RATIO)
        return eval_aggregate_k(ev, x, out);
    if (g.op == AGG_QUANTILE)
        rc = eval_scalar(ev, x->u.aggregate.param, &q);
    if (rc == ERR_OK)
        rc = eval_rows(ev, x->u.aggregate.x,
                       (struct eval_sink){group_row, &g, expr_aggregate_text(g.op)});
    if (rc == ERR_OK && q) {
        aggregate_note_quantile(ev, x, q);
        rc = aggregate_quantile(ev, &g, q);
    }
    return rc == ERR_OK ? aggregate_finish(ev, &g, out) : rc;
}
