/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval.c: the walk over the tree: which part of the evaluator answers which expression.
 *
 * What does not change from step to step (every selector in it has @) is evaluated for the first
 * step alone and repeated, as Prometheus does.
 */
#include "promql/eval.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "os/clock.h"

#define CHECK_VALUES 65536 /* looked at between two looks at the clock */
#define CHECK_ROW    1024  /* what a row counts for */

/* --- Failing, stopping, memory --- */

enum err_code eval_fail(struct eval *ev, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(ev->err, ERR_INVALID, "%s", text);
}

enum err_code eval_check(struct eval *ev)
{
    return eval_spend(ev, CHECK_ROW);
}

enum err_code eval_spend(struct eval *ev, size_t values)
{
    const struct promql_limits *l = &ev->query->limits;

    ev->spent += values;
    if (ev->spent < CHECK_VALUES && ev->looked)
        return ERR_OK;
    ev->spent = 0;
    ev->looked = true;
    if (l->cancelled && l->cancelled(l->cancelled_arg))
        return err_set(ev->err, ERR_CANCELLED, "query was canceled in expression evaluation");
    if (l->deadline_mono_us != 0 && clock_mono_us() >= l->deadline_mono_us)
        return err_set(ev->err, ERR_TIMEOUT, "query timed out in expression evaluation");
    return ERR_OK;
}

double *eval_values(struct eval *ev)
{
    return arena_array(ev->arena, ev->frame->count, sizeof(double));
}

/* --- Looking at the tree --- */

const struct expr *eval_unwrap(const struct expr *x)
{
    while (x->kind == EXPR_PAREN)
        x = x->u.paren;
    return x;
}

/* Functions whose answer depends on the time even when their arguments do not. */
static bool eval_follows_time(enum promql_func_id id)
{
    switch ((int)id) {
    case PROMQL_FUNC_days_in_month:
    case PROMQL_FUNC_day_of_month:
    case PROMQL_FUNC_day_of_week:
    case PROMQL_FUNC_day_of_year:
    case PROMQL_FUNC_hour:
    case PROMQL_FUNC_minute:
    case PROMQL_FUNC_month:
    case PROMQL_FUNC_year:
    case PROMQL_FUNC_predict_linear:
    case PROMQL_FUNC_time:
    case PROMQL_FUNC_timestamp:
        return true;
    default:
        return false;
    }
}

/* The parameter of an aggregation does not count. */
static bool eval_is_constant(const struct expr *x)
{
    x = eval_unwrap(x);
    switch (x->kind) {
    case EXPR_NUMBER:
    case EXPR_STRING:
        return true;
    case EXPR_PAREN:
        return false;
    case EXPR_UNARY:
        return eval_is_constant(x->u.unary.x);
    case EXPR_BINARY:
        return eval_is_constant(x->u.binary.left) && eval_is_constant(x->u.binary.right);
    case EXPR_AGGREGATE:
        return eval_is_constant(x->u.aggregate.x);
    case EXPR_CALL:
        for (size_t i = 0; i < x->u.call.count; i++) {
            if (!eval_is_constant(x->u.call.args[i]))
                return false;
        }
        return !eval_follows_time(x->u.call.func->id);
    case EXPR_SELECTOR:
        return x->u.selector.when.at != AT_NONE;
    case EXPR_SUBQUERY:
        return x->u.subquery.when.at != AT_NONE;
    }
    return false;
}

uint32_t eval_place(const struct expr *call, size_t arg)
{
    const struct expr *x = call->u.call.args[arg];

    return eval_is_constant(x) && !eval_is_constant(call) ? x->start : eval_unwrap(x)->start;
}

/* A name that two series may differ in: the selector does not fix it. */
static bool eval_selector_names_vary(const struct expr *x)
{
    for (size_t i = 0; i < x->u.selector.matcher_count; i++) {
        const struct matcher *m = &x->u.selector.matchers[i];

        if (m->kind == MATCHER_EQUAL && str_eq(m->name, STR("__name__")))
            return false;
    }
    return true;
}

