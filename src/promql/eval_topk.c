/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_topk.c: topk, bottomk, limitk, limit_ratio (some rows of each group, step by step) and
 * count_values.
 *
 * Which of equal values stay, and their order, is what a binary heap in the order of the rows makes
 * of them: the same as in Prometheus for the same order of series.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "promql/eval.h"

#define HEAP_SHORT 12 /* up to here Prometheus's sort is an insertion */

struct candidate {
    double value;
    uint32_t row;
};

struct choosing {
    const struct expr *x;
    enum expr_aggregate op;
    double *param;
    struct eval_vec rows;
    uint32_t *group;         /* by row */
    double *ratio;           /* by row, of limit_ratio: where its labels stand */
    double **kept;           /* by row: its values where it was chosen; NULL = never */
    struct candidate **heap; /* by group */
    size_t *heap_count;
    uint32_t *heap_cap; /* rows of the group */
    size_t group_count;
    uint32_t *order; /* of an instant query: chosen rows as they come */
    size_t order_count;
};

/* --- The heap --- */

/* NaN sinks to the top of either heap, to be thrown out first. */
static bool heap_less(const struct choosing *c, const struct candidate *a,
                      const struct candidate *b)
{
    if (isnan(a->value))
        return true;
    return c->op == AGG_BOTTOMK ? a->value > b->value : a->value < b->value;
}

static void heap_swap(struct candidate *h, size_t i, size_t j)
{
    struct candidate t = h[i];

    h[i] = h[j];
    h[j] = t;
}

static void heap_up(const struct choosing *c, struct candidate *h, size_t j)
{
    while (j > 0) {
        size_t parent = (j - 1) / 2;

        if (!heap_less(c, &h[j], &h[parent]))
            break;
        heap_swap(h, parent, j);
        j = parent;
    }
}

static void heap_down(const struct choosing *c, struct candidate *h, size_t count)
{
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= count)
            return;
        if (child + 1 < count && heap_less(c, &h[child + 1], &h[child]))
            child++;
        if (!heap_less(c, &h[child], &h[i]))
            return;
        heap_swap(h, i, child);
        i = child;
    }
}

/* Largest first, NaN last. */
static int heap_compare_top(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (isnan(x->value) || isnan(y->value))
        return isnan(x->value) - isnan(y->value);
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static int heap_compare_bottom(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (!isnan(x->value) && !isnan(y->value) && x->value != y->value)
        return x->value > y->value ? 1 : -1;
    return heap_compare_top(a, b);
}

/* Best first; the insertion keeps Prometheus's order of equal values in short lists. */
static void heap_sort(const struct choosing *c, struct candidate *h, size_t count)
{
    if (c->op != AGG_TOPK && c->op != AGG_BOTTOMK)
        return;
    if (count > HEAP_SHORT) {
        qsort(h, count, sizeof(*h), c->op == AGG_TOPK ? heap_compare_top : heap_compare_bottom);
        return;
    }
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && heap_less(c, &h[j - 1], &h[j]); j--)
            heap_swap(h, j, j - 1);
    }
}

/* --- Choosing --- */

static void choose_ordered(const struct choosing *c, struct candidate *h, size_t *count, size_t k,
                           struct candidate new)
{
    bool better;

    if (*count < k) {
        h[*count] = new;
        heap_up(c, h, (*count)++);
        return;
    }
    better = c->op == AGG_TOPK ? h[0].value < new.value : h[0].value > new.value;
    if (better || (isnan(h[0].value) && !isnan(new.value))) {
        h[0] = new;
        heap_down(c, h, k);
    }
}

/* The part of all series that limit_ratio lets through depends on their labels alone. */
static bool choose_by_ratio(const struct choosing *c, uint32_t row, double ratio)
{
    double at = c->ratio[row];

    ratio = ratio < -1 ? -1 : ratio;
    ratio = ratio > 1 ? 1 : ratio;
    return ratio >= 0 ? at < ratio : at >= 1 + ratio;
}

static void choose_row(struct choosing *c, uint32_t row, size_t step)
{
    uint32_t g = c->group[row];
    struct candidate new = {c->rows.rows[row].value[step], row};
    size_t *count = &c->heap_count[g];

    if (c->op == AGG_LIMIT_RATIO) {
        if (choose_by_ratio(c, row, c->param[step]))
            c->heap[g][(*count)++] = new;
        return;
    }
    if (c->op == AGG_LIMITK) {
        if ((double)(*count + 1) <= c->param[step])
            c->heap[g][(*count)++] = new;
        return;
    }
    choose_ordered(
        c, c->heap[g], count,
        c->param[step] < (double)c->heap_cap[g] ? (size_t)c->param[step] : c->heap_cap[g], new);
}

