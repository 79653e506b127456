/* SPDX-License-Identifier: PostgreSQL */
/*
 * merge.h: blocks of one group become fewer and larger ones, one at a time.
 *
 * Slices come in order of t; of equal times the one of the block with the lower order counts (the
 * first acknowledged). Blocks are opened when their time has come, and of a column only the blocks
 * of the one at hand are decoded: memory is bounded by one result, not by the day.
 * Owner:   merge_new/merge_free; the connection and blocks in memory are borrowed; a result is
 *          valid until the next call
 * Errors:  ERR_CORRUPT for a block that cannot be read, ERR_LIMIT for one with too many columns
 * Threads: one at a time
 */
#ifndef STORE_TSDB_MERGE_H
#define STORE_TSDB_MERGE_H

#include "sqldb/sqldb.h"
#include "store/tsdb/codec/block.h"

/* Bounds of a result. Readers decode a column of a whole block, so no more than pays. */
#define MERGE_ROWS   131072
#define MERGE_SLICES 16384

struct merge_block {
    int64_t id;
    const struct block_packed *packed; /* in memory; NULL = it is a row of the file */
    uint64_t order;
    int64_t t_min, t_max;
    size_t slices, rows;
};

struct merge_result {
    struct block_input input;
    struct block_packed packed;
};

struct merge;

/* blocks: copied, in any order. from: NULL when all of them are in memory */
struct merge *merge_new(struct sqldb *from, const struct merge_block *blocks, size_t count);
void merge_free(struct merge *m); /* NULL allowed */
/* The next block; *end when all slices were given. */
enum err_code merge_next(struct merge *m, struct merge_result *out, bool *end,
                         struct err *e) ERR_MUST_CHECK;

#endif
