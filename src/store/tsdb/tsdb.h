/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb.h: the time-series engine: durable ingest of pushes, blocks by day, scans.
 *
 * A push becomes slices; one transaction on ingest.db makes them durable together with the
 * stream's state, and
 * the answer waits for that alone. Everything else (day files, text.db, event.db, the caller's
 * targets) is derived from the journal by appliers that keep a watermark. store/tsdb/README.md has
 * files and formats.
 *
 * Invariants: (1) an acknowledged slice is in the journal, or in a day file whose `applied` >= its
 * lsn; (2) a reader sees each slice exactly once, also while a flush runs; (3) ids (relation,
 * group, object) and lsn rise and are never used twice.
 * Threads: the caller starts one thread each for tsdb_run_writer, _flusher, _applier; tsdb_push,
 * tsdb_admit, _stats
 *          and _reader_borrow from any; a reader belongs to one thread at a time.
 */
#ifndef STORE_TSDB_TSDB_H
#define STORE_TSDB_TSDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/text.h"
#include "model/batch.h"
#include "model/push.h"
#include "model/relation.h"

struct json;
struct matcher;
struct sqldb;
struct tsdb;
struct tsdb_reader;

/*
 * Takes the targets of one acknowledged record, in lsn order, from the applier's thread. Must be
 * durable when it
 * returns ERR_OK, and idempotent: after a crash the same lsn comes again. An error is logged and
 * tried again.
 */
typedef enum err_code tsdb_target_sink(void *arg, uint64_t lsn, const struct uuid *collector,
                                       const struct batch *targets, struct err *e);

/*
 * Takes the deletion of a target, at its place in the order of lsn, as above. by: what
 * tsdb_target_drop was told.
 */
typedef enum err_code tsdb_drop_sink(void *arg, uint64_t lsn, const struct uuid *target,
                                     const struct json *by, struct err *e);

/* What one collector may have in the store. */
enum tsdb_cap {
    TSDB_CAP_RELATIONS,   /* that it was the first to send */
    TSDB_CAP_GROUPS,      /* target, relation, scope */
    TSDB_CAP_OBJECTS,     /* rows of their own, of all times */
    TSDB_CAP_NEW_OBJECTS, /* an hour */
    TSDB_CAP_CELLS,       /* values an hour */
    TSDB_CAP_TEXTS,
    TSDB_CAP_TEXT_BYTES, /* as stored */
    TSDB_CAP_COLUMNS,    /* of a relation: LIMIT_RELATION_COLUMNS, of all collectors together */
    TSDB_CAPS
};

struct tsdb_config {
    const char *dir;      /* made when absent */
    const char *url;      /* postgres://...: there instead of in dir; NULL = SQLite */
    size_t flush_bytes;   /* head size that starts a flush; 0 = 24 MB */
    size_t journal_bytes; /* journal size that starts a flush; 0 = 64 MB; twice that = full */
    size_t fold_bytes;    /* readings in memory as they came; what is above gets folded; 0 = 3 MB */
    int64_t flush_age_ms; /* age of the oldest slice that starts a flush; 0 = 2 h */
    int retention_days;   /* readings are kept; 0 = 15, in PostgreSQL 7; at least 3 */
    int retention_slow_days; /* of clocks slower than 15 s; 0 = 60; in PostgreSQL as the others */
    int rollup_5m_days;      /* roll-ups of 5 minutes, likewise, by whole months; 0 = 90 */
    int rollup_1h_days;      /* of an hour; 0 = 400 */
    int event_days;          /* events; 0 = 400 */
    int text_days;           /* texts that no reading names any more, since they came; 0 = 400 */
    int64_t close_ms;        /* a day is compacted so long after its end; 0 = 26 h */
    uint64_t max_bytes;      /* the oldest files go when the store has more; 0 = no such bound */
    tsdb_target_sink *target_sink; /* NULL = targets are dropped */
    tsdb_drop_sink *drop_sink;     /* NULL = nobody keeps targets */
    void *target_arg;              /* of both */
    int64_t object_rest_ms;        /* objects not seen for so long may leave memory; 0 = 24 h */
    size_t readers;                /* handle sets; 0 = 6 */
    size_t cache_bytes;            /* of blocks read lately; 0 = 8 MB */
    uint64_t caps[TSDB_CAPS];      /* 0 = the usual one */
};

