/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate_run.h: an aggregation under way: what readings (aggregate.c) and roll-ups
 * (aggregate_tier.c) are put into. Private to store/tsdb.
 *
 * Owner: everything lives in the arena of the run
 */
#ifndef STORE_TSDB_READ_AGGREGATE_RUN_H
#define STORE_TSDB_READ_AGGREGATE_RUN_H

#include "store/tsdb/rollup/rolled.h"
#include "store/tsdb/read/rows.h"

/* Buckets of one series and column within the present group. */
struct track {
    double *value;
    double *weight; /* count of an average (`value` is the mean so far); first of a gauge's rise */
    double now;     /* sum over the rows of the present reading */
    double rows;    /* how many values that was */
    uint64_t stamp; /* the reading that `now` is of */
    int64_t now_t;  /* roll-ups: the newest reading of the rows, which alone is the last value */
    double most;    /* roll-ups: the most values of a row */
};

struct run {
    const struct aggregate_spec *spec;
    struct arena *arena;
    struct rows rows;
    enum aggregate_op *ops;
    size_t points;
    struct track **tracks; /* [series * columns + column]; NULL = no value yet */
    double **results;
    size_t track_cap;
    uint64_t slice_no;
    uint64_t complete_no; /* number of the last complete reading before this one */
    int64_t last_t_ms;
    double *rise_ms;  /* per bucket of the group: time that counters' readings cover */
    double *delta_ms; /* likewise by from_t */
    double *covered;  /* result: the most of all groups */
    uint64_t samples;
    int64_t every_ms, newest_ms;
    bool in_range;
    size_t bucket;
};

/* Whether a column is a rise, not a level, by its kind and what is asked of it. */
bool aggregate_is_rise(const struct run *r, size_t c);
/* NULL when the arena is full. */
struct track *aggregate_track(struct run *r, size_t series, size_t c);
void aggregate_add(double *to, double v); /* NAN = nothing yet */
/* The bucket of a time; false when it is behind the last one. Sets in_range. */
bool aggregate_find_bucket(struct run *r, int64_t t_ms);
/* Enter a reading's group; the one before is folded into the result. False: the arena is full. */
bool aggregate_enter(struct run *r, const struct tsdb_slice *s);
/* How far before the interval a reading may be that the first one is compared with. */
int64_t aggregate_lookback_ms(struct run *r);
enum err_code aggregate_visit(void *arg, const struct tsdb_slice *s, struct err *e) ERR_MUST_CHECK;

/* --- aggregate_tier.c --- */
/* Whether roll-ups answer all columns exactly. */
bool aggregate_tier_fits(const struct run *r);
/* As a scan of all groups, by roll-ups where they serve; `scan` is of full readings. */
enum err_code aggregate_tier_run(struct run *r, const struct tsdb_scan_spec *scan,
                                 struct err *e) ERR_MUST_CHECK;

#endif
