/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_cost.c: what the probes cost the server, measured on our own sessions, and the budget.
 *
 * A backend on this host is a process whose CPU time the kernel tells; a remote one is taken to
 * cost the time in which it kept us waiting. The CPU time between two ends of runs goes to the
 * later run, so that connecting is counted too.
 * Threads: those of the lanes, one each; items and budget under target->lock.
 */
#include "app/agent/agent_lane.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/process.h"

#define ITEMS_MAX (AGENT_LANES * AGENT_SLOTS_MAX)

/* A process of that number may be another server's, or in another namespace: its title says. */
static bool is_ours(const struct agent_lane *lane, int pid)
{
    char title[512], want[160];

    snprintf(want, sizeof(want), " %s ", lane->server.user);
    return !process_title(pid, title, sizeof(title), NULL) && strncmp(title, "postgres", 8) == 0 &&
           strstr(title, want) != NULL;
}

void agent_cost_connected(struct agent_lane *lane)
{
    int pid = pgclient_backend_pid(lane->pg);
    bool seen = lane->target->place.local && is_ours(lane, pid);

    lane->cost_pid = seen ? pid : 0;
    lane->cost_ns = 0;
}

static double cost_of(struct agent_lane *lane, double busy_ms)
{
    uint64_t ns = 0;

    if (lane->cost_pid == 0 || process_cpu_ns(lane->cost_pid, &ns, NULL) || ns < lane->cost_ns) {
        return busy_ms;
    }
    double ms = (double)(ns - lane->cost_ns) / 1e6;
    lane->cost_ns = ns;
    return ms;
}

/* What is left out says so at once; what is tried again is as new. */
static void tell(struct agent_target *t, struct agent_slot *slot)
{
    struct agent_status *s = &slot->status;
    struct log_ctx ctx = {.component = "agent", .target = t->name};
    bool was = s->state == PROBE_SHED;

    if (s->cost.shed == was) {
        return;
    }
    t->changed = true;
    s->fix[0] = '\0';
    if (was) {
        s->state = PROBE_STARTING;
        snprintf(s->reason, sizeof(s->reason), "is tried again within the cost budget");
        return;
    }
    s->state = PROBE_SHED;
    snprintf(s->reason, sizeof(s->reason),
             "left out for %lld min: it cost %.3g ms of the server's time a second, and all "
             "readings together may cost %.3g (cost_budget)",
             (long long)(s->cost.pause_us / 60000000), s->cost.rate, t->budget.limit);
    log_warn(&ctx, "%s is %s", slot->probe->name, s->reason);
}

static void look(struct agent_target *t)
{
    struct budget_item *items[ITEMS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < t->lane_count; i++) {
        for (size_t j = 0; j < t->lanes[i].slot_count && count < ITEMS_MAX; j++) {
            items[count++] = &t->lanes[i].slots[j].status.cost;
        }
    }
    if (!budget_look(&t->budget, items, count, clock_mono_us())) {
        return;
    }
    for (size_t i = 0; i < t->lane_count; i++) {
        for (size_t j = 0; j < t->lanes[i].slot_count; j++) {
            tell(t, &t->lanes[i].slots[j]);
        }
    }
}

void agent_cost_spent(struct agent_lane *lane, struct agent_slot *slot, double busy_ms)
{
    struct agent_target *t = lane->target;

    if (slot->probe->scope == CATALOGUE_HOST) {
        return;
    }
    double ms = cost_of(lane, busy_ms);
    lock_take(&t->lock);
    budget_spend(&slot->status.cost, ms);
    look(t);
    lock_release(&t->lock);
}

bool agent_cost_is_shed(struct agent_lane *lane, const struct agent_slot *slot)
{
    lock_take(&lane->target->lock);
    bool is_shed = slot->status.cost.shed;
    lock_release(&lane->target->lock);
    return is_shed;
}
