/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_move.h: the rows that one transaction of the mover takes from the journal. Private to
 * store/tsdb.
 */
#ifndef STORE_TSDB_POSTGRES_PGSTORE_MOVE_H
#define STORE_TSDB_POSTGRES_PGSTORE_MOVE_H

#include "store/tsdb/postgres/pgstore.h"

/* A slice of a journal row. */
struct move_slice {
    struct codec_slice s;
    struct str bytes;
    uint64_t relation; /* 0 = its group was deleted */
    bool skip;         /* stored already, or of a day that is gone */
};

struct move_row {
    uint64_t lsn;
    struct uuid collector;
    struct str slices, meta;
};

struct move {
    struct pgstore *store;
    struct arena arena, scratch; /* of one slice */
    struct move_row *rows;
    size_t row_count, row_cap;
    struct move_slice *slices;
    size_t slice_count, slice_cap;
    bool waits; /* a day that is to come has no partition yet: the rows stay */
};

/* The codes of the slices become rows of ts_slice, wide tables and ts_extra. */
enum err_code move_slices(struct move *m, struct err *e) ERR_MUST_CHECK;
/* --- pgstore_wide.c --- */
/* Learn which days and wide tables there are, when the leader changed something. */
enum err_code move_know_tables(struct move *m, struct err *e) ERR_MUST_CHECK;
bool move_has_wide(const struct pgstore *p, uint64_t relation);
/* Write the values of the slices that are not skipped, for people. */
enum err_code move_values(struct move *m, struct err *e) ERR_MUST_CHECK;

/* --- pgstore_text.c --- */
enum err_code move_text(struct move *m, const struct uuid *collector, const struct batch_text *t,
                        struct err *e) ERR_MUST_CHECK;
/* Count what collectors have in the dictionary anew. */
enum err_code move_count_texts(struct pgstore *p, struct err *e) ERR_MUST_CHECK;

/* --- pgstore_meta.c --- */
/* Events, texts and targets of the rows; deletions of targets. */
enum err_code move_metas(struct move *m, struct err *e) ERR_MUST_CHECK;

#endif
