/* SPDX-License-Identifier: PostgreSQL */
/*
 * rolled.h: reading roll-ups: buckets of 5 minutes and of an hour in place of full readings.
 *
 * tsdb_tier_plan says which serve, tsdb_tier_scan reads them, tsdb_tiered_scan gives both as
 * readings. README.md says what a bucket keeps. An engine without roll-ups has plans of full
 * readings alone.
 * Owner:   what is visited is valid during the visit only
 * Threads: as tsdb_reader
 */
#ifndef STORE_TSDB_ROLLUP_ROLLED_H
#define STORE_TSDB_ROLLUP_ROLLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/tsdb/tsdb.h"

enum tsdb_tier {
    TSDB_TIER_5M, /* groups with a clock of up to 15 s */
    TSDB_TIER_1H, /* of up to 15 min, or without one */
    TSDB_TIERS,
    TSDB_RAW = TSDB_TIERS
};
int64_t tsdb_tier_ms(enum tsdb_tier tier); /* length of a bucket; 0 = raw */

/*
 * A column over a bucket, a cell a row; CELL_NULL = there was no value, or its kind has no such
 * number: counter last, first, rise; gauge last, min, max, sum, count; delta max, sum, count; text
 * last. Integers stay exact as long as they fit.
 */
struct tsdb_rolled {
    const struct cell *last, *min, *max, *sum;
    const struct cell *count; /* values that are not null */
    /* of a counter that began in the bucket (or again, after it had ended): its first value, which
     * is no rise */
    const struct cell *first;
    /* what a counter rose by since the reading before the bucket (or since `first`), when it is
     * not last - that reading's value: it restarted, or did not go on */
    const struct cell *rise;
    const bool *broken;  /* of a counter: NULL in the newest reading, so what follows is no rise */
    const bool *no_rise; /* of a counter: there were no two values to compare */
    /* of a counter: its value in the row's first reading of the bucket; NULL = it had none there,
     * or the file is older than this */
    const struct cell *open;
    const struct cell *climb; /* what it rose by since `open`, when it is not last - open */
    const bool *reopened;     /* that reading says that it restarted */
};

/* A bucket (end_ms - R, end_ms] of a group. Valid during the visit only. */
struct tsdb_bucket {
    uint64_t group;
    struct str scope;
    int64_t end_ms;
    int64_t t_ms;       /* of its newest reading that did not fail */
    int64_t covered_ms; /* that its readings cover */
    int64_t every_ms;   /* clock of the newest reading */
    unsigned flags;     /* COMPLETE when all readings were; FAILED when none succeeded */
    struct str reason;
    size_t row_count;        /* objects (fact relations: key tuples) seen in any reading */
    const uint64_t *objects; /* per row; NULL for fact relations */
    size_t key_count;
    struct str *const *keys;
    const struct cell *readings; /* per row, i64: in how many it was */
    const int64_t *row_t_ms;     /* its newest reading */
    const int64_t *open_ms;      /* its first one; 0 = not known */
    const int64_t *born_ms;      /* reading of its `first`; 0 = it went on from before */
    const bool *ended;           /* it was gone at the end of the bucket */
    size_t column_count;         /* those of the spec */
    const struct tsdb_rolled *columns;
};

typedef enum err_code tsdb_bucket_visit(void *arg, const struct tsdb_bucket *b, struct err *e);

struct tsdb_tier_spec {
    enum tsdb_tier tier; /* not raw */
    struct uuid target;
    struct str relation;
    struct str scope;
    const struct str *columns; /* NULL = all, in the order of tsdb_relation */
    size_t column_count;
    int64_t from_ms, to_ms;   /* newest readings of the buckets: from_ms < t <= to_ms */
    int64_t deadline_mono_us; /* 0 = none */
};

/* Visit the buckets of one group up to the watermark, in time order. Errors as tsdb_scan. */
enum err_code tsdb_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                             tsdb_bucket_visit *visit, void *arg, struct err *e) ERR_MUST_CHECK;

