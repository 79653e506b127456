/* SPDX-License-Identifier: PostgreSQL */
/*
 * retire.h: objects that no file, head or journal names leave ingest.db and memory.
 *
 *     flusher: rested 24 h -> asked of every file, one a step -> named by none: handed over
 *     writer:  holds new pushes, waits until none is under way -> seen since? then it stays
 *              -> deletes the rows, takes the rest out of the catalogue and of streams' caches
 *     flusher: frees the memory when the last reader of that time was returned
 *
 * Groups of deleted targets go the same way, with all they have, once the rows of `dropped` went
 * (drop.c): those have no rows any more.
 * A pass begins after a file was removed. An id is never used again: what returns gets a new one.
 * Threads: each function says who calls it; what is handed over is guarded by the state lock.
 * Errors:  logged; nothing is retired then, and the next pass tries again.
 */
#ifndef STORE_TSDB_RETIRE_H
#define STORE_TSDB_RETIRE_H

#include "store/tsdb/engine.h"

struct retire;

struct retire *retire_new(struct tsdb *db); /* the flusher's */
void retire_free(struct retire *r);
/* Look at one more file, if a pass is due or under way; the flusher. Whether there is more. */
bool retire_step(struct retire *r);

/*
 * Delete what was handed over, when no push is under way; the writer, when it has nothing else to
 * do. ERR_OK also when it must wait.
 */
enum err_code retire_write(struct tsdb *db, struct err *e) ERR_MUST_CHECK;
/* Forget what was handed over or waits to be freed; when the threads are over. */
void retire_fini(struct tsdb *db);

#endif