/* --- Life cycle --- */

/*
 * Open or make a store; replays the journal. ERR_CONFLICT when another process has it open,
 * ERR_UNSUPPORTED when
 * its files are newer than this program.
 */
enum err_code tsdb_open(const struct tsdb_config *config, struct tsdb **out,
                        struct err *e) ERR_MUST_CHECK;
/* after the threads ended and all readers were returned; NULL allowed */
void tsdb_close(struct tsdb *db);

/* Thread bodies: return after tsdb_stop. Start all three; they wait for each other at the end. */
void tsdb_run_writer(struct tsdb *db);
void tsdb_run_flusher(struct tsdb *db);
void tsdb_run_applier(struct tsdb *db);
/* Refuse new pushes, finish queued ones, flush, trim the journal. Returns at once. */
void tsdb_stop(struct tsdb *db);
/*
 * As tsdb_stop, but leave head and journal as they are: the next start replays (tests,
 * emergencies).
 */
void tsdb_stop_fast(struct tsdb *db);

/* --- Ingest --- */

struct tsdb_ack {
    uint64_t next_seq; /* also with ERR_CONFLICT: what the stream expects */
    struct uuid store_epoch;
    uint64_t stored_records;
    uint64_t duplicate_records;
    uint64_t samples; /* values that are not null, stored by this push */
    /* values not stored: outside the clock window, of a day that went, t not rising in its group */
    uint64_t rejected;
    bool mismatch;    /* with ERR_CONFLICT: a known number came with another hash */
    uint64_t bad_seq; /* with ERR_INVALID and ERR_LIMIT of one record: its number; else 0 */
};

/*
 * Cheap test before a body is read: ERR_LIMIT while the store is full, ERR_CANCELLED after
 * tsdb_stop.
 */
enum err_code tsdb_admit(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/*
 * Store the records of a push that are new, all or none, and wait until they are durable.
 * Errors: ERR_CONFLICT (gap or mismatch: see ack), ERR_INVALID (a record is wrong; ack->bad_seq),
 * ERR_LIMIT (full when
 *         ack->bad_seq is 0: 503; a record beyond limits.h: 413), ERR_IO (507), ERR_CANCELLED,
 *         ERR_TIMEOUT (503), ERR_NOT_FOUND (a slice without keys whose rows are not those of the
 *         stream's last one: come again with keys)
 */
enum err_code tsdb_push(struct tsdb *db, struct arena *a, const struct push *push,
                        struct tsdb_ack *ack, struct err *e) ERR_MUST_CHECK;
/* Store an event of the server itself (a finding, a deploy), durably. */
enum err_code tsdb_event_add(struct tsdb *db, const struct batch_event *event,
                             struct err *e) ERR_MUST_CHECK;
/*
 * Delete a target with its history, durably: readings, events, texts that nobody else names. What
 * is read of it later starts anew; readings of before are refused. Waits until mono_us for the sink
 * to have taken it; it is done in any case. Day files are purged in the background (tsdb_stats:
 * dropped_groups).
 * by: a JSON value for the sink; an unknown target is no error.
 */
enum err_code tsdb_target_drop(struct tsdb *db, const struct uuid *target, struct str by,
                               int64_t mono_us, struct err *e) ERR_MUST_CHECK;
/*
 * Whether this process is the one that does what one of a store's servers does for all: by a lease,
 * which it held less than 6 s ago. Without others always.
 */
bool tsdb_leads(struct tsdb *db);
/* Flush the head now and wait until the journal is trimmed; ERR_TIMEOUT after mono_us. */
enum err_code tsdb_flush(struct tsdb *db, int64_t mono_us, struct err *e) ERR_MUST_CHECK;

/*
 * Merge the small blocks of every day file now, and wait for it; else that happens by itself when
 * a day is closed or blocks pile up. ERR_TIMEOUT after mono_us: it goes on; ERR_IO: the log says
 * why a file was left as it was.
 */
enum err_code tsdb_compact(struct tsdb *db, int64_t mono_us, struct err *e) ERR_MUST_CHECK;

/* --- Reading --- */

/* Pin one version of the store. ERR_TIMEOUT when no handle set is free until mono_us. */
enum err_code tsdb_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                 struct err *e) ERR_MUST_CHECK;
void tsdb_reader_return(struct tsdb_reader *r); /* NULL allowed */

