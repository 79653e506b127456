/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse.c: the grammar of PromQL, by recursive descent and precedence climbing.
 *
 * Where Prometheus's grammar looks for an error (in an aggregation, in a list of labels), the
 * message says so in the same words.
 * Invariants:  (1) no rule recurses deeper than LIMIT_QUERY_DEPTH;
 *              (2) no tree is higher than that, so that its readers may recurse as well.
 */
#include "promql/parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse_part.h"

enum precedence {
    PRECEDENCE_NONE,
    PRECEDENCE_OR,
    PRECEDENCE_AND,
    PRECEDENCE_COMPARE,
    PRECEDENCE_ADD,
    PRECEDENCE_MULTIPLY,
    PRECEDENCE_POWER,
};

static struct expr *parse_expr(struct parser *p, enum precedence least);

/* --- Errors --- */

void promql_parse_fail(struct parser *p, uint32_t at, const char *fmt, ...)
{
    char text[ERR_TEXT_MAX];
    unsigned line = 1, column = at + 1;
    va_list ap;

    if (p->rc != ERR_OK)
        return;
    for (uint32_t i = 0; i < at; i++) {
        if (p->lex.text.ptr[i] == '\n') {
            line++;
            column = at - i;
        }
    }
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    p->rc = err_set(p->e, ERR_INVALID, "%u:%u: parse error: %s", line, column, text);
}

void promql_parse_limit(struct parser *p, enum err_code rc)
{
    if (p->rc == ERR_OK)
        p->rc = rc;
}

void promql_parse_unexpected(struct parser *p, const char *context, const char *expected)
{
    const struct lex_token *t = promql_parse_peek(p);
    struct buf b;

    if (t->kind == LEX_ERROR)
        return;
    if (context[0] == '\0' && p->aggregates > 0)
        context = "aggregation";
    buf_init(&b, ERR_TEXT_MAX * 4);
    buf_add_c(&b, "unexpected ");
    lex_describe(t, &b);
    if (context[0])
        buf_printf(&b, " in %s", context);
    if (expected[0])
        buf_printf(&b, ", expected %s", expected);
    promql_parse_fail(p, t->start, "%.*s", STR_ARG(buf_view(&b)));
    buf_fini(&b);
}

/* --- Tokens --- */

const struct lex_token *promql_parse_peek(struct parser *p)
{
    if (!p->have) {
        lex_next(&p->lex, &p->token);
        p->have = true;
        if (p->token.kind == LEX_ERROR)
            promql_parse_fail(p, p->token.start, "%s", p->lex.message);
    }
    return &p->token;
}

struct lex_token promql_parse_take(struct parser *p)
{
    struct lex_token t = *promql_parse_peek(p);

    if (t.kind != LEX_ERROR && t.kind != LEX_END) {
        p->have = false;
        p->end = t.end;
    }
    return t;
}

bool promql_parse_accept(struct parser *p, enum lex_kind kind)
{
    if (promql_parse_peek(p)->kind != kind)
        return false;
    promql_parse_take(p);
    return true;
}

/* --- Nodes --- */

struct expr *promql_parse_node(struct parser *p, enum expr_kind kind, enum promql_type type,
                               uint32_t start)
{
    struct expr *x = arena_alloc(p->arena, sizeof(*x));

    if (!x) {
        promql_parse_limit(p, arena_fail(p->arena, p->e));
        return NULL;
    }
    memset(x, 0, sizeof(*x));
    x->kind = kind;
    x->type = type;
    x->height = 1;
    x->start = start;
    x->end = p->end;
    return x;
}

static void fail_depth(struct parser *p)
{
    if (p->rc == ERR_OK)
        p->rc = err_set(p->e, ERR_LIMIT, "the query nests deeper than %d levels",
                        LIMIT_QUERY_DEPTH);
}

