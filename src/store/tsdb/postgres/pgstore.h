/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore.h: the PostgreSQL engine as its parts see each other. Private to store/tsdb.
 *
 * Several server processes (nodes) share one database. A push waits for one transaction: a row of
 * ts_journal with its stream's row. The node that took it moves it on into ts_slice (the coded
 * readings, from which the server answers) and into wide tables and ts_extra (for people), and
 * deletes it, in one transaction; of a node that died others take the rows over. One node at a time
 * is the leader and makes partitions and tables.
 *
 *     push -> names (one node at a time) -> journal + stream, COMMIT -> answer
 *     mover:  journal -> ts_slice, ts_wide_N, ts_extra, events, texts, records; journal trimmed
 *     leader: lease, partitions, wide tables, views, roll-ups, retention, deleted targets
 *
 * What a push needs before its transaction (streams, names, the queue) is that of engine.h.
 * Invariants: (1) an acknowledged reading is in ts_journal or in ts_slice, never in both, in every
 *             snapshot; (2) ids of relations, groups and objects are added under one advisory lock
 *             and rise with every commit, so a node learns what is new by `id >= next`; (3) only
 *             the leader changes tables, and each of its transactions checks its term.
 * Threads:    writer, mover (the flusher's place) and leader (the applier's) own a connection each;
 *             a reader has one of its own.
 */
#ifndef STORE_TSDB_POSTGRES_PGSTORE_H
#define STORE_TSDB_POSTGRES_PGSTORE_H

#include "store/tsdb/writer.h"

#define PGSTORE_LOCK_MS 2000 /* a stream or a name that is locked for longer: 503 */

/* A column that a wide table has. */
struct pgstore_wide_column {
    uint32_t id;
    enum relation_type type;
};

/* The wide table of a relation, as the mover knows it. */
struct pgstore_wide {
    uint64_t relation;
    size_t key_count, column_count;
    struct pgstore_wide_column *keys, *columns;
};

struct pgstore {
    struct tsdb front; /* first */
    char *url;         /* may hold a password: never shown */
    int64_t node;
    char name[160]; /* host and process, for people */
    struct sqldb *write, *move, *lead;
    /* the writer's */
    int64_t names_seen, drops_seen;
    bool names_lost; /* what is known of names is old: read them again */
    /* guarded by front.state */
    bool writer_over, mover_over;
    bool tables_wanted; /* the mover met a relation or day without a table */
    /* the mover's */
    int64_t wide_seen;
    struct pgstore_wide *wide;
    size_t wide_count;
    int64_t *days;
    size_t day_count;
    bool texts_lost;        /* a transaction failed: texts are to be counted anew */
    int64_t waits_since_us; /* for a table that a relation shall have; 0 = not */
    /* the leader's */
    int64_t term; /* 0 = not the leader */
    bool has_timescale;
    char timescale_schema[132]; /* of its functions, as an identifier */
    _Atomic uint64_t moved_slices, doubled_slices, lost_leases;
    _Atomic int64_t rolled_up_ms;
    _Atomic int64_t leads_until_us; /* monotonic; before the lease ends */
    _Atomic uint64_t rollup_marks;
};

struct pgstore_reader {
    struct tsdb_reader_base base; /* first */
    struct pgstore *store;
    bool borrowed, in_snapshot;
    struct sqldb *db;
    struct arena names;  /* keys of objects, until it is returned */
    struct map *objects; /* group -> struct pgstore_objects */
};

extern const struct tsdb_ops pgstore_ops;

static inline struct pgstore *pgstore_of(struct tsdb *db)
{
    return (struct pgstore *)db;
}

/* A connection of a thread of the engine. */
enum err_code pgstore_connect(struct pgstore *p, unsigned flags, struct sqldb **out,
                              struct err *e) ERR_MUST_CHECK;
/* Ids as the text of an array of bigint: {1,2,3}. */
void pgstore_put_ids(struct buf *out, const uint64_t *ids, size_t count);