static enum err_code choose_keep(struct eval *ev, struct choosing *c, const struct candidate *h,
                                 size_t step)
{
    double *value = c->kept[h->row];

    if (!value) {
        value = eval_values(ev);
        if (!value)
            return eval_full(ev);
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = eval_nothing();
        c->kept[h->row] = value;
        c->order[c->order_count++] = h->row;
    }
    value[step] = h->value;
    return ERR_OK;
}

/* The parameter of a step that has samples. */
static enum err_code choose_check(struct eval *ev, const struct choosing *c, size_t step)
{
    double v = c->param[step];
    char number[EVAL_NUMBER_MAX];

    if (c->op == AGG_LIMIT_RATIO)
        return isnan(v) ? eval_fail(ev, "Ratio value NaN is NaN") : ERR_OK;
    if (v >= -9223372036854775808.0 && v < 9223372036854775808.0)
        return ERR_OK;
    return eval_fail(ev, "Scalar value %s overflows int64", eval_note_number(v, number));
}

static bool choose_step_has(const struct choosing *c, size_t step)
{
    for (size_t r = 0; r < c->rows.count; r++) {
        if (!eval_absent(c->rows.rows[r].value[step]))
            return true;
    }
    return false;
}

static enum err_code choose_step(struct eval *ev, struct choosing *c, size_t step)
{
    enum err_code rc = eval_check(ev);

    if (rc == ERR_OK && choose_step_has(c, step))
        rc = choose_check(ev, c, step);
    if (rc != ERR_OK || (c->op == AGG_LIMIT_RATIO ? c->param[step] == 0 : c->param[step] < 1))
        return rc;
    memset(c->heap_count, 0, c->group_count * sizeof(*c->heap_count));
    for (uint32_t r = 0; rc == ERR_OK && r < c->rows.count; r++) {
        if (!eval_absent(c->rows.rows[r].value[step]))
            choose_row(c, r, step);
    }
    for (size_t g = 0; rc == ERR_OK && g < c->group_count; g++) {
        heap_sort(c, c->heap[g], c->heap_count[g]);
        for (size_t i = 0; rc == ERR_OK && i < c->heap_count[g]; i++)
            rc = choose_keep(ev, c, &c->heap[g][i], step);
    }
    return rc;
}

/* --- Groups --- */

static enum err_code choose_group(struct eval *ev, struct choosing *c)
{
    struct eval_scratch scratch = {0};
    uint32_t epoch = eval_epoch(ev);

    for (size_t r = 0; r < c->rows.count; r++) {
        struct labelset *set;
        struct labels key;
        enum err_code rc = eval_group_labels(ev, c->x, &scratch, &c->rows.rows[r].set->labels,
                                             &key);

        if (rc == ERR_OK)
            rc = eval_intern(ev, &key, &set);
        if (rc != ERR_OK)
            return rc;
        if (set->epoch != epoch) {
            set->epoch = epoch;
            set->slot = (uint32_t)c->group_count++;
        }
        c->group[r] = set->slot;
        c->heap_cap[set->slot]++;
    }
    return ERR_OK;
}

static enum err_code choose_room(struct eval *ev, struct choosing *c)
{
    size_t rows = c->rows.count;
    enum err_code rc;

    c->group = arena_array(ev->arena, rows, sizeof(*c->group));
    c->ratio = arena_array(ev->arena, rows, sizeof(*c->ratio));
    c->kept = arena_array(ev->arena, rows, sizeof(*c->kept));
    c->order = arena_array(ev->arena, rows, sizeof(*c->order));
    c->heap_cap = arena_array(ev->arena, rows, sizeof(*c->heap_cap));
    c->heap_count = arena_array(ev->arena, rows, sizeof(*c->heap_count));
    c->heap = arena_array(ev->arena, rows, sizeof(struct candidate *));
    if (!c->group || !c->ratio || !c->kept || !c->order || !c->heap_cap || !c->heap_count ||
        !c->heap)
        return eval_full(ev);
    rc = choose_group(ev, c);
    for (size_t r = 0; c->op == AGG_LIMIT_RATIO && r < rows; r++)
        c->ratio[r] = eval_labels_ratio(&c->rows.rows[r].set->labels);
    for (size_t g = 0; rc == ERR_OK && g < c->group_count; g++) {
        c->heap[g] = arena_array(ev->arena, c->heap_cap[g], sizeof(struct candidate));
        if (!c->heap[g])
            rc = eval_full(ev);
    }
    return rc;
}

