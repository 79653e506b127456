/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_lane.h: one line of work on one target: a connection and the probes that share it.
 *
 * A PostgreSQL target has three lanes: "main", "sampler" so that nothing delays the session
 * samples, and "walker", which visits the databases one by one (agent_walk.h). The host has one
 * lane without connection. A lane runs one cycle at a time: connect when needed, run the probes
 * that are due, note how each fared.
 *
 * Owner:   the lane owns its connection and the probes' memories
 * Threads: a cycle runs in one thread; what `slot->status` says is read by others under
 * target->lock
 */
#ifndef APP_AGENT_AGENT_LANE_H
#define APP_AGENT_AGENT_LANE_H

#include <stdatomic.h>

#include "app/agent/agent_config.h"
#include "base/json.h"
#include "base/thread.h"
#include "probe/budget.h"
#include "probe/probe.h"

#define AGENT_SLOTS_MAX   64
#define AGENT_CYCLE_BYTES (48 * 1024 * 1024)

/* How a probe fares on a target. */
struct agent_status {
    enum probe_state state;
    char reason[ERR_TEXT_MAX];
    char fix[160];
    int64_t last_run_ms;
    double duration_ms;
    uint64_t rows, runs, errors;
    uint64_t told_runs, told_errors; /* of these, already told by pga_probe */
    struct budget_item cost;
    double told_cost_ms;
};

struct agent_slot {
    const struct probe *probe;
    struct probe_memory memory;
    int64_t every_ms;
    int64_t blocked_until_us; /* denied, absent or slow: not asked before */
    unsigned slow_in_row;
    struct agent_status status;
};

enum agent_lane_name { AGENT_LANE_MAIN, AGENT_LANE_SAMPLER, AGENT_LANE_WALKER, AGENT_LANES };

struct agent_lane;
struct agent_walk;

struct agent_target {
    char name[128];
    const char *kind; /* "postgresql", "host" */
    struct uuid id, host_id;
    struct agent_target_config
        config; /* of a PostgreSQL target; strings live as long as the target */
    struct pgclient_place place;
    struct agent_lane *lanes;
    size_t lane_count;
    struct lock lock;      /* guards the members below and every slot's status */
    char attributes[1024]; /* JSON object */
    uint64_t attributes_version;
    struct budget budget;
    int64_t told_ms;     /* of the last pga_probe slice */
    bool changed;        /* a state changed since */
    atomic_bool leaving; /* taken from the scheduler: what is under way ends soon */
};

struct agent_lane {
    struct agent_target *target;
    const struct catalogue *catalogue;
    bool samples;
    struct agent_walk *walk; /* of the walker; NULL for the others */
    struct agent_slot *slots;
    size_t slot_count;
    struct pgclient *pg;
    struct probe_server server;
    int64_t learn_due_us;
    int64_t retry_us; /* no connection is tried before */
    unsigned failures;
    struct err trouble; /* of the last attempt to connect */
    int cost_pid;       /* our backend whose CPU time is read; 0 = none, it cannot be seen */
    uint64_t cost_ns;   /* its CPU time when a probe last ended */
    uint64_t
        due; /* slots of the cycle under way, one bit each; set before the lane is handed over */
    atomic_bool busy;
};

/* What a cycle needs and yields. */
struct agent_cycle {
    struct arena *arena;
    struct probe_output out;
    int64_t wall_offset_ms;
    unsigned flags;     /* enum probe_flag */
    int64_t made_ms;    /* of its record, once that was written */
    struct uuid stream; /* where its record is; set when it is safe */
    uint64_t seq;       /* 0 = it is not, or there is none */
};

void agent_cycle_init(struct agent_cycle *c, struct arena *a);
/* A PostgreSQL target with its lanes. The config's strings must outlive it. */
struct agent_target *agent_target_new(const struct catalogue *cat,
                                      const struct probe *const *probes, size_t probe_count,
                                      const struct agent_target_config *config);
struct agent_target *agent_target_new_host(const struct catalogue *cat,
                                           const struct probe *const *probes, size_t probe_count,
                                           const char *hostname);
void agent_target_free(struct agent_target *t); /* NULL allowed */
/*
 * Run the probes of lane->due. Never fails: what went wrong is in the states. True: there is more
 * to read; run it again with a fresh cycle, so that memory and a record hold one database.
 */
bool agent_lane_run(struct agent_lane *lane, struct agent_cycle *c);
/* Add the relation pga_probe to the cycle. */
void agent_lane_tell(struct agent_lane *lane, struct agent_cycle *c);
/* Drop the connection. */
void agent_lane_close(struct agent_lane *lane);
/* For agent_walk.c: an attempt to connect ended with *e, which may get other words. */
void agent_lane_refused(const struct agent_lane *lane, struct err *e);
/* For agent_walk.c: a live connection to the configured database, or false (lane->trouble). */
bool agent_lane_connect(struct agent_lane *lane, struct arena *a);
struct probe_run agent_lane_begin(struct agent_lane *lane, struct agent_slot *slot,
                                  struct agent_cycle *c, struct probe_report *report);
void agent_lane_note(struct agent_lane *lane, struct agent_slot *slot,
                     const struct probe_report *report, enum err_code code, double duration_ms);
/*
 * agent_cost.c: the cost budget. A new connection; a run has ended that took `busy_ms`; whether a
 * probe is left out for now.
 */
void agent_cost_connected(struct agent_lane *lane);
void agent_cost_spent(struct agent_lane *lane, struct agent_slot *slot, double busy_ms);
bool agent_cost_is_shed(struct agent_lane *lane, const struct agent_slot *slot);
/* The states of all probes as a JSON array. */
void agent_target_write_states(struct agent_target *t, struct json_writer *w);

#endif
