/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed.c: the list of managed instances, kept in step with the store, and its thread.
 *
 *     store --(every 2 s, or at once when a route changed something)--> list --> scheduler
 *
 * An instance that changed is taken out and put in anew; others do not notice. One that was taken
 * out waits among `leaving` until no worker has it.
 * Invariants: (1) the scheduler knows exactly the targets of `list`; (2) only the thread changes
 * list, leaving and scheduler.
 */
#include "app/server/managed.h"

#include <string.h>

#include "app/agent/agent_scheduler.h"
#include "app/server/managed_instance.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"
#include "os/clock.h"

#define LOCK_RANK 21
#define SYNC_US   (2 * (int64_t)1000000)
#define LEAD_GRACE_US \
    (10 * (int64_t)1000000) /* a lease that is renewed late is no reason to stop */
#define ROWS_ARENA   (4 * 1024 * 1024)
#define LISTED_ARENA (16 * 1024 * 1024)

_Static_assert(AGENT_LANES <= LIMIT_TARGET_CONNECTIONS, "a lane has one connection");

struct managed {
    struct managed_config config;
    struct arena fixed; /* the catalogue */
    struct catalogue catalogue;
    struct managed_parts parts;
    struct agent_scheduler *scheduler; /* NULL until there is an instance */
    struct managed_instance *list[LIMIT_MANAGED], *leaving[2 * LIMIT_MANAGED];
    size_t count, leaving_count;
    int64_t lead_us; /* when this server led last */
    struct thread thread;
    struct lock lock; /* guards the members below */
    struct cond wake;
    bool stopping, changed, is_loaded;
};

static const struct log_ctx ctx = {.component = "managed"};

/* --- the list --- */

static void finish(void *arg, struct agent_lane *lane, struct agent_cycle *cycle)
{
    (void)arg;
    managed_instance_take(lane->target->config.link->arg, lane, cycle);
}

static int64_t no_offset(void *arg)
{
    (void)arg;
    return 0;
}

static void take_out(struct managed *m, size_t at)
{
    struct managed_instance *in = m->list[at];

    agent_scheduler_remove(m->scheduler, in->target);
    m->leaving[m->leaving_count++] = in;
    m->list[at] = m->list[--m->count];
}

/* The catalogue, once somebody needs it: most servers have no managed instance. */
static enum err_code load_probes(struct managed *m, struct err *e)
{
    enum err_code rc = ERR_OK;

    lock_take(&m->lock);
    if (!m->is_loaded) {
        arena_reset(&m->fixed);
        rc = catalogue_load(&m->fixed, &m->catalogue, e);
        m->parts.catalogue = &m->catalogue;
        if (rc == ERR_OK)
            m->parts.probes = probe_table(&m->fixed, &m->catalogue, &m->parts.probe_count);
        if (rc == ERR_OK)
            rc = arena_check(&m->fixed, e);
        m->is_loaded = rc == ERR_OK;
    }
    lock_release(&m->lock);
    return rc;
}

static enum err_code start_scheduler(struct managed *m, struct err *e)
{
    const struct agent_scheduler_config config = {
        .finish = finish,
        .offset_ms = no_offset,
        .arg = m,
        .lanes_later = (size_t)3 * LIMIT_MANAGED * AGENT_LANES,
    };

    return m->scheduler != NULL ? ERR_OK : agent_scheduler_new(&config, &m->scheduler, e);
}

static void put_in(struct managed *m, const struct store_managed *row)
{
    struct managed_instance *in;
    struct err e;

    if (m->count == LIMIT_MANAGED)
        return;
    if (load_probes(m, &e) != ERR_OK || start_scheduler(m, &e) != ERR_OK) {
        log_error(&ctx, "managed instances are not read: %s", e.text);
        return;
    }
    in = managed_instance_new(&m->config, &m->parts, row);
    if (in == NULL) {
        log_error(&ctx, "managed instance %lld is not read: its row is damaged",
                  (long long)row->id);
        return;
    }
    m->list[m->count++] = in;
    agent_scheduler_add(m->scheduler, in->target);
}

static const struct store_managed *find_row(const struct store_managed_page *page, int64_t id)
{
    for (size_t i = 0; i < page->count; i++) {
        if (page->rows[i].id == id && !page->rows[i].fields.is_paused)
            return &page->rows[i];
    }
    return NULL;
}

static bool is_in(const struct managed *m, int64_t id)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->list[i]->id == id)
            return true;
    }
    return false;
}

static void apply(struct managed *m, const struct store_managed_page *page)
{
    for (size_t i = m->count; i-- > 0;) {
        const struct store_managed *row = find_row(page, m->list[i]->id);

        /* so many leave at once only when cycles hang; they are waited for */
        if ((row == NULL || row->version != m->list[i]->version) &&
            m->leaving_count < sizeof(m->leaving) / sizeof(m->leaving[0]))
            take_out(m, i);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (!page->rows[i].fields.is_paused && !is_in(m, page->rows[i].id))
            put_in(m, &page->rows[i]);
    }
}

