/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_binary.c: arithmetic and comparison of two vectors, one to one and with group_left or
 * group_right.
 *
 * Each group of rows with the same matching labels is one piece of work over all steps: the rows of
 * the "one" side are laid over each other (two at one step are an error), then each row of the
 * "many" side meets them.
 */
#include <string.h>

#include "promql/eval_match.h"

struct joining {
    const struct expr *x;
    struct match m;
    enum match_side many, one;
    bool filters; /* a comparison without bool */
    struct eval_collect out;
    struct eval_scratch scratch, scratch_more;
    uint32_t *one_row;   /* by step: the row of the one side, or MATCH_NONE */
    uint8_t *matched;    /* by step: a row of the many side was there (one to one) */
    uint32_t group;      /* under work */
    uint32_t *row_group; /* by row of the answer */
    uint32_t *row_many;  /* of an instant query, by row of the many side: row of the answer + 1 */
    size_t row_cap;
};

/* --- Errors --- */

static bool join_side_has(const struct eval_vec *vec, size_t step)
{
    for (size_t i = 0; i < vec->count; i++) {
        if (!eval_absent(vec->rows[i].value[step]))
            return true;
    }
    return false;
}

static enum err_code join_duplicate(struct eval *ev, struct joining *j, uint32_t first,
                                    uint32_t second)
{
    const struct eval_row *rows = j->m.side[j->one].rows;
    const struct labels *a = &rows[first].set->labels, *b = &rows[second].set->labels;
    struct labels key;
    enum err_code rc = j->x->u.binary.on
                           ? eval_labels_keep(ev, &j->scratch, b, &j->x->u.binary.labels, &key)
                           : eval_labels_drop(ev, &j->scratch, b, &j->x->u.binary.labels, &key);

    if (rc != ERR_OK)
        return rc;
    return eval_fail(ev,
                     "found duplicate series for the match group %s on the %s hand-side of the "
                     "operation: [%s, %s];many-to-many matching not allowed: matching labels must "
                     "be unique on one side",
                     eval_labels_text(ev, &key), j->one == MATCH_LEFT ? "left" : "right",
                     eval_labels_text(ev, b), eval_labels_text(ev, a));
}

/* --- The one side --- */

static enum err_code join_one_side(struct eval *ev, struct joining *j, const struct match_group *g)
{
    const struct eval_row *rows = j->m.side[j->one].rows;

    for (size_t i = 0; i < ev->frame->count; i++)
        j->one_row[i] = MATCH_NONE;
    for (uint32_t r = g->first[j->one]; r != MATCH_NONE; r = j->m.next[j->one][r]) {
        for (size_t i = 0; i < ev->frame->count; i++) {
            if (eval_absent(rows[r].value[i]))
                continue;
            if (j->one_row[i] != MATCH_NONE && join_side_has(&j->m.side[j->many], i))
                return join_duplicate(ev, j, j->one_row[i], r);
            j->one_row[i] = r;
        }
    }
    return ERR_OK;
}

/* --- Labels of the answer --- */

static enum err_code join_include(struct eval *ev, struct joining *j, const struct labels *one,
                                  struct labels *labels)
{
    const struct expr_names *include = &j->x->u.binary.include;

