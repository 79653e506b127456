/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml.h: reading TOML 1.0 into a tree that remembers where each value stood.
 *
 * Errors name line and column. The tree lives in the caller's arena. Bounds that TOML itself does
 * not have: the size of the text, members of one table, depth (base/limits.h).
 */
#ifndef CONF_TOML_H
#define CONF_TOML_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum toml_type {
    TOML_TABLE,
    TOML_ARRAY,
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOLEAN,
    TOML_DATETIME,       /* with an offset from UTC: an instant */
    TOML_LOCAL_DATETIME, /* of a calendar and a clock somewhere */
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
};

/* As written: nothing is moved to UTC. Members that the type does not have are 0. */
struct toml_time {
    int year, month, day;
    int hour, minute, second; /* second 60 = a leap second */
    int nanosecond;
    int offset_minutes; /* east of UTC is positive */
};

struct toml {
    struct str key; /* empty in arrays and for the root */
    enum toml_type type;
    struct toml *next;  /* sibling, in the order of the file */
    struct toml *first; /* of a table or array */
    struct str string;
    int64_t integer;
    double number;
    int boolean;
    struct toml_time time;
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

#define TOML_TIME_TEXT 64
/* A date or time as RFC 3339 writes it, into `out` (TOML_TIME_TEXT bytes). */
void toml_time_format(const struct toml *node, char *out);

#endif
