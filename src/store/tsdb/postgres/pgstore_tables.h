/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_tables.h: what the leader's works on tables share: statements with names in them,
 * partitions. Private to pgstore_*.c.
 *
 * Threads: the leader's. What changes a table is in a transaction of pgstore_lead_begin.
 */
#ifndef STORE_TSDB_POSTGRES_PGSTORE_TABLES_H
#define STORE_TSDB_POSTGRES_PGSTORE_TABLES_H

#include "store/tsdb/postgres/pgstore.h"

#define PGSTORE_TABLES_ARENA (32UL * 1024 * 1024)

/* A name that a statement has in braces, and what it stands for. */
struct pgstore_fill {
    const char *name;
    struct str value;
};
enum err_code pgstore_run_filled(struct pgstore *p, const char *name,
                                 const struct pgstore_fill *fills, size_t count,
                                 struct err *e) ERR_MUST_CHECK;
/* Commit, or, after an error, roll back. */
enum err_code pgstore_lead_end(struct pgstore *p, enum err_code code, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_table_exists(struct pgstore *p, const char *table, bool *out,
                                   struct err *e) ERR_MUST_CHECK;

/* A list of numbers: the first column of a statement. */
struct pgstore_numbers {
    struct arena *arena;
    int64_t *list;
    size_t count;
};
enum err_code pgstore_read_numbers(struct pgstore *p, const char *name, struct sqldb_args args,
                                   struct pgstore_numbers *out, struct err *e) ERR_MUST_CHECK;

/* A partition, and the literals that bound its key. */
struct pgstore_partition {
    const char *parent, *child, *column;
    struct str from, to;
};
/* Unless it is there. */
enum err_code pgstore_make_partition(struct pgstore *p, const struct pgstore_partition *n,
                                     struct err *e) ERR_MUST_CHECK;
/* Within a transaction; one that is not there is none. */
enum err_code pgstore_drop_partition(struct pgstore *p, const char *parent, const char *child,
                                     struct err *e) ERR_MUST_CHECK;

/* A table that is divided by day, and how its key is written. */
struct pgstore_parent {
    const char *name;
    bool by_ms; /* the key is t_ms, else t */
};
/* ts_slice, ts_extra and, without TimescaleDB, the wide tables. */
enum err_code pgstore_list_parents(struct pgstore *p, struct arena *a, struct pgstore_parent **out,
                                   size_t *count, struct err *e) ERR_MUST_CHECK;
/* 20261127 */
const char *pgstore_day_name(struct arena *a, int64_t day);
/* The literal of a day's beginning. */
struct str pgstore_day_bound(struct arena *a, const struct pgstore_parent *parent, int64_t day);

#endif
