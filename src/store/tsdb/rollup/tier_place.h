/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_place.h: where the blocks of roll-ups of a group lie. Private to store/tsdb.
 *
 * What makes roll-ups, writes them and reads them knows no files: it asks the place of a group and
 * tier. There are two: files of months (tier_file.c), and tables (pgstore_tier.c).
 * Owner:   bytes that are given live in the arena of the call
 * Threads: as what is behind it
 * Errors:  ERR_CORRUPT when something of a block is missing
 */
#ifndef STORE_TSDB_ROLLUP_TIER_PLACE_H
#define STORE_TSDB_ROLLUP_TIER_PLACE_H

#include "base/arena.h"
#include "store/tsdb/codec/block.h"
#include "store/tsdb/catalog.h"
#include "store/tsdb/rollup/rolled.h"

/* What roll-ups need to know of a relation. */
struct tier_shape {
    size_t column_count, key_count;
    const enum relation_kind *kinds; /* by id of the column */
    bool fact, sparse;
};

/* A block, by the numbers that its place gave it. */
struct tier_block {
    int64_t stretch; /* month of the file; of a table: first hour of the window */
    int64_t id;
    uint32_t part; /* the one that is asked for */
};

struct tier_place {
    const struct tier_place_ops *ops;
    enum tsdb_tier tier;
    uint64_t group;
};

/* Blocks that may hold something of from < t <= to, in order of time. */
struct tier_list {
    int64_t from_ms, to_ms;
    struct arena *arena;
    size_t count, cap;
    struct tier_block *blocks;
};

struct tier_place_ops {
    enum err_code (*list)(struct tier_place *p, struct tier_list *list, struct err *e);
    enum err_code (*head)(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e);
    /* b->part, unpacked */
    enum err_code (*part)(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e);
    enum err_code (*remove)(struct tier_place *p, const struct tier_block *b, struct err *e);
    /* b->stretch: first hour of the window; b->id: number of the block within it */
    enum err_code (*insert)(struct tier_place *p, const struct tier_block *b,
                            const struct block_input *in, const struct block_packed *packed,
                            struct err *e);
};

/* False: the arena of the list is full. */
bool tier_list_add(struct tier_list *list, struct tier_block block);

#endif
