/* SPDX-License-Identifier: PostgreSQL */
/* maintenance.c: see the header. */
#include "app/server/maintenance.h"

#include "app/server/server_sandbox.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/thread.h"
#include "os/clock.h"
#include "store/store_audit.h"
#include "store/store_seal_rotate.h"

#define EVERY_US (10 * (int64_t)1000000)

struct maintenance {
    struct maintenance_of of;
    struct lock turn_lock; /* held during a turn; guards `quiet` */
    bool quiet;
    struct thread thread;
    struct lock lock;
    struct cond wake;
    bool stopping;
    uint64_t refused_told;
    struct store_audit_head newest; /* that was signed here */
    bool newest_told;
};

static const struct log_ctx ctx = {.component = "maintenance"};
static const struct log_ctx audit_ctx = {.component = "audit"};

/*
 * Sign the newest row of the audit. The first head of an hour and the last one of all are told: the
 * log is where a thief of the database cannot take them back (pga ctl audit verify --head).
 */
static void sign_audit(struct maintenance *m, bool is_last)
{
    struct store_audit_head head;
    bool changed, is_first;
    struct err e;

    if (store_audit_sign(m->of.store, &head, &changed, &is_first, &e) != ERR_OK)
        log_error(&audit_ctx, "the audit was not signed: %s", e.text);
    if (changed) {
        m->newest = head;
        m->newest_told = false;
    }
    if (m->newest.number && !m->newest_told && (is_first || is_last)) {
        log_info(&audit_ctx, "head %lld:%lld:%lld:%s:%s", (long long)m->newest.hour,
                 (long long)m->newest.number, (long long)m->newest.at_ms, m->newest.hash,
                 m->newest.mac);
        m->newest_told = true;
    }
}

static void work(struct maintenance *m)
{
    struct err e;

    if (api_tick(m->of.api, &e) != ERR_OK)
        log_warn(&ctx, "housekeeping failed: %s", e.text);
    server_sandbox_tell(&m->refused_told);
    if (store_seal_tick(m->of.seal, &e) != ERR_OK)
        log_warn(&ctx, "secrets were not sealed anew: %s", e.text);
    lock_take(&m->turn_lock);
    if (!m->quiet)
        m->of.turn.work(m->of.turn.arg);
    lock_release(&m->turn_lock);
}

/* Wait for the next round; false when it is time to end. */
static bool wait_round(struct maintenance *m)
{
    int64_t until = clock_mono_us() + EVERY_US;
    bool go_on;

    lock_take(&m->lock);
    while (!m->stopping && cond_wait_until(&m->wake, &m->lock, until))
        ;
    go_on = !m->stopping;
    lock_release(&m->lock);
    return go_on;
}

static void run(void *arg)
{
    struct maintenance *m = arg;

    sign_audit(m, false);
    while (wait_round(m)) {
        work(m);
        sign_audit(m, false);
    }
    work(m);
    sign_audit(m, true);
}

enum err_code maintenance_start(const struct maintenance_of *of, struct maintenance **out,
                                struct err *e)
{
    struct maintenance *m = alloc_new(sizeof(*m));
    enum err_code rc;

    m->of = *of;
    lock_init(&m->turn_lock, "maintenance.turn", 19);
    lock_init(&m->lock, "maintenance", 20);
    cond_init(&m->wake);
    rc = thread_start(&m->thread, "maintenance", run, m, e);
    *out = m;
    return rc;
}

void maintenance_quiet(struct maintenance *m)
{
    if (m == NULL)
        return;
    lock_take(&m->turn_lock);
    m->quiet = true;
    lock_release(&m->turn_lock);
}

void maintenance_stop(struct maintenance *m)
{
    if (m == NULL)
        return;
    lock_take(&m->lock);
    m->stopping = true;
    cond_signal(&m->wake);
    lock_release(&m->lock);
    thread_join(&m->thread);
    cond_fini(&m->wake);
    lock_fini(&m->lock);
    lock_fini(&m->turn_lock);
    alloc_free(m);
}
