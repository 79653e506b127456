/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_write.h: puts the buckets of an hour where its tier lies. Private to store/tsdb.
 */
#ifndef STORE_TSDB_ROLLUP_TIER_WRITE_H
#define STORE_TSDB_ROLLUP_TIER_WRITE_H

#include "store/tsdb/rollup/tier.h"

/* The buckets of one hour of a group; none = it has none any more. */
struct tier_hour {
    struct tier_place *place; /* in a transaction */
    int64_t hour;
    size_t count;
    const struct codec_slice *slices;
};

/* Replace what the place has of this hour; the caller commits. */
enum err_code tier_write_hour(const struct tier_hour *in, struct err *e) ERR_MUST_CHECK;

/* The hours that share blocks with this one: the first of them, and the next stretch. */
int64_t tier_window_first(enum tsdb_tier tier, int64_t hour);
int64_t tier_window_hours(enum tsdb_tier tier);

#endif
