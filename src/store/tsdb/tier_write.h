/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_write.h: puts the buckets of an hour into a tier file. Private to store/tsdb.
 */
#ifndef STORE_TSDB_TIER_WRITE_H
#define STORE_TSDB_TIER_WRITE_H

#include "store/tsdb/tier.h"

/* The buckets of one hour of a group; none = it has none any more. */
struct tier_hour {
    struct sqldb *file; /* of the month of the hour, in a transaction */
    enum tsdb_tier tier;
    uint64_t group;
    int64_t hour;
    size_t count;
    const struct codec_slice *slices;
};

/* Replace what the file has of this hour; the caller commits. */
enum err_code tier_write_hour(const struct tier_hour *in, struct err *e) ERR_MUST_CHECK;

#endif
