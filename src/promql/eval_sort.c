/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_sort.c: sort() and its kin. They order an instant query's answer; over a range the answer is
 * ordered by labels in any case.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "promql/eval.h"

struct sorter {
    enum promql_func_id id;
    const struct str *names; /* of sort_by_label */
    size_t name_count;
};

/* --- Natural order of text: runs of digits by their number --- */

static bool sort_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct str sort_chunk(struct str *rest)
{
    size_t n = 1;
    struct str chunk;

    while (n < rest->len && sort_is_digit(rest->ptr[n]) == sort_is_digit(rest->ptr[0]))
        n++;
    chunk = str_make(rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
    return chunk;
}

/* False for what is no number, or does not fit. */
static bool sort_number(struct str s, long long *out)
{
    long long v = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (!sort_is_digit(s.ptr[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, s.ptr[i] - '0', &v))
            return false;
    }
    *out = v;
    return s.len > 0;
}

/* Whether a comes before b. Of texts that are equal up to the end of one, the shorter does. */
static bool sort_natural_before(struct str a, struct str b)
{
    while (a.len > 0) {
        struct str x, y;
        long long n, m;
        bool same;

        if (b.len == 0)
            return false;
        x = sort_chunk(&a);
        y = sort_chunk(&b);
        if (sort_number(x, &n) && sort_number(y, &m)) {
            if (n != m)
                return n < m;
            same = true;
        } else {
            same = str_eq(x, y);
        }
        if (!same)
            return str_cmp(x, y) < 0;
        if (a.len == 0)
            return true;
    }
    return false;
}

/* --- Order of rows --- */

static int sort_by_labels(const struct sorter *s, const struct labels *a, const struct labels *b)
{
    for (size_t i = 0; i < s->name_count; i++) {
        struct str x = labels_get(a, s->names[i]), y = labels_get(b, s->names[i]);

        if (!str_eq(x, y))
            return sort_natural_before(x, y) ? -1 : 1;
    }
    return labels_compare(a, b);
}

/* By value, NaN last either way. */
static int sort_by_value(double a, double b, bool descending)
{
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return descending ? (a < b) - (a > b) : (a > b) - (a < b);
}

static int sort_compare(const struct sorter *s, const struct eval_row *a, const struct eval_row *b)
{
    if (s->id == PROMQL_FUNC_sort || s->id == PROMQL_FUNC_sort_desc)
        return sort_by_value(a->value[0], b->value[0], s->id == PROMQL_FUNC_sort_desc);
    if (s->id == PROMQL_FUNC_sort_by_label)
        return sort_by_labels(s, &a->set->labels, &b->set->labels);
    return -sort_by_labels(s, &a->set->labels, &b->set->labels);
}

/* Stable: merges runs of doubling length between two arrays. */
static void sort_rows(const struct sorter *s, struct eval_row *rows, struct eval_row *room,
                      size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t mid = low + width < count ? low + width : count;
            size_t high = low + 2 * width < count ? low + 2 * width : count;
            size_t i = low, j = mid;

            for (size_t k = low; k < high; k++) {
                bool left = i < mid && (j >= high || sort_compare(s, &rows[i], &rows[j]) <= 0);

                room[k] = left ? rows[i++] : rows[j++];
            }
        }
        memcpy(rows, room, count * sizeof(*rows));
    }
}

static enum err_code sort_names(struct eval *ev, const struct expr *x, struct sorter *s)
{
    struct str *names = arena_array(ev->arena, x->u.call.count, sizeof(*names));

    if (!names)
        return eval_full(ev);
    for (size_t i = 1; i < x->u.call.count; i++)
        names[s->name_count++] = eval_unwrap(x->u.call.args[i])->u.string;
    s->names = names;
    return ERR_OK;
}

enum err_code eval_sort(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct sorter s = {.id = x->u.call.func->id};
    struct eval_row *room;
    enum err_code rc = eval_vec(ev, x->u.call.args[0], out);

    if (rc == ERR_OK)
        rc = sort_names(ev, x, &s);
    if (rc != ERR_OK || ev->frame->count > 1)
        return rc;
    room = arena_array(ev->arena, out->count, sizeof(*room));
    if (!room)
        return eval_full(ev);
    sort_rows(&s, out->rows, room, out->count);
    return ERR_OK;
}
