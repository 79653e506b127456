/* SPDX-License-Identifier: PostgreSQL */
/* agent_outbox.c: records on their way to the spool. */
#include "app/agent/agent_outbox.h"

#include "app/agent/agent_record.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"

#define OUTBOX_RANK 30
#define WAKE_RANK   10

struct agent_outbox {
    struct lock lock;
    struct spool *spool;
    uint64_t generation; /* of the spool, when the teller was told to forget */
    struct agent_teller *teller;
    struct lock wake_lock;
    struct cond wake;
    bool woken;
};

struct agent_outbox *agent_outbox_new(const struct catalogue *cat, struct spool *spool)
{
    struct agent_outbox *o = alloc_new(sizeof(*o));
    lock_init(&o->lock, "outbox", OUTBOX_RANK);
    lock_init(&o->wake_lock, "outbox wake", WAKE_RANK);
    cond_init(&o->wake);
    o->spool = spool;
    o->teller = agent_teller_new(cat);
    return o;
}

void agent_outbox_free(struct agent_outbox *o)
{
    if (!o) {
        return;
    }
    agent_teller_free(o->teller);
    cond_fini(&o->wake);
    lock_fini(&o->wake_lock);
    lock_fini(&o->lock);
    alloc_free(o);
}

void agent_outbox_wake(struct agent_outbox *o)
{
    lock_take(&o->wake_lock);
    o->woken = true;
    cond_signal(&o->wake);
    lock_release(&o->wake_lock);
}

void agent_outbox_wait(struct agent_outbox *o, int64_t mono_us)
{
    lock_take(&o->wake_lock);
    while (!o->woken && cond_wait_until(&o->wake, &o->wake_lock, mono_us)) {
    }
    o->woken = false;
    lock_release(&o->wake_lock);
}

static void forget(struct agent_outbox *o)
{
    uint64_t generation = spool_generation(o->spool);
    if (generation != o->generation) {
        agent_teller_forget(o->teller);
        o->generation = generation;
    }
}

enum err_code agent_outbox_put(struct agent_outbox *o, struct agent_target *t,
                               struct agent_cycle *c, struct err *e)
{
    struct buf text;
    if (!agent_record_has(c)) {
        return ERR_OK;
    }
    buf_init(&text, LIMIT_RECORD_BYTES);
    lock_take(&o->lock);
    forget(o);
    enum err_code code = agent_record_write(o->teller, t, c, &text, e);
    code = code ? code : spool_append(o->spool, buf_view(&text), c->made_ms, clock_mono_ms(), e);
    if (code) {
        o->generation = 0; /* the descriptions may have been lost with it */
    } else if (!spool_last(o->spool, &c->stream, &c->seq)) {
        c->seq = 0;
    }
    lock_release(&o->lock);
    buf_fini(&text);
    agent_outbox_wake(o);
    return code;
}