bool promql_parse_raise(struct parser *p, struct expr *x, const struct expr *child)
{
    if (child->height >= LIMIT_QUERY_DEPTH) {
        fail_depth(p);
        return false;
    }
    if (x->height <= child->height)
        x->height = (uint16_t)(child->height + 1);
    return true;
}

void *promql_parse_grow(struct parser *p, void *items, size_t count, size_t size)
{
    void *more = items;

    if ((count & (count - 1)) == 0) {
        more = arena_array(p->arena, count ? 2 * count : 1, size);
        if (more && count)
            memcpy(more, items, count * size);
    }
    if (!more)
        promql_parse_limit(p, arena_fail(p->arena, p->e));
    return more;
}

bool promql_parse_can_begin(const struct lex_token *t)
{
    switch (t->kind) {
    case LEX_IDENTIFIER:
    case LEX_METRIC:
    case LEX_STRING:
    case LEX_NUMBER:
    case LEX_DURATION:
    case LEX_LEFT_BRACE:
    case LEX_LEFT_PAREN:
    case LEX_AGGREGATE:
    case LEX_BY:
    case LEX_OFFSET:
    case LEX_WITHOUT:
    case LEX_START:
    case LEX_FINISH:
        return true;
    case LEX_OPERATOR:
        return t->detail == OP_ADD || t->detail == OP_SUB || t->detail >= OP_AND;
    case LEX_ERROR:
    case LEX_END:
    case LEX_RIGHT_BRACE:
    case LEX_LEFT_BRACKET:
    case LEX_RIGHT_BRACKET:
    case LEX_RIGHT_PAREN:
    case LEX_COMMA:
    case LEX_COLON:
    case LEX_EQUAL:
    case LEX_EQUAL_REGEX:
    case LEX_NOT_EQUAL_REGEX:
    case LEX_AT:
    case LEX_BOOL:
    case LEX_GROUP_LEFT:
    case LEX_GROUP_RIGHT:
    case LEX_IGNORING:
    case LEX_ON:
        break;
    }
    return false;
}

/* --- Expressions --- */

static struct expr *parse_number(struct parser *p, const struct lex_token *t)
{
    struct expr *x = promql_parse_node(p, EXPR_NUMBER, PROMQL_SCALAR, t->start);

    if (!x || !promql_parse_number(p, t, &x->u.number))
        return NULL;
    x->duration = t->kind == LEX_DURATION;
    return x;
}

static struct expr *parse_string(struct parser *p, const struct lex_token *t)
{
    struct expr *x = promql_parse_node(p, EXPR_STRING, PROMQL_STRING, t->start);

    return x && promql_parse_string(p, t, &x->u.string) ? x : NULL;
}

static struct expr *parse_paren(struct parser *p, const struct lex_token *t)
{
    struct expr *inner = parse_expr(p, PRECEDENCE_OR), *x;

    if (!inner)
        return NULL;
    if (!promql_parse_accept(p, LEX_RIGHT_PAREN)) {
        promql_parse_unexpected(p, "", "");
        return NULL;
    }
    x = promql_parse_node(p, EXPR_PAREN, inner->type, t->start);
    if (!x || !promql_parse_raise(p, x, inner))
        return NULL;
    x->u.paren = inner;
    return x;
}

static struct expr *parse_primary(struct parser *p)
{
    struct lex_token t;
    enum lex_kind next;

    if (!promql_parse_can_begin(promql_parse_peek(p))) {
        promql_parse_unexpected(p, "", "");
        return NULL;
    }
    if (promql_parse_peek(p)->kind == LEX_LEFT_BRACE)
        return promql_parse_vector(p, NULL);
    t = promql_parse_take(p);
    if (t.kind == LEX_NUMBER || t.kind == LEX_DURATION)
        return parse_number(p, &t);
    if (t.kind == LEX_STRING)
        return parse_string(p, &t);
    if (t.kind == LEX_LEFT_PAREN)
        return parse_paren(p, &t);
    next = promql_parse_peek(p)->kind;
    if (t.kind == LEX_AGGREGATE &&
        (next == LEX_LEFT_PAREN || next == LEX_BY || next == LEX_WITHOUT))
        return promql_parse_aggregate(p, &t);
    if (t.kind == LEX_IDENTIFIER && next == LEX_LEFT_PAREN)
        return promql_parse_call(p, &t);
    return promql_parse_vector(p, &t);
}

