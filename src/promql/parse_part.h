/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse_part.h: what the files of the parser share.
 *
 * The first error ends the parse: a rule that fails returns NULL (or false), the error is in the
 * parser. Tokens are read when they are asked for, not before: an error of the lexer comes after
 * one that can be told without the next token, as in Prometheus.
 */
#ifndef PROMQL_PARSE_PART_H
#define PROMQL_PARSE_PART_H

#include "promql/lex.h"
#include "promql/parse.h"

struct parser {
    struct arena *arena;
    const struct promql_options *options;
    struct lex lex;
    struct lex_token token; /* the next one, if `have` */
    bool have;
    uint32_t end;   /* byte behind the last token taken */
    int depth;      /* of rules that call each other */
    int aggregates; /* that are being read: errors inside say so */
    enum err_code rc;
    struct err *e;
};

/* "line:column: parse error: ..." at this byte; only the first one counts. */
void promql_parse_fail(struct parser *p, uint32_t at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "unexpected <next token> in <context>, expected <what>"; both may be "". */
void promql_parse_unexpected(struct parser *p, const char *context, const char *expected);
/* A limit or the arena. */
void promql_parse_limit(struct parser *p, enum err_code rc);

/* --- Tokens --- */
/* The next token, which stays; LEX_ERROR when the lexer failed (reported). */
const struct lex_token *promql_parse_peek(struct parser *p);
struct lex_token promql_parse_take(struct parser *p);
bool promql_parse_accept(struct parser *p, enum lex_kind kind); /* takes it when it is that */

/* --- Nodes --- */
struct expr *promql_parse_node(struct parser *p, enum expr_kind kind, enum promql_type type,
                               uint32_t start);
/* Counts the height of `x` over its child; fails over the limit. */
bool promql_parse_raise(struct parser *p, struct expr *x, const struct expr *child);
/* Room for one more in an array that has `count`; grown by doubling. NULL: failed. */
void *promql_parse_grow(struct parser *p, void *items, size_t count, size_t size);

/* --- parse.c --- */
/* Whether an expression can begin with this token. */
bool promql_parse_can_begin(const struct lex_token *t);
struct expr *promql_parse_expr(struct parser *p);

/* --- parse_call.c --- */
/* (a, "b.c"): of by, without, on, ignoring, group_left, group_right. */
bool promql_parse_labels(struct parser *p, struct expr_names *names);
/* The name was taken; a parenthesis, or by or without of an aggregation, is next. */
struct expr *promql_parse_call(struct parser *p, const struct lex_token *name);
struct expr *promql_parse_aggregate(struct parser *p, const struct lex_token *name);

/* --- parse_selector.c --- */
/* A metric name (NULL: none) was taken; braces may follow. */
struct expr *promql_parse_vector(struct parser *p, const struct lex_token *name);
/* Ranges, subqueries, offsets and @ behind `x`. */
struct expr *promql_parse_suffixes(struct parser *p, struct expr *x);
/* The string token without its quotes. */
bool promql_parse_string(struct parser *p, const struct lex_token *token, struct str *out);
/* The value of a number or duration token. */
bool promql_parse_number(struct parser *p, const struct lex_token *token, double *out);

/* --- parse_check.c --- */
void promql_parse_check(struct parser *p, struct expr *x);

#endif