/* Readings with from_ms < t <= to_ms come from `tier`. */
struct tsdb_tier_part {
    enum tsdb_tier tier;
    int64_t from_ms, to_ms;
};

/* Who looks at a part of a plan: at its buckets, or at readings where it has none. */
struct tsdb_part_visit {
    tsdb_bucket_visit *buckets;
    tsdb_visit *readings;
    void *arg;
};
/* Visit one part of what `scan` asks for, whose own times do not count. Errors as tsdb_scan. */
enum err_code tsdb_part_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *scan,
                             const struct tsdb_tier_part *part, const struct tsdb_part_visit *visit,
                             struct err *e) ERR_MUST_CHECK;

/* What a function needs of a column. */
enum tsdb_need {
    TSDB_NEED_READINGS, /* all of them: quantile, stddev, changes, resets, deriv */
    TSDB_NEED_RISE,     /* rate, increase: counters; deltas by their sum */
    TSDB_NEED_LAST,     /* an instant selector, last_over_time */
    TSDB_NEED_MIN,
    TSDB_NEED_MAX,
    TSDB_NEED_SUM,
    TSDB_NEED_AVG,
    TSDB_NEED_COUNT, /* count_over_time, present_over_time */
};

/* Whether roll-ups of such a column answer it exactly. */
bool tsdb_tier_answers(enum relation_kind kind, enum tsdb_need need);

struct tsdb_plan_spec {
    struct uuid target;
    struct str relation;
    struct str scope;
    bool answers;           /* tsdb_tier_answers of every column */
    int64_t from_ms, to_ms; /* of the readings that are wanted */
    int64_t range_ms;       /* window; 0 = an instant selector */
    int64_t step_ms;        /* between two evaluations; 0 = there is one */
    bool aligned;           /* only a tier whose buckets begin at from_ms and whose R divides the
                             * step: nothing of a bucket lies on two sides of a step */
};

#define TSDB_PLAN_PARTS 10

struct tsdb_plan {
    size_t count;
    struct tsdb_tier_part parts[TSDB_PLAN_PARTS]; /* in order of time, without a hole */
    int64_t range_ms;       /* the window to take: wider when it is too short for what is left */
    enum tsdb_tier instead; /* full readings are gone: this tier stands for them; TSDB_RAW = no */
};

/*
 * Which tier to read for a group, and from where to where. By the clocks and files that there are;
 * never fails for want of roll-ups: then it is all raw.
 */
enum err_code tsdb_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                             struct tsdb_plan *out, struct err *e) ERR_MUST_CHECK;

/* A scan of one group that takes roll-ups where they serve. */
struct tsdb_tiered_spec {
    const struct tsdb_scan_spec *scan; /* with a scope */
    enum tsdb_need need;
    int64_t range_ms; /* as in tsdb_plan_spec */
    int64_t step_ms;
    tsdb_visit *visit;
    /* of buckets, for a mean, a count or a rise: behind the columns stand as many with how many
     * values there were, and, for a mean or a count, as many with their sums; NULL = visit, without
     * these, and counters without their first values */
    tsdb_visit *rolled;
    void *arg;                       /* of both */
    const struct tsdb_sink *numbers; /* of full readings, by tsdb_scan_numbers; NULL = visit */
};

/*
 * As tsdb_scan, but a bucket comes as one reading, at its newest one, or as a few when a counter
 * began or restarted in it, or its rise is asked for: what increase() makes of them is exact. A
 * gauge is its last value, or what `need` names; a delta the sum of (from_ms, t], the most of a
 * reading, or the mean of them. every_ms is such that a value lasts until the next one. A function
 * that roll-ups do not answer gets full readings as long as they are there: see plan->instead.
 */
enum err_code tsdb_tiered_scan(struct tsdb_reader *r, const struct tsdb_tiered_spec *spec,
                               struct tsdb_plan *plan, struct err *e) ERR_MUST_CHECK;

#endif
