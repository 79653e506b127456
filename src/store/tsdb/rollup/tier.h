/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier.h: roll-ups: what lies in tier files, who makes it, who reads it. Private to store/tsdb.
 *
 * A bucket (b, b + R] of a group is one slice of a block, stamped at its newest reading; the
 * streams of the block are aggregates of the relation's columns (TIER_STREAM). README.md says what
 * each means.
 *
 * Invariants: (1) each flush marks the (group, hour) of its slices in the day file, in the
 *             transaction that sets `applied`; a mark goes after the buckets of that hour are
 *             committed, so a crash makes them again and never leaves them out; (2) buckets of an
 *             hour are made from its readings and from the last bucket before it, so that making
 *             them again gives the same; (3) readers take nothing above the watermark.
 * Threads:    files are written by the flusher; the list is guarded by the engine's state lock.
 */
#ifndef STORE_TSDB_ROLLUP_TIER_H
#define STORE_TSDB_ROLLUP_TIER_H

#include "store/tsdb/codec/codec.h"
#include "store/tsdb/engine.h"
#include "store/tsdb/read/reader.h"
#include "store/tsdb/rollup/tier_place.h"

#define TIER_HOUR_MS 3600000LL
#define TIER_5M_MS   300000LL
#define TIER_SLOW_MS 900000 /* clocks up to this are rolled up by the hour; none at all, too */

#define TIER_GRACE_MS  180000LL           /* an hour is over when its readings had that long */
#define TIER_SEARCH_MS (40 * TSDB_DAY_MS) /* how far back a group's last bucket is looked for */
#define TIER_LATE_MS   (4 * TSDB_DAY_MS)  /* late readings are younger; so is what follows them */

/* Streams of a tier block: those of a row, then eight of each column. */
enum tier_row_stream { TIER_READINGS, TIER_AGE, TIER_BORN, TIER_ENDED, TIER_OPENED };
enum tier_stream {
    TIER_LAST,
    TIER_MIN,   /* NULL = as last */
    TIER_MAX,   /* NULL = as last; of a delta: as sum */
    TIER_SUM,   /* NULL = last times count */
    TIER_COUNT, /* NULL = as the row's readings */
    TIER_FIRST, /* counter: the value that a row began with, which is no rise; NULL = it went on */
    TIER_RISE,  /* counter: NULL = last - (first or the last before) */
    TIER_STATE, /* counter: enum tier_state; NULL = 0 */
    /* of a counter, which has no extremes: */
    TIER_OPEN = TIER_MIN,  /* its value in the row's first reading; NULL = none, or an older file */
    TIER_CLIMB = TIER_MAX, /* what it rose by since then; NULL = last - open */
};
enum tier_state {
    TIER_BROKEN = 1,  /* NULL in the newest reading, so the next value is no rise */
    TIER_NO_RISE = 2, /* no two values to compare */
    TIER_REOPEN = 4,  /* the row's first reading says that it restarted */
};
#define TIER_STREAMS              8
#define TIER_STREAM(column, what) (((column) + 1) * TIER_STREAMS + (uint32_t)(what))

/* Hours are numbered; a reading at t is of hour (t - 1) / 3600000, as buckets are open below. */
int64_t tier_hour_of(int64_t t_ms);
/* End of the bucket that holds t. */
int64_t tier_bucket_end(enum tsdb_tier tier, int64_t t_ms);

