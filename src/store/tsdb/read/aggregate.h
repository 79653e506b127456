/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate.h: sums over time and over rows on top of tsdb_scan, by the rules of relations.
 *
 * Buckets are (b - step, b], named by their end b. What happened between two readings is put whole
 * into the bucket of
 * the later reading: a delta of (from_t, t], and the rise of a counter from the reading before. So
 * totals are exact; a rate is the total divided by the seconds that it covers, which may begin a
 * little before the bucket. A counter lower than before, or a row marked reset, restarted at zero.
 * An object's first value is no rise. No reading in a bucket is NAN, never zero. A delta row that
 * a complete (or sparse) reading lacks is zero.
 *
 * Threads: as tsdb_reader. Owner: results live in the arena.
 */
#ifndef STORE_TSDB_READ_AGGREGATE_H
#define STORE_TSDB_READ_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/tsdb/tsdb.h"

enum aggregate_op {
    AGGREGATE_DEFAULT, /* gauge avg, counter and delta rate */
    AGGREGATE_LAST,    /* the newest value in the bucket */
    AGGREGATE_AVG,
    AGGREGATE_MIN,
    AGGREGATE_MAX,
    AGGREGATE_SUM,      /* of the values read; for a delta the same as increase */
    AGGREGATE_COUNT,    /* readings with a value */
    AGGREGATE_RATE,     /* increase per second covered */
    AGGREGATE_INCREASE, /* counter: rise with resets; delta: sum; gauge: last - first */
};

/* "last" "avg" ... ; empty = default */
bool aggregate_parse_op(struct str s, enum aggregate_op *out);
const char *aggregate_op_name(enum aggregate_op op);

enum aggregate_by {
    AGGREGATE_BY_ROW,  /* a series per row object (fact relations: per key tuple) */
    AGGREGATE_BY_KEYS, /* sum of the rows with equal `by` keys; none = one series */
};

/*
 * Keep only rows whose key has this value. Key "scope" is the scope of the group, unless it is a
 * real key.
 */
struct aggregate_filter {
    struct str key;
    struct str value;
};

struct aggregate_spec {
    struct uuid target;
    struct str relation;
    const struct str *columns; /* numeric ones; NULL = all numeric */
    size_t column_count;
    enum aggregate_op op;
    enum aggregate_by by_mode;
    const struct str *by; /* key names; an unknown one is ERR_INVALID */
    size_t by_count;
    const struct aggregate_filter *filters;
    size_t filter_count;
    /* buckets end at from + step, from + 2 step ... up to and including to */
    int64_t from_ms, to_ms;
    int64_t step_ms;   /* > 0; (to - from) / step at most LIMIT_QUERY_POINTS */
    size_t max_series; /* 0 = LIMIT_QUERY_SERIES; more set `truncated` */
    /*
     * Roll-ups serve where they give the same: from_ms and step_ms are multiples of their length,
     * and the operation is exact on them (README.md). True: full readings only.
     */
    bool readings_only;
    int64_t deadline_mono_us;
};

struct aggregate_series {
    size_t column; /* index in result->columns */
    size_t label_count;
    const struct str *label_names;
    const struct str *label_values;
    double *values; /* point_count; NAN = no data */
};

struct aggregate_result {
    const struct relation *relation;
    size_t column_count;
    const struct relation_column *const *columns; /* those of the spec */
    enum aggregate_op *ops;                       /* per column: what DEFAULT became */
    size_t point_count;
    int64_t *times_ms; /* bucket ends */
    double *covered;   /* 0..1 share of each bucket that readings cover (see from_t) */
    size_t series_count;
    struct aggregate_series *series;
    uint64_t samples; /* values read */
    int64_t every_ms; /* clock of the newest reading seen; 0 = none */
    bool truncated;
};

/*
 * ERR_NOT_FOUND: unknown relation; ERR_INVALID: unknown column or key, step; ERR_TIMEOUT;
 * ERR_LIMIT.
 */
enum err_code aggregate_run(struct tsdb_reader *r, struct arena *a,
                            const struct aggregate_spec *spec, struct aggregate_result **out,
                            struct err *e) ERR_MUST_CHECK;

/*
 * Totals over one interval, a row per key tuple: what top queries and the session breakdown
 * need.
 */
struct aggregate_total_spec {
    struct uuid target;
    struct str relation;
    const struct str *columns; /* NULL = all numeric */
    size_t column_count;
    const struct str *by; /* key names; NULL with by_count 0 = one row */
    size_t by_count;
    const struct aggregate_filter *filters;
    size_t filter_count;
    int64_t from_ms, to_ms;
    size_t max_rows;    /* 0 = LIMIT_SLICE_ROWS; over it ERR_LIMIT */
    bool readings_only; /* no roll-ups: they give the same where there are readings */
    int64_t deadline_mono_us;
};

struct aggregate_total_row {
    struct str *keys; /* by_count */
    /*
     * column_count: delta sum or counter rise (exact i64 while it fits), gauge last; CELL_NULL =
     * none
     */
    struct cell *cells;
};

struct aggregate_total {
    const struct relation *relation;
    size_t column_count;
    const struct relation_column *const *columns;
    size_t row_count;
    struct aggregate_total_row *rows;       /* in no order */
    int64_t covered_from_ms, covered_to_ms; /* what the readings cover; 0 when there is none */
    int64_t covered_ms; /* sum of the covered parts: less than the span when there were gaps */
    uint64_t slices;    /* readings, or buckets of them */
    bool incomplete;    /* a reading in the interval was not complete, or failed */
};

/*
 * Readings with from_ms < t <= to_ms are taken whole, from roll-ups where they serve. Errors as
 * aggregate_run.
 */
enum err_code aggregate_totals(struct tsdb_reader *r, struct arena *a,
                               const struct aggregate_total_spec *spec,
                               struct aggregate_total **out, struct err *e) ERR_MUST_CHECK;

#endif
