/* SPDX-License-Identifier: PostgreSQL */
/*
 * stretch.h: a block as a stretch of readings, its numbers object by object, as they lie. Private
 * to store/tsdb.
 */
#ifndef STORE_TSDB_READ_STRETCH_H
#define STORE_TSDB_READ_STRETCH_H

#include "store/tsdb/read/reader.h"

/* Which objects of a list are wanted: blocks of one group mostly have the same. */
struct stretch_choice {
    size_t count, cap;
    uint64_t *objects;
    unsigned char *wanted; /* by object */
    size_t range_count, range_cap;
    struct tsdb_range *ranges; /* of neighbours that are */
};
void stretch_choice_fini(struct stretch_choice *c);

struct block_packed; /* block.h */

struct stretch_job {
    struct block_cache *cache;
    const struct reader_file *file; /* in a snapshot */
    int64_t block;
    const struct block_packed *packed; /* a block in memory instead; NULL = that of the file */
    uint64_t lsn;                      /* of its flush */
    uint64_t group;
    struct str scope;
    const struct tsdb_scan_spec *spec;
    const uint32_t *columns; /* ids of those of the spec; UINT32_MAX = there is none */
    size_t column_count;
    const struct tsdb_sink *sink;
    struct arena *scratch;         /* reset before it is used */
    struct stretch_choice *choice; /* of the block before */
};

/* Read a block of an object relation and give it to the sink. */
enum err_code stretch_visit(const struct stretch_job *job, struct err *e) ERR_MUST_CHECK;

#endif
