/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml.h: reading TOML 1.0 into a tree that remembers where each value stood.
 *
 * Errors name line and column. The tree lives in the caller's arena. Today: tables, arrays of
 * tables, dotted keys, basic, literal and multi-line strings, integers, floats, booleans, arrays,
 * inline tables; dates and times are refused by name until they are read exactly.
 */
#ifndef CONF_TOML_H
#define CONF_TOML_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum toml_type { TOML_TABLE, TOML_ARRAY, TOML_STRING, TOML_INTEGER, TOML_FLOAT, TOML_BOOLEAN };

struct toml {
    struct str key; /* empty in arrays and for the root */
    enum toml_type type;
    struct toml *next;  /* sibling, in the order of the file */
    struct toml *first; /* of a table or array */
    struct str string;
    int64_t integer;
    double number;
    int boolean;
    unsigned line, column; /* column in characters; both from 1 */
    unsigned state;        /* private */
    unsigned count;        /* members of a table or array */
    struct toml *last;     /* private */
};

/* ERR_INVALID "line 3, column 7: ...". */
enum err_code toml_parse(struct arena *a, struct str text, const struct toml **root,
                         struct err *e) ERR_MUST_CHECK;
/* Member by name; NULL when absent or when `table` is NULL or no table. */
const struct toml *toml_get(const struct toml *table, const char *key);

#endif
