/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse_selector.c: selectors, and what stands behind an expression: ranges, offsets, @.
 *
 * Durations that are calculated (an experiment of Prometheus) are refused by name.
 */
#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse_part.h"

#define SECONDS_MAX (9223372036854775808.0 / 1e9) /* as Prometheus: 64 bits of nanoseconds */

/* --- Literals --- */

bool promql_parse_string(struct parser *p, const struct lex_token *token, struct str *out)
{
    if (promql_literal_string(p->arena, token->text, out))
        return true;
    promql_parse_limit(p, arena_fail(p->arena, p->e));
    return false;
}

/* What the lexer lets through: a unit that is none ("5hs"), units in a wrong order, too much. */
static void fail_duration(struct parser *p, const struct lex_token *t)
{
    size_t from = 0, to = 0;

    while (to < t->text.len) {
        struct str unit;

        for (from = to; from < t->text.len && t->text.ptr[from] < 'a'; from++)
            continue;
        for (to = from; to < t->text.len && t->text.ptr[to] >= 'a'; to++)
            continue;
        unit = str_make(t->text.ptr + from, to - from);
        if (unit.len > 1 && !str_eq_c(unit, "ms")) {
            promql_parse_fail(p, t->start, "unknown unit \"%.*s\" in duration \"%.*s\"",
                              STR_ARG(unit), STR_ARG(t->text));
            return;
        }
    }
    promql_parse_fail(p, t->start, "not a valid duration string: \"%.*s\"", STR_ARG(t->text));
}

bool promql_parse_number(struct parser *p, const struct lex_token *token, double *out)
{
    enum promql_duration state;
    int64_t ms;

    if (token->kind == LEX_NUMBER) {
        if (promql_literal_number(token->text, out))
            return true;
        promql_parse_fail(p, token->start, "error parsing number: \"%.*s\"", STR_ARG(token->text));
        return false;
    }
    state = promql_literal_duration(token->text, &ms);
    if (state == DURATION_GOOD)
        *out = (double)ms / 1000;
    else if (state == DURATION_RANGE)
        promql_parse_fail(p, token->start, "duration out of range");
    else
        fail_duration(p, token);
    return state == DURATION_GOOD;
}

static bool is_sign(const struct lex_token *t)
{
    return t->kind == LEX_OPERATOR && (t->detail == OP_ADD || t->detail == OP_SUB);
}

/* Nothing but the start of a calculation is looked at: it is refused anyway. */
static bool refuse_calculation(struct parser *p, uint32_t at)
{
    promql_parse_fail(p, at, "experimental duration expression is not enabled");
    return false;
}

/* A number of seconds or a duration, maybe with signs; *start is its first byte. */
static bool take_seconds(struct parser *p, const char *context, const char *expected,
                         uint32_t *start, double *seconds)
{
    struct lex_token t = *promql_parse_peek(p);
    bool negative = false;

    *start = t.start;
    for (; is_sign(&t); t = *promql_parse_peek(p)) {
        negative = negative != (t.detail == OP_SUB);
        promql_parse_take(p);
    }
    if (t.kind == LEX_LEFT_PAREN) {
        while (promql_parse_accept(p, LEX_LEFT_PAREN))
            continue;
        return refuse_calculation(p, promql_parse_peek(p)->start);
    }
    if (t.kind != LEX_NUMBER && t.kind != LEX_DURATION) {
        promql_parse_unexpected(p, context, expected);
        return false;
    }
    promql_parse_take(p);
    if (!promql_parse_number(p, &t, seconds))
        return false;
    if (!(fabs(*seconds) <= SECONDS_MAX)) {
        promql_parse_fail(p, *start, "duration out of range");
        return false;
    }
    *seconds = negative ? -*seconds : *seconds;
    return true;
}

/* Of a range or a step: more than nothing. */
static bool take_positive(struct parser *p, const char *expected, int64_t *ms)
{
    static const char context[] = "subquery or range selector";
    const struct lex_token *next;
    double seconds;
    uint32_t start;

    if (!take_seconds(p, context, expected, &start, &seconds))
        return false;
    next = promql_parse_peek(p);
    if (next->kind == LEX_OPERATOR && next->detail <= OP_POW)
        return refuse_calculation(p, start);
    *ms = llround(seconds * 1000);
    if (*ms <= 0)
        promql_parse_fail(p, start, "duration must be greater than 0");
    return *ms > 0;
}

/* --- Braces --- */

static bool matcher_regex(struct parser *p, struct matcher *m, uint32_t at)
{
    struct err e;
    enum err_code rc = regex_compile(p->arena, m->value, &m->regex, &e);

    if (rc == ERR_INVALID)
        promql_parse_fail(p, at, "%s", e.text);
    else if (rc != ERR_OK)
        promql_parse_limit(p, err_set(p->e, rc, "%s", e.text));
    return rc == ERR_OK;
}

