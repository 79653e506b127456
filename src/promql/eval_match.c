/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_match.c: which rows of two vectors belong together: on(...) or all labels but ignoring(...).
 */
#include "promql/eval_match.h"

static enum err_code match_row(struct eval *ev, struct match *m, enum match_side side, uint32_t row)
{
    static const struct match_group empty = {{MATCH_NONE, MATCH_NONE}, {MATCH_NONE, MATCH_NONE}};
    const struct labels *l = &m->side[side].rows[row].set->labels;
    const struct expr *x = m->x;
    struct eval_scratch scratch = {0};
    struct label room[32];
    struct match_group *g;
    struct labelset *set;
    struct labels key;
    enum err_code rc;

    scratch = (struct eval_scratch){room, 32};
    rc = x->u.binary.on ? eval_labels_keep(ev, &scratch, l, &x->u.binary.labels, &key)
                        : eval_labels_drop(ev, &scratch, l, &x->u.binary.labels, &key);
    if (rc == ERR_OK)
        rc = eval_intern(ev, &key, &set);
    if (rc != ERR_OK)
        return rc;
    if (set->epoch != ev->pool.epoch) {
        set->epoch = ev->pool.epoch;
        set->slot = (uint32_t)m->group_count;
        m->groups[m->group_count++] = empty;
    }
    g = &m->groups[set->slot];
    if (g->first[side] == MATCH_NONE)
        g->first[side] = row;
    else
        m->next[side][g->last[side]] = row;
    g->last[side] = row;
    m->next[side][row] = MATCH_NONE;
    return ERR_OK;
}

static enum err_code match_rows(struct eval *ev, struct match *m)
{
    size_t left = m->side[MATCH_LEFT].count, right = m->side[MATCH_RIGHT].count;
    enum err_code rc = ERR_OK;

    m->groups = arena_array(ev->arena, left + right, sizeof(*m->groups));
    m->next[MATCH_LEFT] = arena_array(ev->arena, left, sizeof(uint32_t));
    m->next[MATCH_RIGHT] = arena_array(ev->arena, right, sizeof(uint32_t));
    if (!m->groups || !m->next[MATCH_LEFT] || !m->next[MATCH_RIGHT])
        return eval_full(ev);
    (void)eval_epoch(ev);
    for (uint32_t i = 0; rc == ERR_OK && i < left; i++)
        rc = match_row(ev, m, MATCH_LEFT, i);
    for (uint32_t i = 0; rc == ERR_OK && i < right; i++)
        rc = match_row(ev, m, MATCH_RIGHT, i);
    return rc;
}

enum err_code eval_match(struct eval *ev, const struct expr *x, struct match *out)
{
    enum err_code rc;

    *out = (struct match){.x = x};
    rc = eval_vec(ev, x->u.binary.left, &out->side[MATCH_LEFT]);
    if (rc == ERR_OK)
        rc = eval_vec(ev, x->u.binary.right, &out->side[MATCH_RIGHT]);
    return rc == ERR_OK ? match_rows(ev, out) : rc;
}
