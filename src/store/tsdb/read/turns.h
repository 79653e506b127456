/* SPDX-License-Identifier: PostgreSQL */
/*
 * turns.h: how many long reads compute at once.
 *
 * On few cores two reads of a month take all of them, and pushes wait for the scheduler. So a read
 * that takes long needs a turn, of which there is one less than cores. Every read begins without:
 * the short ones never ask. Who has had a turn for a while gives it up when others wait, and queues
 * behind them.
 * Owner: a turn lies in its reader. Threads: any; a turn belongs to one.
 */
#ifndef STORE_TSDB_READ_TURNS_H
#define STORE_TSDB_READ_TURNS_H

#include "base/thread.h"

struct turn {
    struct turn *next; /* of those that wait */
    bool held;
    int64_t since_us; /* monotonic: the read began, or got its turn */
};

struct turns {
    struct lock lock;
    struct cond moved;
    unsigned count, taken;
    struct turn *first; /* who waits longest */
};

/* count 0: as many as there are cores, less one. */
void turns_init(struct turns *t, unsigned count);
void turns_fini(struct turns *t);

/* A read begins. */
void turns_begin(struct turn *turn);
/*
 * Called by a read now and then: waits for a turn when it has taken long.
 * deadline_us: monotonic. Errors: ERR_TIMEOUT when it passes meanwhile
 */
enum err_code turns_check(struct turns *t, struct turn *turn, int64_t deadline_us,
                          struct err *e) ERR_MUST_CHECK;
/* The read is over, in any case. */
void turns_end(struct turns *t, struct turn *turn);

#endif
