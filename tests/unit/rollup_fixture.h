/* SPDX-License-Identifier: PostgreSQL */
/*
 * rollup_fixture.h: a store under a clock of its own, random readings in it, and the same questions
 * to its readings and to its roll-ups.
 */
#ifndef ROLLUP_FIXTURE_H
#define ROLLUP_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/tsdb/read/aggregate.h"
#include "store/tsdb/rollup/rolled.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

#define HOUR     3600000LL
#define START_MS 1772308800000LL /* 2026-02-28T20:00:00Z: four hours before a month ends */
#define WAIT_US  60000000LL
#define OBJECTS  4

struct object {
    bool alive;
    int64_t n, g, level;
};

struct rolling {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct arena arena;
    uint64_t random;
    struct object objects[OBJECTS];
    int64_t last_t;
    bool quiet;  /* nothing is missing just now */
    bool steady; /* objects live on, and have a value in each reading that is there */
    bool whole;  /* no reading is missing */
};

/* url: of a store in PostgreSQL; NULL = a folder */
void rolling_begin(struct rolling *g, const char *url);
void rolling_end(struct rolling *g);
int rolling_set_up(void **state);
int rolling_tear_down(void **state);

/* --- readings --- */

/* Write a slice: relation "dense", "sparse", "fact" or "level". */
typedef void rolling_put(struct rolling *g, struct buf *out, int64_t t, int64_t every);
rolling_put rolling_dense, rolling_sparse, rolling_fact;
rolling_put rolling_level; /* one object, always 0.015 */
/* The readings of (from, to], with holes of up to 40 minutes; one record. */
void rolling_send(struct rolling *g, rolling_put *put, int64_t from, int64_t to, int64_t every);
void rolling_wait(struct rolling *g, int64_t until_ms);
/* One hour of readings, flushed and rolled up. */
void rolling_hour(struct rolling *g, rolling_put *put, int64_t hour, int64_t every);

/* --- both ways of reading --- */

struct question {
    const char *column;
    enum aggregate_op op;
    enum aggregate_by by;
};

struct aggregate_result *rolling_run(struct rolling *g, struct aggregate_spec spec, bool readings);
/* From the hour after START_MS on, by several steps. */
void rolling_compare_all(struct rolling *g, const char *relation, const struct question *q,
                         size_t count, int hours);
/* A read of hours is served by this tier alone. */
void rolling_expect_tier(struct rolling *g, const char *relation, int64_t step_ms,
                         enum tsdb_tier tier);

#endif
