/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer.h: copies all that a store holds into another, empty one, of either kind.
 *
 * Names keep their ids, readings go day by day in batches, tables page by page. How far it came is
 * a mark (setting "copy") in the destination, committed with what it counts, or after what can be
 * repeated without a trace; a copy that was killed goes on there. While the mark is there no server
 * opens the destination (store_open). At the end both stores are read again and compared; when they
 * are equal the mark goes. The destination has a store epoch of its own, so agents offer again what
 * they still hold.
 *
 * Invariants: (1) nothing runs on either store meanwhile: locks of a SQLite store are held, and a
 *             server that shows life in PostgreSQL ends the copy; (2) what cannot be read or has no
 *             place in the destination is said through `loss`, never passed over.
 * Owner:   results live in the caller's arena
 * Errors:  ERR_CONFLICT in use, not empty, or the copy of something else; ERR_NOT_FOUND no store;
 *          those of the stores
 * Threads: one; the engine's own are started to bring the source to rest
 */
#ifndef STORE_TRANSFER_TRANSFER_H
#define STORE_TRANSFER_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* How far it is. */
struct transfer_progress {
    const char *step;     /* "readings" ... */
    int64_t day_ms;       /* of the readings at hand; 0 = none */
    uint64_t done, total; /* of the step: readings, or rows; total 0 = not known */
    uint64_t rows;        /* of those readings, since the start of this process */
};

struct transfer_config {
    const char *from, *to; /* "sqlite:DIR", "postgres://..." */
    void (*progress)(void *arg, const struct transfer_progress *p);
    /* Something that is not in the destination, and why. */
    void (*loss)(void *arg, const char *text);
    void *arg;
};

/* What a relation, or a table, amounts to. */
struct transfer_sum {
    uint64_t readings; /* of a table: rows */
    uint64_t rows, cells;
    uint64_t whole_low, whole_high; /* sum of the integers, 128 bits in two's complement */
    uint64_t hash;                  /* of all bits, in any order */
};

struct transfer_compared {
    struct str name;
    bool is_table;
    struct transfer_sum from, to;
};

struct transfer_result {
    size_t count;
    struct transfer_compared *list;
    size_t different; /* of them */
    uint64_t losses;  /* how often `loss` was called */
    bool resumed;
};

/*
 * Copy, or go on with a copy. ERR_OK also when something is different or was lost: see the result.
 */
enum err_code transfer_run(const struct transfer_config *config, struct arena *a,
                           struct transfer_result *out, struct err *e) ERR_MUST_CHECK;

bool transfer_same(const struct transfer_compared *c);
/* The sum of the integers in decimal. */
#define TRANSFER_WHOLE_SIZE 48
void transfer_whole(const struct transfer_sum *s, char out[TRANSFER_WHOLE_SIZE]);

#endif
