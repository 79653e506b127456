/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_map.c: what works on each row by itself: functions of one vector, unary minus, a vector and
 * a scalar. Such rows are handed on one by one.
 */
#include <math.h>

#include "promql/eval.h"

#define MAP_PARAMS 2

struct map_step {
    const struct expr *x;
    double *params[MAP_PARAMS];
    struct eval_sink sink;
    struct eval_scratch scratch;
    bool drops_name;
};

/* --- Which expressions --- */

static bool map_is_date(enum promql_func_id id)
{
    switch ((int)id) {
    case PROMQL_FUNC_day_of_month:
    case PROMQL_FUNC_day_of_week:
    case PROMQL_FUNC_day_of_year:
    case PROMQL_FUNC_days_in_month:
    case PROMQL_FUNC_hour:
    case PROMQL_FUNC_minute:
    case PROMQL_FUNC_month:
    case PROMQL_FUNC_year:
        return true;
    default:
        return false;
    }
}

static bool map_is_call(const struct expr *x)
{
    enum promql_func_id id = x->u.call.func->id;

    if (x->u.call.count == 0)
        return false;
    return eval_unary_find(id) || map_is_date(id) || id == PROMQL_FUNC_clamp ||
           id == PROMQL_FUNC_clamp_max || id == PROMQL_FUNC_clamp_min || id == PROMQL_FUNC_round ||
           id == PROMQL_FUNC_timestamp;
}

bool eval_is_map(const struct expr *x)
{
    if (x->type != PROMQL_VECTOR)
        return false;
    if (x->kind == EXPR_UNARY)
        return true;
    if (x->kind == EXPR_BINARY)
        return x->u.binary.left->type == PROMQL_SCALAR || x->u.binary.right->type == PROMQL_SCALAR;
    return x->kind == EXPR_CALL && map_is_call(x);
}

const struct expr *eval_map_source(const struct expr *x)
{
    if (x->kind == EXPR_UNARY)
        return x->u.unary.x;
    if (x->kind == EXPR_CALL)
        return x->u.call.args[0];
    return x->u.binary.left->type == PROMQL_VECTOR ? x->u.binary.left : x->u.binary.right;
}

/* --- Values --- */

/* Ties round up, also below zero. */
static double map_round(double v, double nearest)
{
    double inverse = 1 / nearest;

    return floor(v * inverse + 0.5) / inverse;
}

static double map_clamp(double v, double low, double high)
{
    return high < low ? eval_nothing() : eval_max(low, eval_min(high, v));
}

static double map_call_value(const struct map_step *m, double v, size_t i)
{
    enum promql_func_id id = m->x->u.call.func->id;

    switch ((int)id) {
    case PROMQL_FUNC_round:
        return map_round(v, m->params[0] ? m->params[0][i] : 1);
    case PROMQL_FUNC_clamp:
        return map_clamp(v, m->params[0][i], m->params[1][i]);
    case PROMQL_FUNC_clamp_max:
        return map_clamp(v, (double)-INFINITY, m->params[0][i]);
    case PROMQL_FUNC_clamp_min:
        return map_clamp(v, m->params[0][i], (double)INFINITY);
    default:
        return eval_date(id, v);
    }
}

static void map_call(struct eval *ev, const struct map_step *m, double *value)
{
    eval_unary_fn *fn = eval_unary_find(m->x->u.call.func->id);

    for (size_t i = 0; i < ev->frame->count; i++) {
        if (eval_absent(value[i]))
            continue;
        if (m->x->u.call.func->id == PROMQL_FUNC_timestamp)
            value[i] = (double)eval_frame_ms(ev->frame, i) / 1000;
        else
            value[i] = fn ? fn(value[i]) : map_call_value(m, value[i], i);
    }
}

/* A comparison filters, and what it lets through is the vector's value on either side. */
static void map_binary(struct eval *ev, const struct map_step *m, double *value)
{
    const struct expr *x = m->x;
    bool swapped = x->u.binary.left->type == PROMQL_SCALAR;
    bool compares = x->u.binary.op >= OP_EQ;

    for (size_t i = 0; i < ev->frame->count; i++) {
        double v = value[i], s = m->params[0][i], r;

        if (eval_absent(v))
            continue;
        r = eval_arith(x->u.binary.op, swapped ? s : v, swapped ? v : s);
        if (!compares || x->u.binary.bool_modifier)
            value[i] = r;
        else if (r == 0)
            value[i] = eval_nothing();
    }
}

static enum err_code map_row(struct eval *ev, void *arg, const struct labels *labels, double *value)
{
    struct map_step *m = arg;
    struct labels out = *labels;
    enum err_code rc = ERR_OK;

    if (m->x->kind == EXPR_CALL)
        map_call(ev, m, value);
    else if (m->x->kind == EXPR_BINARY)
        map_binary(ev, m, value);
    else if (m->x->u.unary.negative)
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = eval_absent(value[i]) ? value[i] : -value[i];
    if (m->drops_name)
        rc = eval_labels_nameless(ev, &m->scratch, labels, &out);
    return rc == ERR_OK ? m->sink.fn(ev, m->sink.arg, &out, value) : rc;
}

/* --- Running --- */

static bool map_drops_name(const struct expr *x)
{
    if (x->kind == EXPR_UNARY)
        return x->u.unary.negative;
    return x->kind == EXPR_CALL || x->u.binary.op < OP_EQ || x->u.binary.bool_modifier;
}

static enum err_code map_params(struct eval *ev, struct map_step *m)
{
    const struct expr *x = m->x;
    enum err_code rc = ERR_OK;

    if (x->kind == EXPR_BINARY)
        return eval_scalar(
            ev, x->u.binary.left->type == PROMQL_SCALAR ? x->u.binary.left : x->u.binary.right,
            &m->params[0]);
    for (size_t i = 1; x->kind == EXPR_CALL && rc == ERR_OK && i < x->u.call.count; i++) {
        if (i > MAP_PARAMS)
            return err_set(ev->err, ERR_BUG, "%s() has too many arguments", x->u.call.func->name);
        rc = eval_scalar(ev, x->u.call.args[i], &m->params[i - 1]);
    }
    return rc;
}

enum err_code eval_map(struct eval *ev, const struct expr *x, struct eval_sink sink)
{
    struct map_step m = {.x = x, .sink = sink, .drops_name = map_drops_name(x)};
    const struct expr *source = eval_unwrap(eval_map_source(x));
    enum err_code rc = map_params(ev, &m);

    if (rc != ERR_OK)
        return rc;
    if (x->kind == EXPR_CALL && x->u.call.func->id == PROMQL_FUNC_timestamp &&
        source->kind == EXPR_SELECTOR) {
        /* Of a selector: the times of its samples, which come as values. */
        static const struct expr identity = {.kind = EXPR_UNARY};

        m.x = &identity;
        return eval_selector(ev, source, EVAL_STAMPS,
                             (struct eval_sink){map_row, &m, x->u.call.func->name});
    }
    return eval_rows(
        ev, source,
        (struct eval_sink){map_row, &m, x->kind == EXPR_CALL ? x->u.call.func->name : ""});
}
