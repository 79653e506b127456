/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_walk.h: the walker: visits the databases of a server one by one and runs the probes of
 * scope "database" in each.
 *
 * A walk is a series of steps, one a database, so that a cycle's memory and its record hold one
 * database. There is one connection, and none between walks. A database that cannot be entered is
 * a reason for that database alone: each of its relations gets a failed reading with that reason,
 * and the probe's state names the first such database and counts the others.
 *
 * Owner:   agent_walk_new gives the walk to the lane's target, agent_walk_free ends it
 * Threads: the thread that runs the lane
 */
#ifndef APP_AGENT_AGENT_WALK_H
#define APP_AGENT_AGENT_WALK_H

#include "app/agent/agent_lane.h"

struct agent_walk *agent_walk_new(void);
void agent_walk_free(struct agent_walk *w); /* NULL allowed */
/* The next database of the walk under way, or of a new one. False after the last. */
bool agent_walk_step(struct agent_lane *lane, struct agent_cycle *c);
/* Databases of the newest listing, and what is wrong with one; NULL = nothing. */
size_t agent_walk_count(const struct agent_walk *w);
const char *agent_walk_trouble(const struct agent_walk *w, size_t i, const char **name);

#endif
