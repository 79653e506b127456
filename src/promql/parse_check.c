/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse_check.c: the types of a tree that was read without an error.
 *
 * Children first, left to right, then the node itself: the order in which Prometheus finds errors,
 * the first of which is shown.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse_part.h"

static bool is_compare(enum expr_op op)
{
    return op >= OP_EQ && op <= OP_LE;
}

static bool is_set(enum expr_op op)
{
    return op >= OP_AND;
}

static void expect_type(struct parser *p, struct expr *x, enum promql_type want,
                        const char *context)
{
    promql_parse_check(p, x);
    if (x->type != want)
        promql_parse_fail(p, x->start, "expected type %s in %s, got %s", promql_type_text(want),
                          context, promql_type_text(x->type));
}

static void check_aggregate(struct parser *p, struct expr *x)
{
    enum expr_aggregate op = x->u.aggregate.op;

    expect_type(p, x->u.aggregate.x, PROMQL_VECTOR, "aggregation expression");
    if (x->u.aggregate.param)
        expect_type(p, x->u.aggregate.param, op == AGG_COUNT_VALUES ? PROMQL_STRING : PROMQL_SCALAR,
                    "aggregation parameter");
}

/* --- Operators --- */

static void check_bool(struct parser *p, const struct expr *x)
{
    bool scalars = x->u.binary.left->type == PROMQL_SCALAR &&
                   x->u.binary.right->type == PROMQL_SCALAR;

    if (x->u.binary.bool_modifier && !is_compare(x->u.binary.op))
        promql_parse_fail(p, x->u.binary.op_at,
                          "bool modifier can only be used on comparison operators");
    if (is_compare(x->u.binary.op) && !x->u.binary.bool_modifier && scalars)
        promql_parse_fail(p, x->u.binary.op_at,
                          "comparisons between scalars must use BOOL modifier");
}

/* A label is matched on, or copied; not both. */
static void check_labels(struct parser *p, const struct expr *x)
{
    const struct expr_names *on = &x->u.binary.labels, *include = &x->u.binary.include;

    for (size_t i = 0; x->u.binary.on && i < on->count; i++) {
        for (size_t k = 0; k < include->count; k++) {
            struct buf b;

            if (!str_eq(on->items[i], include->items[k]))
                continue;
            buf_init(&b, LIMIT_QUERY_BYTES * 8);
            promql_literal_quote(&b, on->items[i]);
            promql_parse_fail(p, x->u.binary.op_at,
                              "label %.*s must not occur in ON and GROUP clause at once",
                              STR_ARG(buf_view(&b)));
            buf_fini(&b);
            return;
        }
    }
}

static void check_operand(struct parser *p, const struct expr *x)
{
    if (x->type != PROMQL_SCALAR && x->type != PROMQL_VECTOR)
        promql_parse_fail(p, x->start,
                          "binary expression must contain only scalar and instant vector types");
}

static void check_binary(struct parser *p, struct expr *x)
{
    struct expr *left = x->u.binary.left, *right = x->u.binary.right;
    bool set = is_set(x->u.binary.op);

    promql_parse_check(p, left);
    promql_parse_check(p, right);
    check_bool(p, x);
    check_labels(p, x);
    check_operand(p, left);
    check_operand(p, right);
    if (left->type != PROMQL_VECTOR || right->type != PROMQL_VECTOR) {
        if (x->u.binary.labels.count > 0)
            promql_parse_fail(p, x->start, "vector matching only allowed between instant vectors");
        /* What is written about vectors means nothing here: on () */
        x->u.binary.on = false;
        x->u.binary.card = CARD_ONE_TO_ONE;
        x->u.binary.include = (struct expr_names){0, NULL};
    } else if (set && x->u.binary.card != CARD_ONE_TO_ONE) {
        promql_parse_fail(p, x->start, "no grouping allowed for \"%s\" operation",
                          expr_op_text(x->u.binary.op));
    } else if (set) {
        x->u.binary.card = CARD_MANY_TO_MANY;
    }
    if (set && (left->type == PROMQL_SCALAR || right->type == PROMQL_SCALAR))
        promql_parse_fail(p, x->start,
                          "set operator \"%s\" not allowed in binary scalar expression",
                          expr_op_text(x->u.binary.op));
}

static void check_unary(struct parser *p, struct expr *x)
{
    struct expr *inner = x->u.unary.x;

    promql_parse_check(p, inner);
    if (inner->type != PROMQL_SCALAR && inner->type != PROMQL_VECTOR)
        promql_parse_fail(p, x->start,
                          "unary expression only allowed on expressions of type scalar or instant "
                          "vector, got \"%s\"",
                          promql_type_text(inner->type));
}

/* --- Calls --- */

static size_t count_args(const struct promql_func *func)
{
    size_t n = 0;

    while (n < PROMQL_FUNC_ARGS && func->args[n] != PROMQL_NONE)
        n++;
    return n;
}

