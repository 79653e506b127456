/* SPDX-License-Identifier: PostgreSQL */
/* api_managed.c: see the header. */
#include "api/fleet/api_managed.h"

#include "api/api_call.h"
#include "os/clock.h"

#define TRIALS_EACH 5
#define MINUTE_MS   60000

enum err_code api_managed_count(struct api_call *call, struct err *e)
{
    struct api_trials *t = &call->api->trials;
    int64_t now = clock_mono_ms(), account = call->who.session.user.id;
    size_t mine = 0, at;
    bool full;

    lock_take(&call->api->trials_lock);
    for (size_t i = 0; i < API_TRIALS_MAX; i++)
        mine += t->last[i].mono_ms != 0 && t->last[i].account == account &&
                now - t->last[i].mono_ms < MINUTE_MS;
    at = t->next;
    full = t->last[at].mono_ms != 0 && now - t->last[at].mono_ms < MINUTE_MS;
    if (mine < TRIALS_EACH && !full) {
        t->last[at].account = account;
        t->last[at].mono_ms = now;
        t->next = (at + 1) % API_TRIALS_MAX;
    }
    lock_release(&call->api->trials_lock);
    if (mine >= TRIALS_EACH)
        return err_set(e, ERR_LIMIT, "%d connection tests a minute are enough", TRIALS_EACH);
    return full ? err_set(e, ERR_LIMIT, "too many connection tests are under way") : ERR_OK;
}
