/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_set.c: and, or, unless: which rows of two vectors stay, step by step.
 */
#include "promql/eval_match.h"

/* A row in which a step has a value when any row of the group's side has one. */
static const double *set_any(struct eval *ev, const struct match *m, const struct match_group *g,
                             enum match_side side, double *room)
{
    const struct eval_row *rows = m->side[side].rows;
    uint32_t row = g->first[side];

    if (row == MATCH_NONE)
        return NULL;
    if (m->next[side][row] == MATCH_NONE)
        return rows[row].value;
    for (size_t i = 0; i < ev->frame->count; i++)
        room[i] = eval_nothing();
    for (; row != MATCH_NONE; row = m->next[side][row]) {
        for (size_t i = 0; i < ev->frame->count; i++) {
            if (!eval_absent(rows[row].value[i]))
                room[i] = 1;
        }
    }
    return room;
}

enum set_keep { SET_WITH, SET_WITHOUT };

static void set_filter_row(const struct eval *ev, double *value, const double *other,
                           enum set_keep keep)
{
    for (size_t i = 0; i < ev->frame->count; i++) {
        bool have = other && !eval_absent(other[i]);

        if (have != (keep == SET_WITH))
            value[i] = eval_nothing();
    }
}

/* The rows of one side of each group, where the other side has a value or has none. */
static void set_filter(struct eval *ev, const struct match *m, enum match_side side,
                       enum set_keep keep)
{
    double *room = eval_values(ev);

    for (size_t g = 0; room && g < m->group_count; g++) {
        const struct match_group *group = &m->groups[g];
        const double *other = set_any(ev, m, group, !side, room);

        for (uint32_t r = group->first[side]; r != MATCH_NONE; r = m->next[side][r])
            set_filter_row(ev, m->side[side].rows[r].value, other, keep);
    }
}

static enum err_code set_collect(struct eval *ev, struct eval_collect *c,
                                 const struct eval_vec *vec)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < vec->count; i++)
        rc = eval_collect_row(ev, c, &vec->rows[i].set->labels, vec->rows[i].value);
    return rc;
}

enum err_code eval_set_op(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct eval_collect c = {.out = out, .equal = EVAL_EQUAL_MERGE};
    struct match m;
    enum err_code rc = eval_match(ev, x, &m);

    if (rc != ERR_OK)
        return rc;
    if (x->u.binary.op == OP_OR)
        set_filter(ev, &m, MATCH_RIGHT, SET_WITHOUT);
    else
        set_filter(ev, &m, MATCH_LEFT, x->u.binary.op == OP_AND ? SET_WITH : SET_WITHOUT);
    rc = arena_check(ev->arena, ev->err);
    if (rc == ERR_OK)
        rc = set_collect(ev, &c, &m.side[MATCH_LEFT]);
    if (rc == ERR_OK && x->u.binary.op == OP_OR)
        rc = set_collect(ev, &c, &m.side[MATCH_RIGHT]);
    return rc;
}
