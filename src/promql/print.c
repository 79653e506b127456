/* SPDX-License-Identifier: PostgreSQL */
/*
 * print.c: the canonical text of a tree, as Prometheus prints an expression.
 *
 * What is printed parses to the same tree.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse.h"

static void put_name(struct buf *out, struct str name)
{
    /* The few words that cannot name a label in a list. */
    bool word = str_eq_nocase(name, STR("without")) || str_eq_nocase(name, STR("inf")) ||
                str_eq_nocase(name, STR("nan"));

    if (promql_literal_plain_label(name) && !word)
        buf_add_str(out, name);
    else
        promql_literal_quote(out, name);
}

/* " by (a, b)" */
static void put_names(struct buf *out, const char *word, const struct expr_names *names)
{
    buf_printf(out, " %s (", word);
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0)
            buf_add_c(out, ", ");
        put_name(out, names->items[i]);
    }
    buf_add_char(out, ')');
}

static void put_when(struct buf *out, const struct expr_when *when)
{
    uint64_t at = when->at_ms < 0 ? 0 - (uint64_t)when->at_ms : (uint64_t)when->at_ms;

    if (when->at == AT_TIME)
        buf_printf(out, " @ %s%" PRIu64 ".%03u", when->at_ms < 0 ? "-" : "", at / 1000,
                   (unsigned)(at % 1000));
    else if (when->at != AT_NONE)
        buf_add_c(out, when->at == AT_START ? " @ start()" : " @ end()");
    if (when->offset_ms == 0)
        return;
    buf_add_c(out, when->offset_ms < 0 ? " offset -" : " offset ");
    promql_literal_put_duration(out, llabs(when->offset_ms));
}

/* --- Selectors --- */

static void put_matcher(struct buf *out, const struct matcher *m)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};

    put_name(out, m->name);
    buf_add_c(out, ops[m->kind]);
    promql_literal_quote(out, m->value);
}

/* The matcher that the name before the braces stands for. */
static bool is_name(const struct expr *x, const struct matcher *m)
{
    return m->kind == MATCHER_EQUAL && m->value.len > 0 && str_eq_c(m->name, "__name__") &&
           str_eq(m->value, x->u.selector.name);
}

static int compare_texts(const void *left, const void *right)
{
    return str_cmp(*(const struct str *)left, *(const struct str *)right);
}

/* Matchers are sorted by their text. */
static void put_matchers(struct buf *out, const struct expr *x)
{
    size_t count = x->u.selector.matcher_count, used = 0;
    struct buf *texts = alloc_array(count + 1, sizeof(*texts));
    struct str *views = alloc_array(count + 1, sizeof(*views));

    for (size_t i = 0; i < count; i++) {
        if (is_name(x, &x->u.selector.matchers[i]))
            continue;
        buf_init(&texts[used], LIMIT_QUERY_BYTES * 8);
        put_matcher(&texts[used], &x->u.selector.matchers[i]);
        views[used] = buf_view(&texts[used]);
        used++;
    }
    qsort(views, used, sizeof(*views), compare_texts);
    for (size_t i = 0; i < used; i++) {
        buf_add_c(out, i > 0 ? "," : "{");
        buf_add_str(out, views[i]);
    }
    if (used > 0 || x->u.selector.name.len == 0)
        buf_add_c(out, used > 0 ? "}" : "{}");
    for (size_t i = 0; i < used; i++)
        buf_fini(&texts[i]);
    alloc_free(views);
    alloc_free(texts);
}

static void put_selector(struct buf *out, const struct expr *x)
{
    buf_add_str(out, x->u.selector.name);
    put_matchers(out, x);
    if (x->u.selector.range_ms > 0) {
        buf_add_char(out, '[');
        promql_literal_put_duration(out, x->u.selector.range_ms);
        buf_add_char(out, ']');
    }
    put_when(out, &x->u.selector.when);
}

static void put_subquery(struct buf *out, const struct expr *x)
{
    promql_print(x->u.subquery.x, out);
    buf_add_char(out, '[');
    promql_literal_put_duration(out, x->u.subquery.range_ms);
    buf_add_char(out, ':');
    if (x->u.subquery.step_ms > 0)
        promql_literal_put_duration(out, x->u.subquery.step_ms);
    buf_add_char(out, ']');
    put_when(out, &x->u.subquery.when);
}

/* --- Everything else --- */

static void put_number(struct buf *out, const struct expr *x)
{
    if (!x->duration) {
        promql_literal_put_number(out, x->u.number);
        return;
    }
    if (x->u.number < 0)
        buf_add_char(out, '-');
    promql_literal_put_duration(out, llround(fabs(x->u.number) * 1000));
}

static void put_binary(struct buf *out, const struct expr *x)
{
    const struct expr *left = x->u.binary.left;
    enum expr_card card = x->u.binary.card;
    bool group = card == CARD_MANY_TO_ONE || card == CARD_ONE_TO_MANY;

    /* +Inf ^ 2 would be the sign of a power. */
    if (left->kind == EXPR_NUMBER && x->u.binary.op == OP_POW && isinf(left->u.number))
        buf_add_c(out, "Inf");
    else
        promql_print(left, out);
    buf_printf(out, " %s%s", expr_op_text(x->u.binary.op),
               x->u.binary.bool_modifier ? " bool" : "");
    if (x->u.binary.on || group || x->u.binary.labels.count > 0)
        put_names(out, x->u.binary.on ? "on" : "ignoring", &x->u.binary.labels);
    if (group)
        put_names(out, card == CARD_MANY_TO_ONE ? "group_left" : "group_right",
                  &x->u.binary.include);
    buf_add_char(out, ' ');
    promql_print(x->u.binary.right, out);
}

static void put_aggregate(struct buf *out, const struct expr *x)
{
    buf_add_c(out, expr_aggregate_text(x->u.aggregate.op));
    if (x->u.aggregate.without || x->u.aggregate.by.count > 0) {
        put_names(out, x->u.aggregate.without ? "without" : "by", &x->u.aggregate.by);
        buf_add_char(out, ' ');
    }
    buf_add_char(out, '(');
    if (x->u.aggregate.param) {
        promql_print(x->u.aggregate.param, out);
        buf_add_c(out, ", ");
    }
    promql_print(x->u.aggregate.x, out);
    buf_add_char(out, ')');
}

static void put_call(struct buf *out, const struct expr *x)
{
    buf_printf(out, "%s(", x->u.call.func->name);
    for (size_t i = 0; i < x->u.call.count; i++) {
        if (i > 0)
            buf_add_c(out, ", ");
        promql_print(x->u.call.args[i], out);
    }
    buf_add_char(out, ')');
}

void promql_print(const struct expr *x, struct buf *out)
{
    switch (x->kind) {
    case EXPR_NUMBER:
        put_number(out, x);
        break;
    case EXPR_STRING:
        promql_literal_quote(out, x->u.string);
        break;
    case EXPR_PAREN:
        buf_add_char(out, '(');
        promql_print(x->u.paren, out);
        buf_add_char(out, ')');
        break;
    case EXPR_UNARY:
        buf_add_char(out, x->u.unary.negative ? '-' : '+');
        promql_print(x->u.unary.x, out);
        break;
    case EXPR_BINARY:
        put_binary(out, x);
        break;
    case EXPR_AGGREGATE:
        put_aggregate(out, x);
        break;
    case EXPR_CALL:
        put_call(out, x);
        break;
    case EXPR_SELECTOR:
        put_selector(out, x);
        break;
    case EXPR_SUBQUERY:
        put_subquery(out, x);
        break;
    }
}
