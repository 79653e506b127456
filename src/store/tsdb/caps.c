/* SPDX-License-Identifier: PostgreSQL */
/* caps.c: see the header. */
#include "store/tsdb/caps.h"

#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/tsdb/engine.h"

#include <string.h>

#define HOUR_MS 3600000LL

/* An agent of a hundred databases with a thousand tables each stays below half of these. */
static const uint64_t usual[TSDB_CAPS] = {
    [TSDB_CAP_RELATIONS] = 1000,
    [TSDB_CAP_GROUPS] = 50000,
    [TSDB_CAP_OBJECTS] = 1000000,
    [TSDB_CAP_NEW_OBJECTS] = 500000,
    [TSDB_CAP_CELLS] = 1000000000,
    [TSDB_CAP_TEXTS] = 200000,
    [TSDB_CAP_TEXT_BYTES] = 256ULL * 1024 * 1024,
    [TSDB_CAP_COLUMNS] = LIMIT_RELATION_COLUMNS,
};

struct caps {
    struct lock lock;
    uint64_t max[TSDB_CAPS];
    struct map *uses; /* collector -> struct cap_use */
};

struct caps *caps_new(const uint64_t max[TSDB_CAPS])
{
    struct caps *c = alloc_new(sizeof(*c));

    lock_init(&c->lock, "tsdb caps", TSDB_LOCK_CAPS);
    for (int i = 0; i < TSDB_CAPS; i++) {
        c->max[i] = max[i] ? max[i] : usual[i];
    }
    c->uses = map_new();
    return c;
}

void caps_free(struct caps *c)
{
    if (!c) {
        return;
    }
    map_free(c->uses, alloc_free);
    lock_fini(&c->lock);
    alloc_free(c);
}

struct cap_use *caps_of(struct caps *c, const struct uuid *collector)
{
    struct str key = str_make(collector, sizeof(*collector));

    lock_take(&c->lock);
    struct cap_use *u = map_get(c->uses, key);
    if (!u) {
        u = alloc_new(sizeof(*u));
        u->collector = *collector;
        u->max = c->max;
        (void)map_put(c->uses, key, u);
    }
    lock_release(&c->lock);
    return u;
}

/* --- taking --- */

static bool is_hourly(enum tsdb_cap cap)
{
    return cap == TSDB_CAP_NEW_OBJECTS || cap == TSDB_CAP_CELLS;
}

static void turn_hour(struct cap_use *u)
{
    int64_t hour = clock_mono_ms() / HOUR_MS + 1;

    if (atomic_load_explicit(&u->hour, memory_order_relaxed) != hour &&
        atomic_exchange(&u->hour, hour) != hour) {
        atomic_store(&u->used[TSDB_CAP_NEW_OBJECTS], 0);
        atomic_store(&u->used[TSDB_CAP_CELLS], 0);
    }
}

bool cap_is_full(struct cap_use *u, enum tsdb_cap cap)
{
    if (is_hourly(cap)) {
        turn_hour(u);
    }
    return atomic_load(&u->used[cap]) >= u->max[cap];
}

bool cap_take(struct cap_use *u, enum tsdb_cap cap, uint64_t count)
{
    if (is_hourly(cap)) {
        turn_hour(u);
    }
    if (atomic_load(&u->used[cap]) + count > u->max[cap]) {
        return false;
    }
    atomic_fetch_add(&u->used[cap], count);
    return true;
}

void cap_give(struct cap_use *u, enum tsdb_cap cap, uint64_t count)
{
    uint64_t held = atomic_load(&u->used[cap]);
    uint64_t less = 0;

    do {
        less = held > count ? held - count : 0;
    } while (!atomic_compare_exchange_weak(&u->used[cap], &held, less));
}

void cap_refuse(struct cap_use *u, enum tsdb_cap cap, uint64_t count)
{
    atomic_fetch_add(&u->refused[cap], count);
}

/* --- counting --- */

static void clear(struct caps *c, enum tsdb_cap from, enum tsdb_cap to)
{
    struct str key;
    void *value = NULL;

    lock_take(&c->lock);
    for (size_t pos = 0; map_next(c->uses, &pos, &key, &value);) {
        struct cap_use *u = value;
        for (int cap = (int)from; cap <= (int)to; cap++) {
            atomic_store(&u->used[cap], 0);
        }
    }
    lock_release(&c->lock);
}

void caps_count(struct caps *c, struct catalog *catalog)
{
    static const struct uuid nobody;
    bool *seen = alloc_array(CATALOG_RELATIONS + 1, sizeof(*seen)); /* relations, by id */

    clear(c, TSDB_CAP_RELATIONS, TSDB_CAP_OBJECTS);
    lock_take(&catalog->lock);
    for (size_t i = 0; i < catalog->group_count; i++) { /* in order of id: the first one made it */
        const struct catalog_group *g = catalog->all_groups[i];
        bool first = g->relation->id <= CATALOG_RELATIONS && !seen[g->relation->id];
        if (atomic_load(&g->dropped) || text_uuid_eq(&g->maker, &nobody)) {
            continue;
        }
        struct cap_use *u = caps_of(c, &g->maker);
        atomic_fetch_add(&u->used[TSDB_CAP_GROUPS], 1);
        atomic_fetch_add(&u->used[TSDB_CAP_OBJECTS], g->object_count);
        if (first) {
            seen[g->relation->id] = true;
            atomic_fetch_add(&u->used[TSDB_CAP_RELATIONS], 1);
        }
    }
    lock_release(&catalog->lock);
    alloc_free(seen);
}

enum err_code caps_count_texts(struct caps *c, struct sqldb *text, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(text, "tsdb_text_use", SQLDB_NO_ARGS, &s, e);

    clear(c, TSDB_CAP_TEXTS, TSDB_CAP_TEXT_BYTES);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct str collector = sqldb_get_blob(s, 0);
        struct uuid id;
        if (collector.len == sizeof(id.bytes)) {
            memcpy(id.bytes, collector.ptr, sizeof(id.bytes));
            struct cap_use *u = caps_of(c, &id);
            atomic_store(&u->used[TSDB_CAP_TEXTS], (uint64_t)sqldb_get_i64(s, 1));
            atomic_store(&u->used[TSDB_CAP_TEXT_BYTES], (uint64_t)sqldb_get_i64(s, 2));
        }
    }
    sqldb_end(s);
    return code;
}

enum err_code tsdb_front_uses(struct tsdb *db, struct arena *a, struct tsdb_use **out,
                              size_t *count, struct err *e)
{
    struct caps *c = db->caps;
    struct str key;
    void *value = NULL;
    size_t n = 0;

    lock_take(&c->lock);
    struct tsdb_use *list = arena_array(a, map_count(c->uses), sizeof(*list));
    for (size_t pos = 0; list && map_next(c->uses, &pos, &key, &value);) {
        struct cap_use *u = value;
        turn_hour(u);
        list[n] = (struct tsdb_use){.collector = u->collector};
        for (int i = 0; i < TSDB_CAPS; i++) {
            list[n].used[i] = atomic_load(&u->used[i]);
            list[n].refused[i] = atomic_load(&u->refused[i]);
            list[n].max[i] = u->max[i];
        }
        n++;
    }
    lock_release(&c->lock);
    *out = list;
    *count = n;
    return arena_check(a, e);
}
