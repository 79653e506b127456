/* SPDX-License-Identifier: PostgreSQL */
/*
 * sight.h: what a limited reader shows (tsdb_reader_limit). Private to store/tsdb.
 *
 * dispatch.c is the one door to both engines, and asks here before it opens: by the target of a
 * read where there is one, else by what comes out. Scans visit groups of visible targets alone, so
 * ids of groups and objects, which come out of scans, are not asked about again.
 * Threads: those of the reader
 */
#ifndef STORE_TSDB_SIGHT_H
#define STORE_TSDB_SIGHT_H

#include "store/tsdb/ops.h"

bool sight_target(const struct tsdb_reader *r, const struct uuid *target);
bool sight_collector(const struct tsdb_reader *r, const struct uuid *collector);
/* Whether a visible target has readings of a relation. Uses `a`. */
bool sight_relation(struct tsdb_reader *r, struct arena *a, struct str name);
/* ERR_NOT_FOUND, as for what does not exist. */
enum err_code sight_nothing(struct err *e) ERR_MUST_CHECK;

/* tsdb_groups and tsdb_events; keeps those streams that are visible and says how many. */
enum err_code sight_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                           struct tsdb_group **out, size_t *count, struct err *e) ERR_MUST_CHECK;
enum err_code sight_events(struct tsdb_reader *r, struct arena *a,
                           const struct tsdb_event_spec *spec, struct tsdb_event **out,
                           size_t *count, struct err *e) ERR_MUST_CHECK;
size_t sight_streams(const struct tsdb_reader *r, struct tsdb_stream *list, size_t count);

#endif
