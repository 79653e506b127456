/* SPDX-License-Identifier: PostgreSQL */
/*
 * engine.h: the parts of the engine as they see each other. Private to store/tsdb.
 *
 * Locks (base/thread.h): `state` guards streams, the queue of jobs, heads, the list of day files
 * and the flags of the threads; `catalog->lock` guards names and ids. state is taken before
 * catalog.
 */
#ifndef STORE_TSDB_ENGINE_H
#define STORE_TSDB_ENGINE_H

#include <stdatomic.h>

#include "base/map.h"
#include "base/thread.h"
#include "sqldb/sqldb.h"
#include "store/tsdb/caps.h"
#include "store/tsdb/catalog.h"
#include "store/tsdb/head.h"
#include "store/tsdb/ops.h"
#include "store/tsdb/tsdb.h"
#include "store/tsdb/read/turns.h"

#define TSDB_LOCK_STATE   60
#define TSDB_LOCK_CATALOG 61
#define TSDB_LOCK_CAPS    62
#define TSDB_LOCK_CACHE   63
#define TSDB_LOCK_TURNS   64
#define TSDB_LOCK_MEMO    65

#define TSDB_SCHEMA_INGEST 3
#define TSDB_SCHEMA_DAY    3
#define TSDB_SCHEMA_TIER   2
#define TSDB_SCHEMA_TEXT   4
#define TSDB_SCHEMA_EVENT  2

#define TSDB_DAY_MS         86400000LL
#define TSDB_FAST_MS        15000 /* clocks up to this go into raw/fast */
#define TSDB_CLOCK_PAST_MS  (48 * 3600000LL)
#define TSDB_CLOCK_AHEAD_MS 120000LL
#define TSDB_RECORDS_KEPT   100000      /* acknowledged records a stream, for audits */
#define TSDB_HASHES_KEPT    64          /* hashes compared when a number comes again */
#define TSDB_HEARD_KEPT     1024        /* hashes compared when pushes have no numbers */
#define TSDB_HEARD_US       600000000LL /* and for how long: ten minutes */
#define TSDB_ARENA_BYTES    (512UL * 1024 * 1024)

enum day_class { DAY_FAST, DAY_SLOW, DAY_CLASSES };

/* A day file that exists. */
struct day_file {
    enum day_class class;
    int64_t day;        /* days since 1970-01-01 UTC */
    uint32_t edition;   /* of its name: each compaction makes the next one */
    uint64_t applied;   /* every slice up to this lsn is in a block */
    uint64_t compacted; /* every block up to this lsn was merged as a whole; 0 = never */
    uint64_t pile;      /* small blocks, per group that has some */
    uint64_t served;    /* the newest wish for compaction that is done */
    int64_t rest_us;    /* monotonic: no compaction before, after one that failed */
    int64_t dirty_hour; /* first hour that is not in the roll-ups; INT64_MAX = all are */
};

/* A file of roll-ups that exists (tier.h). */
struct tier_file {
    enum tsdb_tier tier;
    int month;            /* year * 12 + month - 1 */
    int64_t watermark_ms; /* every bucket that ends up to here is in it, or in an older file */
};

/* A group of a deleted target, of which files may still hold slices. */
struct dropped_group {
    uint64_t id;
    uint64_t lsn; /* of the deletion */
};

/* A target that was deleted of late; readings up to then are not taken. */
struct dropped_target {
    struct uuid id;
    int64_t t_ms;
};

struct known_record {
    uint64_t seq, span;
    unsigned char hash[PUSH_HASH_BYTES];
    bool is_gap;
};

struct stream_gap {
    char *reason;
    uint64_t records;
};

/* The body of a push without a number. */
struct heard_record {
    unsigned char hash[PUSH_HASH_BYTES];
    int64_t mono_us; /* when it was committed, or the store opened; 0 = a free place */
};

/* A stream: identity, what was acknowledged, and caches that make a steady push cheap. */
struct stream {
    uint64_t id; /* 0 = no row yet */
    struct uuid collector, uuid;
    uint64_t next_seq, stored, samples;
    bool backlog, closed;
    bool busy;   /* a push is under way: it alone touches `cache` */
    bool loaded; /* shared stores: the row was read at some time */
    int64_t last_push_ms;
    size_t gap_count;
    struct stream_gap *gaps;
    struct known_record *known; /* ring of TSDB_HASHES_KEPT; NULL while there is nothing in it */
    size_t known_next;
    struct map *cache;   /* relation, target, scope -> struct stream_entry */
    uint64_t generation; /* of the catalogue, when the cache began */
    uint64_t push_no;
    int64_t owner_told_us;      /* monotonic; when an event last said that another collector owns */
    int64_t cap_told_us;        /* or that something was over a cap */
    struct cap_use *use;        /* of its collector; NULL = not looked up yet */
    struct heard_record *heard; /* ring of TSDB_HEARD_KEPT; NULL unless pushes have no numbers */
    size_t heard_next;
};

