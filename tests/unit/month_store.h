/* SPDX-License-Identifier: PostgreSQL */
/*
 * month_store.h: a store that lives through days and months of a clock of its own.
 *
 * Every target sends `rows` objects a minute, the first one also 10 objects every 10 seconds. Keys
 * come and go, events and texts come, now and then something arrives a day late, and in the middle
 * a target is deleted. What a day leaves behind is measured when flush, roll-ups, compaction and
 * retention have come to rest. Without cmocka: the bench uses it, too.
 * Threads: one caller; the store has its own three.
 */
#ifndef MONTH_STORE_H
#define MONTH_STORE_H

#include "base/buf.h"
#include "base/thread.h"
#include "store/tsdb/tsdb.h"

#define MONTH_TARGETS 16
#define MONTH_DAY_MS  86400000LL

struct month_shape {
    size_t
        targets; /* at most MONTH_TARGETS; the last one is deleted in the middle, and comes again */
    size_t rows; /* objects of each */
    int days;
    int late_every;            /* days between things that arrive late */
    int64_t push_ms, flush_ms; /* a push has the records of so long; how often blocks are made */
    size_t events, texts;      /* a day */
    size_t churn;              /* keys of each target that end, and come anew, each day */
};

/* How the store was when a day was over. */
struct month_figures {
    int day;
    uint64_t samples; /* stored so far */
    uint64_t part_bytes[TSDB_PARTS], disk_bytes;
    uint64_t rss_bytes;
    uint64_t objects, events_gone, texts_gone, files_gone, compactions;
};

struct month {
    struct month_shape shape;
    struct tsdb_config config;
    struct tsdb *db;
    struct thread threads[3];
    struct uuid collector, targets[MONTH_TARGETS], stream, late_stream;
    uint64_t seq, late_seq;
    int64_t start_ms, now_ms;
    int day;
    uint64_t random, samples;
    int64_t counters[MONTH_TARGETS][64];
    struct buf record, push;
};

/* start_ms: of the clock, a whole day. m->config and m->shape were set; dir is made when absent. */
enum err_code month_open(struct month *m, int64_t start_ms, struct err *e) ERR_MUST_CHECK;
void month_close(struct month *m);
/* The next day, until the store has come to rest. */
enum err_code month_live_a_day(struct month *m, struct month_figures *out,
                               struct err *e) ERR_MUST_CHECK;

/* What was compared of roll-ups and readings. */
struct month_comparison {
    uint64_t points;        /* that both have */
    uint64_t differing;     /* of these: not the same number, means beyond rounding */
    uint64_t tier_only;     /* roll-ups have them and readings are gone */
    double cpu_ms, wall_ms; /* the slowest read of roll-ups */
    char first[200];        /* the first difference */
};
/*
 * Every operation that roll-ups answer exactly, for each target and column, of the last `days`
 * days hour by hour, from roll-ups and from readings.
 */
enum err_code month_compare(struct month *m, int days, struct month_comparison *out,
                            struct err *e) ERR_MUST_CHECK;

#endif
