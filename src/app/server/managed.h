/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed.h: the server reads its managed instances with the agent's probes.
 *
 * One thread keeps the list (store_managed.h), one scheduler runs the cycles of all instances, and
 * what a cycle yields goes into the store as a push does, each instance as a collector of its own
 * with one stream. There is no spool: what the store does not take is counted, and told by a gap in
 * front of the next record. Of several servers of a store the one reads that leads (tsdb_leads).
 *
 * Owner:   managed_start gives it to the caller, managed_stop ends it before the store closes
 * Threads: one of its own and the scheduler's workers; managed_changed and managed_try from any
 */
#ifndef APP_SERVER_MANAGED_H
#define APP_SERVER_MANAGED_H

#include "app/server/managed_link.h"
#include "store/store_managed.h"
#include "store/tsdb/tsdb.h"

struct managed;

struct managed_config {
    struct store *store;
    struct tsdb *tsdb;
    struct store_seal_ctx *seal;
    const struct managed_rules *rules;
};

enum err_code managed_start(const struct managed_config *config, struct managed **out,
                            struct err *e) ERR_MUST_CHECK;
/* Finish the cycles under way; NULL allowed. */
void managed_stop(struct managed *m);
/* The table for the routes; arg: the struct managed. */
void managed_table(struct managed *m, struct api_managed *out);

#endif
