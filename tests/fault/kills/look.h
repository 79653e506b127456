/* SPDX-License-Identifier: PostgreSQL */
/*
 * look.h: looks at a store in SQLite that a dead process left. What is wrong is counted and told.
 */
#ifndef KILLS_LOOK_H
#define KILLS_LOOK_H

#include "kills_check.h"

void kills_look_verify(const char *dir, struct kills_check *c, struct tsdb_verify *v);
/* Without its threads: what is there without any further work. In PostgreSQL as well. */
void kills_look_at_rest(struct tsdb_fixture *f, struct kills_check *c);
/* The store goes on: all is applied, flushed and rolled up, and each reading is stored once. */
void kills_look_settled(struct tsdb_fixture *f, struct kills_check *c);

#endif
