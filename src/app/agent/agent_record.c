/* SPDX-License-Identifier: PostgreSQL */
/* agent_record.c: see the header. */
#include "app/agent/agent_record.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define DESCRIBE_EVERY_MS (3600 * 1000)

/* What the stream was told of a relation or a target, and when. */
struct told {
    int64_t mono_ms;
    uint64_t version;
};

struct agent_teller {
    const struct catalogue *catalogue;
    struct map *told; /* "r:<relation>", "t:<uuid>" -> struct told */
};

struct agent_teller *agent_teller_new(const struct catalogue *cat)
{
    struct agent_teller *t = alloc_new(sizeof(*t));
    t->catalogue = cat;
    t->told = map_new();
    return t;
}

void agent_teller_free(struct agent_teller *t)
{
    if (t) {
        map_free(t->told, alloc_free);
        alloc_free(t);
    }
}

void agent_teller_forget(struct agent_teller *t)
{
    map_clear(t->told, alloc_free);
}

/* Whether the stream must be told; remembers that it was. */
static bool must_tell(struct agent_teller *teller, struct str key, uint64_t version)
{
    struct told *t = map_get(teller->told, key);
    int64_t now = clock_mono_ms();
    if (t && t->version == version && now - t->mono_ms < DESCRIBE_EVERY_MS) {
        return false;
    }
    if (!t) {
        t = alloc_new(sizeof(*t));
        map_put(teller->told, key, t);
    }
    *t = (struct told){now, version};
    return true;
}

static void add_relations(struct agent_teller *teller, struct batch *b, struct arena *a)
{
    struct relation *r = arena_array(a, b->slice_count, sizeof(*r));
    b->relations = r;
    for (size_t i = 0; r && i < b->slice_count; i++) {
        char *name = arena_printf(a, "r:%.*s", STR_ARG(b->slices[i].relation));
        const struct catalogue_file *f = name ? catalogue_find(teller->catalogue, name + 2) : NULL;
        if (f && must_tell(teller, str_of(name), 0)) {
            r[b->relation_count++] = f->relation;
        }
    }
}

static void add_target(struct agent_teller *teller, struct batch *b, struct batch_target *out,
                       struct agent_target *t, struct arena *a)
{
    char key[2 + TEXT_UUID_SIZE] = "t:";
    text_uuid(&t->id, key + 2);
    lock_take(&t->lock);
    char *attributes = arena_printf(a, "%s", t->attributes);
    uint64_t version = t->attributes_version;
    lock_release(&t->lock);
    if (attributes && must_tell(teller, str_of(key), version)) {
        *out = (struct batch_target){t->id, str_of(t->kind), str_of(t->name), str_of(attributes)};
        b->targets = out;
        b->target_count = 1;
    }
}

bool agent_record_has(const struct agent_cycle *c)
{
    return c->out.slice_count > 0 || c->out.text_count > 0 || c->out.event_count > 0;
}

enum err_code agent_record_write(struct agent_teller *teller, struct agent_target *t,
                                 struct agent_cycle *c, struct buf *text, struct err *e)
{
    struct batch_target target;
    struct json_writer w;
    struct batch b = {
        .made_ms = clock_wall_ms() + c->wall_offset_ms,
        .slices = c->out.slices,
        .slice_count = c->out.slice_count,
        .texts = c->out.texts,
        .text_count = c->out.text_count,
        .events = c->out.events,
        .event_count = c->out.event_count,
    };
    add_relations(teller, &b, c->arena);
    add_target(teller, &b, &target, t, c->arena);
    json_writer_init(&w, text);
    batch_write(&b, &w);
    c->made_ms = b.made_ms;
    return buf_check(text, e);
}
