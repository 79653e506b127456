/* SPDX-License-Identifier: PostgreSQL */
/*
 * repair.h: what verify does about damage, when it is told to. Private to store/tsdb.
 *
 * Nothing is deleted that was not kept before: single blocks and slices in damaged.db, whole files
 * in the folder damaged/ of the store.
 * Owner:   everything is borrowed
 * Errors:  those of the files; what could not be kept stays where it is
 * Threads: one; the store is locked and nobody else has it open
 */
#ifndef STORE_TSDB_REPAIR_H
#define STORE_TSDB_REPAIR_H

#include "sqldb/sqldb.h"

/* A file of a store. */
struct repair_file {
    const char *dir;
    const char *name; /* below dir */
};

/* Build all indexes of a file anew; then its structure is checked again: ERR_CORRUPT. */
enum err_code repair_indexes(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
/* Move a block with its parts into damaged.db. */
enum err_code repair_block(const struct repair_file *f, struct sqldb *db, int64_t id,
                           const char *reason, struct err *e) ERR_MUST_CHECK;

/* Whether a block decodes, and how many parts it has; false for one that cannot be fetched. */
typedef bool repair_check(void *arg, struct sqldb *db, int64_t id, size_t *parts);

struct repair_day {
    repair_check *check;
    void *arg;
    uint64_t saved, lost; /* out: blocks */
};
/*
 * Write a day file whose structure is damaged anew, as its next edition, from the blocks that can
 * still be read; the file itself goes to damaged/.
 */
enum err_code repair_day(const struct repair_file *f, struct repair_day *r,
                         struct err *e) ERR_MUST_CHECK;

#endif