/* A sign binds like a product: -a^2 is -(a^2), -a*b is (-a)*b. A sign of a number is its own. */
static struct expr *parse_unary(struct parser *p)
{
    struct lex_token t = *promql_parse_peek(p);
    bool negative = t.kind == LEX_OPERATOR && t.detail == OP_SUB;
    struct expr *inner, *x;

    if (!negative && (t.kind != LEX_OPERATOR || t.detail != OP_ADD)) {
        x = parse_primary(p);
        return x ? promql_parse_suffixes(p, x) : NULL;
    }
    promql_parse_take(p);
    inner = parse_expr(p, PRECEDENCE_POWER);
    if (!inner)
        return NULL;
    if (inner->kind == EXPR_NUMBER) {
        inner->u.number = negative ? -inner->u.number : inner->u.number;
        inner->start = t.start;
        return inner;
    }
    x = promql_parse_node(p, EXPR_UNARY, inner->type, t.start);
    if (!x || !promql_parse_raise(p, x, inner))
        return NULL;
    x->u.unary.x = inner;
    x->u.unary.negative = negative;
    return x;
}

static enum precedence precedence_of(const struct lex_token *t)
{
    if (t->kind != LEX_OPERATOR)
        return PRECEDENCE_NONE;
    switch ((enum expr_op)t->detail) {
    case OP_OR:
        return PRECEDENCE_OR;
    case OP_AND:
    case OP_UNLESS:
        return PRECEDENCE_AND;
    case OP_EQ:
    case OP_NE:
    case OP_GT:
    case OP_LT:
    case OP_GE:
    case OP_LE:
        return PRECEDENCE_COMPARE;
    case OP_ADD:
    case OP_SUB:
        return PRECEDENCE_ADD;
    case OP_MUL:
    case OP_DIV:
    case OP_MOD:
    case OP_ATAN2:
        return PRECEDENCE_MULTIPLY;
    case OP_POW:
        return PRECEDENCE_POWER;
    }
    return PRECEDENCE_NONE;
}

/* bool, on(...) or ignoring(...), group_left(...) or group_right(...). */
static bool parse_matching(struct parser *p, struct expr *x)
{
    enum lex_kind kind;

    x->u.binary.bool_modifier = promql_parse_accept(p, LEX_BOOL);
    kind = promql_parse_peek(p)->kind;
    if (kind != LEX_ON && kind != LEX_IGNORING)
        return true;
    promql_parse_take(p);
    x->u.binary.on = kind == LEX_ON;
    if (!promql_parse_labels(p, &x->u.binary.labels))
        return false;
    kind = promql_parse_peek(p)->kind;
    if (kind != LEX_GROUP_LEFT && kind != LEX_GROUP_RIGHT)
        return true;
    promql_parse_take(p);
    x->u.binary.card = kind == LEX_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    if (promql_parse_peek(p)->kind == LEX_LEFT_PAREN ||
        !promql_parse_can_begin(promql_parse_peek(p)))
        return promql_parse_labels(p, &x->u.binary.include);
    return true;
}

static struct expr *parse_binary(struct parser *p, struct expr *left, enum precedence own)
{
    struct lex_token op = promql_parse_take(p);
    struct expr *x = promql_parse_node(p, EXPR_BINARY, PROMQL_VECTOR, left->start), *right;

