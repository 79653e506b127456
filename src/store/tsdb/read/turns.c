/* SPDX-License-Identifier: PostgreSQL */
/* turns.c: see the header. */
#include "store/tsdb/read/turns.h"

#include "os/clock.h"
#include "os/process.h"
#include "store/tsdb/engine.h"

#define FREE_US  5000  /* of each read, without a turn */
#define SLICE_US 20000 /* with one, while others wait */

void turns_init(struct turns *t, unsigned count)
{
    unsigned cores = process_cores();

    *t = (struct turns){.count = count ? count : cores > 2 ? cores - 1 : 1};
    lock_init(&t->lock, "tsdb turns", TSDB_LOCK_TURNS);
    cond_init(&t->moved);
}

void turns_fini(struct turns *t)
{
    cond_fini(&t->moved);
    lock_fini(&t->lock);
}

void turns_begin(struct turn *turn)
{
    *turn = (struct turn){.since_us = clock_mono_us()};
}

static void leave_queue(struct turns *t, const struct turn *turn)
{
    struct turn **at = &t->first;

    while (*at != turn) {
        at = &(*at)->next;
    }
    *at = turn->next;
}

static void enter_queue(struct turns *t, struct turn *turn)
{
    struct turn **at = &t->first;

    while (*at) {
        at = &(*at)->next;
    }
    turn->next = NULL;
    *at = turn;
}

static void give(struct turns *t, struct turn *turn)
{
    turn->held = false;
    t->taken--;
    cond_broadcast(&t->moved);
}

/* Caller holds the lock. */
static enum err_code take(struct turns *t, struct turn *turn, int64_t deadline_us, struct err *e)
{
    bool late = false;

    enter_queue(t, turn);
    while (!late && (t->first != turn || t->taken == t->count)) {
        late = !cond_wait_until(&t->moved, &t->lock, deadline_us);
    }
    late = late && (t->first != turn || t->taken == t->count);
    leave_queue(t, turn);
    turn->held = !late;
    t->taken += !late;
    turn->since_us = clock_mono_us();
    cond_broadcast(&t->moved);
    return late ? err_set(e, ERR_TIMEOUT, "other reads took all the time there was") : ERR_OK;
}

enum err_code turns_check(struct turns *t, struct turn *turn, int64_t deadline_us, struct err *e)
{
    enum err_code code = ERR_OK;

    if (clock_mono_us() - turn->since_us < (turn->held ? SLICE_US : FREE_US)) {
        return ERR_OK;
    }
    lock_take(&t->lock);
    if (turn->held && t->first) {
        give(t, turn);
    }
    if (!turn->held) {
        code = take(t, turn, deadline_us, e);
    }
    lock_release(&t->lock);
    return code;
}

void turns_end(struct turns *t, struct turn *turn)
{
    if (!turn->held) {
        return;
    }
    lock_take(&t->lock);
    give(t, turn);
    lock_release(&t->lock);
}
