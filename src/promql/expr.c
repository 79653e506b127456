/* SPDX-License-Identifier: PostgreSQL */
/* expr.c: the words of operators and aggregations. */
#include "promql/parse.h"

static const char *const op_texts[] = {
    [OP_ADD] = "+", [OP_SUB] = "-",   [OP_MUL] = "*",       [OP_DIV] = "/",
    [OP_MOD] = "%", [OP_POW] = "^",   [OP_ATAN2] = "atan2", [OP_EQ] = "==",
    [OP_NE] = "!=", [OP_GT] = ">",    [OP_LT] = "<",        [OP_GE] = ">=",
    [OP_LE] = "<=", [OP_AND] = "and", [OP_OR] = "or",       [OP_UNLESS] = "unless",
};

static const char *const aggregate_texts[] = {
    [AGG_SUM] = "sum",
    [AGG_AVG] = "avg",
    [AGG_COUNT] = "count",
    [AGG_MIN] = "min",
    [AGG_MAX] = "max",
    [AGG_GROUP] = "group",
    [AGG_STDDEV] = "stddev",
    [AGG_STDVAR] = "stdvar",
    [AGG_TOPK] = "topk",
    [AGG_BOTTOMK] = "bottomk",
    [AGG_COUNT_VALUES] = "count_values",
    [AGG_QUANTILE] = "quantile",
    [AGG_LIMITK] = "limitk",
    [AGG_LIMIT_RATIO] = "limit_ratio",
};

const char *expr_op_text(enum expr_op op)
{
    return op_texts[op];
}

const char *expr_aggregate_text(enum expr_aggregate op)
{
    return aggregate_texts[op];
}
