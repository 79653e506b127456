/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalogue.h: the files catalogue/<relation>.toml: relations, clocks, predicates and SQL texts.
 *
 * A file describes one relation. Without `probe` it is a probe by itself: each row of its query
 * is a row of the relation, columns matched by name. With `probe = "x"` it belongs to the C probe
 * x, which looks up SQL texts by name. A file without keys and columns holds only SQL texts.
 *
 * Format: name, help, scope ("cluster", "host", "database"), clock, timeout, privilege, source,
 * shape ("object", "fact"), sparse, only ("primary", "standby"), extension, min_version, max_rows,
 * empty (why, when the query yields no row); [[key]] name, help; [[column]] name, kind, type, unit,
 * help, resolution; [[query]] name, min_version, max_version (major versions of the server, both
 * inclusive), min_extension, max_extension, sql.
 * Scope "database" is read in every database the agent may connect to, each reading in a slice
 * whose scope is that database. With max_rows the text takes one parameter, which is its LIMIT: one
 * row more than is kept, so that a reading that was cut says so and counts as not complete.
 *
 * Owner:   everything lives in the arena given to catalogue_load; immutable afterwards
 * Threads: any, once loaded
 */
#ifndef PROBE_CATALOGUE_H
#define PROBE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/relation.h"

enum catalogue_scope { CATALOGUE_CLUSTER, CATALOGUE_HOST, CATALOGUE_DATABASE };
enum catalogue_only { CATALOGUE_ANYWHERE, CATALOGUE_PRIMARY, CATALOGUE_STANDBY };

struct catalogue_query {
    const char *name;                          /* "read" when not given */
    int min_major, max_major;                  /* 0 = unbounded */
    const char *min_extension, *max_extension; /* "1.8"; NULL = unbounded */
    const char *sql;
};

struct catalogue_file {
    struct relation relation;
    const char *name;
    enum catalogue_scope scope;
    enum catalogue_only only;
    int64_t clock_ms, timeout_ms;
    const char *privilege; /* "pg_read_all_stats" keeps a probe by itself from other roles */
    const char *source;
    const char *probe;     /* of which C probe; NULL = a probe by itself */
    const char *extension; /* must be installed; NULL = none */
    const char *empty;     /* what it means that there are no rows; NULL = nothing special */
    int min_major;         /* 0 = any */
    int64_t max_rows;      /* of one reading; 0 = as many as a slice holds */
    const struct catalogue_query *queries;
    size_t query_count;
};

struct catalogue {
    const struct catalogue_file *files; /* sorted by name */
    size_t count;
};

/* Parse one file. origin: its name, for messages. */
enum err_code catalogue_parse(struct arena *a, struct str text, const char *origin,
                              struct catalogue_file *out, struct err *e) ERR_MUST_CHECK;
/* All embedded files. */
enum err_code catalogue_load(struct arena *a, struct catalogue *out, struct err *e) ERR_MUST_CHECK;
const struct catalogue_file *catalogue_find(const struct catalogue *c,
                                            const char *name); /* NULL = absent */
/* The text that fits; NULL = none. extension: installed version, "" = none. */
const struct catalogue_query *catalogue_pick(const struct catalogue_file *f, const char *name,
                                             int version_num, const char *extension);
/* "1.9" < "1.10": negative, zero, positive as strcmp. */
int catalogue_compare_versions(const char *a, const char *b);

#endif
