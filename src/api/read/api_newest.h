/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_newest.h: the newest rows of relations, as they were read.
 *
 * Of each group (target, relation, scope) the newest reading that did not fail; all rows of an
 * answer say which one they are from. Older collectors that send an item for each database may
 * send them seconds apart: then it is the newest reading of each database.
 * Owner: all of it lives in the request's arena.
 */
#ifndef API_READ_API_NEWEST_H
#define API_READ_API_NEWEST_H

#include "api/fleet/api_target.h"

struct api_newest_source {
    const char *relation; /* its exact name */
    /* NULL-terminated; NULL = all columns, else these alone, and no rows without any of them */
    const char *const *columns;
};
#define API_NEWEST_SOURCES 2
/* In order of preference: the first that the target has; a name that is NULL ends them. */
struct api_newest_part {
    struct api_newest_source sources[API_NEWEST_SOURCES];
};

struct api_newest_reading {
    const struct store_target *target;
    struct uuid target_id;
    struct str relation, scope;
    int64_t t_ms, from_ms; /* from_ms < t_ms: what happened in between */
    bool complete;         /* it says of itself that nothing is missing */
    const char *sums;      /* what counters count from; NULL = nothing is said */
    size_t key_count, column_count;
    const struct str *keys, *columns; /* names */
    bool *key_used, *column_used;     /* by any of its rows */
};

struct api_newest_row {
    struct api_newest_reading *reading; /* shared by all of its rows */
    struct str database;                /* empty = of none */
    const struct str *keys;
    const struct cell *cells;
    double mean; /* a member mean_exec_time; negative = none */
    double rank;
};

struct api_newest {
    struct api_call *call;
    struct str database; /* only rows of this one, and of relations without databases */
    struct api_newest_row *rows;
    size_t count, cap;
};

/* Collect the rows of one part of one target. */
enum err_code api_newest_read(struct api_newest *n, const struct store_target *target,
                              const struct api_newest_part *part, struct err *e) ERR_MUST_CHECK;
/* A row more; NULL when the arena is full. */
struct api_newest_row *api_newest_add(struct api_newest *n, struct api_newest_reading *r);
/* Whether the target has readings of that relation. */
enum err_code api_newest_has(struct api_newest *n, const struct store_target *target,
                             const char *relation, bool *has, struct err *e) ERR_MUST_CHECK;
/* Value of a key, or empty; of a column, or CELL_NULL. */
struct str api_newest_key(const struct api_newest_row *row, const char *name);
struct cell api_newest_cell(const struct api_newest_row *row, const char *name);
/* By rank, the highest first. */
void api_newest_order(struct api_newest *n);

struct api_newest_page {
    int64_t limit, offset;
};
/* limit, offset, database. */
enum err_code api_newest_params(struct api_newest *n, struct api_newest_page *page,
                                struct err *e) ERR_MUST_CHECK;
/* count, total, limit, offset, timestamp, data: into an open object. */
enum err_code api_newest_put(struct api_newest *n, const struct api_newest_page *page,
                             struct json_writer *w, struct err *e) ERR_MUST_CHECK;
void api_newest_put_cell(struct json_writer *w, struct str name, struct cell cell);

#define API_NEWEST_QUERY                                             \
    "limit int: at most this many rows, default 100, up to 1000",    \
        "offset int: rows to leave out before the first, default 0", \
        "database text: only rows of this one, and of relations that know of none"
#define API_NEWEST_ANSWER                                                                          \
    "count: int 'rows in data', total: int 'rows in all', limit: int, offset: int,"                \
    " timestamp: time? 'of the newest reading among them', data: [{reading: {target_id: uuid,"     \
    " target_name: text, relation: text, scope~: text 'the database that was read', t: time,"      \
    " t_ms: ms, from_ms~: ms 'it tells what happened from then on', complete: bool,"               \
    " sums~: text(window|since_reset) 'what counters count from'} 'where the row is from', *: any" \
    "}]"

#endif
