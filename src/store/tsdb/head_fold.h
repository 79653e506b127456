/* SPDX-License-Identifier: PostgreSQL */
/*
 * head_fold.h: closed bundles of the head become pieces: column-major blocks in memory.
 *
 * Begins when what is not folded takes more than tsdb_config.fold_bytes: a small store never pays
 * for it. The oldest bundle goes first.
 * Threads: the flusher, between its other steps; replay, before there are threads. The state lock
 *          is held to take a bundle and to put its pieces, never while one is made: no push waits.
 * Errors:  what cannot be folded stays as it came; the flush deals with it.
 */
#ifndef STORE_TSDB_HEAD_FOLD_H
#define STORE_TSDB_HEAD_FOLD_H

#include "store/tsdb/engine.h"

/* Whether there is something to fold. Caller holds state. */
bool head_fold_is_due(const struct tsdb *db);
/* Fold some of what is due, for about 50 ms; whether there is more. */
bool head_fold_step(struct tsdb *db);

#endif