/* What a reader shows: these, both rising. */
struct tsdb_sight {
    size_t target_count;
    const struct uuid *targets;
    size_t collector_count; /* whose streams, and events that are of no target */
    const struct uuid *collectors;
};
/*
 * From now on until it is returned the reader is as if the store had nothing else; ids of groups
 * and objects that it gave before still work. sight: borrowed until then. Without this it shows
 * all: a reader for people gets its sight where it is borrowed.
 */
void tsdb_reader_limit(struct tsdb_reader *r, const struct tsdb_sight *sight);

/* One reading, decoded. Valid during the visit only. */
struct tsdb_slice {
    uint64_t group;
    struct str scope;
    int64_t t_ms, from_ms, every_ms;
    unsigned flags;    /* enum slice_flag */
    struct str reason; /* with SLICE_FAILED */
    size_t row_count;
    const uint64_t *objects; /* per row; NULL for fact relations */
    size_t key_count;        /* fact relations: in the order of the relation's keys */
    struct str *const *keys; /* keys[k][row]; object relations: NULL, see tsdb_object_keys */
    size_t column_count;     /* those of the spec, in its order */
    /* cells[c][row]; a column that the reading lacks is all CELL_NULL */
    const struct cell *const *cells;
    size_t gone_count;
    const uint64_t *gone; /* objects that ended */
    size_t reset_count;
    const uint32_t *resets; /* rows whose counters restarted within the interval, rising */
};

typedef enum err_code tsdb_visit(void *arg, const struct tsdb_slice *s, struct err *e);

struct tsdb_scan_spec {
    struct uuid target;
    struct str relation;
    const struct str *scope;   /* NULL = every scope */
    const struct str *columns; /* NULL = all, in the order of tsdb_relation */
    size_t column_count;
    int64_t from_ms, to_ms;   /* from_ms < t <= to_ms */
    int64_t deadline_mono_us; /* 0 = none; passed: ERR_TIMEOUT */
};

/*
 * Visit every slice of a relation of a target, group by group (scope), in time order within a
 * group; two slices of equal t in one group count as one (the first acknowledged).
 * Errors: ERR_NOT_FOUND for an unknown relation, ERR_CORRUPT, ERR_TIMEOUT; an error of the visitor
 * ends the scan.
 */
enum err_code tsdb_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec, tsdb_visit *visit,
                        void *arg, struct err *e) ERR_MUST_CHECK;

struct tsdb_group_object {
    uint64_t group, object;
};

/* Consecutive readings of a stretch that an object is in. */
struct tsdb_presence {
    uint32_t slice, count;
};

/* An object's counters restarted within the interval before this reading of a stretch. */
struct tsdb_restart {
    uint32_t object, slice;
};

/* Objects [from, to) of a stretch. */
struct tsdb_range {
    size_t from, to;
};

/* What stands for a NULL among the numbers of a stretch: a NaN that no reading has. */
#define TSDB_ABSENT_BITS UINT64_C(0x7ffc706761616273)

/*
 * Readings of a group between which no other lies, object by object. Valid during the visit, but
 * the numbers live in the sink's arena.
 */
struct tsdb_stretch {
    uint64_t group;
    size_t slice_count;              /* rising in time */
    const struct tsdb_slice *slices; /* times, flags and gone; no rows */
    size_t first, end;               /* slices within the interval: [first, end) */
    size_t object_count;
    const uint64_t *objects; /* rising */
    size_t range_count;      /* all that are wanted lie in these, and perhaps others */
    const struct tsdb_range *ranges;
    const uint32_t *span_start; /* spans of object i: span_start[i] ... span_start[i + 1] - 1 */
    const struct tsdb_presence *spans;
    /* of its numbers in each column, span by span; those before the first range are not there */
    const uint32_t *value_start;
    size_t value_base;     /* so those of object i begin at values[column][value_start[i] - base] */
    double *const *values; /* by column of the spec; of objects that the sink wants */
    size_t restart_count;
    const struct tsdb_restart *restarts;
};

/* Ids of objects, rising. */
struct tsdb_ids {
    bool known; /* false: nobody knows which ones */
    size_t count;
    const uint64_t *ids;
};