    for (size_t i = 0; i < include->count; i++) {
        struct label label = {include->items[i], labels_get(one, include->items[i])};
        /* From one scratch to the other, because the labels are in the one. */
        struct eval_scratch *s = labels->items == j->scratch.items ? &j->scratch_more : &j->scratch;
        enum err_code rc = eval_labels_set(ev, s, labels, &label, labels);

        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code join_labels(struct eval *ev, struct joining *j, const struct labels *many,
                                 const struct labels *one, struct labels *out)
{
    const struct expr *x = j->x;
    enum err_code rc = ERR_OK;

    *out = *many;
    if (!j->filters)
        rc = eval_labels_nameless(ev, &j->scratch, many, out);
    if (rc != ERR_OK || x->u.binary.card != CARD_ONE_TO_ONE)
        return rc == ERR_OK ? join_include(ev, j, one, out) : rc;
    if (x->u.binary.on)
        return eval_labels_keep(ev, &j->scratch_more, out, &x->u.binary.labels, out);
    for (size_t i = 0; rc == ERR_OK && i < x->u.binary.labels.count; i++) {
        struct label gone = {.name = x->u.binary.labels.items[i]};
        struct eval_scratch *s = out->items == j->scratch.items ? &j->scratch_more : &j->scratch;

        rc = eval_labels_set(ev, s, out, &gone, out);
    }
    return rc;
}

/* --- Rows of the answer --- */

static bool join_room(struct eval *ev, struct joining *j, size_t count)
{
    size_t cap = count * 2;
    uint32_t *group;

    if (count <= j->row_cap)
        return true;
    group = arena_array(ev->arena, cap, sizeof(*group));
    if (!group)
        return false;
    if (j->row_cap > 0)
        memcpy(group, j->row_group, j->row_cap * sizeof(*group));
    j->row_group = group;
    j->row_cap = cap;
    return true;
}

/* The row that a pair of rows writes to. */
static enum err_code join_row(struct eval *ev, struct joining *j, uint32_t many, uint32_t one,
                              size_t *slot)
{
    struct eval_vec *out = j->out.out;
    size_t before = out->count;
    struct eval_row *row;
    struct labels labels;
    enum err_code rc = join_labels(ev, j, &j->m.side[j->many].rows[many].set->labels,
                                   &j->m.side[j->one].rows[one].set->labels, &labels);

    if (rc == ERR_OK)
        rc = eval_collect_at(ev, &j->out, &labels, &row);
    if (rc != ERR_OK)
        return rc;
    *slot = (size_t)(row - out->rows);
    if (out->count == before)
        return ERR_OK;
    if (!join_room(ev, j, out->count))
        return eval_full(ev);
    j->row_group[*slot] = j->group;
    return ERR_OK;
}

/* --- One row of the many side --- */

static enum err_code join_check(struct eval *ev, struct joining *j, size_t slot, size_t step)
{
    if (j->x->u.binary.card == CARD_ONE_TO_ONE) {
        if (j->matched[step])
            return eval_fail(ev, "multiple matches for labels: many-to-one matching must be "
                                 "explicit (group_left/group_right)");
        j->matched[step] = 1;
    }
    if (!eval_absent(j->out.out->rows[slot].value[step])) {
        if (j->row_group[slot] == j->group && j->x->u.binary.card != CARD_ONE_TO_ONE)
            return eval_fail(ev, "multiple matches for labels: grouping labels must ensure "
                                 "unique matches");
        return eval_same_labelset(ev);
    }
    return ERR_OK;
}

/* Absent: a comparison let nothing through. */
static double join_value(const struct joining *j, double many, double one)
{
    double left = j->many == MATCH_LEFT ? many : one;
    double right = j->many == MATCH_LEFT ? one : many;
    double v = eval_arith(j->x->u.binary.op, left, right);

    if (!j->filters)
        return v;
    return v != 0 ? left : eval_nothing();
}

static enum err_code join_many_row(struct eval *ev, struct joining *j, uint32_t many)
{
    const double *value = j->m.side[j->many].rows[many].value;
    uint32_t one = MATCH_NONE;
    size_t slot = 0;
    enum err_code rc = eval_check(ev);

    for (size_t i = 0; rc == ERR_OK && i < ev->frame->count; i++) {
        uint32_t r = j->one_row[i];
        double v;

        if (r == MATCH_NONE || eval_absent(value[i]))
            continue;
        v = join_value(j, value[i], j->m.side[j->one].rows[r].value[i]);
        if (eval_absent(v))
            continue;
        if (r != one)
            rc = join_row(ev, j, many, r, &slot);
        one = r;
        if (rc == ERR_OK)
            rc = join_check(ev, j, slot, i);
        if (rc == ERR_OK) {
            j->out.out->rows[slot].value[i] = v;
            j->row_many[many] = (uint32_t)slot + 1;
        }
    }
    return rc;
}

static enum err_code join_group(struct eval *ev, struct joining *j)
{
    const struct match_group *g = &j->m.groups[j->group];
    enum err_code rc;

    if (g->first[j->one] == MATCH_NONE)
        return ERR_OK;
    rc = join_one_side(ev, j, g);
    memset(j->matched, 0, ev->frame->count);
    for (uint32_t r = g->first[j->many]; rc == ERR_OK && r != MATCH_NONE; r = j->m.next[j->many][r])
        rc = join_many_row(ev, j, r);
    return rc;
}

/* An instant query's rows in the order of the many side, which sort() and topk() may show. */
static enum err_code join_order(struct eval *ev, struct joining *j)
{
    struct eval_vec *out = j->out.out;
    struct eval_row *rows = arena_array(ev->arena, out->count, sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return eval_full(ev);
    for (size_t i = 0; i < j->m.side[j->many].count; i++) {
        if (j->row_many[i] > 0)
            rows[n++] = out->rows[j->row_many[i] - 1];
    }
    out->rows = rows;
    out->cap = out->count;
    return ERR_OK;
}

enum err_code eval_binary(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    bool right = x->u.binary.card == CARD_ONE_TO_MANY;
    struct joining j = {
        .x = x,
        .many = right ? MATCH_RIGHT : MATCH_LEFT,
        .one = right ? MATCH_LEFT : MATCH_RIGHT,
        .filters = x->u.binary.op >= OP_EQ && !x->u.binary.bool_modifier,
        .out = {.out = out, .equal = EVAL_EQUAL_MERGE},
    };
    enum err_code rc = eval_match(ev, x, &j.m);

    if (rc != ERR_OK)
        return rc;
    j.one_row = arena_array(ev->arena, ev->frame->count, sizeof(*j.one_row));
    j.matched = arena_alloc(ev->arena, ev->frame->count);
    j.row_many = arena_array(ev->arena, j.m.side[j.many].count, sizeof(*j.row_many));
    if (!j.one_row || !j.matched || !j.row_many)
        return eval_full(ev);
    for (; rc == ERR_OK && j.group < j.m.group_count; j.group++)
        rc = join_group(ev, &j);
    return rc == ERR_OK && ev->frame->count == 1 ? join_order(ev, &j) : rc;
}
