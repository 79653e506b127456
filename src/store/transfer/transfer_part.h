/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_part.h: a copy as its parts see each other. Private to store/transfer.
 *
 * Owner:   transfer.c owns the struct; all else is borrowed
 * Threads: one
 */
#ifndef STORE_TRANSFER_TRANSFER_PART_H
#define STORE_TRANSFER_TRANSFER_PART_H

#include "sqldb/sqldb.h"
#include "store/store.h"
#include "store/transfer/transfer.h"
#include "store/tsdb/codec/block.h"
#include "store/tsdb/engine.h"

/* In this order; the mark says which one is at work. */
enum transfer_step {
    TRANSFER_TABLES,
    TRANSFER_NAMES,
    TRANSFER_READINGS,
    TRANSFER_ROLLUPS,
    TRANSFER_CHECK,
    TRANSFER_STEPS
};

/* The last reading that is in the destination. */
struct transfer_place {
    int64_t day; /* days since 1970-01-01 UTC */
    uint64_t group;
    int64_t t_ms;
};

struct transfer_mark {
    struct uuid source; /* its store epoch */
    enum transfer_step step;
    size_t table;       /* the first one that is not copied; behind all, months of roll-ups */
    uint64_t batches;   /* of readings */
    uint64_t readings;  /* in them */
    size_t batch_bytes; /* stays as it began: a batch that is repeated must be the same one */
    struct transfer_place place;
};

/* One of the two stores. */
struct transfer_side {
    const char *url;
    bool pg;
    char dir[4096];        /* of a SQLite store */
    struct sqldb *control; /* the control plane; in PostgreSQL all of it */
    struct tsdb *series;
};

struct transfer {
    const struct transfer_config *config;
    struct arena *arena; /* of the result */
    struct transfer_side from, to;
    struct store *settled; /* the source's control plane while the engine's threads run */
    struct transfer_mark mark;
    bool resumed;
    bool finished; /* the destination is a copy of the source already: only compared */
    uint64_t losses;
    struct transfer_progress progress;
};

