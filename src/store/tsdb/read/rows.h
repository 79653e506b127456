/* SPDX-License-Identifier: PostgreSQL */
/*
 * rows.h: which output row a row of a slice belongs to: filters and grouping by keys. Private to
 * store/tsdb.
 *
 * Object relations look at an object's keys once; fact relations at the keys of each row.
 */
#ifndef STORE_TSDB_READ_ROWS_H
#define STORE_TSDB_READ_ROWS_H

#include "store/tsdb/read/aggregate.h"
#include "store/tsdb/tsdb.h"

struct map;

#define ROWS_SCOPE (-1) /* the pseudo key "scope" */

struct rows_request {
    struct uuid target;
    struct str relation;
    const struct str *columns;
    size_t column_count;
    enum aggregate_by by_mode;
    const struct str *by;
    size_t by_count;
    const struct aggregate_filter *filters;
    size_t filter_count;
    size_t max; /* output rows */
};

/* An object as one read sees it. */
struct rows_object {
    uint64_t id;
    int64_t out;        /* output row; -1 = filtered out */
    uint64_t seen;      /* number of the slice it was last in; 0 = never */
    struct cell *cells; /* last values, per column; NULL until asked for */
};

struct rows {
    struct tsdb_reader *reader;
    struct arena *arena;
    const struct rows_request *request;
    struct relation *relation;
    size_t column_count;
    const struct relation_column **columns;
    struct str *column_names;
    size_t label_count;
    int *label_keys; /* index in relation->keys or ROWS_SCOPE */
    struct str *label_names;
    int *filter_keys;
    struct map *tuples;
    size_t count, cap;
    struct str **labels; /* per output row */
    uint64_t group;      /* of the present slice; 0 = none yet */
    struct str scope;
    size_t object_mask, object_count; /* of the present group */
    struct rows_object **objects;
    struct str *keys; /* scratch: key values of one row */
    bool truncated;
};

/* ERR_NOT_FOUND: relation; ERR_INVALID: column or key. */
enum err_code rows_init(struct rows *w, struct tsdb_reader *r, struct arena *a,
                        const struct rows_request *request, struct err *e) ERR_MUST_CHECK;
void rows_fini(struct rows *w);
/* The output row of a row, -1 = none. *object is NULL for fact relations. */
enum err_code rows_find(struct rows *w, const struct tsdb_slice *s, size_t row, int64_t *out,
                        struct rows_object **object) ERR_MUST_CHECK;
/* An object of the present group that was seen before; NULL. */
struct rows_object *rows_object(const struct rows *w, uint64_t id);
/* Whether this slice begins another group than the last one: object state starts anew. */
bool rows_enter(struct rows *w, const struct tsdb_slice *s);

#endif
