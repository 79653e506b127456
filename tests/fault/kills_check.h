/* SPDX-License-Identifier: PostgreSQL */
/*
 * kills_check.h: whether a store holds what its ledger says: readings, roll-ups, events, texts.
 *
 * Nothing here ends a test: what is wrong is counted and told, so that the caller can log it first.
 * Threads: one; the store may run.
 */
#ifndef KILLS_CHECK_H
#define KILLS_CHECK_H

#include "kills_ledger.h"
#include "tsdb_fixture.h"

struct kills_check {
    const struct kills_ledger *ledger;
    /* in: how many records of each stream must be there, and may be */
    uint64_t least[KILLS_STREAMS], most[KILLS_STREAMS];
    int retention_days, rollup_5m_days; /* 0 = nothing may have gone */
    int64_t rolled_ms;                  /* roll-ups must be there up to here */
    /* out */
    uint64_t next[KILLS_STREAMS]; /* what the streams expect: records before it are there */
    uint64_t found, lost, doubled, wrong;
    char text[500]; /* the first of what is wrong */
};

void kills_say(struct kills_check *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Streams and readings; what is older than the retention is there as whole files or not at all. */
void kills_check_readings(struct tsdb_fixture *f, struct kills_check *c);
/*
 * When everything is applied and rolled up: buckets are those of the readings, each event and text
 * is there once. next: as kills_check_readings found it.
 */
void kills_check_derived(struct tsdb_fixture *f, struct kills_check *c);
/* The part of it that looks at roll-ups. */
void kills_check_rollups(struct tsdb_reader *reader, struct kills_check *c);
/* Files in the store's folder that belong to nothing, and, `expired`, those that had to go. */
void kills_check_files(const char *dir, struct kills_check *c, bool expired);

#endif
