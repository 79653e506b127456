/* SPDX-License-Identifier: PostgreSQL */
/*
 * killing.h: kills process after process of a store and looks each time at what is left.
 *
 * PGA_KILLS sets how many kills of each phase (20; `make full`: 200), PGA_KILLS_SEED which,
 * PGA_KILLS_LOG a file that gets a line for each. The same seed chooses the same moments; what
 * threads do until then, and a database, is the machine's.
 */
#ifndef KILLS_KILLING_H
#define KILLS_KILLING_H

#include <stdio.h>

#include "child.h"
#include "kills_check.h"

#define KILLS_STORE 10 /* kills of one store; then a new one begins */

struct killing {
    struct kills_shared *shared;
    struct tsdb_fixture f; /* the parent's own, between the kills */
    char copies[80];
    enum kills_phase_id phase;
    uint64_t seed, number; /* of the kill */
    uint64_t random;
    uint64_t copies_checked;
    struct kills_check now; /* of the present kill */
    struct {
        uint64_t kills, records, readings, lost, doubled, wrong, settled, copies;
    } sum;
    FILE *log;
    bool failed;
    /* what the tests of an engine do */
    void (*new_store)(struct killing *k);
    void (*check)(struct killing *k, bool settle);
    void (*look_at_copy)(struct killing *k, uint64_t number, struct kills_check *c);
};

struct killing *killing_new(void); /* the virtual clock is taken */
void killing_free(struct killing *k);
/* For a new store: nothing was sent, the folders are empty. */
void killing_new_ledger(struct killing *k);
/* What is copied has users and targets as well: those of a store in the folder. */
void killing_add_meta(const struct killing *k);
/* What is to be there now. */
struct kills_check killing_begin_check(const struct killing *k);
/* The newest copy that was completed is a store of its own; what was begun after it goes. */
void killing_check_copy(struct killing *k);
void killing_note(struct killing *k, bool settled);
void killing_many(struct killing *k, enum kills_phase_id phase);
/* Of main: PGA_KILLS_PHASE names one phase alone. */
void killing_choose(void);

#endif