struct tsdb_sink {
    tsdb_visit *visit; /* of readings that are in no stretch */
    enum err_code (*stretch)(void *arg, const struct tsdb_stretch *s, struct err *e);
    /*
     * Whether numbers of an object are wanted; `at`: its place in the stretch that comes next. Not
     * asked again for a stretch with the same objects as the one before.
     */
    enum err_code (*wants)(void *arg, const struct tsdb_group_object *o, size_t at, bool *out,
                           struct err *e);
    struct tsdb_ids
        only; /* known: objects of stretches that are not among them are not asked for */
    void *arg;
    struct arena *arena; /* of the numbers */
};

/*
 * As tsdb_scan, for columns of numbers alone: an engine that has them so gives stretches. All that
 * is visited of a group is in time order.
 */
enum err_code tsdb_scan_numbers(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                                const struct tsdb_sink *sink, struct err *e) ERR_MUST_CHECK;

/*
 * Key values of an object in the order of the relation's keys, exactly relation->key_count.
 * Lives in `a`.
 */
enum err_code tsdb_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                               struct str **keys, struct err *e) ERR_MUST_CHECK;
/*
 * The same of an object whose group is known, as that of a slice is, into the caller's
 * keys[count]; the bytes live until the reader is returned. ERR_NOT_FOUND.
 */
enum err_code tsdb_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                              struct str *keys, size_t count, struct err *e) ERR_MUST_CHECK;
/* What a key of an object must be like, by its place in the relation's keys (model/series.h). */
struct tsdb_key_test {
    const struct matcher *matcher;
    size_t key;
};
struct tsdb_match_spec {
    uint64_t group;
    size_t count;
    const struct tsdb_key_test *tests;
    int64_t deadline_mono_us; /* 0 = none */
};
/*
 * Objects of a group whose keys pass all tests, of those that are known now or were when the same
 * was asked before. Lives in `a`. Not known: the engine has no such list; ask each object.
 */
enum err_code tsdb_match(struct tsdb_reader *r, struct arena *a, const struct tsdb_match_spec *spec,
                         struct tsdb_ids *out, struct err *e) ERR_MUST_CHECK;
/*
 * A relation as described so far; columns never described are gauges. ERR_NOT_FOUND. Lives in
 * `a`.
 */
enum err_code tsdb_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                            struct relation **out, struct err *e) ERR_MUST_CHECK;

/* A group and the newest reading that it has. */
struct tsdb_group {
    uint64_t id;
    struct uuid target;
    struct uuid collector; /* that sent it first: its caps count the group */
    struct str relation;
    struct str scope;
    bool has_last;
    int64_t last_t_ms, last_every_ms;
    unsigned last_flags;
    struct str last_reason; /* of the newest reading, when it failed */
    uint64_t objects;       /* known to the group */
};

/* Groups of a target, or of all (target NULL), sorted by target, relation, scope. Lives in `a`. */
enum err_code tsdb_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                          struct tsdb_group **out, size_t *count, struct err *e) ERR_MUST_CHECK;
/* The newest reading of a relation over all scopes; ERR_NOT_FOUND when there is none. */
enum err_code tsdb_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                        struct str relation, struct tsdb_group *out, struct err *e) ERR_MUST_CHECK;

/* A text of the dictionary: kind "query", key = query id. ERR_NOT_FOUND. Lives in `a`. */
struct tsdb_text_key {
    struct uuid target;
    struct str kind;
    struct str key;
};
enum err_code tsdb_text(struct tsdb_reader *r, struct arena *a, const struct tsdb_text_key *key,
                        struct str *text, struct err *e) ERR_MUST_CHECK;

struct tsdb_event {
    uint64_t id;
    struct uuid collector;
    struct batch_event event; /* target all zero = the agent or the server itself */
};

struct tsdb_event_spec {
    const struct uuid *target; /* NULL = all */
    int64_t from_ms, to_ms;    /* from_ms < t <= to_ms; to_ms 0 = no end */
    struct str kind;           /* empty = all */
    enum batch_severity min_severity;
    /* words, all of which must occur in title, kind or body; empty = all */
    struct str search;
    int64_t before_t_ms; /* cursor: continue after the last event of the page before; */
    uint64_t before_id;  /* 0 = from the newest */
    size_t limit;
};