enum job_state { JOB_QUEUED, JOB_TAKEN, JOB_DONE };

struct ingest_job; /* ingest.h */

enum run_state { RUN_OPEN, RUN_STOPPING, RUN_STOPPING_FAST };

struct tsdb_counters {
    _Atomic uint64_t samples, pushes, records, slices, commits, duplicates;
    _Atomic uint64_t refused[TSDB_REFUSED_KINDS];
    _Atomic uint64_t folds, retired, flushes, flush_errors, replayed_records, replayed_slices;
    _Atomic uint64_t journal_bytes, disk_bytes, free_bytes;
    _Atomic uint64_t part_bytes[TSDB_PARTS];
    _Atomic uint64_t expired_events, expired_texts, stripped;
    _Atomic uint64_t compactions, compact_errors, quarantined;
    _Atomic uint64_t removed[TSDB_REMOVED_KINDS], removed_bytes;
    _Atomic int64_t last_flush_ms;
};

/* The applier's connections. */
struct applier {
    struct sqldb *ingest; /* read only */
    struct sqldb *text, *event;
    uint64_t text_applied, event_applied;
    int64_t expire_day;  /* of the last look at what is too old */
    int64_t expire_us;   /* monotonic: not before, after one that failed */
    bool expire_more;    /* it did not end yet */
    bool index_is_stale; /* event_search has what was deleted */
};

/* The flusher asks the applier to give something of event.db and text.db. */
enum spare { SPARE_UNKNOWN, SPARE_ASKED, SPARE_NONE };

struct tsdb {
    const struct tsdb_ops *ops; /* first: dispatch.c */
    struct tsdb_config config;
    char *dir;
    int lock_fd;
    struct uuid epoch;
    struct catalog *catalog;
    struct caps *caps;
    struct block_cache *cache; /* NULL = an engine without blocks */
    struct object_memo *memo;  /* the same */
    struct sqldb *ingest;      /* the writer's, and open's */
    struct tsdb_counters count;
    _Atomic int64_t raw_day[DAY_CLASSES]; /* readings of days before it went; 0 = none did */

    struct lock state;
    struct cond wake_writer, wake_flusher, wake_applier, done, stream_free, reader_free;
    /* guarded by state */
    enum run_state run;
    bool shared; /* other processes push into the store, too: what we know of streams may be old */
    bool restarting; /* names are read anew: no push is taken */
    size_t busy_streams;
    bool holding; /* no new push is taken: the writer waits until none is under way */
    struct retire_list *retired; /* retire.c: handed over to the writer */
    struct retire_waste *waste;  /* retire_waste.c: to be freed */
    uint64_t borrows;            /* of readers, ever */
    bool flusher_over, applier_over;
    struct map *streams; /* collector + uuid -> struct stream */
    struct ingest_job *queue_first, *queue_last;
    size_t queued;
    struct head *active, *frozen;
    uint64_t frozen_lsn; /* everything up to here is in `frozen` or older */
    int64_t frozen_wall_ms;
    uint64_t linked_lsn;  /* everything up to here is in a head or in day files */
    uint64_t flushed_lsn; /* day files have applied all up to here */
    uint64_t applied_lsn; /* events, texts, targets likewise */
    uint64_t trimmed_lsn;
    uint64_t meta_lsn; /* newest row with a meta blob */
    bool flush_wanted;
    bool copying;    /* a backup runs: retention, compaction, forgetting of deletions rest */
    bool compacting; /* a step of it runs: a backup waits for its end */
    bool hold_trim;  /* and copies what may be behind the journal */
    struct day_file *days;
    size_t day_count, day_cap;
    struct tier_file *tiers;
    size_t tier_count, tier_cap;
    int64_t rollup_limit_ms;       /* hours that end up to here may be rolled up */
    struct dropped_group *dropped; /* by id */
    size_t dropped_count;
    struct dropped_target *dropped_targets;
    atomic_size_t dropped_target_count;
    uint64_t dropped_lsn;  /* of the newest deletion */
    uint64_t purged_lsn;   /* of the newest one of which day files hold nothing */
    uint64_t days_removed; /* counts files that were unlinked, so that readers drop handles */
    uint64_t compact_asked, compact_done; /* wishes of tsdb_compact */
    uint64_t compact_failed;              /* newest wish of which a file failed */
    struct tsdb_reader **readers;
    size_t reader_count, reader_max;
    struct turns turns; /* has a lock of its own */
    /* the writer's alone */
    bool groups_over; /* nothing names some groups of deleted targets any more */
    uint64_t next_lsn;
    uint64_t next_stream;
    struct applier applier;
    atomic_bool full;
    _Atomic int spare;      /* enum spare */
    int64_t spare_asked_us; /* monotonic; the flusher's */
    atomic_bool look_again; /* the flusher shall look at the quota now */
};

