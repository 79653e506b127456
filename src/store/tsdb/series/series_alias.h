/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_alias.h: names and labels of postgres_exporter for what we read ourselves. Private to
 * store/tsdb.
 *
 * series_alias_table.c has one line a name. An alias answers when a query asks for its name by `=`;
 * its series have our labels and those that the exporter has, so that queries by either work. A
 * regular expression never finds it: a sum would count twice.
 */
#ifndef STORE_TSDB_SERIES_SERIES_ALIAS_H
#define STORE_TSDB_SERIES_SERIES_ALIAS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define SERIES_ALIAS_TEXT   "@value"
#define SERIES_ALIAS_SERVER "server" /* what the exporter calls `instance` */

struct series_alias {
    const char *name;     /* of the exporter */
    const char *relation; /* ours */
    const char *column;   /* with `_total` of a delta column: its total */
    double scale;         /* ours x scale = the exporter's */
    /* "user=usename database=datname": labels of the exporter and the keys that they are; @value is
     * the text of a text column, a value in quotes is fixed; NULL = none */
    const char *labels;
    const char *filter; /* "key=value": only rows with this key; NULL = all */
};

extern const struct series_alias series_alias_table[]; /* sorted by name */
extern const size_t series_alias_count;

/* The alias of a name; NULL = none. */
const struct series_alias *series_alias_find(struct str name);
/* The next `label=key` of labels; *fixed: the key is a value. False at the end. */
bool series_alias_next(struct str *rest, struct str *label, struct str *key, bool *fixed);

#endif
