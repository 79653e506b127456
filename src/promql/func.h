/* SPDX-License-Identifier: PostgreSQL */
/*
 * func.h: the functions of PromQL: names and signatures (func.c), for the parser's type check.
 *
 * What each does is in eval_call.c and its neighbours, by id.
 */
#ifndef PROMQL_FUNC_H
#define PROMQL_FUNC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum promql_type {
    PROMQL_NONE,
    PROMQL_SCALAR,
    PROMQL_VECTOR, /* instant vector */
    PROMQL_MATRIX, /* range vector */
    PROMQL_STRING,
};

#define FUNCTION(name) PROMQL_FUNC_##name,
enum promql_func_id {
#include "promql/functions.list"
    PROMQL_FUNC_COUNT
};
#undef FUNCTION

#define PROMQL_FUNC_ARGS 5

struct promql_func {
    const char *name;
    enum promql_func_id id;
    enum promql_type args[PROMQL_FUNC_ARGS]; /* PROMQL_NONE after the last */
    /* -1: the last argument any number of times, at least none; 0: all needed; n > 0: the last n
     * may be left out */
    int variadic;
    enum promql_type type;
    bool experimental; /* only with promql_options.experimental */
};

/* NULL = no such function. */
const struct promql_func *promql_func_find(struct str name);
const struct promql_func *promql_func_at(enum promql_func_id id);
/* "scalar", "instant vector", "range vector", "string", "none": as error texts name them. */
const char *promql_type_text(enum promql_type type);

#endif