/* --- days.c: day files --- */
int64_t days_of_ms(int64_t t_ms); /* floor */
enum day_class days_class_of(int64_t every_ms);
void days_path(const struct tsdb *db, const struct day_file *f, char *out, size_t size);
/* List the day files of a store and read their watermarks. */
enum err_code days_load(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* A file that is listed; else false, and *out is a new one. Caller holds state (or is alone). */
bool days_get(const struct tsdb *db, enum day_class class, int64_t day, struct day_file *out);
/* List a file, or say how it is now. Caller holds state (or is alone). */
void days_put(struct tsdb *db, const struct day_file *f);
enum err_code days_open(const char *path, unsigned flags, struct sqldb **out,
                        struct err *e) ERR_MUST_CHECK;
/* Whether a file has its schema: else it is being made, or a kill ended that. */
enum err_code days_is_begun(struct sqldb *file, bool *begun, struct err *e) ERR_MUST_CHECK;
/* The watermark of an open day file. */
enum err_code days_read_applied(struct sqldb *day, uint64_t *out, struct err *e) ERR_MUST_CHECK;
/* applied, compacted, pile and dirty_hour of an open day file. */
enum err_code days_read_state(struct sqldb *day, struct day_file *f, struct err *e) ERR_MUST_CHECK;
int days_month(int64_t day);          /* year * 12 + month - 1 */
uint64_t days_size(const char *path); /* bytes, with its WAL; 0 = absent */
/* Unlink a database with what lies beside it. */
enum err_code days_unlink(const char *path, struct err *e) ERR_MUST_CHECK;
/* "20261121.db", or "20261121-3.db" for edition 3 */
bool days_parse_name(const char *name, int64_t *day, uint32_t *edition);

/* --- retain.c: which files go --- */
/* Unlink what is older than the retention; the flusher. Returns how many files. */
size_t retain_age(struct tsdb *db, int64_t now_ms);
/*
 * Unlink the oldest files until the store is within its quota, if it has one, with a flush and
 * `more` bytes; the flusher. What events and texts can spare comes in its turn, but later.
 */
size_t retain_quota(struct tsdb *db, int64_t now_ms, uint64_t more);
/* Whether the quota has no room for a flush and so many bytes more. */
bool retain_is_over(const struct tsdb *db, uint64_t more);

/* --- expire.c: what goes of event.db and text.db; the applier --- */
/* Whether expire_step has something to do. */
bool expire_is_due(struct tsdb *db);
/* Remove some of what is too old, or what the quota asks for. */
void expire_step(struct tsdb *db);

/* --- tsdb.c --- */
void tsdb_measure_disk(struct tsdb *db);

/* --- replay.c --- */
enum err_code replay_run(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* Move the slices of a journal row that cannot be read into quarantine; *bad of them. */
enum err_code replay_mend_row(const char *dir, struct sqldb *ingest, uint64_t lsn, size_t *bad,
                              struct err *e) ERR_MUST_CHECK;

/* --- flush.c --- */
enum err_code flush_head(struct tsdb *db, struct head *h, uint64_t lsn,
                         struct err *e) ERR_MUST_CHECK;

/* --- drop.c: deleted targets --- */
enum err_code drop_load(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* A deletion on its way through the writer. */
struct drop {
    struct uuid target;
    int64_t t_ms;
    uint64_t lsn;
};
/* Delete the names of a target, inside the writer's transaction. */
enum err_code drop_write(struct tsdb *db, const struct drop *d, struct err *e) ERR_MUST_CHECK;
/* That transaction was committed: from now on nothing of the target is read or flushed. */
void drop_written(struct tsdb *db, const struct drop *d);
/* Whether something of a target at this time went with it; any thread, without a lock held. */
bool drop_covers(struct tsdb *db, const struct uuid *target, int64_t t_ms);
/* Its lsn is linked: a flush from now on lets the journal be trimmed so far. */
void drop_wake_flusher(struct tsdb *db);
/* Whether a group was deleted. Caller holds state (or is alone). */
bool drop_has(const struct tsdb *db, uint64_t group);
/* Remove blocks of deleted groups from the day files, when there may be some; the flusher. */
enum err_code drop_purge(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* Forget deletions of which journal and day files hold nothing; the writer. */
enum err_code drop_forget(struct tsdb *db, struct err *e) ERR_MUST_CHECK;

/* --- compact.c: few large blocks instead of many small ones --- */
struct compact;
struct compact *compact_new(struct tsdb *db);
void compact_free(struct compact *c); /* gives up what is under way; NULL allowed */
/*
 * Do some of what is due, for about 50 ms; the flusher. Returns whether there is more to do at
 * once. What fails is logged and left as it was.
 */
bool compact_step(struct compact *c);

/* --- apply.c --- */
enum err_code apply_open(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
void apply_close(struct tsdb *db);

/* --- copy.c: backups --- */
/* Remove what a backup that was cut short left. */
enum err_code copy_clean(const char *dir, struct err *e) ERR_MUST_CHECK;

/* --- reader.c --- */
void reader_close(struct tsdb_reader *r);
/* Let go of unlinked files that idle readers still have open. */
void reader_close_idle(struct tsdb *db);

/*
 * What ops.h names, file by file. tsdb_front_*: before the store, used by every engine: streams,
 * names, the queue of jobs.
 */
void tsdb_front_init(struct tsdb *db, const struct tsdb_config *config);
void tsdb_front_fini(struct tsdb *db); /* not the struct itself */
void tsdb_front_stop(struct tsdb *db);
void tsdb_front_stop_fast(struct tsdb *db);
enum err_code tsdb_front_flush(struct tsdb *db, int64_t mono_us, struct err *e) ERR_MUST_CHECK;
void tsdb_front_counters(struct tsdb *db, struct tsdb_stats *out);
extern const struct tsdb_ops tsdb_sqlite_ops;

/* --- writer.c --- */
void tsdb_sqlite_run_writer(struct tsdb *db);

/* --- flush.c --- */
void tsdb_sqlite_run_flusher(struct tsdb *db);

/* --- apply.c --- */
void tsdb_sqlite_run_applier(struct tsdb *db);

/* --- push.c --- */
enum err_code tsdb_front_admit(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_front_push(struct tsdb *db, struct arena *a, const struct push *push,
                              struct tsdb_ack *ack, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_front_event_add(struct tsdb *db, const struct batch_event *event,
                                   struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_front_target_drop(struct tsdb *db, const struct uuid *target, struct str by,
                                     int64_t mono_us, struct err *e) ERR_MUST_CHECK;

/* --- reader.c --- */
enum err_code tsdb_sqlite_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                        struct err *e) ERR_MUST_CHECK;
void tsdb_sqlite_reader_return(struct tsdb_reader *r);

/* --- scan.c --- */
enum err_code tsdb_sqlite_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                               tsdb_visit *visit, void *arg, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_scan_numbers(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                                       const struct tsdb_sink *sink, struct err *e) ERR_MUST_CHECK;

/* --- query.c --- */
enum err_code tsdb_sqlite_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                                    tsdb_bucket_visit *visit, void *arg,
                                    struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                                    struct tsdb_plan *out, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                                      struct str **keys, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_match(struct tsdb_reader *r, struct arena *a,
                                const struct tsdb_match_spec *spec, struct tsdb_ids *out,
                                struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                                     struct str *keys, size_t count, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                                   struct relation **out, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                                 struct tsdb_group **out, size_t *count,
                                 struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                               struct str relation, struct tsdb_group *out,
                               struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_text(struct tsdb_reader *r, struct arena *a,
                               const struct tsdb_text_key *key, struct str *text,
                               struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_events(struct tsdb_reader *r, struct arena *a,
                                 const struct tsdb_event_spec *spec, struct tsdb_event **out,
                                 size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                                  size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code tsdb_sqlite_records(struct tsdb_reader *r, struct arena *a,
                                  const struct tsdb_record_spec *spec, struct tsdb_record **out,
                                  size_t *count, struct err *e) ERR_MUST_CHECK;

/* --- copy.c --- */
enum err_code tsdb_sqlite_copy(struct tsdb *db, const struct tsdb_copy *to,
                               struct err *e) ERR_MUST_CHECK;

/* --- caps.c --- */
enum err_code tsdb_front_uses(struct tsdb *db, struct arena *a, struct tsdb_use **out,
                              size_t *count, struct err *e) ERR_MUST_CHECK;

#endif
