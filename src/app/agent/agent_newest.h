/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_newest.h: the newest values of every relation, for `pga agent --listen`.
 *
 * Gauges and counters are kept as they were read; what is read as a difference is summed up from
 * the start of the process, so that Prometheus sees a counter. Rows of facts (session history)
 * are summed over the keys that explode. A reading that failed or is too old is not shown.
 *
 * Owner:   copies everything
 * Threads: any; one lock inside (rank below the targets' locks)
 */
#ifndef APP_AGENT_AGENT_NEWEST_H
#define APP_AGENT_AGENT_NEWEST_H

#include "app/agent/agent_lane.h"
#include "model/openmetrics.h"

struct agent_newest;

struct agent_newest *agent_newest_new(const struct catalogue *cat);
void agent_newest_free(struct agent_newest *n); /* NULL allowed */
/* The targets from now on; they must live until the next call. count 0 before they are freed. */
void agent_newest_watch(struct agent_newest *n, struct agent_target *const *targets, size_t count);
/* Keep what a cycle read. */
void agent_newest_take(struct agent_newest *n, const struct agent_target *t,
                       const struct agent_cycle *c);
/* All relations, then the states of the probes. */
void agent_newest_write(struct agent_newest *n, struct openmetrics *m);

#endif