/* Newest first. Lives in `a`. ERR_LIMIT: a limited reader passed over too many; ask for less. */
enum err_code tsdb_events(struct tsdb_reader *r, struct arena *a,
                          const struct tsdb_event_spec *spec, struct tsdb_event **out,
                          size_t *count, struct err *e) ERR_MUST_CHECK;

struct tsdb_gap_count {
    struct str reason;
    uint64_t records;
};

struct tsdb_stream {
    struct uuid stream, collector;
    uint64_t next_seq;
    uint64_t stored; /* records with data; next_seq - 1 = stored + sum of gaps */
    uint64_t samples;
    bool backlog, closed;
    int64_t last_push_ms; /* 0 = not since the start of this process */
    size_t gap_count;
    struct tsdb_gap_count *gaps;
};

/* Every stream. Lives in `a`. */
enum err_code tsdb_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                           size_t *count, struct err *e) ERR_MUST_CHECK;

struct tsdb_record {
    uint64_t seq;
    unsigned char hash[PUSH_HASH_BYTES]; /* zero for a gap */
    bool is_gap;
    struct str reason; /* of a gap */
    uint64_t span;     /* of a gap; else 1 */
    uint64_t slices, samples;
    int64_t t_min_ms, t_max_ms; /* 0 when there is no slice */
};

struct tsdb_record_spec {
    struct uuid collector, stream;
    uint64_t from_seq;
    size_t limit;
};

/*
 * Acknowledged records of a stream in order of seq, the last 100000 are kept. ERR_NOT_FOUND.
 * Lives in `a`.
 */
