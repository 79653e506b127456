/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse_call.c: function calls, aggregations, and the lists of labels in parentheses.
 */
#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse_part.h"

/* "<text>"name"<more>" with the name in quotes. */
static void fail_name(struct parser *p, uint32_t at, const char *text, struct str name,
                      const char *more)
{
    struct buf b;

    buf_init(&b, LIMIT_QUERY_BYTES * 8);
    promql_literal_quote(&b, name);
    promql_parse_fail(p, at, "%s%.*s%s", text, STR_ARG(buf_view(&b)), more);
    buf_fini(&b);
}

/* --- Lists of labels --- */

/* A word or a string that names a label. Some keywords may; `without` may not. */
static bool take_label(struct parser *p, struct str *name)
{
    const struct lex_token *t = promql_parse_peek(p);
    bool word = t->kind == LEX_IDENTIFIER || t->kind == LEX_METRIC || t->kind == LEX_AGGREGATE ||
                (t->kind >= LEX_BOOL && t->kind <= LEX_FINISH && t->kind != LEX_WITHOUT) ||
                (t->kind == LEX_OPERATOR && (t->detail == OP_ATAN2 || t->detail >= OP_AND));

    *name = t->text;
    if (!word && t->kind != LEX_STRING) {
        promql_parse_unexpected(p, "grouping opts", "label");
        return false;
    }
    if (t->kind == LEX_STRING && !promql_parse_string(p, t, name))
        return false;
    if (name->len == 0 || !str_is_utf8(*name)) {
        fail_name(p, t->start, "invalid label name for grouping: ", *name, "");
        return false;
    }
    promql_parse_take(p);
    return true;
}

bool promql_parse_labels(struct parser *p, struct expr_names *names)
{
    *names = (struct expr_names){0, NULL};
    if (!promql_parse_accept(p, LEX_LEFT_PAREN)) {
        promql_parse_unexpected(p, "grouping opts", "\"(\"");
        return false;
    }
    while (!promql_parse_accept(p, LEX_RIGHT_PAREN)) {
        struct str name;

        if (!take_label(p, &name))
            return false;
        names->items = promql_parse_grow(p, names->items, names->count, sizeof(name));
        if (!names->items)
            return false;
        names->items[names->count++] = name;
        if (!promql_parse_accept(p, LEX_COMMA) && promql_parse_peek(p)->kind != LEX_RIGHT_PAREN) {
            promql_parse_unexpected(p, "grouping opts", "\",\" or \")\"");
            return false;
        }
    }
    return true;
}

/* --- Calls and aggregations --- */

struct arguments {
    size_t count;
    struct expr **items;
};

/* Arguments in parentheses. */
static bool parse_arguments(struct parser *p, struct arguments *args)
{
    *args = (struct arguments){0, NULL};
    if (!promql_parse_accept(p, LEX_LEFT_PAREN)) {
        promql_parse_unexpected(p, "", "");
        return false;
    }
    if (promql_parse_accept(p, LEX_RIGHT_PAREN))
        return true;
    for (;;) {
        struct expr *x = promql_parse_expr(p);
        struct lex_token comma;

        if (!x)
            return false;
        args->items = promql_parse_grow(p, args->items, args->count, sizeof(struct expr *));
        if (!args->items)
            return false;
        args->items[args->count++] = x;
        if (promql_parse_accept(p, LEX_RIGHT_PAREN))
            return true;
        if (promql_parse_peek(p)->kind != LEX_COMMA) {
            promql_parse_unexpected(p, "", "");
            return false;
        }
        comma = promql_parse_take(p);
        if (!promql_parse_can_begin(promql_parse_peek(p))) {
            promql_parse_fail(p, comma.start, "trailing commas not allowed in function call args");
            return false;
        }
    }
}

struct expr *promql_parse_call(struct parser *p, const struct lex_token *name)
{
    struct expr *x = NULL;
    struct arguments args;
    const struct promql_func *func;

    if (!parse_arguments(p, &args))
        return NULL;
    func = promql_func_find(name->text);
    if (!func)
        fail_name(p, name->start, "unknown function with name ", name->text, "");
    else if (func->experimental && !p->options->experimental)
        fail_name(p, name->start, "function ", name->text, " is not enabled");
    else
        x = promql_parse_node(p, EXPR_CALL, func->type, name->start);
    if (!x)
        return NULL;
    x->u.call.func = func;
    x->u.call.count = args.count;
    x->u.call.args = args.items;
    for (size_t i = 0; i < args.count; i++)
        if (!promql_parse_raise(p, x, args.items[i]))
            return NULL;
    return x;
}

static bool has_param(enum expr_aggregate op)
{
    return op >= AGG_TOPK;
}

/* Number and places of the arguments; a parameter comes first. */
static bool set_aggregate(struct parser *p, struct expr *x, const struct arguments *args)
{
    enum expr_aggregate op = x->u.aggregate.op;
    size_t wanted = has_param(op) ? 2 : 1;

    if (args->count == 0) {
        promql_parse_fail(p, x->start, "no arguments for aggregate expression provided");
        return false;
    }
    if (op >= AGG_LIMITK && !p->options->experimental) {
        promql_parse_fail(p, x->start, "%s() is experimental and not enabled",
                          expr_aggregate_text(op));
        return false;
    }
    if (args->count != wanted) {
        promql_parse_fail(p, x->start,
                          "wrong number of arguments for aggregate expression provided, "
                          "expected %zu, got %zu",
                          wanted, args->count);
        return false;
    }
    x->u.aggregate.param = wanted == 2 ? args->items[0] : NULL;
    x->u.aggregate.x = args->items[wanted - 1];
    return promql_parse_raise(p, x, x->u.aggregate.x) &&
           (wanted == 1 || promql_parse_raise(p, x, args->items[0]));
}

static bool parse_grouping(struct parser *p, struct expr *x)
{
    enum lex_kind kind = promql_parse_peek(p)->kind;

    if (kind != LEX_BY && kind != LEX_WITHOUT)
        return true;
    promql_parse_take(p);
    x->u.aggregate.without = kind == LEX_WITHOUT;
    return promql_parse_labels(p, &x->u.aggregate.by);
}

struct expr *promql_parse_aggregate(struct parser *p, const struct lex_token *name)
{
    struct expr *x = promql_parse_node(p, EXPR_AGGREGATE, PROMQL_VECTOR, name->start);
    bool before = promql_parse_peek(p)->kind != LEX_LEFT_PAREN, good;
    struct arguments args;

    if (!x)
        return NULL;
    x->u.aggregate.op = (enum expr_aggregate)name->detail;
    p->aggregates++;
    good = (!before || parse_grouping(p, x)) && parse_arguments(p, &args) &&
           (before || parse_grouping(p, x));
    p->aggregates--;
    x->end = p->end;
    return good && set_aggregate(p, x, &args) ? x : NULL;
}