static void let_go(struct managed *m)
{
    for (size_t i = m->leaving_count; i-- > 0;) {
        if (agent_scheduler_is_idle(m->leaving[i]->target)) {
            managed_instance_free(m->leaving[i]);
            m->leaving[i] = m->leaving[--m->leaving_count];
        }
    }
}

static void tell_news(struct managed *m, struct arena *a)
{
    struct store_managed_status news[LIMIT_MANAGED];
    size_t count = 0;
    struct err e;

    for (size_t i = 0; i < m->count; i++)
        count += managed_instance_news(m->list[i], a, &news[count]);
    if (store_managed_note(m->config.store, news, count, &e) != ERR_OK)
        log_warn(&ctx, "the state of managed instances was not written: %s", e.text);
}

/* The list is what the store says, on the server that leads; on others it is empty. */
static void sync(struct managed *m)
{
    struct store_managed_page page = {.limit = LIMIT_MANAGED, .sight = STORE_SIGHT_ALL};
    int64_t now = clock_mono_us();
    struct arena a;
    struct err e;

    arena_init(&a, "managed list", ROWS_ARENA);
    if (tsdb_leads(m->config.tsdb))
        m->lead_us = now;
    if (m->lead_us == 0 || now - m->lead_us > LEAD_GRACE_US)
        apply(m, &page);
    else if (store_managed_list(m->config.store, &a, &page, &e) == ERR_OK)
        apply(m, &page);
    else
        log_warn(&ctx, "the list of managed instances stays as it is: %s", e.text);
    let_go(m);
    tell_news(m, &a);
    arena_fini(&a);
}

/* --- the thread --- */

/* Wait until then, or until something changed; false when it is time to end. */
static bool rest(struct managed *m, int64_t until_us, bool *changed)
{
    bool go_on;

    lock_take(&m->lock);
    while (!m->stopping && !m->changed && cond_wait_until(&m->wake, &m->lock, until_us))
        ;
    *changed = m->changed;
    m->changed = false;
    go_on = !m->stopping;
    lock_release(&m->lock);
    return go_on;
}

static void run(void *arg)
{
    struct managed *m = arg;
    int64_t sync_us = 0, next_us;
    bool changed = false;

    do {
        if (changed || clock_mono_us() >= sync_us) {
            sync(m);
            sync_us = clock_mono_us() + SYNC_US;
        }
        next_us = m->scheduler != NULL ? agent_scheduler_step(m->scheduler) : sync_us;
    } while (rest(m, next_us < sync_us ? next_us : sync_us, &changed));
}

/* --- life cycle --- */

enum err_code managed_start(const struct managed_config *config, struct managed **out,
                            struct err *e)
{
    struct managed *m = alloc_new(sizeof(*m));

    m->config = *config;
    arena_init(&m->fixed, "catalogue", LISTED_ARENA);
    lock_init(&m->lock, "managed", LOCK_RANK);
    cond_init(&m->wake);
    *out = m;
    return thread_start(&m->thread, "managed", run, m, e);
}

void managed_stop(struct managed *m)
{
    if (m == NULL)
        return;
    lock_take(&m->lock);
    m->stopping = true;
    cond_signal(&m->wake);
    lock_release(&m->lock);
    thread_join(&m->thread);
    agent_scheduler_free(m->scheduler);
    for (size_t i = 0; i < m->count; i++)
        managed_instance_free(m->list[i]);
    for (size_t i = 0; i < m->leaving_count; i++)
        managed_instance_free(m->leaving[i]);
    cond_fini(&m->wake);
    lock_fini(&m->lock);
    arena_fini(&m->fixed);
    alloc_free(m);
}

/* --- for the routes --- */

static enum err_code check(void *arg, const struct api_trial *t, struct err *e)
{
    const struct managed *m = arg;
    const struct managed_place p = {.endpoint = t->endpoint,
                                    .dbname = t->dbname,
                                    .username = t->username,
                                    .ssl_mode = t->ssl_mode,
                                    .port = (uint16_t)t->port};

    return managed_link_check(m->config.rules, &p, e);
}

static void attempt(void *arg, struct api_trial *t)
{
    struct managed *m = arg;
    struct err e;

    if (load_probes(m, &e) == ERR_OK)
        managed_link_try(m->config.rules, &m->catalogue, t);
    else
        log_error(&ctx, "no trial without a catalogue: %s", e.text);
}

static void changed(void *arg)
{
    struct managed *m = arg;

    lock_take(&m->lock);
    m->changed = true;
    cond_signal(&m->wake);
    lock_release(&m->lock);
}

void managed_table(struct managed *m, struct api_managed *out)
{
    *out = (struct api_managed){.check = check, .attempt = attempt, .changed = changed, .arg = m};
}
