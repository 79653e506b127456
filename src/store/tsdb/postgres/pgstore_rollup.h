/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_rollup.h: the leader's work on roll-ups. Private to pgstore_*.c.
 *
 * Threads: the leader's.
 */
#ifndef STORE_TSDB_POSTGRES_PGSTORE_ROLLUP_H
#define STORE_TSDB_POSTGRES_PGSTORE_ROLLUP_H

#include "store/tsdb/postgres/pgstore.h"

/*
 * Some of what is marked, for about a second: call it again and again.
 * Errors: ERR_CONFLICT when another node is the leader now
 */
enum err_code pgstore_rollup(struct pgstore *p, struct err *e) ERR_MUST_CHECK;
/* Learn how far roll-ups are, for the statistics of this node, whoever the leader is. */
enum err_code pgstore_rollup_show(struct pgstore *p, struct err *e) ERR_MUST_CHECK;

/* A month (year * 12 + month - 1) has its partition; within a transaction of pgstore_lead_begin. */
enum err_code pgstore_need_month(struct pgstore *p, struct arena *a, enum tsdb_tier tier, int month,
                                 struct err *e) ERR_MUST_CHECK;

/* ts_tier1h, ts_tier1h_202611 */
const char *pgstore_tier_parent(enum tsdb_tier tier);
const char *pgstore_month_name(struct arena *a, enum tsdb_tier tier, int month);

#endif