static bool take_match_op(struct parser *p, enum matcher_kind *kind)
{
    const struct lex_token *t = promql_parse_peek(p);

    if (t->kind == LEX_EQUAL)
        *kind = MATCHER_EQUAL;
    else if (t->kind == LEX_OPERATOR && t->detail == OP_NE)
        *kind = MATCHER_NOT_EQUAL;
    else if (t->kind == LEX_EQUAL_REGEX)
        *kind = MATCHER_REGEX;
    else if (t->kind == LEX_NOT_EQUAL_REGEX)
        *kind = MATCHER_NOT_REGEX;
    else
        return false;
    promql_parse_take(p);
    return true;
}

/* name op "value", or "metric" alone. */
static bool take_matcher(struct parser *p, struct matcher *m)
{
    struct lex_token name = *promql_parse_peek(p), value;

    memset(m, 0, sizeof(*m));
    if (name.kind != LEX_IDENTIFIER && name.kind != LEX_STRING) {
        promql_parse_unexpected(p, "label matching", "identifier or \"}\"");
        return false;
    }
    promql_parse_take(p);
    m->name = name.text;
    if (name.kind == LEX_STRING && !promql_parse_string(p, &name, &m->name))
        return false;
    if (!take_match_op(p, &m->kind)) {
        if (name.kind == LEX_IDENTIFIER) {
            promql_parse_unexpected(p, "label matching", "label matching operator");
            return false;
        }
        m->value = m->name;
        m->name = STR("__name__");
        return true;
    }
    value = *promql_parse_peek(p);
    if (value.kind != LEX_STRING) {
        promql_parse_unexpected(p, "label matching", "string");
        return false;
    }
    promql_parse_take(p);
    if (!promql_parse_string(p, &value, &m->value))
        return false;
    return m->kind < MATCHER_REGEX || matcher_regex(p, m, name.start);
}

static bool add_matcher(struct parser *p, struct expr *x, const struct matcher *m)
{
    struct matcher *items = promql_parse_grow(p, x->u.selector.matchers,
                                              x->u.selector.matcher_count, sizeof(*m));

    if (!items)
        return false;
    items[x->u.selector.matcher_count++] = *m;
    x->u.selector.matchers = items;
    return true;
}

static bool parse_matchers(struct parser *p, struct expr *x)
{
    while (!promql_parse_accept(p, LEX_RIGHT_BRACE)) {
        struct matcher m;

        if (!take_matcher(p, &m) || !add_matcher(p, x, &m))
            return false;
        if (!promql_parse_accept(p, LEX_COMMA) && promql_parse_peek(p)->kind != LEX_RIGHT_BRACE) {
            promql_parse_unexpected(p, "label matching", "\",\" or \"}\"");
            return false;
        }
    }
    return true;
}

struct expr *promql_parse_vector(struct parser *p, const struct lex_token *name)
{
    uint32_t start = name ? name->start : promql_parse_peek(p)->start;
    struct expr *x = promql_parse_node(p, EXPR_SELECTOR, PROMQL_VECTOR, start);

    if (!x || (promql_parse_accept(p, LEX_LEFT_BRACE) && !parse_matchers(p, x)) || p->rc != ERR_OK)
        return NULL;
    if (name) {
        struct matcher m = {MATCHER_EQUAL, STR("__name__"), name->text, NULL};

        x->u.selector.name = name->text;
        if (!add_matcher(p, x, &m))
            return NULL;
    }
    x->end = p->end;
    return x;
}

/* --- Behind an expression --- */

static struct expr *parse_subquery(struct parser *p, struct expr *inner, int64_t range_ms)
{
    struct expr *x = promql_parse_node(p, EXPR_SUBQUERY, PROMQL_MATRIX, inner->start);

    if (!x || !promql_parse_raise(p, x, inner))
        return NULL;
    x->u.subquery.x = inner;
    x->u.subquery.range_ms = range_ms;
    if (!promql_parse_accept(p, LEX_RIGHT_BRACKET)) {
        if (!take_positive(p, "number or duration or \"]\"", &x->u.subquery.step_ms))
            return NULL;
        if (!promql_parse_accept(p, LEX_RIGHT_BRACKET)) {
            promql_parse_unexpected(p, "subquery selector", "\"]\"");
            return NULL;
        }
    }
    x->end = p->end;
    return x;
}

static struct expr *parse_range(struct parser *p, struct expr *x)
{
    struct lex_token bracket = promql_parse_take(p);
    const char *wrong = NULL;
    int64_t ms;

