/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_keep.h: what probes keep from one life of the agent to the next (spool/keep.h has the
 * files).
 *
 * Order of a cycle: agent_keep_forget, agent_outbox_put, agent_keep_save. So a file is never older
 * than the last record with slices of its probe.
 * Threads: that of the lane's cycle; agent_keep_load before the target's lanes run.
 */
#ifndef APP_AGENT_AGENT_KEEP_H
#define APP_AGENT_AGENT_KEEP_H

#include "app/agent/agent_lane.h"
#include "spool/spool.h"

/* Remove the files of those probes of the lane that yielded something new. */
enum err_code agent_keep_forget(const char *dir, struct agent_lane *lane,
                                struct err *e) ERR_MUST_CHECK;
/* Write them anew when the record of the cycle is safe. Failures are logged. */
void agent_keep_save(const char *dir, struct agent_lane *lane, const struct agent_cycle *c);
/*
 * Give the target's probes what they kept. Files that are damaged, older than max_age_ms (0 = no
 * limit), or whose record the spool does not know are removed, and the log says so.
 */
void agent_keep_load(const char *dir, struct agent_target *t, struct spool *spool,
                     int64_t max_age_ms);

#endif
