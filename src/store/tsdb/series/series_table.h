/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_table.h: the readings of one group, object by object. Private to store/tsdb.
 *
 * A reading is a place on the axis; an object has runs of places with their values. What the
 * readings meant (absence, failures) is left as it was: series_rules.h makes samples of it.
 * Owner:   everything lives in the table's arena, until the next read or fini
 * Threads: one at a time
 */
#ifndef STORE_TSDB_SERIES_SERIES_TABLE_H
#define STORE_TSDB_SERIES_SERIES_TABLE_H

#include <string.h>

#include "base/map.h"
#include "store/tsdb/rollup/rolled.h"

/* A NaN that no reading has: the cell is NULL. */
#define SERIES_NULL_BITS TSDB_ABSENT_BITS

static inline bool series_is_null(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == SERIES_NULL_BITS;
}

static inline double series_null(void)
{
    const uint64_t bits = SERIES_NULL_BITS;
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* Places first .. first + count - 1 in which an object was. */
struct series_run {
    struct series_run *next;
    uint32_t first, count, room;
    /* for a mean, a count or a rise: 2 = behind the columns the readings of each, 3 = then their
     * sums */
    unsigned char parts;
    double *values[]; /* per column of the table; of a text the number of it */
};

/* A place at which something happened to an object. */
struct series_mark {
    struct series_mark *next;
    uint32_t place;
};

struct series_row {
    uint64_t id;            /* fact relations: 0 */
    const struct str *keys; /* in the order of the relation's keys */
    struct series_run *first, *last;
    struct series_mark *gone, *gone_last;
    struct series_mark *resets, *resets_last;
    bool wanted;
};

struct series_axis {
    size_t count, cap;
    int64_t *t_ms, *from_ms, *every_ms;
    unsigned char *flags; /* enum slice_flag */
    bool failed;          /* one of them */
    int64_t slowest_ms;   /* the slowest clock */
};

struct series_table_spec {
    struct tsdb_reader *reader;
    struct uuid target;
    const struct relation *relation;
    struct str scope;
    size_t column_count;
    const size_t *columns; /* indexes in relation->columns */
    int64_t from_ms, to_ms;
    int64_t deadline_mono_us;
    /* roll-ups instead of full readings, where they serve (rolled.h) */
    enum tsdb_need need;
    int64_t range_ms, step_ms;
    /* What keys of an object must be like to be wanted, as keep() says; NULL = only it knows. */
    const struct tsdb_match_spec *match;
    /* Whether an object with these keys is wanted; NULL = all are. */
    bool (*keep)(void *arg, const struct str *keys);
    void *keep_arg;
};

struct series_table {
    struct arena arena;
    const struct series_table_spec *spec;
    struct series_axis axis;
    struct tsdb_plan plan; /* where the readings came from */
    bool rolled;           /* there is a run of that kind */
    size_t row_count, row_cap;
    struct series_row **rows; /* wanted ones */
    size_t text_count, text_cap;
    struct str *texts;
    /* private */
    struct map *text_ids, *tuples;
    size_t slot_mask, slot_count;
    struct series_row **slots;
    size_t order_count, order_cap;
    struct series_row **order; /* rows of the reading before */
    size_t stretch_place;      /* of the first reading of a stretch */
    struct tsdb_ids only;      /* objects that are wanted */
    /* objects of the reading before, and the places of those that are wanted */
    size_t seen_count, seen_cap, place_count;
    uint64_t *seen;
    uint32_t *places;
};

void series_table_init(struct series_table *t, size_t max_bytes);
void series_table_fini(struct series_table *t);
/* Read a group anew. The spec is borrowed as long as the table is used. */
enum err_code series_table_read(struct series_table *t, const struct series_table_spec *spec,
                                struct err *e) ERR_MUST_CHECK;
/* The numbers of the texts that a row has in a column. NULL on overflow. */
const uint32_t *series_table_texts(struct arena *a, const struct series_row *row, size_t column,
                                   size_t *count);

#endif