    if (!x || !parse_matching(p, x))
        return NULL;
    right = parse_expr(p, op.detail == OP_POW ? own : own + 1);
    if (!right || !promql_parse_raise(p, x, left) || !promql_parse_raise(p, x, right))
        return NULL;
    if (left->type == PROMQL_SCALAR && right->type == PROMQL_SCALAR)
        x->type = PROMQL_SCALAR;
    x->u.binary.op = (enum expr_op)op.detail;
    x->u.binary.op_at = op.start;
    x->u.binary.left = left;
    x->u.binary.right = right;
    x->end = p->end;
    return x;
}

/* Operands joined by operators that bind at least as `least` does. */
static struct expr *parse_expr(struct parser *p, enum precedence least)
{
    struct expr *x = NULL;

    if (p->depth >= LIMIT_QUERY_DEPTH) {
        fail_depth(p);
        return NULL;
    }
    p->depth++;
    x = parse_unary(p);
    while (x) {
        enum precedence own = precedence_of(promql_parse_peek(p));

        if (own == PRECEDENCE_NONE || own < least)
            break;
        x = parse_binary(p, x, own);
    }
    p->depth--;
    return x;
}

struct expr *promql_parse_expr(struct parser *p)
{
    return parse_expr(p, PRECEDENCE_OR);
}

/* --- Entries --- */

static enum err_code begin(struct parser *p, struct arena *a, struct str text,
                           const struct promql_options *options, struct err *e)
{
    memset(p, 0, sizeof(*p));
    p->arena = a;
    p->options = options;
    p->e = e;
    if (text.len > LIMIT_QUERY_BYTES)
        return err_set(e, ERR_LIMIT, "the query is longer than %d bytes", LIMIT_QUERY_BYTES);
    lex_init(&p->lex, text);
    return ERR_OK;
}

enum err_code promql_parse(struct arena *a, struct str text, const struct promql_options *options,
                           struct expr **out, struct err *e)
{
    struct parser p;
    struct expr *x = NULL;
    enum err_code rc = begin(&p, a, text, options, e);

    if (rc != ERR_OK)
        return rc;
    if (text.len == 0)
        return err_set(e, ERR_INVALID,
                       "unknown position: parse error: no expression found in input");
    if (promql_parse_peek(&p)->kind == LEX_END)
        promql_parse_fail(&p, 0, "no expression found in input");
    else
        x = parse_expr(&p, PRECEDENCE_OR);
    if (x && promql_parse_peek(&p)->kind != LEX_END)
        promql_parse_unexpected(&p, "", "");
    if (x && p.rc == ERR_OK)
        promql_parse_check(&p, x);
    if (p.rc == ERR_OK)
        *out = x;
    return p.rc;
}

static bool excludes_empty(const struct matcher *matchers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!matcher_match(&matchers[i], STR("")))
            return true;
    return false;
}

enum err_code promql_parse_selector(struct arena *a, struct str text, struct matcher **out,
                                    size_t *count, struct err *e)
{
    static const struct promql_options options;
    struct parser p;
    struct expr *x = NULL;
    struct lex_token t;
    enum err_code rc = begin(&p, a, text, &options, e);

    if (rc != ERR_OK)
        return rc;
    t = *promql_parse_peek(&p);
    if (t.kind == LEX_LEFT_BRACE) {
        x = promql_parse_vector(&p, NULL);
    } else if (promql_parse_can_begin(&t) && (t.kind != LEX_OPERATOR || t.detail >= OP_AND) &&
               t.kind != LEX_STRING && t.kind != LEX_NUMBER && t.kind != LEX_DURATION &&
               t.kind != LEX_LEFT_PAREN) {
        promql_parse_take(&p);
        x = promql_parse_vector(&p, &t);
    }
    if (!x || promql_parse_peek(&p)->kind != LEX_END)
        promql_parse_unexpected(&p, "", "");
    if (p.rc != ERR_OK || !x)
        return p.rc;
    if (!excludes_empty(x->u.selector.matchers, x->u.selector.matcher_count))
        return err_set(e, ERR_INVALID, "match[] must contain at least one non-empty matcher");
    *out = x->u.selector.matchers;
    *count = x->u.selector.matcher_count;
    return ERR_OK;
}