/* --- tier.c: files --- */
void tier_path(const struct tsdb *db, enum tsdb_tier tier, int month, char *out, size_t size);
int tier_month_of_hour(int64_t hour);          /* year * 12 + month - 1 */
bool tier_month_start(int month, int64_t *ms); /* false: there is no such month */
/* Whether roll-ups of a month are older than they are kept. */
bool tier_is_old(const struct tsdb_config *config, enum tsdb_tier tier, int month, int64_t now_ms);
bool tier_parse_name(const char *name, int *month); /* "202611.db" */
/* List the files of a store and read their watermarks. */
enum err_code tier_load(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
enum err_code tier_open(const char *path, unsigned flags, struct sqldb **out,
                        struct err *e) ERR_MUST_CHECK;
enum err_code tier_read_watermark(struct sqldb *file, int64_t *out, struct err *e) ERR_MUST_CHECK;
/* Caller holds state (or is alone). */
void tier_set_watermark(struct tsdb *db, enum tsdb_tier tier, int month, int64_t watermark_ms);
/* The file of the newest month; false = there is none. Caller holds state (or is alone). */
bool tier_newest(const struct tsdb *db, enum tsdb_tier tier, struct tier_file *out);
/* Up to here buckets are complete; 0 = there is none. Caller holds state (or is alone). */
int64_t tier_watermark(const struct tsdb *db, enum tsdb_tier tier);
/* Readings of days before this one went, of a class of clocks; lower than before = no change. */
void tier_raise_raw_day(struct tsdb *db, enum day_class class, int64_t day);
/* Write them into the newest file of hours, before the readings go; without one, nothing needs it.
 */
enum err_code tier_save_raw_days(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* Unlink files older than their retention; returns how many. */
size_t tier_expire(struct tsdb *db, int64_t now_ms);
/* Unlink the oldest file of a tier, but for that of the present month; false = there is none. */
bool tier_remove_oldest(struct tsdb *db, enum tsdb_tier tier, int64_t now_ms);

/* --- tier_build.c: readings become buckets --- */
struct tier_build;

/* The readings of an hour of a group, as buckets of both tiers, in order of t. */
struct tier_made {
    size_t count[TSDB_TIERS];
    struct codec_slice *slices[TSDB_TIERS];
};

struct tier_build *tier_build_new(const struct tier_shape *shape, uint64_t group);
void tier_build_free(struct tier_build *b); /* NULL allowed */
/* What went before: the last hourly bucket of the group. */
enum err_code tier_build_prime(struct tier_build *b, const struct tsdb_bucket *last,
                               struct err *e) ERR_MUST_CHECK;
/* A visitor of a scan over the hour. arg: the build */
enum err_code tier_build_visit(void *arg, const struct tsdb_slice *s, struct err *e) ERR_MUST_CHECK;
/* Ends the hour; the result lives with the build. */
enum err_code tier_build_end(struct tier_build *b, struct tier_made *out,
                             struct err *e) ERR_MUST_CHECK;

/* --- tier_scan.c --- */
typedef enum err_code tier_visit(void *arg, const struct tsdb_bucket *b, struct err *e);

/* Buckets of one group with from < t <= to, or the last one of them alone. */
struct tier_range {
    struct tier_place *place;
    const struct tier_shape *shape;
    struct str scope;
    int64_t from_ms, to_ms;
    const uint32_t *columns; /* ids; NULL = all that the relation has */
    size_t column_count;
    int64_t watermark_ms; /* nothing above it; INT64_MAX for who makes them */
    bool last;            /* only the newest */
    int64_t deadline_mono_us;
    struct tsdb_reader *reader; /* whose turn ends now and then (turns.h); NULL = none has one */
};
enum err_code tier_scan(const struct tier_range *q, tier_visit *visit, void *arg,
                        struct err *e) ERR_MUST_CHECK;
/* For who makes an hour: the newest bucket before it, with which its first one goes on. */
struct tier_range tier_range_before(struct tier_place *place, const struct tier_shape *shape,
                                    struct str scope, int64_t hour);
/* For who only asks which buckets of from < t <= to there are: no column of them is read. */
struct tier_range tier_range_bare(struct tier_place *place, const struct tier_shape *shape,
                                  int64_t from_ms, int64_t to_ms);

/* --- tier_plan.c --- */
/* from < t <= to; nothing when to <= from */
struct tier_cover {
    int64_t from_ms, to_ms;
};
/* What there is of a group. */
struct tier_known {
    int64_t raw_from_ms; /* full readings; INT64_MIN = none went */
    struct tier_cover tiers[TSDB_TIERS];
};
/* Also these buckets, the first and the last one, whole hours of them. */
void tier_cover_widen(struct tier_cover *c, int64_t first_ms, int64_t last_ms);
void tier_plan_make(const struct tsdb_plan_spec *spec, const struct tier_known *known,
                    struct tsdb_plan *out);

/* --- tier_file.c: blocks in files --- */
struct tier_files {
    struct tier_place place; /* first */
    struct tsdb_reader *reader;
    struct sqldb *file; /* the one that is written, in a transaction; NULL = those of the reader */
};
/* The kinds live in the arena; NULL = it is full. */
const struct tier_shape *tier_shape_of(struct catalog *c, const struct catalog_relation *r,
                                       struct arena *a);
struct tier_files tier_files_of(struct tsdb_reader *r, enum tsdb_tier tier, uint64_t group);

/* A visitor: the hour of the first bucket. arg: int64_t, 0 before */
tier_visit tier_note_first;

/* --- rollup.c: the flusher's work --- */
/* What was marked up to this time may be rolled up: heads of before were flushed. */
void rollup_allow(struct tsdb *db, int64_t wall_ms);
/* A bounded step; *more: there is more to do now. */
enum err_code rollup_step(struct tsdb *db, bool *more, struct err *e) ERR_MUST_CHECK;
#endif
