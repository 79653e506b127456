/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_build.h: buckets that are being made: what readings are put into (tier_build.c) and slices
 * are made of (tier_pack.c). Private to both.
 *
 * Owner: everything lives in the arena of the build, but the tables of entries and slices
 */
#ifndef STORE_TSDB_ROLLUP_TIER_BUILD_H
#define STORE_TSDB_ROLLUP_TIER_BUILD_H

#include "store/tsdb/rollup/tier.h"

#define BUILD_ARENA (512UL * 1024 * 1024)

/* Slots of a column within a row: of a counter, and of others. */
enum slot {
    SLOT_LAST,
    SLOT_FIRST,
    SLOT_RISE,
    SLOT_OPEN,
    SLOT_CLIMB,
    SLOTS,
    SLOT_SUM = SLOT_FIRST,
    SLOT_MIN,
    SLOT_MAX
};

/* A cell without its length: there are many of them. */
union number {
    int64_t i64;
    uint64_t u64;
    double f64;
    const struct str *str;
};

struct agg {
    union number v[SLOTS];
    unsigned char tag[SLOTS]; /* enum cell_tag */
    bool odd;                 /* a counter whose rise is not last - (first or before) */
    bool fell;                /* a counter that rose by something else than last - open */
    bool reopened;            /* the reading of SLOT_OPEN says that it restarted */
    uint32_t count;           /* values that are not null; of a counter: samples of PromQL */
};

struct entry;

/* A row of the bucket at hand. */
struct row {
    struct row *next;
    struct entry *entry;
    int64_t open_ms, t_ms, born_ms; /* first and newest reading; of SLOT_FIRST */
    uint32_t readings;
    struct agg *aggs;
};

/* An object, or a key tuple of a fact relation. */
struct entry {
    uint64_t id;
    const struct str *keys;
    uint64_t seen; /* number of the slice it was last in */
    bool gone;
    struct cell *cells; /* newest values; NULL = nobody needs them */
    struct row *rows[TSDB_TIERS];
};

struct bucket {
    bool open, kept; /* the group's clock is of this tier */
    bool linked;     /* so was the one of the reading before: its bucket has what was before */
    int64_t end_ms, t_ms, covered_ms, every_ms;
    unsigned flags;
    struct str reason;
    uint32_t readings;
    size_t row_count;
    struct row *first, *last;
};

struct made {
    size_t count, cap;
    struct codec_slice *slices;
};

struct tier_build {
    uint64_t group;
    struct arena arena;
    size_t column_count, key_count;
    enum relation_kind *kinds;
    bool fact, sparse;
    bool keeps;  /* some column needs what was before */
    bool counts; /* some column is a counter */
    struct map *tuples;
    size_t entry_count, entry_mask;
    struct entry **entries;                    /* by id */
    uint64_t slice_no, complete_no, failed_no; /* of the newest one, complete one, failed one */
    int64_t last_t_ms, last_every_ms;
    bool any; /* something went before */
    struct bucket buckets[TSDB_TIERS];
    struct made made[TSDB_TIERS];
};

/* What a slot holds. */
struct cell tier_build_get(const struct agg *g, enum slot slot);
bool tier_build_same(struct cell a, struct cell b);
/* A bucket that is complete becomes a slice of tier_made; false: the arena is full. */
bool tier_pack_bucket(struct tier_build *b, int tier);

#endif