void transfer_tell(struct transfer *t);
void transfer_lose(struct transfer *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- transfer_open.c --- */
/* Open both, bring the source to rest, and find or make the mark. */
enum err_code transfer_open(struct transfer *t, struct err *e) ERR_MUST_CHECK;
/* The mark goes: the destination is a store. */
enum err_code transfer_finish(struct transfer *t, struct err *e) ERR_MUST_CHECK;
void transfer_close(struct transfer *t);
/* Whether a server was started on one of them meanwhile. */
enum err_code transfer_still_alone(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_mark.c --- */
enum err_code transfer_mark_read(struct sqldb *control, struct transfer_mark *out, bool *found,
                                 struct err *e) ERR_MUST_CHECK;
/* Whether a store is a copy of that one that came to its end. */
enum err_code transfer_mark_of(struct sqldb *control, const struct uuid *source, bool *out,
                               struct err *e) ERR_MUST_CHECK;
/* The copy came to its end; within the caller's transaction, or alone. */
enum err_code transfer_mark_end(struct sqldb *control, const struct transfer_mark *m,
                                struct err *e) ERR_MUST_CHECK;
/* Within the caller's transaction. */
enum err_code transfer_mark_put(struct sqldb *control, const struct transfer_mark *m,
                                struct err *e) ERR_MUST_CHECK;
/* In a transaction of its own. */
enum err_code transfer_mark_save(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_table.c, transfer_row.c --- */
/* Tables of either store that hold the same. */
enum transfer_file { TRANSFER_CONTROL, TRANSFER_INGEST, TRANSFER_TEXT, TRANSFER_EVENT };

struct transfer_table {
    const char *name; /* in SQLite; the engine's have "ts_" before it in PostgreSQL */
    enum transfer_file file;
    const char *types;   /* of the columns that lists give: (i)nteger, (t)ext, (b)ytes */
    size_t keys;         /* leading columns by which pages go on */
    size_t lite, common; /* columns that SQLite has, that both have */
    bool is_text;        /* large texts, packed in SQLite */
    const char *list, *put;
    const char *copy; /* into PostgreSQL */
};
extern const struct transfer_table transfer_tables[];
extern const size_t transfer_table_count;

#define TRANSFER_COLUMNS 32

enum err_code transfer_tables_copy(struct transfer *t, struct err *e) ERR_MUST_CHECK;
/* Empty a table of a SQLite file, in the caller's transaction. */
enum err_code transfer_table_clear(struct sqldb *db, const char *table,
                                   struct err *e) ERR_MUST_CHECK;

/* A page of rows of a side, each as values in the order of the columns. */
struct transfer_rows {
    const struct transfer_table *table;
    size_t columns, count;
    struct sqldb_value (*rows)[TRANSFER_COLUMNS];
};
struct transfer_pages {
    const struct transfer_table *table;
    struct sqldb *db;
    struct transfer *teller; /* of what cannot be read; NULL = nobody */
    struct arena arena;      /* of a page */
    struct arena keys;       /* where the next one begins */
    struct sqldb_value after[4];
    bool end;
};
void transfer_pages_begin(struct transfer_pages *p, const struct transfer_side *side,
                          const struct transfer_table *table);
enum err_code transfer_pages_next(struct transfer_pages *p, struct transfer_rows *out,
                                  struct err *e) ERR_MUST_CHECK;
void transfer_pages_end(struct transfer_pages *p);
struct sqldb *transfer_file_of(const struct transfer_side *side, enum transfer_file file);

/* --- transfer_name.c --- */
enum err_code transfer_names_copy(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_read.c --- */
struct transfer_reading {
    uint64_t group;
    int64_t t_ms, every_ms;
    size_t row_count;
    struct str bytes;               /* codec.h; it decodes */
    const struct tsdb_slice *slice; /* instead of the bytes, when decoded ones are enough */
};

struct transfer_reader {
    struct transfer *t;
    const struct transfer_side *side;
    enum err_code (*visit)(void *arg, const struct transfer_reading *r, struct err *e);
    void *arg;
    bool says_losses; /* through transfer_lose */
    bool decoded;     /* a scan's slices need not be coded: `slice` in place of `bytes` */
};
/* Days that have readings, in order; the caller frees the list. */
enum err_code transfer_days(const struct transfer_side *side, int64_t **days, size_t *count,
                            uint64_t *readings, struct err *e) ERR_MUST_CHECK;
/* Readings of after->day behind `after`, in order of group and time. */
enum err_code transfer_read_day(const struct transfer_reader *r, const struct transfer_place *after,
                                struct err *e) ERR_MUST_CHECK;

/* --- transfer_write.c --- */
enum err_code transfer_readings_copy(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* A batch of the leader's work on the destination, in PostgreSQL, follows. */
enum err_code transfer_take_lease(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_rollup.c --- */
enum err_code transfer_rollups_copy(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_block.c --- */
/* A month of a tier. */
struct transfer_month {
    enum tsdb_tier tier;
    int month; /* year * 12 + month - 1 */
};
/* Those that have roll-ups, in order; the caller frees the list. */
enum err_code transfer_months(const struct transfer_side *side, struct transfer_month **out,
                              size_t *count, struct err *e) ERR_MUST_CHECK;

/* A block of roll-ups that decodes, of a group that was not deleted. */
struct transfer_block {
    enum tsdb_tier tier;
    uint64_t group;
    int64_t hour, id; /* its window, and its number there */
    struct str head;
    size_t part_count;
    struct str *parts;             /* packed */
    const struct block_view *view; /* of the head */
};
struct transfer_blocks {
    struct transfer *t;
    const struct transfer_side *side;
    enum err_code (*visit)(void *arg, const struct transfer_block *b, struct err *e);
    void *arg;
    bool says_losses; /* through transfer_lose */
};
/* Blocks of a month, in order of group and time; those that cannot be read are left out. */
enum err_code transfer_read_month(const struct transfer_blocks *r, const struct transfer_month *m,
                                  struct err *e) ERR_MUST_CHECK;

/* --- transfer_dirty.c --- */
/* When roll-ups were copied: which hours are still to be made, and how far they are. */
enum err_code transfer_dirty_copy(struct transfer *t, struct err *e) ERR_MUST_CHECK;

/* --- transfer_check.c --- */
/* A line of the result; NULL = its arena is full. */
struct transfer_checking;
enum transfer_what { TRANSFER_RELATION, TRANSFER_TABLE };
struct transfer_compared *transfer_compare(struct transfer_checking *c, struct str name,
                                           enum transfer_what what);
uint64_t transfer_join(uint64_t a, uint64_t b);
enum err_code transfer_check(struct transfer *t, struct transfer_result *out,
                             struct err *e) ERR_MUST_CHECK;

/* --- transfer_check_rollup.c --- */
enum err_code transfer_check_rollups(struct transfer *t, struct transfer_checking *c,
                                     struct err *e) ERR_MUST_CHECK;

#endif