bool eval_may_collide(const struct expr *x)
{
    x = eval_unwrap(x);
    if (x->kind == EXPR_SELECTOR)
        return eval_selector_names_vary(x);
    if (eval_is_range_call(x)) {
        for (size_t i = 0; i < x->u.call.count; i++) {
            const struct expr *arg = eval_unwrap(x->u.call.args[i]);

            if (arg->kind == EXPR_SELECTOR)
                return eval_selector_names_vary(arg);
        }
        return true;
    }
    return !eval_is_map(x) || eval_may_collide(eval_map_source(x));
}

/* --- Vectors --- */

static enum err_code eval_vec_direct(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    if (x->kind == EXPR_AGGREGATE)
        return eval_aggregate(ev, x, out);
    if (x->kind == EXPR_BINARY && x->u.binary.op >= OP_AND)
        return eval_set_op(ev, x, out);
    if (x->kind == EXPR_BINARY)
        return eval_binary(ev, x, out);
    if (x->kind == EXPR_CALL)
        return eval_call(ev, x, out);
    return err_set(ev->err, ERR_BUG, "an expression of kind %d is no vector", (int)x->kind);
}

static bool eval_streams(const struct expr *x)
{
    return (x->kind == EXPR_SELECTOR && x->u.selector.range_ms == 0) || eval_is_range_call(x) ||
           eval_is_map(x);
}

static enum err_code eval_stream(struct eval *ev, const struct expr *x, struct eval_sink sink)
{
    if (x->kind == EXPR_SELECTOR)
        return eval_selector(ev, x, EVAL_VALUES, sink);
    if (eval_is_range_call(x))
        return eval_range_call(ev, x, sink);
    return eval_map(ev, x, sink);
}

static enum err_code eval_vec_now(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct eval_collect c = {.out = out, .equal = EVAL_EQUAL_MERGE};

    if (!eval_streams(x))
        return eval_vec_direct(ev, x, out);
    if (eval_is_range_call(x) || x->kind == EXPR_UNARY)
        c.equal = EVAL_EQUAL_ERROR;
    return eval_stream(ev, x, (struct eval_sink){eval_collect_row, &c, ""});
}

/* The rows of the first step, repeated over the frame. */
static enum err_code eval_vec_repeat(struct eval *ev, struct eval_vec *vec)
{
    for (size_t r = 0; r < vec->count; r++) {
        double v = vec->rows[r].value[0], *value = eval_values(ev);

        if (!value)
            return eval_full(ev);
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = v;
        vec->rows[r].value = value;
    }
    return ERR_OK;
}

static enum err_code eval_vec_constant(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    const struct eval_frame *frame = ev->frame;
    struct eval_frame first = {frame->start_ms, frame->step_ms, 1};
    enum err_code rc;

    ev->frame = &first;
    rc = eval_vec_now(ev, x, out);
    ev->frame = frame;
    return rc == ERR_OK ? eval_vec_repeat(ev, out) : rc;
}

/* Nesting is the parser's to bound; this guards the stack in any case. */
static enum err_code eval_enter(struct eval *ev)
{
    if (ev->depth >= 4 * LIMIT_QUERY_DEPTH)
        return err_set(ev->err, ERR_LIMIT, "the query is nested too deeply");
    ev->depth++;
    return eval_check(ev);
}

enum err_code eval_vec(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    enum err_code rc = eval_enter(ev);

    if (rc != ERR_OK)
        return rc;
    x = eval_unwrap(x);
    *out = (struct eval_vec){0};
    if (ev->frame->count > 1 && eval_is_constant(x))
        rc = eval_vec_constant(ev, x, out);
    else
        rc = eval_vec_now(ev, x, out);
    ev->depth--;
    return rc;
}

static enum err_code eval_rows_of(struct eval *ev, const struct expr *x, struct eval_sink sink)
{
    struct eval_vec vec;
    enum err_code rc = eval_vec(ev, x, &vec);

    for (size_t i = 0; rc == ERR_OK && i < vec.count; i++)
        rc = sink.fn(ev, sink.arg, &vec.rows[i].set->labels, vec.rows[i].value);
    return rc;
}

enum err_code eval_rows(struct eval *ev, const struct expr *x, struct eval_sink sink)
{
    enum err_code rc = eval_enter(ev);

