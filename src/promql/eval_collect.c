/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_collect.c: rows gathered into a vector, equal label sets found on the way.
 */
#include <string.h>

#include "promql/eval.h"

#define VEC_FIRST 16

enum err_code eval_same_labelset(struct eval *ev)
{
    return eval_fail(ev, "vector cannot contain metrics with the same labelset");
}

bool eval_has_value(const struct eval *ev, const double *value)
{
    for (size_t i = 0; i < ev->frame->count; i++) {
        if (!eval_absent(value[i]))
            return true;
    }
    return false;
}

enum err_code eval_vec_add(struct eval *ev, struct eval_vec *vec, struct labelset *set,
                           double *value)
{
    if (!vec->rows || vec->count == vec->cap) {
        size_t cap = vec->cap ? vec->cap * 2 : VEC_FIRST;
        struct eval_row *rows = arena_array(ev->arena, cap, sizeof(*rows));

        if (!rows)
            return eval_full(ev);
        if (vec->rows)
            memcpy(rows, vec->rows, vec->count * sizeof(*rows));
        vec->rows = rows;
        vec->cap = cap;
    }
    vec->rows[vec->count++] = (struct eval_row){set, value};
    if (vec->count > ev->peak_series)
        ev->peak_series = vec->count;
    if (vec->count > ev->max_series)
        return err_set(ev->err, ERR_LIMIT, "the query yields more than %llu series at a time",
                       (unsigned long long)ev->max_series);
    return ERR_OK;
}

/* Put the values of `from` where `to` has none; the same step in both is an error. */
static enum err_code collect_merge(struct eval *ev, double *to, const double *from)
{
    for (size_t i = 0; i < ev->frame->count; i++) {
        if (eval_absent(from[i]))
            continue;
        if (!eval_absent(to[i]))
            return eval_same_labelset(ev);
        to[i] = from[i];
    }
    return ERR_OK;
}

static struct eval_row *collect_seen(struct eval *ev, struct eval_collect *c,
                                     const struct labelset *set)
{
    if (c->epoch == 0)
        c->epoch = eval_epoch(ev);
    return set->epoch == c->epoch ? &c->out->rows[set->slot] : NULL;
}

static enum err_code collect_new(struct eval *ev, struct eval_collect *c, struct labelset *set)
{
    double *value = eval_values(ev);

    if (!value)
        return eval_full(ev);
    set->epoch = c->epoch;
    set->slot = (uint32_t)c->out->count;
    return eval_vec_add(ev, c->out, set, value);
}

enum err_code eval_collect_row(struct eval *ev, void *arg, const struct labels *labels,
                               double *value)
{
    struct eval_collect *c = arg;
    struct labelset *set;
    struct eval_row *row;
    enum err_code rc;

    if (!eval_has_value(ev, value))
        return ERR_OK;
    rc = eval_intern(ev, labels, &set);
    if (rc != ERR_OK)
        return rc;
    row = collect_seen(ev, c, set);
    if (row && c->equal == EVAL_EQUAL_ERROR)
        return eval_same_labelset(ev);
    if (row)
        return collect_merge(ev, row->value, value);
    rc = collect_new(ev, c, set);
    if (rc == ERR_OK)
        memcpy(c->out->rows[set->slot].value, value, ev->frame->count * sizeof(*value));
    return rc;
}

enum err_code eval_collect_at(struct eval *ev, struct eval_collect *c, const struct labels *labels,
                              struct eval_row **out)
{
    struct labelset *set;
    enum err_code rc = eval_intern(ev, labels, &set);

    if (rc != ERR_OK)
        return rc;
    *out = collect_seen(ev, c, set);
    if (*out)
        return ERR_OK;
    rc = collect_new(ev, c, set);
    if (rc != ERR_OK)
        return rc;
    *out = &c->out->rows[set->slot];
    for (size_t i = 0; i < ev->frame->count; i++)
        (*out)->value[i] = eval_nothing();
    return ERR_OK;
}
