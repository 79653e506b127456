/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_outbox.c: records of cycles.
 */
#include "app/agent/agent_outbox.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define OUTBOX_RANK       30
#define WAKE_RANK         10
#define DESCRIBE_EVERY_MS (3600 * 1000)

/* What the live stream was told of a relation or a target, and when. */
struct told {
    int64_t mono_ms;
    uint64_t version;
};

struct agent_outbox {
    struct lock lock;
    const struct catalogue *catalogue;
    struct spool *spool;
    uint64_t generation; /* of the spool, when `told` was begun */
    struct map *told;    /* "r:<relation>", "t:<uuid>" -> struct told */
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
    o->catalogue = cat;
    o->spool = spool;
    o->told = map_new();
    return o;
}

void agent_outbox_free(struct agent_outbox *o)
{
    if (!o) {
        return;
    }
    map_free(o->told, alloc_free);
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

/* Whether the stream must be told; remembers that it was. */
static bool must_tell(struct agent_outbox *o, struct str key, uint64_t version)
{
    struct told *t = map_get(o->told, key);
    int64_t now = clock_mono_ms();
    if (t && t->version == version && now - t->mono_ms < DESCRIBE_EVERY_MS) {
        return false;
    }
    if (!t) {
        t = alloc_new(sizeof(*t));
        map_put(o->told, key, t);
    }
    *t = (struct told){now, version};
    return true;
}

static void forget(struct agent_outbox *o)
{
    uint64_t generation = spool_generation(o->spool);
    if (generation != o->generation) {
        map_clear(o->told, alloc_free);
        o->generation = generation;
    }
}

static void add_relations(struct agent_outbox *o, struct batch *b, struct arena *a)
{
    struct relation *r = arena_array(a, b->slice_count, sizeof(*r));
    b->relations = r;
    for (size_t i = 0; r && i < b->slice_count; i++) {
        char *name = arena_printf(a, "r:%.*s", STR_ARG(b->slices[i].relation));
        const struct catalogue_file *f = name ? catalogue_find(o->catalogue, name + 2) : NULL;
        if (f && must_tell(o, str_of(name), 0)) {
            r[b->relation_count++] = f->relation;
        }
    }
}

static void add_target(struct agent_outbox *o, struct batch *b, struct batch_target *out,
                       struct agent_target *t, struct arena *a)
{
    char key[2 + TEXT_UUID_SIZE] = "t:";
    text_uuid(&t->id, key + 2);
    lock_take(&t->lock);
    char *attributes = arena_printf(a, "%s", t->attributes);
    uint64_t version = t->attributes_version;
    lock_release(&t->lock);
    if (attributes && must_tell(o, str_of(key), version)) {
        *out = (struct batch_target){t->id, str_of(t->kind), str_of(t->name), str_of(attributes)};
        b->targets = out;
        b->target_count = 1;
    }
}

static enum err_code spool_batch(struct agent_outbox *o, const struct batch *b, struct err *e)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, LIMIT_RECORD_BYTES);
    json_writer_init(&w, &text);
    batch_write(b, &w);
    enum err_code code = buf_check(&text, e);
    if (!code) {
        code = spool_append(o->spool, buf_view(&text), b->made_ms, clock_mono_ms(), e);
    }
    buf_fini(&text);
    return code;
}

enum err_code agent_outbox_put(struct agent_outbox *o, struct agent_target *t,
                               struct agent_cycle *c, struct err *e)
{
    struct batch_target target;
    struct batch b = {
        .made_ms = clock_wall_ms() + c->wall_offset_ms,
        .slices = c->out.slices,
        .slice_count = c->out.slice_count,
        .texts = c->out.texts,
        .text_count = c->out.text_count,
        .events = c->out.events,
        .event_count = c->out.event_count,
    };
    if (b.slice_count == 0 && b.text_count == 0 && b.event_count == 0) {
        return ERR_OK;
    }
    lock_take(&o->lock);
    forget(o);
    add_relations(o, &b, c->arena);
    add_target(o, &b, &target, t, c->arena);
    enum err_code code = spool_batch(o, &b, e);
    if (code) {
        o->generation = 0; /* the descriptions may have been lost with it */
    } else if (!spool_last(o->spool, &c->stream, &c->seq)) {
        c->seq = 0;
    }
    lock_release(&o->lock);
    agent_outbox_wake(o);
    return code;
}
