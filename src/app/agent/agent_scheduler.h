/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_scheduler.h: when which probe runs, and the workers that run them.
 *
 * Clocks are aligned: a probe of 10 s runs at :00, :10, :20 ... of the wall clock at start, and by
 * the monotonic clock from then on. A lane has at most one cycle under way. What falls due
 * meanwhile waits for its end (once, not as often as it fell due); a tick of the sampler is
 * dropped instead.
 *
 * Threads: the scheduler belongs to the main thread; workers are its own.
 */
#ifndef APP_AGENT_AGENT_SCHEDULER_H
#define APP_AGENT_AGENT_SCHEDULER_H

#include "app/agent/agent_lane.h"

struct agent_scheduler;

struct agent_scheduler_config {
    struct agent_target *const *targets;
    size_t target_count;
    /* Called by a worker when a cycle is over; takes what it needs before it returns. */
    void (*finish)(void *arg, struct agent_lane *lane, struct agent_cycle *cycle);
    int64_t (*offset_ms)(void *arg); /* the server's clock minus ours */
    void *arg;
    unsigned flags;     /* of every run; enum probe_flag */
    size_t lanes_later; /* of targets that are added, at the most at a time */
};

enum err_code agent_scheduler_new(const struct agent_scheduler_config *config,
                                  struct agent_scheduler **out, struct err *e) ERR_MUST_CHECK;
/* Hand over what is due now; returns when to be called again (mono_us). */
int64_t agent_scheduler_step(struct agent_scheduler *s);
/* One more target; the thread of agent_scheduler_step. */
void agent_scheduler_add(struct agent_scheduler *s, struct agent_target *t);
/*
 * One less, by the same thread: no cycle of it begins any more. What is under way ends by itself;
 * the target may be freed once agent_scheduler_is_idle.
 */
void agent_scheduler_remove(struct agent_scheduler *s, struct agent_target *t);
bool agent_scheduler_is_idle(const struct agent_target *t);
/* Finish the cycles under way and end the workers. */
void agent_scheduler_free(struct agent_scheduler *s); /* NULL allowed */

#endif
