/* SPDX-License-Identifier: PostgreSQL */
/*
 * blocks.h: blocks as rows of a day file. Private to store/tsdb.
 *
 * Owner:   connections and what is written are borrowed
 * Errors:  those of the file
 * Threads: the flusher
 */
#ifndef STORE_TSDB_BLOCKS_H
#define STORE_TSDB_BLOCKS_H

#include "sqldb/sqldb.h"
#include "store/tsdb/codec/block.h"
#include "store/tsdb/merge.h"

/* A block that was built, and the watermark from which on it counts. */
struct blocks_new {
    struct sqldb *to;
    uint64_t lsn;
    const struct block_input *input;
    const struct block_packed *packed;
};
/* Insert a block, in an open transaction; *bytes grows by its size. */
enum err_code blocks_insert(const struct blocks_new *n, size_t *bytes,
                            struct err *e) ERR_MUST_CHECK;

/* Copy a block as it is, with its lsn, even when nobody could read it. */
struct blocks_copy {
    struct sqldb *from, *to;
    int64_t id;
    bool counted; /* `parts` of them, fetched one by one: the table may be damaged between them */
    size_t parts;
};
enum err_code blocks_copy(const struct blocks_copy *c, size_t *bytes, struct err *e) ERR_MUST_CHECK;

/* Remove every block of a group, in an open transaction. */
enum err_code blocks_remove_group(struct sqldb *file, uint64_t group, struct err *e) ERR_MUST_CHECK;

struct blocks_list {
    struct merge_block *blocks; /* the caller frees it */
    size_t count;
};
/* The blocks of a group up to a watermark, oldest flush first. */
enum err_code blocks_of_group(struct sqldb *file, uint64_t group, uint64_t applied,
                              struct blocks_list *out, struct err *e) ERR_MUST_CHECK;
/* The group after this one; *found is false at the end. */
enum err_code blocks_next_group(struct sqldb *file, uint64_t *group, bool *found,
                                struct err *e) ERR_MUST_CHECK;

#endif
