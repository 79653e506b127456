/* SPDX-License-Identifier: PostgreSQL */
/*
 * kills_ledger.h: what a store that is killed again and again must hold.
 *
 * Three streams of one collector. What a record holds follows from the stream and its number alone,
 * so the ledger is two numbers a stream: how many were sent, how many answered. "live" brings hour
 * after hour of four relations, an event and a text; "late" brings more readings of these hours a
 * day later; "side" brings one reading a record, all the time.
 * Threads: the ledger lies in memory that a process and its killed children share; a stream is sent
 * by one thread. Of what is there, a record that was not answered may be, or not.
 */
#ifndef KILLS_LEDGER_H
#define KILLS_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/text.h"

#define KILLS_HOURS 4000  /* records of the live stream */
#define KILLS_SIDE  60000 /* and of the one beside it */
#define KILLS_HOUR  3600000LL
#define KILLS_DAY   86400000LL
#define KILLS_SLOT  150000LL
#define KILLS_ROWS  3

enum kills_stream_id { KILLS_LIVE, KILLS_LATE, KILLS_BESIDE, KILLS_STREAMS };
enum kills_relation {
    KILLS_SLOW,
    KILLS_FAST,
    KILLS_FACT,
    KILLS_CHURN, /* once an hour, so without roll-ups: what its names were goes with its readings */
    KILLS_STEADY,
    KILLS_RELATIONS
};

struct kills_stream {
    struct uuid uuid;
    _Atomic uint64_t sent, answered; /* numbers of the newest record */
};

struct kills_ledger {
    int64_t start_ms;
    struct uuid collector, target;
    struct kills_stream streams[KILLS_STREAMS];
    _Atomic int64_t wall_ms;          /* the store's clock; it only rises */
    int32_t hour_of[KILLS_HOURS + 1]; /* of a record, live and late; since start_ms */
    int64_t side_t_ms[KILLS_SIDE + 1];
};

/* A reading that must be there. */
struct kills_reading {
    int64_t t_ms, slot;
    int32_t hour;
};

struct kills_row {
    char name[16];
    int64_t n, d;
    double g;
    char w[8];
};

void kills_ledger_init(struct kills_ledger *l);
const char *kills_relation_name(enum kills_relation relation);
bool kills_is_fast(enum kills_relation relation); /* its files are in raw/fast */
size_t kills_row_count(enum kills_relation relation);
/*
 * Row i of a reading. The third one has another name every four hours, that of KILLS_CHURN every
 * eight, and each of these returns after a week.
 */
void kills_row(enum kills_relation relation, const struct kills_reading *r, size_t i,
               struct kills_row *out);
/* The JSON text of a record. */
void kills_record(const struct kills_ledger *l, enum kills_stream_id stream, uint64_t seq,
                  struct buf *out);
/*
 * Readings of a relation in order of time when of each stream the records before next[stream] are
 * there. The caller frees *out with free().
 */
size_t kills_expect(const struct kills_ledger *l, const uint64_t next[KILLS_STREAMS],
                    enum kills_relation relation, struct kills_reading **out);

#endif