/* --- The parameter --- */

struct bounds {
    double low, high; /* NaN when a step has it, as Go's math.Min and Max do */
};

static struct bounds choose_bounds(const struct eval *ev, const double *v)
{
    struct bounds b = {v[0], v[0]};

    for (size_t i = 1; i < ev->frame->count; i++) {
        b.low = eval_min(b.low, v[i]);
        b.high = eval_max(b.high, v[i]);
    }
    return b;
}

static void choose_note_ratio(struct eval *ev, const struct choosing *c, double got, int cap)
{
    char number[EVAL_NUMBER_MAX];

    eval_note(ev, EVAL_NOTE_WARNING, eval_unwrap(c->x->u.aggregate.param)->start,
              "ratio value should be between -1 and 1, got %s, capping to %d",
              eval_note_number(got, number), cap);
}

/* Whether any step chooses something. */
static bool choose_any(struct eval *ev, struct choosing *c)
{
    struct bounds b = choose_bounds(ev, c->param);

    if (c->op != AGG_LIMIT_RATIO)
        return !(b.high < 1);
    if (b.high > 1)
        choose_note_ratio(ev, c, b.high, 1);
    if (b.low < -1)
        choose_note_ratio(ev, c, b.low, -1);
    return !(b.low == 0 && b.high == 0);
}

enum err_code eval_aggregate_k(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct choosing c = {.x = x, .op = x->u.aggregate.op};
    enum err_code rc = eval_scalar(ev, x->u.aggregate.param, &c.param);

    if (rc == ERR_OK)
        rc = eval_vec(ev, x->u.aggregate.x, &c.rows);
    if (rc != ERR_OK || !choose_any(ev, &c) || c.rows.count == 0)
        return rc;
    rc = choose_room(ev, &c);
    for (size_t i = 0; rc == ERR_OK && i < ev->frame->count; i++)
        rc = choose_step(ev, &c, i);
    for (size_t i = 0; rc == ERR_OK && i < c.order_count; i++)
        rc = eval_vec_add(ev, out, c.rows.rows[c.order[i]].set, c.kept[c.order[i]]);
    return rc;
}

/* --- count_values --- */

static enum err_code count_row(struct eval *ev, const struct expr *x, const struct eval_row *row,
                               struct eval_collect *c)
{
    struct str name = eval_unwrap(x->u.aggregate.param)->u.string;
    struct expr_names by = x->u.aggregate.by;
    struct eval_scratch a = {0}, b = {0};
    char text[EVAL_DECIMAL_MAX];
    struct label label = {.name = name};
    enum err_code rc = ERR_OK;

    if (!x->u.aggregate.without) {
        by.items = arena_array(ev->arena, by.count + 1, sizeof(*by.items));
        if (!by.items)
            return eval_full(ev);
        if (by.count > 0)
            memcpy(by.items, x->u.aggregate.by.items, by.count * sizeof(*by.items));
        by.items[by.count++] = name;
    }
    for (size_t i = 0; rc == ERR_OK && i < ev->frame->count; i++) {
        struct eval_row *to;
        struct labels labels;

        if (eval_absent(row->value[i]))
            continue;
        eval_note_decimal(row->value[i], text);
        label.value = str_of(text);
        rc = eval_labels_set(ev, &a, &row->set->labels, &label, &labels);
        if (rc == ERR_OK)
            rc = x->u.aggregate.without ? eval_labels_drop(ev, &b, &labels, &by, &labels)
                                        : eval_labels_keep(ev, &b, &labels, &by, &labels);
        if (rc == ERR_OK)
            rc = eval_collect_at(ev, c, &labels, &to);
        if (rc == ERR_OK)
            to->value[i] = eval_absent(to->value[i]) ? 1 : to->value[i] + 1;
    }
    return rc;
}

enum err_code eval_count_values(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct eval_collect c = {.out = out, .equal = EVAL_EQUAL_MERGE};
    struct str name = eval_unwrap(x->u.aggregate.param)->u.string;
    struct eval_vec rows;
    enum err_code rc;

    if (name.len == 0 || !str_is_utf8(name))
        return eval_fail(ev, "invalid label name \"%.*s\"", STR_ARG(name));
    rc = eval_vec(ev, x->u.aggregate.x, &rows);
    for (size_t i = 0; rc == ERR_OK && i < rows.count; i++) {
        rc = eval_check(ev);
        if (rc == ERR_OK)
            rc = count_row(ev, x, &rows.rows[i], &c);
    }
    return rc;
}
