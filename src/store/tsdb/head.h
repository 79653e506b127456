/* SPDX-License-Identifier: PostgreSQL */
/*
 * head.h: slices in memory until they are flushed: as the bytes of their journal rows, or folded.
 *
 * A head is filled by the writer, frozen by the flusher, and freed when the last pin is dropped.
 * Slices of a group gather in a bundle; a bundle of 32 is closed and waits to be folded
 * (head_fold.h) into pieces: blocks in memory, which take a fifth of the room.
 *
 *     head_link -> open bundle -> closed, in the queue -> head_fold_take -> head_fold_put: pieces
 *                                                           `-> head_fold_refuse: stays as it is
 *
 * Invariants: (1) slices are linked after their commit, in rising lsn; (2) bytes of a bundle never
 *             move, and stay while somebody holds it; (3) a slice is in one bundle or in one piece,
 *             or it has the time of an older one of its group; (4) pieces live as long as the head.
 * Threads:    all functions are called with the engine's state lock held, but head_new, head_free.
 */
#ifndef STORE_TSDB_HEAD_H
#define STORE_TSDB_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "store/tsdb/codec/block.h"

#define HEAD_BUNDLE_SLICES 32

struct head;

struct head_slice {
    uint64_t lsn;
    int64_t t_ms;
    int64_t every_ms;
    struct str bytes;
};

/* Slices of a group as they came, in order of lsn. Closed: nothing is added any more. */
struct head_bundle {
    uint64_t group;
    size_t count, cap;
    struct head_slice *slices;
    size_t bytes;   /* what it takes of memory */
    unsigned holds; /* the head's own, and of readers */
    bool closed;    /* it waits to be folded, or is being so, or cannot be */
    struct head_chunk *chunks;
    struct head_bundle *next; /* in the queue */
};

/* Slices of a group within one day file, as a block. */
struct head_piece {
    uint64_t group;
    uint64_t lsn; /* of its first acknowledged slice: of equal times the lower one counts */
    uint64_t lsn_max;
    int64_t t_min, t_max;
    int64_t every_ms; /* of one of them: all are of one class */
    int64_t hour;     /* of roll-ups, of the first slice */
    uint32_t hours;   /* bit i: there are slices of hour + i */
    uint32_t slices, rows;
    struct block_packed packed;
};

/* One slice or one piece as the flusher wants it. */
struct head_item {
    uint64_t group;
    struct head_slice slice;        /* of a piece: its first time and lsn, no bytes */
    const struct head_piece *piece; /* NULL = a slice */
};

/* --- Life cycle --- */
struct head *head_new(void); /* pinned once */
void head_pin(struct head *h);
/* Drop a pin; true when it was the last one: then call head_free without the lock. */
bool head_unpin(struct head *h);
void head_free(struct head *h);

/* --- Use --- */
void head_link(struct head *h, uint64_t group, const struct head_slice *s); /* bytes are copied */
size_t head_bytes(const struct head *h);
size_t head_loose_bytes(const struct head *h); /* of them, what is not folded */
size_t head_count(const struct head *h);
int64_t head_oldest_mono_us(const struct head *h); /* 0 = empty */
int64_t head_first_ms(const struct head *h);       /* of all readings; INT64_MAX = it is empty */
/* Every slice and piece, group by group, in the arena; *count of them. NULL on overflow. */
struct head_item *head_items(const struct head *h, struct arena *a, size_t *count);

/* --- Read --- */
struct head_window {
    uint64_t group;
    int64_t from_ms, to_ms; /* t in (from, to] */
    uint64_t lsn;           /* and no newer slices than that */
};
/* Slices and pieces of a group; everything is valid until head_release. */
struct head_view {
    size_t slice_count, piece_count, bundle_count;
    struct head_slice *slices;
    const struct head_piece **pieces; /* some slice of it may be outside of the times */
    struct head_bundle **bundles;     /* held */
};
/* False when the arena is full: then nothing is held. */
bool head_look(const struct head *h, const struct head_window *w, struct arena *a,
               struct head_view *out);
void head_release(struct head_view *v);

/* --- Fold; the flusher --- */
bool head_fold_waits(const struct head *h); /* there is a closed bundle in the queue */
/*
 * The oldest closed bundle, out of the queue and held; NULL = there is none, or a reader still
 * reads as of an lsn below `lsn`'s: it may not see all of the slices.
 */
struct head_bundle *head_fold_take(struct head *h, uint64_t lsn);
/* The slices of a bundle that was taken are in these pieces, which are copied. */
void head_fold_put(struct head *h, struct head_bundle *b, const struct head_piece *pieces,
                   size_t count);
/* It could not be folded: it stays as it is. */
void head_fold_refuse(struct head_bundle *b);

#endif
