/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed_instance.h: one managed instance at work: its target, its stream, how it fares. Private
 * to managed*.c.
 *
 * Owner:   managed_instance_new gives it to the list of managed.c; managed_instance_free when the
 *          scheduler has let go of its target
 * Threads: made and freed by the list's thread; the rest by workers, `lock` guards the stream and
 *          `state_lock` the verdict
 */
#ifndef APP_SERVER_MANAGED_INSTANCE_H
#define APP_SERVER_MANAGED_INSTANCE_H

#include "app/agent/agent_record.h"
#include "app/server/managed.h"

struct managed_instance {
    const struct managed_config *config;
    struct arena arena; /* the strings */
    int64_t id, version;
    struct managed_place place;
    struct agent_link link;
    struct agent_target *target;
    struct lock lock;
    struct agent_teller *teller;
    struct uuid collector, stream;
    uint64_t seq;  /* of the next record; 0 = ask the store */
    uint64_t lost; /* records that the store did not take, not told yet */
    int64_t lost_from_ms, lost_to_ms;
    struct lock state_lock;
    struct managed_verdict verdict, failure; /* failure: of the last attempt that failed */
    bool has_news;
    int64_t told_mono_ms; /* the store was told of the verdict */
};

struct managed_parts {
    const struct catalogue *catalogue;
    const struct probe *const *probes;
    size_t probe_count;
};

/* NULL when an id of the row is none. */
struct managed_instance *managed_instance_new(const struct managed_config *config,
                                              const struct managed_parts *parts,
                                              const struct store_managed *row);
void managed_instance_free(struct managed_instance *in); /* NULL allowed */
/* A cycle is over: what it yielded, and what it says about the connection. */
void managed_instance_take(struct managed_instance *in, struct agent_lane *lane,
                           struct agent_cycle *cycle);
/* What the store is to be told of the connection now; false = nothing. Strings live in `a`. */
bool managed_instance_news(struct managed_instance *in, struct arena *a,
                           struct store_managed_status *out);

#endif
