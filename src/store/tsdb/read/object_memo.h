/* SPDX-License-Identifier: PostgreSQL */
/*
 * object_memo.h: which objects of a group matched what was asked lately. Private to store/tsdb.
 *
 * A page of charts asks for the same few of some thousand objects again and again. Keys of an
 * object never change and its id is never used again (catalog.h), so what was found stays true: a
 * list says up to which id objects were looked at, and who asks again looks at younger ones alone.
 * Ids of objects that left the catalogue stay in a list; no reading has them.
 * Bounded: the lists that were asked for least lately go first.
 * Owner:   lists are copied in and out
 * Threads: any
 */
#ifndef STORE_TSDB_READ_OBJECT_MEMO_H
#define STORE_TSDB_READ_OBJECT_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define OBJECT_MEMO_BYTES ((size_t)2 << 20)

struct object_memo;

struct object_list {
    uint64_t through; /* objects up to this id were looked at */
    size_t count;
    const uint64_t *ids; /* of those that match, rising */
};

struct object_memo *object_memo_new(size_t bytes);
void object_memo_free(struct object_memo *m); /* NULL allowed */

/* A copy in the arena; false: it is not there, or the arena is full. */
bool object_memo_get(struct object_memo *m, struct str question, struct arena *a,
                     struct object_list *out);
/*
 * Keep a list, unless there is one that looked at more. What takes more than a quarter of all is
 * not kept.
 */
void object_memo_put(struct object_memo *m, struct str question, const struct object_list *list);
size_t object_memo_bytes(struct object_memo *m); /* that are taken now */

#endif
