/* SPDX-License-Identifier: PostgreSQL */
/*
 * budget.h: which probes of a target to leave out, so that what they cost the database in all stays
 * within a budget.
 *
 * Costs are database time in milliseconds: CPU time of our own sessions where it can be seen,
 * else the time they were busy. Each probe has a rate, smoothed over five minutes or two of its
 * readings. Over the budget the heaviest is shed first, the session sampler last, and the
 * heartbeat never. What was shed is tried again after a pause that doubles from an hour to a day.
 *
 * Owner:   plain values, of the caller
 * Threads: none of its own; the caller guards the items
 */
#ifndef PROBE_BUDGET_H
#define PROBE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum budget_class {
    BUDGET_PLAIN,
    BUDGET_LAST,  /* left out when nothing else helps */
    BUDGET_NEVER, /* never left out */
};

/* One probe. All zero at first, but for the members that the caller sets. */
struct budget_item {
    enum budget_class class; /* the caller's */
    int64_t every_ms;        /* the caller's */
    double total_ms;         /* since the start */
    double spent_ms;         /* since the last look */
    double rate;             /* ms a second; of a probe that is shed: what it cost */
    bool shed;
    int64_t retry_us, pause_us; /* monotonic; length of the pause */
};

struct budget {
    double limit;      /* ms a second; 0 = no limit */
    int64_t looked_us; /* monotonic; 0 = not yet */
};

#define BUDGET_LOOK_US 15000000LL

/* A run of the probe cost that much. */
void budget_spend(struct budget_item *item, double ms);
/*
 * Bring the rates up to date and choose what is shed, at most once each BUDGET_LOOK_US.
 * Returns whether the choice changed.
 */
bool budget_look(struct budget *b, struct budget_item *const *items, size_t count, int64_t now_us);
/* Rate of all that is not shed, ms a second. */
double budget_rate(struct budget_item *const *items, size_t count);

#endif
