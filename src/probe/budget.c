/* SPDX-License-Identifier: PostgreSQL */
/*
 * budget.c: rates of probes, and which one is left out.
 */
#include "probe/budget.h"

#include <assert.h>

#define SMOOTH_MS     300000.0
#define PAUSE_MIN_US  (3600LL * 1000000)
#define PAUSE_MAX_US  (24 * PAUSE_MIN_US)
#define SMOOTH_CLOCKS 2

void budget_spend(struct budget_item *item, double ms)
{
    item->total_ms += ms;
    item->spent_ms += ms;
}

double budget_rate(struct budget_item *const *items, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++) {
        sum += items[i]->shed ? 0 : items[i]->rate;
    }
    return sum;
}

static void update_rate(struct budget_item *item, double passed_ms)
{
    double smooth = SMOOTH_CLOCKS * (double)item->every_ms;

    smooth = smooth > SMOOTH_MS ? smooth : SMOOTH_MS;
    double weight = passed_ms < smooth ? passed_ms / smooth : 1;
    if (!item->shed) {
        item->rate += weight * (item->spent_ms * 1000 / passed_ms - item->rate);
    }
    item->spent_ms = 0;
}

/* The one to leave out next; NULL = none is left that may be. */
static struct budget_item *heaviest(struct budget_item *const *items, size_t count)
{
    struct budget_item *best = NULL;

    for (size_t i = 0; i < count; i++) {
        struct budget_item *item = items[i];
        if (item->shed || item->class == BUDGET_NEVER || item->rate <= 0) {
            continue;
        }
        if (!best || item->class < best->class ||
            (item->class == best->class && item->rate > best->rate)) {
            best = item;
        }
    }
    return best;
}

static void shed(struct budget_item *item, int64_t now_us)
{
    item->pause_us = item->pause_us ? 2 * item->pause_us : PAUSE_MIN_US;
    if (item->pause_us > PAUSE_MAX_US) {
        item->pause_us = PAUSE_MAX_US;
    }
    item->shed = true;
    item->retry_us = now_us + item->pause_us;
}

/* Its rate starts anew: the load of the server may be another one now. */
static bool take_back(struct budget_item *item, int64_t now_us)
{
    if (!item->shed || now_us < item->retry_us) {
        return false;
    }
    item->shed = false;
    item->rate = 0;
    return true;
}

bool budget_look(struct budget *b, struct budget_item *const *items, size_t count, int64_t now_us)
{
    bool changed = false;

    if (b->looked_us == 0) {
        b->looked_us = now_us;
    }
    if (now_us - b->looked_us < BUDGET_LOOK_US) {
        return false;
    }
    double passed_ms = (double)(now_us - b->looked_us) / 1000;
    for (size_t i = 0; i < count; i++) {
        update_rate(items[i], passed_ms);
        changed |= take_back(items[i], now_us);
    }
    b->looked_us = now_us;
    while (b->limit > 0 && budget_rate(items, count) > b->limit) {
        struct budget_item *item = heaviest(items, count);
        if (!item) {
            break;
        }
        shed(item, now_us);
        changed = true;
    }
    return changed;
}
