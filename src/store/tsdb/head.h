/* SPDX-License-Identifier: PostgreSQL */
/*
 * head.h: slices in memory until they are flushed, as the bytes of their journal rows.
 *
 * A head is filled by the writer, frozen by the flusher, and freed when the last pin is dropped.
 * Invariants: (1) slices are linked after their commit, in rising lsn; (2) bytes never move.
 * Threads:    all functions are called with the engine's state lock held, but head_free_unpinned.
 */
#ifndef STORE_TSDB_HEAD_H
#define STORE_TSDB_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct head;

struct head_slice {
    uint64_t lsn;
    int64_t t_ms;
    int64_t every_ms;
    struct str bytes;
};

/* One slice as the flusher wants it. */
struct head_item {
    uint64_t group;
    struct head_slice slice;
};

struct head *head_new(void); /* pinned once */
void head_pin(struct head *h);
/* Drop a pin; true when it was the last one: then call head_free without the lock. */
bool head_unpin(struct head *h);
void head_free(struct head *h);

/* Copy the slices of one journal row; the result stays valid with the head. */
struct str head_keep(struct head *h, struct str blob);
void head_link(struct head *h, uint64_t group, const struct head_slice *s);
size_t head_bytes(const struct head *h);
size_t head_count(const struct head *h);
int64_t head_oldest_mono_us(const struct head *h); /* 0 = empty */
/*
 * The slices of a group in order of lsn; the array moves when the head grows, so copy it under
 * the lock.
 */
size_t head_find(const struct head *h, uint64_t group, const struct head_slice **out);
/* Every slice, group by group, in the arena; *count of them. NULL on overflow. */
struct head_item *head_items(const struct head *h, struct arena *a, size_t *count);

#endif
