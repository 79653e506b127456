/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_tier.h: the blocks of roll-ups in tables of PostgreSQL. Private to pgstore_*.c.
 *
 * Owner: a place is the caller's, with pgstore_tiers_init and pgstore_tiers_fini
 */
#ifndef STORE_TSDB_POSTGRES_PGSTORE_TIER_H
#define STORE_TSDB_POSTGRES_PGSTORE_TIER_H

#include "store/tsdb/postgres/pgstore.h"
#include "store/tsdb/rollup/tier.h"

struct pgstore_tiers {
    struct tier_place place; /* first */
    struct sqldb *db;
    struct tier_block kept_of; /* whose part `kept` is: several streams lie in one */
    uint32_t kept_part;
    struct buf kept;
};

void pgstore_tiers_init(struct pgstore_tiers *t, struct sqldb *db, enum tsdb_tier tier,
                        uint64_t group);
void pgstore_tiers_fini(struct pgstore_tiers *t);

/* The kinds live in the arena; NULL = it is full. */
const struct tier_shape *pgstore_tier_shape(const struct relation *r, struct arena *a);

enum err_code pgstore_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                                tsdb_bucket_visit *visit, void *arg, struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                                struct tsdb_plan *out, struct err *e) ERR_MUST_CHECK;

#endif
