/* SPDX-License-Identifier: PostgreSQL */
/*
 * block_cache.h: bytes of blocks that were read lately, unpacked. Private to store/tsdb.
 *
 * Who looks at a page of charts reads the same columns of the same blocks again and again, and of a
 * part with many columns one is wanted: reading and unpacking it costs more than decoding it. A
 * block never changes, so what was kept stays true. Two halves: what is put or asked for goes into
 * the new one; when that is full, the old one is emptied and becomes the new one.
 * Owner:   bytes are copied in and out
 * Threads: any
 */
#ifndef STORE_TSDB_READ_BLOCK_CACHE_H
#define STORE_TSDB_READ_BLOCK_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define BLOCK_CACHE_BYTES ((size_t)8 << 20)
#define BLOCK_CACHE_HEAD  UINT32_MAX /* `what`: the head; else the id of a column */

/*
 * Which bytes. An id of a block may come again in its file, when the newest one was removed with
 * its target: by a later flush, or of another group.
 */
struct block_cache_key {
    uint64_t file; /* class and edition of the day's file */
    uint64_t day;
    uint64_t group, lsn, block;
    uint64_t what;
};

struct block_cache;

struct block_cache *block_cache_new(size_t bytes);
void block_cache_free(struct block_cache *c); /* NULL allowed */

/* A copy in the arena; false: it is not there, or the arena is full. */
bool block_cache_get(struct block_cache *c, const struct block_cache_key *key, struct arena *a,
                     struct str *out);
/* What is longer than a quarter of a half is not kept. */
void block_cache_put(struct block_cache *c, const struct block_cache_key *key, struct str bytes);

#endif
