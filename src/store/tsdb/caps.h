/* SPDX-License-Identifier: PostgreSQL */
/*
 * caps.h: what each collector has in the store, and when it is enough.
 *
 * One collector that goes wild (new labels with every reading, new texts with every query) must
 * cost the others nothing: what comes beyond its caps is left out and counted. Groups and their
 * objects count for the collector that sent the group first, as ingest.db remembers; texts for the
 * one that sent them last, as text.db does; what is counted by the hour starts again with each.
 * Threads: any; counters are atomic, so that two pushes of one collector may pass a cap by what
 * both carry. The list of collectors has a lock of its own, the innermost.
 */
#ifndef STORE_TSDB_CAPS_H
#define STORE_TSDB_CAPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "sqldb/sqldb.h"
#include "store/tsdb/catalog.h"
#include "store/tsdb/tsdb.h"

struct caps;

/* One collector; lives as long as the caps. */
struct cap_use {
    struct uuid collector;
    _Atomic uint64_t used[TSDB_CAPS], refused[TSDB_CAPS];
    _Atomic int64_t hour; /* that the counts by the hour are of */
    const uint64_t *max;
};

/* --- Life cycle --- */
struct caps *caps_new(const uint64_t max[TSDB_CAPS]);
void caps_free(struct caps *c); /* NULL allowed */

/* --- Use --- */

/* The collector's counters; made when absent. */
struct cap_use *caps_of(struct caps *c, const struct uuid *collector);
/* Take `count` of something; false, and nothing taken, when that is more than is left. */
bool cap_take(struct cap_use *u, enum tsdb_cap cap, uint64_t count);
/* Whether nothing is left of it. */
bool cap_is_full(struct cap_use *u, enum tsdb_cap cap);
void cap_give(struct cap_use *u, enum tsdb_cap cap, uint64_t count);
/* Something was left out: so many values, or texts. */
void cap_refuse(struct cap_use *u, enum tsdb_cap cap, uint64_t count);

/* Count relations, groups and objects anew: at start, and when a target was deleted. */
void caps_count(struct caps *c, struct catalog *catalog);
/* Count texts anew, as text.db has them. */
enum err_code caps_count_texts(struct caps *c, struct sqldb *text, struct err *e) ERR_MUST_CHECK;

#endif
