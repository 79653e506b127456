/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate_total_run.h: totals under way: what readings (aggregate_total.c) and roll-ups
 * (aggregate_total_tier.c) are added to. Private to store/tsdb.
 *
 * Owner: everything lives in the arena of the read
 */
#ifndef STORE_TSDB_READ_AGGREGATE_TOTAL_RUN_H
#define STORE_TSDB_READ_AGGREGATE_TOTAL_RUN_H

#include "store/tsdb/rollup/rolled.h"
#include "store/tsdb/read/rows.h"

struct total_sum {
    struct cell value;
    int64_t t_ms; /* of a gauge's value, from roll-ups of the present group */
};

struct total {
    const struct aggregate_total_spec *spec;
    struct arena *arena;
    struct rows rows;
    struct total_sum *sums; /* [row * columns + column] */
    size_t sum_cap;
    uint64_t slice_no, complete_no;
    int64_t last_t_ms; /* of the group */
    int64_t covered_ms, group_ms;
    struct aggregate_total *out;
};

/* NULL when the arena is full. */
struct total_sum *aggregate_total_sum(struct total *t, size_t row, size_t c);
/* A reading, or a bucket, of (from_ms, t_ms]; `covered_ms` of that were read. */
void aggregate_total_cover(struct total *t, const struct tsdb_slice *s, int64_t covered_ms);
void aggregate_total_end_group(struct total *t);
/* Takes a full reading. */
enum err_code aggregate_total_visit(void *arg, const struct tsdb_slice *s,
                                    struct err *e) ERR_MUST_CHECK;

/* --- aggregate_total_tier.c --- */
/*
 * Read all groups, by roll-ups where they serve; `scan` is of full readings. It may begin before
 * the interval: with readings that first ones are compared with.
 */
enum err_code aggregate_total_tier_run(struct total *t, const struct tsdb_scan_spec *scan,
                                       struct err *e) ERR_MUST_CHECK;

#endif
