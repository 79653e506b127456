/* SPDX-License-Identifier: PostgreSQL */
/*
 * ingest.h: from the records of a push to a job for the writer.
 *
 * The thread that serves the request resolves names by the stream's cache and encodes. What has no
 * id yet waits for the writer, which adds it and encodes that record itself; the request's thread
 * is asleep then.
 */
#ifndef STORE_TSDB_INGEST_H
#define STORE_TSDB_INGEST_H

#include "base/buf.h"
#include "store/tsdb/codec/codec.h"
#include "store/tsdb/engine.h"

/* What a stream remembers of one (relation, target, scope). The stream's pusher alone uses it. */
struct stream_entry {
    struct catalog_group *group;
    size_t key_count, column_count, row_count;
    struct catalog_column **keys;    /* as the slice orders them */
    struct catalog_column **columns; /* as the slice orders them */
    enum relation_type *types;       /* of the columns, as last described */
    struct catalog_object **rows;    /* objects of the last slice, row by row */
    uint64_t rows_like;              /* of that slice, when all its rows are in `rows`; else 0 */
    int64_t last_t_ms;               /* of the last acknowledged slice */
    int64_t push_t_ms;               /* of the last slice of this push */
    uint64_t push_no;
};

/* Where one slice lies in the record's blob. */
struct ingest_slice {
    uint64_t group;
    int64_t t_ms, every_ms;
    unsigned flags;
    struct str reason;
    size_t offset, len;
    struct stream_entry *entry;
};

/* One new record or gap of a push. */
struct ingest_record {
    const struct push_record *source;
    uint64_t seq, span;
    struct batch batch;
    bool ready;      /* encoded; else the writer must add names first */
    struct buf blob; /* slices, each with its length before it */
    struct buf meta; /* JSON text, or empty */
    size_t slice_count;
    struct ingest_slice *slices;
    uint64_t samples, rejected_clock, rejected_order, rejected_cap, rejected_owner,
        rejected_deleted;
    int64_t t_min_ms, t_max_ms;
    uint64_t lsn;
};

struct ingest_job {
    struct ingest_job *next;
    struct stream *stream; /* NULL: the server's own event, or a deletion */
    struct drop *drop;     /* NULL but for a deletion */
    const struct push *push;
    struct arena *arena;
    struct ingest_record *records;
    size_t record_count;
    bool load;  /* shared stores: only read the stream's row */
    bool again; /* shared stores: the stream was not what we knew; it is now, so try again */
    enum job_state state;
    struct cond done; /* the state became JOB_DONE: who waits for one commit wakes for no other */
    enum err_code code;
    struct err err;
    uint64_t bad_seq;
};

/*
 * Shared stores: names that the stream's cache holds may have been taken back since. Forget the
 * cache then; true = what was resolved by it is not to be used.
 */
bool ingest_forget_stale(struct tsdb *db, struct stream *s);

enum ingest_mode {
    INGEST_LOOKUP, /* leave a record that names something new */
    INGEST_CREATE, /* the writer: add it */
};

/* Resolve and encode one record: sets `ready`, or leaves it (only INGEST_LOOKUP). */
enum err_code ingest_prepare(struct tsdb *db, struct ingest_job *job, struct ingest_record *r,
                             enum ingest_mode mode, struct err *e) ERR_MUST_CHECK;
/* How long a group stays with its collector after a reading on this clock. */
int64_t ingest_lease_ms(int64_t every_ms);
/* Whether a prepared record has slices of a target that was deleted since. */
bool ingest_is_stale(const struct ingest_record *r);
/* The record was committed: its times count from now on. */
void ingest_committed(const struct ingest_record *r);
void ingest_free_record(struct ingest_record *r);

/* stream.c */
struct stream *stream_new(const struct uuid *collector, const struct uuid *uuid);
void stream_free(void *stream);
void stream_forget(struct stream *s); /* drop the cache */
/* Drop what it knows of deleted groups; nobody pushes to it. */
void stream_forget_dropped(struct stream *s);
/* Drop the hashes, too: nothing is expected of it any more, though it may still push. */
void stream_rest(struct stream *s);
/* The entry of a slice's (relation, target, scope); made when absent. */
struct stream_entry *stream_entry_of(struct stream *s, const struct slice *slice);
/* Forget an entry that has no group. */
void stream_drop_entry(struct stream *s, const struct slice *slice);
void stream_remember(struct stream *s, const struct known_record *k);
/* NULL when it is no longer kept. */
const struct known_record *stream_known(const struct stream *s, uint64_t seq);
/*
 * Pushes without numbers share one stream, whose id is that of the collector. What was stored
 * within the last ten minutes is known by its hash.
 */
bool stream_is_unnumbered(const struct stream *s);
void stream_hear(struct stream *s, const unsigned char hash[PUSH_HASH_BYTES]);
bool stream_heard(const struct stream *s, const unsigned char hash[PUSH_HASH_BYTES]);
void stream_count_gap(struct stream *s, struct str reason, uint64_t records);
enum err_code stream_load_all(struct tsdb *db, struct err *e) ERR_MUST_CHECK;

#endif