enum err_code tsdb_records(struct tsdb_reader *r, struct arena *a,
                           const struct tsdb_record_spec *spec, struct tsdb_record **out,
                           size_t *count, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

enum tsdb_refusal {
    TSDB_REFUSED_CLOCK,    /* samples outside the clock window, or of a day that went */
    TSDB_REFUSED_ORDER,    /* samples whose t did not rise in its group */
    TSDB_REFUSED_FULL,     /* pushes refused while full */
    TSDB_REFUSED_SEQUENCE, /* pushes that did not fit the stream */
    TSDB_REFUSED_INVALID,  /* pushes with a record that cannot be read */
    TSDB_REFUSED_CAP,      /* values over a cap (columns, rows, objects) */
    TSDB_REFUSED_OWNER,    /* samples of a target that another collector delivers */
    TSDB_REFUSED_DELETED,  /* samples of before their target was deleted */
    TSDB_REFUSED_KINDS
};

/* What the store consists of on the disk. */
enum tsdb_part {
    TSDB_PART_INGEST,
    TSDB_PART_RAW_FAST, /* readings of clocks up to 15 s */
    TSDB_PART_RAW_SLOW,
    TSDB_PART_TIER_5M,
    TSDB_PART_TIER_1H,
    TSDB_PART_TEXT,
    TSDB_PART_EVENT,
    TSDB_PARTS
};

/* Why a file of readings was removed. */
enum tsdb_removal {
    TSDB_REMOVED_AGE,   /* older than retention_days, or retention_slow_days */
    TSDB_REMOVED_QUOTA, /* the store had more than max_bytes */
    TSDB_REMOVED_KINDS
};

struct tsdb_stats {
    const char *engine; /* "sqlite", "postgresql" */
    struct uuid epoch;
    uint64_t journal_bytes, head_bytes, disk_bytes;
    uint64_t part_bytes[TSDB_PARTS]; /* of disk_bytes */
    uint64_t free_bytes;             /* on the disk; as of the last look, at most 10 s ago */
    uint64_t samples_stored, pushes, records, slices, commits, duplicates; /* since the start */
    uint64_t refused[TSDB_REFUSED_KINDS];
    uint64_t flushes, flush_errors, replayed_records, replayed_slices;
    uint64_t folds;   /* of 32 slices of a group in memory */
    uint64_t retired; /* objects that nothing named any more */
    uint64_t relations, groups, objects, streams;
    uint64_t dropped_groups; /* of deleted targets, of which files may still hold something */
    uint64_t lsn, flushed_lsn, applied_lsn;
    int64_t last_flush_ms; /* wall; 0 = none yet */
    int64_t rolled_up_ms;  /* roll-ups are complete up to here; 0 = there are none */
    uint64_t rollup_files; /* day files of which an hour that is over is not rolled up yet */
    uint64_t compactions, compact_errors; /* files that were written anew; that could not be */
    uint64_t removed[TSDB_REMOVED_KINDS]; /* files */
    uint64_t removed_bytes;
    uint64_t expired_events, expired_texts; /* that were too old */
    uint64_t stripped;    /* plans, and bodies of events, that the quota had no room for */
    uint64_t max_bytes;   /* the quota; 0 = none */
    uint64_t quarantined; /* things that could not be read, moved to damaged.db since the start */
    bool full;
};

void tsdb_stats(struct tsdb *db, struct tsdb_stats *out);

/* What a collector has of what it may have. */
struct tsdb_use {
    struct uuid collector;
    uint64_t used[TSDB_CAPS]; /* of those an hour: in the present one; of columns: 0 */
    uint64_t max[TSDB_CAPS];
    uint64_t refused[TSDB_CAPS]; /* what came beyond it, since the start: values; texts of texts */
};

/* Every collector that delivered something. Lives in `a`. */
enum err_code tsdb_uses(struct tsdb *db, struct arena *a, struct tsdb_use **out, size_t *count,
                        struct err *e) ERR_MUST_CHECK;
const char *tsdb_cap_name(enum tsdb_cap cap);       /* "objects", "text_bytes" ... */
const char *tsdb_refusal_name(enum tsdb_refusal r); /* "clock", "order" ... */
const char *tsdb_removal_name(enum tsdb_removal r); /* "age", "quota" */
const char *tsdb_part_name(enum tsdb_part p);       /* "ingest", "raw_fast" ... */

/* --- Backup --- */

struct tsdb_copy {
    /*
     * A copy of the file `name` (relative, "raw/fast/20261127.db") is at `path`; it is removed
     * after the call. A name may come again: then the later copy counts. Errors end all.
     */
    enum err_code (*take)(void *arg, const char *name, const char *path, struct err *e);
    /*
     * Called once when ingest.db was copied: put a file into `work` that must be younger, and say
     * its name; it is taken as the last one. NULL = there is none.
     */
    enum err_code (*last)(void *arg, const char *work, const char **name, struct err *e);
    void *arg;
};
/*
 * Copy the whole store while it is in use; the copies fit together. Needs room on its disk for the
 * largest file and those in use. Nothing is held up by a slow taker but retention.
 * Errors: ERR_CONFLICT another one is under way, ERR_IO no room (nothing is left), those of take
 */
enum err_code tsdb_copy(struct tsdb *db, const struct tsdb_copy *to, struct err *e) ERR_MUST_CHECK;
/* The newest schema of a file of that name that this program can open; 0 = not one of a store. */
int tsdb_copy_schema(struct str name);
/*
 * Make copies in a folder a store of its own: a new epoch, and an lsn above every watermark, also
 * above `applied` of the caller's targets. Before anybody opens it.
 */
enum err_code tsdb_restored(const char *dir, uint64_t applied, struct err *e) ERR_MUST_CHECK;
/*
 * The same for a database of PostgreSQL that its own tools restored; *lsn: the highest that was
 * given. ERR_CONFLICT when a server uses it, ERR_NOT_FOUND when none ever did.
 */
enum err_code tsdb_restored_pg(struct sqldb *db, uint64_t applied, uint64_t *lsn,
                               struct err *e) ERR_MUST_CHECK;

/*
 * Check every file of a store that no server has open: structure, schema, each journal row and
 * block decodes, ids are
 * known, watermarks fit. `finding` is called for each damage.
 * repair: move what cannot be read into damaged.db or damaged/ (nothing is deleted that is not kept
 * there), build indexes anew, write day files anew from what can be read; `repaired` is called for
 * each. What is wrong afterwards is found by another check.
 * Errors: ERR_CORRUPT when there was a finding, ERR_CONFLICT when the store is in use
 */
struct tsdb_verify {
    void (*finding)(void *arg, const char *file, const char *text);
    void (*repaired)(void *arg, const char *file, const char *text);
    void *arg;
    bool repair;
    uint64_t files, journal_rows, blocks, slices, samples; /* out */
    uint64_t rollup_blocks;
};
enum err_code tsdb_verify(const char *dir, struct tsdb_verify *v, struct err *e) ERR_MUST_CHECK;

#endif