    if (!take_positive(p, "number or duration", &ms))
        return NULL;
    if (promql_parse_accept(p, LEX_COLON))
        return parse_subquery(p, x, ms);
    if (!promql_parse_accept(p, LEX_RIGHT_BRACKET)) {
        promql_parse_unexpected(p, "subquery or range", "\":\" or \"]\"");
        return NULL;
    }
    if (x->kind != EXPR_SELECTOR || x->u.selector.range_ms)
        wrong = "ranges only allowed for vector selectors";
    else if (x->u.selector.when.offset_ms != 0)
        wrong = "no offset modifiers allowed before range";
    else if (x->u.selector.when.at == AT_TIME)
        wrong = "no @ modifiers allowed before range";
    if (wrong) {
        promql_parse_fail(p, bracket.start, "%s", wrong);
        return NULL;
    }
    x->u.selector.range_ms = ms;
    x->type = PROMQL_MATRIX;
    x->end = p->end;
    return x;
}

static struct expr_when *when_of(struct parser *p, struct expr *x, const char *what)
{
    if (x->kind == EXPR_SELECTOR)
        return &x->u.selector.when;
    if (x->kind == EXPR_SUBQUERY)
        return &x->u.subquery.when;
    promql_parse_fail(p, x->start,
                      "%s modifier must be preceded by an instant vector selector or range vector "
                      "selector or a subquery",
                      what);
    return NULL;
}

static bool parse_offset(struct parser *p, struct expr *x)
{
    struct expr_when *when;
    double seconds;
    uint32_t start;

    promql_parse_take(p);
    if (!take_seconds(p, "offset", "number or duration", &start, &seconds))
        return false;
    when = when_of(p, x, "offset");
    if (!when)
        return false;
    if (when->offset_ms != 0)
        promql_parse_fail(p, x->start, "offset may not be set multiple times");
    when->offset_ms = llround(seconds * 1000);
    x->end = p->end;
    return p->rc == ERR_OK;
}

/* start() or end() */
static bool take_bound(struct parser *p, enum expr_at *at)
{
    *at = promql_parse_take(p).kind == LEX_START ? AT_START : AT_END;
    if (promql_parse_accept(p, LEX_LEFT_PAREN) && promql_parse_accept(p, LEX_RIGHT_PAREN))
        return true;
    promql_parse_unexpected(p, "@", "timestamp");
    return false;
}

static bool take_timestamp(struct parser *p, const struct expr *x, int64_t *ms)
{
    struct lex_token t = *promql_parse_peek(p);
    bool negative = t.kind == LEX_OPERATOR && t.detail == OP_SUB;
    double seconds;

    if (is_sign(&t)) {
        promql_parse_take(p);
        t = *promql_parse_peek(p);
    }
    if (t.kind != LEX_NUMBER && t.kind != LEX_DURATION) {
        promql_parse_unexpected(p, "@", "timestamp");
        return false;
    }
    promql_parse_take(p);
    if (!promql_parse_number(p, &t, &seconds))
        return false;
    seconds = negative ? -seconds : seconds;
    if (fabs(seconds) < 9223372036854775.0) {
        *ms = llround(seconds * 1000);
        return true;
    }
    if (isfinite(seconds))
        promql_parse_fail(p, x->start, "timestamp out of bounds for @ modifier: %f", seconds);
    else
        promql_parse_fail(p, x->start, "timestamp out of bounds for @ modifier: %s",
                          isnan(seconds) ? "NaN"
                          : seconds > 0  ? "+Inf"
                                         : "-Inf");
    return false;
}

static bool parse_at(struct parser *p, struct expr *x)
{
    struct expr_when *when;
    enum expr_at at = AT_TIME;
    int64_t ms = 0;
    enum lex_kind kind;

    promql_parse_take(p);
    kind = promql_parse_peek(p)->kind;
    if (kind == LEX_START || kind == LEX_FINISH ? !take_bound(p, &at) : !take_timestamp(p, x, &ms))
        return false;
    when = when_of(p, x, "@");
    if (!when)
        return false;
    if (when->at != AT_NONE)
        promql_parse_fail(p, x->start, "@ <timestamp> may not be set multiple times");
    when->at = at;
    when->at_ms = ms;
    x->end = p->end;
    return p->rc == ERR_OK;
}

struct expr *promql_parse_suffixes(struct parser *p, struct expr *x)
{
    while (x) {
        enum lex_kind kind = promql_parse_peek(p)->kind;

        if (kind == LEX_LEFT_BRACKET)
            x = parse_range(p, x);
        else if (kind == LEX_OFFSET)
            x = parse_offset(p, x) ? x : NULL;
        else if (kind == LEX_AT)
            x = parse_at(p, x) ? x : NULL;
        else
            break;
    }
    return p->rc == ERR_OK ? x : NULL;
}
