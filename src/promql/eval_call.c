/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_call.c: functions that make a vector of their own or look at all rows of one.
 */
#include "promql/eval.h"

#include <stdlib.h>

/* --- Labels of absent() --- */

/* Names that equality fixes once; a name that is matched in another way as well gives no label. */
enum err_code eval_absent_labels(struct eval *ev, const struct expr *x, struct labels *out)
{
    struct eval_scratch a = {0}, b = {0};
    struct expr_names fixed = {0};
    enum err_code rc = ERR_OK;

    *out = (struct labels){0};
    x = eval_unwrap(x);
    if (x->kind != EXPR_SELECTOR)
        return ERR_OK;
    fixed.items = arena_array(ev->arena, x->u.selector.matcher_count, sizeof(*fixed.items));
    if (!fixed.items)
        return eval_full(ev);
    for (size_t i = 0; rc == ERR_OK && i < x->u.selector.matcher_count; i++) {
        const struct matcher *m = &x->u.selector.matchers[i];
        struct label label = {.name = m->name};

        if (str_eq(m->name, STR("__name__")))
            continue;
        if (m->kind == MATCHER_EQUAL && !eval_names_have(&fixed, m->name)) {
            label.value = m->value;
            fixed.items[fixed.count++] = m->name;
        }
        rc = eval_labels_set(ev, i % 2 ? &a : &b, out, &label, out);
    }
    return rc;
}

static enum err_code call_absent(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    double *one = eval_values(ev);
    struct eval_vec vec;
    struct labels labels;
    struct labelset *set;
    enum err_code rc = eval_vec(ev, x->u.call.args[0], &vec);

    if (rc == ERR_OK && !one)
        rc = eval_full(ev);
    if (rc == ERR_OK)
        rc = eval_absent_labels(ev, x->u.call.args[0], &labels);
    if (rc == ERR_OK)
        rc = eval_intern(ev, &labels, &set);
    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < ev->frame->count; i++) {
        one[i] = 1;
        for (size_t r = 0; r < vec.count && one[i] == 1; r++) {
            if (!eval_absent(vec.rows[r].value[i]))
                one[i] = eval_nothing();
        }
    }
    return eval_has_value(ev, one) ? eval_vec_add(ev, out, set, one) : ERR_OK;
}

/* --- Vectors without labels --- */

static enum err_code call_vector(struct eval *ev, double *value, struct eval_vec *out)
{
    struct labels empty = {0};
    struct labelset *set;
    enum err_code rc = eval_intern(ev, &empty, &set);

    return rc == ERR_OK ? eval_vec_add(ev, out, set, value) : rc;
}

/* hour() and its like without an argument: of the evaluation time. */
static enum err_code call_date(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    double *value = eval_values(ev);

    if (!value)
        return eval_full(ev);
    for (size_t i = 0; i < ev->frame->count; i++) {
        int64_t seconds = eval_frame_ms(ev->frame, i) / 1000;

        value[i] = eval_date(x->u.call.func->id, (double)seconds);
    }
    return call_vector(ev, value, out);
}

/* Functions of native histograms: no series here is one. */
static enum err_code call_native(struct eval *ev, const struct expr *x)
{
    struct eval_vec vec;

    eval_note(ev, EVAL_NOTE_INFO, x->start,
              "there are no native histograms here: %s() has no answer", x->u.call.func->name);
    return eval_vec(ev, x->u.call.args[0], &vec);
}

enum err_code eval_call(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    double *value;
    enum err_code rc;

    switch ((int)x->u.call.func->id) {
    case PROMQL_FUNC_absent:
        return call_absent(ev, x, out);
    case PROMQL_FUNC_absent_over_time:
        return eval_absent_over_time(ev, x, out);
    case PROMQL_FUNC_histogram_avg:
    case PROMQL_FUNC_histogram_count:
    case PROMQL_FUNC_histogram_stddev:
    case PROMQL_FUNC_histogram_stdvar:
    case PROMQL_FUNC_histogram_sum:
        return call_native(ev, x);
    case PROMQL_FUNC_histogram_fraction:
    case PROMQL_FUNC_histogram_quantile:
        return eval_histogram(ev, x, out);
    case PROMQL_FUNC_info:
        return eval_info(ev, x, out);
    case PROMQL_FUNC_label_join:
        return eval_label_join(ev, x, out);
    case PROMQL_FUNC_label_replace:
        return eval_label_replace(ev, x, out);
    case PROMQL_FUNC_sort:
    case PROMQL_FUNC_sort_by_label:
    case PROMQL_FUNC_sort_by_label_desc:
    case PROMQL_FUNC_sort_desc:
        return eval_sort(ev, x, out);
    case PROMQL_FUNC_vector:
        rc = eval_scalar(ev, x->u.call.args[0], &value);
        return rc == ERR_OK ? call_vector(ev, value, out) : rc;
    default:
        return call_date(ev, x, out);
    }
}