static void check_count(struct parser *p, const struct expr *x, size_t declared)
{
    const struct promql_func *func = x->u.call.func;
    size_t got = x->u.call.count, least = func->variadic ? declared - 1 : declared;

    if (func->variadic == 0 && got != declared)
        promql_parse_fail(p, x->start, "expected %zu argument(s) in call to \"%s\", got %zu",
                          declared, func->name, got);
    else if (got < least)
        promql_parse_fail(p, x->start,
                          "expected at least %zu argument(s) in call to \"%s\", got %zu", least,
                          func->name, got);
    else if (func->variadic > 0 && got > least + (size_t)func->variadic)
        promql_parse_fail(p, x->start,
                          "expected at most %zu argument(s) in call to \"%s\", got %zu",
                          least + (size_t)func->variadic, func->name, got);
}

/* The second argument of info() is a selector without a metric name. */
static void check_info(struct parser *p, const struct expr *x)
{
    const struct expr *arg = x->u.call.args[1];

    if (arg->type != PROMQL_VECTOR)
        promql_parse_fail(p, x->start,
                          "expected type instant vector in call to function \"info\", got %s",
                          promql_type_text(arg->type));
    if (arg->kind == EXPR_SELECTOR && arg->u.selector.name.len > 0)
        promql_parse_fail(p, arg->start,
                          "expected label selectors only, got vector selector instead");
    else if (arg->kind != EXPR_SELECTOR)
        promql_parse_fail(p, arg->start, "expected label selectors only");
}

static void check_call(struct parser *p, struct expr *x)
{
    const struct promql_func *func = x->u.call.func;
    size_t declared = count_args(func);
    bool info = func->id == PROMQL_FUNC_info;
    char context[64];

    check_count(p, x, declared);
    if (info && x->u.call.count > 1)
        check_info(p, x);
    snprintf(context, sizeof(context), "call to function \"%s\"", func->name);
    for (size_t i = 0; i < x->u.call.count && p->rc == ERR_OK; i++)
        if (!info || i == 0) /* {} may be empty there */
            expect_type(p, x->u.call.args[i], func->args[i < declared ? i : declared - 1], context);
}

/* --- Selectors --- */

static void check_name_once(struct parser *p, const struct expr *x)
{
    const struct matcher *m = x->u.selector.matchers;
    struct buf b;

    for (size_t i = 0; i + 1 < x->u.selector.matcher_count; i++) {
        if (!str_eq_c(m[i].name, "__name__"))
            continue;
        buf_init(&b, LIMIT_QUERY_BYTES * 16);
        promql_literal_quote(&b, x->u.selector.name);
        buf_add_c(&b, " or ");
        promql_literal_quote(&b, m[i].value);
        promql_parse_fail(p, x->start, "metric name must not be set twice: %.*s",
                          STR_ARG(buf_view(&b)));
        buf_fini(&b);
    }
}

/* A selector names something: {} would mean every series there is. */
static void check_selector(struct parser *p, const struct expr *x)
{
    if (x->u.selector.name.len > 0) {
        check_name_once(p, x);
        return;
    }
    for (size_t i = 0; i < x->u.selector.matcher_count; i++)
        if (!matcher_match(&x->u.selector.matchers[i], STR("")))
            return;
    promql_parse_fail(p, x->start, "vector selector must contain at least one non-empty matcher");
}

static void check_subquery(struct parser *p, struct expr *x)
{
    static const char *const raw[] = {
        [PROMQL_NONE] = "none",     [PROMQL_SCALAR] = "scalar", [PROMQL_VECTOR] = "vector",
        [PROMQL_MATRIX] = "matrix", [PROMQL_STRING] = "string",
    };

    promql_parse_check(p, x->u.subquery.x);
    if (x->u.subquery.x->type != PROMQL_VECTOR)
        promql_parse_fail(p, x->start, "subquery is only allowed on instant vector, got %s instead",
                          raw[x->u.subquery.x->type]);
}

void promql_parse_check(struct parser *p, struct expr *x)
{
    if (p->rc != ERR_OK)
        return;
    switch (x->kind) {
    case EXPR_NUMBER:
    case EXPR_STRING:
        break;
    case EXPR_PAREN:
        promql_parse_check(p, x->u.paren);
        break;
    case EXPR_UNARY:
        check_unary(p, x);
        break;
    case EXPR_BINARY:
        check_binary(p, x);
        break;
    case EXPR_AGGREGATE:
        check_aggregate(p, x);
        break;
    case EXPR_CALL:
        check_call(p, x);
        break;
    case EXPR_SELECTOR:
        check_selector(p, x);
        break;
    case EXPR_SUBQUERY:
        check_subquery(p, x);
        break;
    }
}
