/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_dimension.h: what the load of sessions can be split by, and which sessions are load.
 *
 * Session history is asked for grouped by API_DIMENSION_KEYS keys that decide whether a session
 * counts, followed by those of the dimensions.
 */
#ifndef API_READ_API_DIMENSION_H
#define API_READ_API_DIMENSION_H

#include "api/fleet/api_target.h"
#include "store/tsdb/read/aggregate.h"

/* The names in requests: wait_class, wait_event, datname, usename ... */
enum {
    API_DIMENSION_CLASS,
    API_DIMENSION_EVENT,
    API_DIMENSION_STATE = 6,
    API_DIMENSIONS = 8,
};

#define API_DIMENSION_KEYS 3

const char *api_dimension_name(size_t dimension);
/* ERR_INVALID when sessions have no such dimension. */
enum err_code api_dimension_find(struct str name, size_t *out, struct err *e) ERR_MUST_CHECK;
/*
 * Filters of a request by the names of the dimensions; the class of a wait is no key of the
 * relation and is judged by api_dimension_counts.
 */
enum err_code api_dimension_filters(struct api_call *call, struct str *wait_class,
                                    struct aggregate_filter filters[API_DIMENSIONS], size_t *count,
                                    struct err *e) ERR_MUST_CHECK;
/* What to group by for these dimensions; returns how many keys: API_DIMENSION_KEYS + count. */
size_t api_dimension_keys(const size_t *dimensions, size_t count, struct str *keys);
/* The value of a dimension in a row: `keys` are its first API_DIMENSION_KEYS, `own` its own one. */
struct str api_dimension_value(struct arena *a, size_t dimension, const struct str *keys,
                               const struct str *own);
/* Sessions that are idle in a transaction are no load, and shown where the state is asked for. */
enum api_dimension_idle { API_DIMENSION_LOAD_ALONE, API_DIMENSION_IDLE_TOO };
/* Whether a session counts, and is of that class of waits (empty = any). */
bool api_dimension_counts(const struct str *keys, struct str wait_class,
                          enum api_dimension_idle idle);

#endif
