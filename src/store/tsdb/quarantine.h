/* SPDX-License-Identifier: PostgreSQL */
/*
 * quarantine.h: what cannot be read is moved into damaged.db, so that nothing else stops for it and
 * nothing is deleted unseen. Private to store/tsdb.
 *
 * Owner:   everything is borrowed
 * Errors:  those of the file: then what was to be moved must stay where it is
 * Threads: any; each call opens the file for itself
 */
#ifndef STORE_TSDB_QUARANTINE_H
#define STORE_TSDB_QUARANTINE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "store/tsdb/codec/codec.h"

struct quarantine_item {
    const char *file; /* where it was, below the folder of the store */
    const char *what; /* "journal slices", "block", "part" ... */
    int64_t key;      /* its lsn or id there */
    const char *reason;
    struct str about; /* what else its row said, as text; empty = nothing */
    struct str data;
};

/*
 * Keep some things, durably, before they are deleted where they were. What is there already with
 * the same bytes is kept once.
 */
enum err_code quarantine_put(const char *dir, const struct quarantine_item *items, size_t count,
                             struct err *e) ERR_MUST_CHECK;

/* Decode a slice with all its columns. The arena is used, not reset. */
enum err_code quarantine_check_slice(struct str slice, struct arena *a,
                                     struct err *e) ERR_MUST_CHECK;

/* Slices of a journal row. */
struct quarantine_slices {
    struct buf good; /* those that decode, each with its length; the caller frees it */
    size_t bad;      /* how many do not; what follows a damaged length is one */
    struct err why;  /* of the first bad one */
};
/* The arena is reset as the work goes on. */
void quarantine_split(struct str blob, struct arena *a, struct quarantine_slices *out);

#endif
