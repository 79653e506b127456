/* SPDX-License-Identifier: PostgreSQL */
/*
 * retire_waste.h: names that left the catalogue while some reader may still look at them.
 *
 *     writer:  opens a heap, moves objects or whole groups from the catalogue to it, closes it
 *     readers: who was borrowed before that finds there what the catalogue does not know any more
 *     flusher: frees a heap when the last reader of that time was returned
 *
 * Threads: guarded by the engine's state lock, which is held while something is moved: it is always
 *          in one of the two. Errors: none.
 */
#ifndef STORE_TSDB_RETIRE_WASTE_H
#define STORE_TSDB_RETIRE_WASTE_H

#include "store/tsdb/catalog.h"
#include "store/tsdb/engine.h"

struct retire_waste;
struct tsdb_reader;

/* Room for so many objects. Nothing of it is freed before it is closed. The writer. */
struct retire_waste *retire_waste_open(struct tsdb *db, size_t objects);
void retire_waste_close(struct tsdb *db, struct retire_waste *w);
/* Move an object there; false = it is unknown. The writer. */
bool retire_waste_take(struct tsdb *db, struct retire_waste *w, struct catalog_group *g,
                       uint64_t object);
/*
 * Move all deleted groups that nothing names any more, when no push is under way; the writer.
 * Returns how many.
 */
size_t retire_waste_groups(struct tsdb *db);

/* What left the catalogue since `r` was borrowed; valid until it is returned. NULL = unknown. */
const struct catalog_object *retire_find(struct tsdb_reader *r, uint64_t object);

/* Free what no reader can look at any more; the flusher. */
void retire_waste_free(struct tsdb *db);
void retire_waste_fini(struct tsdb *db); /* all of it, when the threads are over */

#endif