/* --- pgstore_copy.c: cells of COPY's text format --- */
void pgstore_copy_text(struct buf *out, struct str text); /* without NUL bytes */
void pgstore_copy_blob(struct buf *out, struct str bytes);
void pgstore_copy_time(struct buf *out, int64_t t_ms); /* timestamptz */
/* Text as PostgreSQL can store it: without NUL bytes; borrowed when there are none. */
struct str pgstore_clean(struct arena *a, struct str text);

/* --- pgstore_names.c: the writer's thread --- */
enum err_code pgstore_names_load(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
/* Begin a transaction in which names may be added to the catalogue: it holds what is known now. */
enum err_code pgstore_names_begin(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
/* Write what was added; on an error it is taken back. */
enum err_code pgstore_names_commit(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
/* Take back what was added and not written. */
void pgstore_names_undo(struct pgstore *p);
/* Let all pushes end and read the names anew; on an error no push is taken until it succeeds. */
enum err_code pgstore_names_restart(struct pgstore *p, struct err *e) ERR_MUST_CHECK;

/* --- pgstore_drop.c --- */
enum err_code pgstore_drop_store(struct pgstore *p, struct ingest_job *job,
                                 struct err *e) ERR_MUST_CHECK;
/* Read which targets were deleted of late. */
enum err_code pgstore_drop_load(struct pgstore *p, struct err *e) ERR_MUST_CHECK;

/* --- pgstore_owner.c: the writer's thread --- */
struct pgstore_claims {
    struct pgstore_claim *list;
    size_t count, cap;
};
/*
 * Inside the transaction of a batch: take the groups of its jobs for their collectors. A job with
 * a group that another collector delivers is to be tried again (job->again).
 */
enum err_code pgstore_owner_claim(struct pgstore *p, struct batch_of_jobs *b,
                                  struct pgstore_claims *c, struct err *e) ERR_MUST_CHECK;
void pgstore_owner_committed(struct pgstore_claims *c);
void pgstore_owner_fini(struct pgstore_claims *c);

/* --- threads --- */
void pgstore_run_writer(struct tsdb *db);
void pgstore_run_mover(struct tsdb *db);
void pgstore_run_leader(struct tsdb *db);
bool pgstore_leads(struct tsdb *db); /* any thread */

/* --- pgstore_wide.c --- */
/* Readings of days before this one went: pushes of them are refused from now on. Any thread. */
void pgstore_note_raw_day(struct pgstore *p, int64_t day);

/* --- the leader's work, each in transactions of its own --- */
/* Begin a transaction of the leader; ERR_CONFLICT when it is the leader no more. */
enum err_code pgstore_lead_begin(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_tables_make(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
/* Partitions of a day, which may be long gone, while no other node runs (store/transfer). */
enum err_code pgstore_tables_make_day(struct pgstore *p, int64_t day, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_tables_expire(struct pgstore *p, struct err *e) ERR_MUST_CHECK;

/* --- reading --- */
enum err_code pgstore_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                    struct err *e) ERR_MUST_CHECK;
void pgstore_reader_return(struct tsdb_reader *r);
void pgstore_reader_close(struct pgstore_reader *r);
/* The connection in the reader's snapshot. */
enum err_code pgstore_reader_db(struct tsdb_reader *r, struct sqldb **out,
                                struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                           tsdb_visit *visit, void *arg, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                                  struct str **keys, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                                 struct str *keys, size_t count, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                               struct relation **out, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                             struct tsdb_group **out, size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                           struct str relation, struct tsdb_group *out,
                           struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_text(struct tsdb_reader *r, struct arena *a, const struct tsdb_text_key *key,
                           struct str *text, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_events(struct tsdb_reader *r, struct arena *a,
                             const struct tsdb_event_spec *spec, struct tsdb_event **out,
                             size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                              size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_records(struct tsdb_reader *r, struct arena *a,
                              const struct tsdb_record_spec *spec, struct tsdb_record **out,
                              size_t *count, struct err *e) ERR_MUST_CHECK;

#endif
