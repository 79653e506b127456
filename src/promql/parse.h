/* SPDX-License-Identifier: PostgreSQL */
/*
 * parse.h: the text of a query to its tree, types checked.
 *
 * The tree is of Prometheus 3.5: UTF-8 names ({"a.b", "l.x"="v"}), left-open ranges, offset and @
 * anywhere a selector or a subquery is. Everything lives in the arena. Depth and length are bounded
 * (LIMIT_QUERY_BYTES, LIMIT_QUERY_DEPTH): no query overflows the stack.
 * Errors: ERR_INVALID with "1:5: parse error: ..." (line and column counted from 1, as Prometheus
 *         words it); ERR_LIMIT.
 */
#ifndef PROMQL_PARSE_H
#define PROMQL_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/series.h"
#include "promql/func.h"

enum expr_kind {
    EXPR_NUMBER,
    EXPR_STRING,
    EXPR_PAREN,
    EXPR_UNARY, /* -x; +x is kept too */
    EXPR_BINARY,
    EXPR_AGGREGATE,
    EXPR_CALL,
    EXPR_SELECTOR, /* instant vector selector; with range_ms > 0 a range vector selector */
    EXPR_SUBQUERY,
};

enum expr_op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NE,
    OP_GT,
    OP_LT,
    OP_GE,
    OP_LE, /* comparisons */
    OP_AND,
    OP_OR,
    OP_UNLESS, /* sets */
};

enum expr_aggregate {
    AGG_SUM,
    AGG_AVG,
    AGG_COUNT,
    AGG_MIN,
    AGG_MAX,
    AGG_GROUP,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_TOPK,
    AGG_BOTTOMK,
    AGG_COUNT_VALUES,
    AGG_QUANTILE,
    AGG_LIMITK,
    AGG_LIMIT_RATIO,
};

enum expr_card {
    CARD_ONE_TO_ONE,
    CARD_MANY_TO_ONE /* group_left */,
    CARD_ONE_TO_MANY,
    CARD_MANY_TO_MANY /* sets */
};

enum expr_at { AT_NONE, AT_TIME, AT_START, AT_END };

/* offset and @ of a selector or a subquery */
struct expr_when {
    int64_t offset_ms; /* t is evaluated at t - offset */
    enum expr_at at;
    int64_t at_ms; /* AT_TIME */
};

struct expr_names {
    size_t count;
    struct str *items;
};

struct expr {
    enum expr_kind kind;
    enum promql_type type;
    uint16_t height;     /* 1 = a leaf; at most LIMIT_QUERY_DEPTH */
    bool duration;       /* of a number: written as "5m", and printed so */
    uint32_t start, end; /* bytes of the text: start <= i < end */
    union {
        double number;
        struct str string;
        struct expr *paren;
        struct {
            struct expr *x;
            bool negative;
        } unary;
        struct {
            enum expr_op op;
            uint32_t op_at; /* byte of the operator */
            struct expr *left, *right;
            bool bool_modifier;
            enum expr_card card;
            bool on;                   /* labels is on(...); else ignoring(...) */
            struct expr_names labels;  /* of on or ignoring */
            struct expr_names include; /* of group_left or group_right */
        } binary;
        struct {
            enum expr_aggregate op;
            struct expr *x;
            struct expr *param; /* topk's k ...; NULL */
            bool without;
            struct expr_names by; /* or without */
        } aggregate;
        struct {
            const struct promql_func *func;
            size_t count;
            struct expr **args;
        } call;
        struct {
            struct str name; /* metric name as written before the braces; empty */
            size_t matcher_count;
            struct matcher *matchers; /* with the one of __name__; regexes compiled */
            int64_t range_ms;         /* 0 = instant */
            struct expr_when when;
        } selector;
        struct {
            struct expr *x;
            int64_t range_ms;
            int64_t step_ms; /* 0 = the default */
            struct expr_when when;
        } subquery;
    } u;
};

struct promql_options {
    bool experimental; /* experimental functions and aggregations */
};

enum err_code promql_parse(struct arena *a, struct str text, const struct promql_options *options,
                           struct expr **out, struct err *e) ERR_MUST_CHECK;
/* A selector alone ("match[]" of the API): its matchers, one of which excludes the empty text. */
enum err_code promql_parse_selector(struct arena *a, struct str text, struct matcher **out,
                                    size_t *count, struct err *e) ERR_MUST_CHECK;
/* The canonical text, as Prometheus prints an expression; parses to the same tree. */
void promql_print(const struct expr *x, struct buf *out);
/* "1m30s", "90d", "0": false = not a duration, or over 292 years. A bare number is none. */
bool promql_parse_duration(struct str s, int64_t *ms);

const char *expr_op_text(enum expr_op op);               /* "+" "atan2" "unless" */
const char *expr_aggregate_text(enum expr_aggregate op); /* "count_values" */

#endif
