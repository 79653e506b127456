/* SPDX-License-Identifier: PostgreSQL */
/* ingest_private.h: what the files of ingest share; ingest.c has the rules. */
#ifndef STORE_TSDB_INGEST_PRIVATE_H
#define STORE_TSDB_INGEST_PRIVATE_H

#include "store/tsdb/ingest.h"

/* One slice on its way: names resolved. */
struct work {
    struct slice *slice;
    struct stream_entry *entry;
    /* What its names are. The entry has those of the last slice of the group in the record. */
    uint32_t *keys, *columns;
    enum relation_type *types;
    bool skip;    /* outside the clock window, or its day went */
    bool deleted; /* went with its target */
    bool capped;  /* names something that its collector may not have any more */
    enum tsdb_cap why;
    uint64_t *objects;
    uint64_t *gone;
    size_t gone_count;
};

struct preparing {
    struct tsdb *db;
    struct ingest_job *job;
    struct ingest_record *record;
    enum ingest_mode mode;
    bool missing; /* INGEST_LOOKUP met a new name */
    int64_t now_ms;
};

/* ingest_rows.c: fill objects and gone of a slice whose keys and columns are resolved. */
enum err_code ingest_resolve_rows(struct preparing *p, struct work *w,
                                  struct err *e) ERR_MUST_CHECK;
/* Whether the rows of a slice are those of the last one of its entry, by `rows_like`. */
bool ingest_knows_rows(const struct stream_entry *n, const struct slice *s);
/* Whether the collector may have one more. A push that only looks up asks without taking. */
bool ingest_may_add(struct preparing *p, enum tsdb_cap cap);
/* Values were left out for a cap. */
void ingest_over_cap(struct preparing *p, enum tsdb_cap cap, uint64_t values);

#endif
