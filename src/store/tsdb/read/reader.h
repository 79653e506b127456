/* SPDX-License-Identifier: PostgreSQL */
/*
 * reader.h: a set of read-only handles that pins one version of the store. Private to store/tsdb.
 *
 * Heads are pinned at borrow; a day file's snapshot begins when it is first touched and lasts
 * until the reader is returned. A slice of a pinned head counts only when its lsn is above
 * `applied` of its file in that snapshot: so it is seen in exactly one of the two.
 */
#ifndef STORE_TSDB_READ_READER_H
#define STORE_TSDB_READ_READER_H

#include "store/tsdb/engine.h"

#define READER_FILES_MAX 48 /* handles kept by one reader */
#define READER_TIERS_MAX 32 /* of roll-ups: two years and a half */

struct reader_file {
    struct sqldb *db;
    enum day_class class;
    int64_t day;
    uint32_t edition;
    bool in_snapshot;
    uint64_t applied; /* of the snapshot */
    uint64_t used;    /* order of use, to close the oldest */
};

/* A handle of a file of roll-ups. */
struct reader_tier {
    struct sqldb *db;
    enum tsdb_tier tier;
    int month;
    bool in_snapshot;
    uint64_t used;
};

struct tsdb_reader {
    struct tsdb_reader_base base; /* first: dispatch.c */
    struct tsdb *db;
    bool borrowed;
    uint64_t borrow;                     /* number of this one, of all */
    struct sqldb *ingest, *text, *event; /* opened at first use */
    struct reader_file files[READER_FILES_MAX];
    size_t file_count;
    struct reader_tier tiers[READER_TIERS_MAX];
    size_t tier_count;
    int64_t tier_watermark[TSDB_TIERS]; /* of this version */
    uint64_t uses;
    uint64_t days_removed; /* as of the handles */
    struct head *heads[2]; /* frozen, active; NULL allowed */
    uint64_t lsn;          /* newest that this version holds */
    struct turn turn;      /* of this read, when it takes long */
};

/*
 * Called by a read now and then; it may have to wait while others compute (turns.h).
 * deadline_us: 0 = none, and no waiting. Errors: ERR_TIMEOUT when it has passed
 */
enum err_code reader_check(struct tsdb_reader *r, int64_t deadline_us,
                           struct err *e) ERR_MUST_CHECK;
/*
 * The file of a day in this reader's snapshot; *out NULL when there is none.
 * Errors: those of opening
 */
enum err_code reader_day(struct tsdb_reader *r, enum day_class class, int64_t day,
                         struct reader_file **out, struct err *e) ERR_MUST_CHECK;
/* The watermark of a file that reader_day gave in this snapshot; 0 = it gave none. */
uint64_t reader_applied(struct tsdb_reader *r, enum day_class class, int64_t day);
/* Day files (both classes) of days within [first, last]; the caller frees the list. */
struct day_file *reader_days(struct tsdb_reader *r, int64_t first, int64_t last, size_t *count);
/* A file of roll-ups in this reader's snapshot; *out NULL when there is none. */
enum err_code reader_tier(struct tsdb_reader *r, enum tsdb_tier tier, int month, struct sqldb **out,
                          struct err *e) ERR_MUST_CHECK;
enum err_code reader_ingest(struct tsdb_reader *r, struct sqldb **out,
                            struct err *e) ERR_MUST_CHECK;
enum err_code reader_text(struct tsdb_reader *r, struct sqldb **out, struct err *e) ERR_MUST_CHECK;
enum err_code reader_event(struct tsdb_reader *r, struct sqldb **out, struct err *e) ERR_MUST_CHECK;

#endif