    if (rc != ERR_OK)
        return rc;
    x = eval_unwrap(x);
    if (!eval_streams(x) || (ev->frame->count > 1 && eval_is_constant(x)) ||
        (x->kind != EXPR_SELECTOR && eval_may_collide(x)))
        rc = eval_rows_of(ev, x, sink);
    else
        rc = eval_stream(ev, x, sink);
    ev->depth--;
    return rc;
}

/* --- Scalars --- */

/* The value of each step; NaN unless exactly one series has one. */
static enum err_code eval_scalar_of(struct eval *ev, const struct expr *x, double *value)
{
    struct eval_vec vec;
    enum err_code rc = eval_vec(ev, x, &vec);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < ev->frame->count; i++) {
        size_t found = 0;

        for (size_t r = 0; r < vec.count && found < 2; r++) {
            if (!eval_absent(vec.rows[r].value[i])) {
                found++;
                value[i] = vec.rows[r].value[i];
            }
        }
        if (found != 1)
            value[i] = __builtin_nan("");
    }
    return ERR_OK;
}

static enum err_code eval_scalar_call(struct eval *ev, const struct expr *x, double *value)
{
    switch ((int)x->u.call.func->id) {
    case PROMQL_FUNC_scalar:
        return eval_scalar_of(ev, x->u.call.args[0], value);
    case PROMQL_FUNC_pi:
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = 3.14159265358979323846;
        return ERR_OK;
    case PROMQL_FUNC_time:
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = (double)eval_frame_ms(ev->frame, i) / 1000;
        return ERR_OK;
    default:
        return err_set(ev->err, ERR_BUG, "%s() is no scalar", x->u.call.func->name);
    }
}

static enum err_code eval_scalar_binary(struct eval *ev, const struct expr *x, double *value)
{
    double *left, *right;
    enum err_code rc = eval_scalar(ev, x->u.binary.left, &left);

    if (rc == ERR_OK)
        rc = eval_scalar(ev, x->u.binary.right, &right);
    for (size_t i = 0; rc == ERR_OK && i < ev->frame->count; i++)
        value[i] = eval_arith(x->u.binary.op, left[i], right[i]);
    return rc;
}

static enum err_code eval_scalar_now(struct eval *ev, const struct expr *x, double **out)
{
    double *value;
    enum err_code rc;

    if (x->kind == EXPR_UNARY) {
        rc = eval_scalar(ev, x->u.unary.x, out);
        for (size_t i = 0; rc == ERR_OK && x->u.unary.negative && i < ev->frame->count; i++)
            (*out)[i] = -(*out)[i];
        return rc;
    }
    *out = value = eval_values(ev);
    if (!value)
        return eval_full(ev);
    if (x->kind == EXPR_BINARY)
        return eval_scalar_binary(ev, x, value);
    if (x->kind == EXPR_CALL)
        return eval_scalar_call(ev, x, value);
    if (x->kind != EXPR_NUMBER)
        return err_set(ev->err, ERR_BUG, "an expression of kind %d is no scalar", (int)x->kind);
    for (size_t i = 0; i < ev->frame->count; i++)
        value[i] = x->u.number;
    return ERR_OK;
}

/* What does not change costs one step: scalar(x @ 0) of a long subquery. */
static enum err_code eval_scalar_constant(struct eval *ev, const struct expr *x, double **out)
{
    const struct eval_frame *frame = ev->frame;
    struct eval_frame first = {frame->start_ms, frame->step_ms, 1};
    enum err_code rc;
    double v;

    ev->frame = &first;
    rc = eval_scalar_now(ev, x, out);
    ev->frame = frame;
    if (rc != ERR_OK)
        return rc;
    v = (*out)[0];
    *out = eval_values(ev);
    if (!*out)
        return eval_full(ev);
    for (size_t i = 0; i < frame->count; i++)
        (*out)[i] = v;
    return ERR_OK;
}

enum err_code eval_scalar(struct eval *ev, const struct expr *x, double **out)
{
    enum err_code rc = eval_enter(ev);

    if (rc != ERR_OK)
        return rc;
    x = eval_unwrap(x);
    if (ev->frame->count > 1 && eval_is_constant(x))
        rc = eval_scalar_constant(ev, x, out);
    else
        rc = eval_scalar_now(ev, x, out);
    ev->depth--;
    return rc;
}
