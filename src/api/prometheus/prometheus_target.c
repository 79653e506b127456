/* SPDX-License-Identifier: PostgreSQL */
/*
 * prometheus_target.c: what is known of each target, as labels: target, instance, role, environment
 * and tags.
 *
 * The snapshot that is shared is that of all targets, for those who see all. Others get their own,
 * of what they see, so that not even its suffixes tell of more.
 * Threads: any; a snapshot never changes and lives as long as somebody uses it.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/fleet/api_target.h"
#include "api/prometheus/prometheus.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define FRESH_US     1000000
#define LABELS_MAX   (LIMIT_RELATION_KEYS + 8)
#define ARENA_BYTES  (64UL * 1024 * 1024)
#define SUFFIX_BYTES 8

struct prometheus_targets {
    atomic_int users;
    struct arena arena;
    int64_t made_us;
    size_t count;
    struct series_target *items;
};

struct prometheus_target_cache {
    struct lock lock;
    struct prometheus_targets *newest; /* NULL = none yet */
};

struct prometheus_target_cache *prometheus_target_cache_new(void)
{
    struct prometheus_target_cache *c = alloc_new(sizeof(*c));

    lock_init(&c->lock, "api.prometheus", 52);
    return c;
}

static void release(struct prometheus_targets *t)
{
    if (t && atomic_fetch_sub(&t->users, 1) == 1) {
        arena_fini(&t->arena);
        alloc_free(t);
    }
}

void prometheus_target_cache_free(struct prometheus_target_cache *c)
{
    if (!c)
        return;
    release(c->newest);
    lock_fini(&c->lock);
    alloc_free(c);
}

/* --- labels of one target --- */

struct making {
    struct arena *arena;
    struct label *items;
    size_t count;
};

static void add(struct making *m, struct str name, struct str value)
{
    bool known = value.len == 0 || m->count == LABELS_MAX;

    for (size_t i = 0; i < m->count && !known; i++)
        known = str_eq(m->items[i].name, name);
    if (!known)
        m->items[m->count++] = (struct label){arena_str(m->arena, name),
                                              arena_str(m->arena, value)};
}

/* Where the target is for others: a socket or a loopback address is its collector's host. */
static void add_instance(struct making *m, const struct store_target *t, const struct json *n)
{
    struct str address = json_str(json_get(n, "address"));
    int64_t port = json_i64(json_get(n, "port"), 0);
    bool here = address.len == 0 || address.ptr[0] == '/' || str_eq_c(address, "localhost") ||
                str_starts(address, STR("127.")) || str_eq_c(address, "::1");

    if (here && t->collector_hostname && t->collector_hostname[0])
        address = str_of(t->collector_hostname);
    if (address.len == 0)
        address = str_of(t->name);
    if (port == 0)
        add(m, STR("instance"), address);
    else
        add(m, STR("instance"),
            str_of(arena_printf(m->arena, "%.*s:%lld", STR_ARG(address), (long long)port)));
}

static void add_tags(struct making *m, const struct json *tags)
{
    for (struct json_iter it = json_iter(tags); json_next(&it);) {
        if (json_type(tags) == JSON_OBJECT && json_type(it.value) == JSON_STR &&
            relation_is_name(it.key))
            add(m, it.key, json_str(it.value));
    }
}

static int by_name(const void *x, const void *y)
{
    return label_compare(x, y);
}

static void make(struct making *m, const struct store_target *t)
{
    static const struct json_limits limits = {LIMIT_JSON_BODY_BYTES, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    const struct json *n = NULL;

    if (json_parse(str_of(t->attributes), &limits, &doc, NULL) == ERR_OK)
        n = json_root(doc);
    add(m, STR(SERIES_TARGET_LABEL), str_of(t->name && t->name[0] ? t->name : t->id));
    add_instance(m, t, n);
    add(m, STR("role"), json_str(json_get(n, "role")));
    add(m, STR("environment"), json_str(json_get(n, "environment")));
    add_tags(m, json_get(n, "tags"));
    json_doc_free(doc);
    qsort(m->items, m->count, sizeof(*m->items), by_name);
}

/* --- all of them --- */

static void put_identity(struct buf *out, const struct series_target *t)
{
    struct str target = labels_get(&t->labels, STR(SERIES_TARGET_LABEL));
    struct str instance = labels_get(&t->labels, STR("instance"));

    buf_reset(out);
    buf_add_str(out, target);
    buf_add_char(out, '\0');
    buf_add_str(out, instance);
}

/* Two of one name and place: the later one has a piece of its id in its name. */
static void tell_apart(struct prometheus_targets *all)
{
    struct map *known = map_new();
    struct buf identity;

    buf_init(&identity, 4 * LIMIT_NAME_BYTES + 4096);
    for (size_t i = 0; i < all->count; i++) {
        struct series_target *t = &all->items[i];
        struct label *items = (struct label *)t->labels.items;
        char id[TEXT_UUID_SIZE];
        put_identity(&identity, t);
        if (!map_put(known, buf_view(&identity), t))
            continue;
        text_uuid(&t->id, id);
        for (size_t l = 0; l < t->labels.count; l++) {
            if (str_eq_c(items[l].name, SERIES_TARGET_LABEL))
                items[l].value = str_of(arena_printf(&all->arena, "%.*s (%.*s)",
                                                     STR_ARG(items[l].value), SUFFIX_BYTES, id));
        }
    }
    buf_fini(&identity);
    map_free(known, NULL);
}

static int by_age(const void *x, const void *y)
{
    const struct store_target *a = x;
    const struct store_target *b = y;

    if (a->first_seen_ms != b->first_seen_ms)
        return a->first_seen_ms < b->first_seen_ms ? -1 : 1;
    return strcmp(a->id, b->id);
}

static int by_id(const void *x, const void *y)
{
    const struct series_target *a = x;
    const struct series_target *b = y;

    return memcmp(&a->id, &b->id, sizeof(a->id));
}

static enum err_code fill(struct prometheus_targets *all, const struct store_target_page *rows,
                          struct err *e)
{
    all->items = arena_array(&all->arena, rows->count + 1, sizeof(*all->items));
    if (!all->items)
        return arena_fail(&all->arena, e);
    for (size_t i = 0; i < rows->count; i++) {
        struct making m = {.arena = &all->arena};
        struct series_target *t = &all->items[all->count];
        if (!text_parse_uuid(str_of(rows->rows[i].id), &t->id))
            continue;
        m.items = arena_array(&all->arena, LABELS_MAX, sizeof(*m.items));
        if (!m.items)
            break;
        make(&m, &rows->rows[i]);
        t->labels = (struct labels){m.count, m.items};
        all->count++;
    }
    enum err_code rc = arena_check(&all->arena, e);
    if (rc)
        return rc;
    tell_apart(all);
    qsort(all->items, all->count, sizeof(*all->items), by_id);
    return arena_check(&all->arena, e);
}

static enum err_code make_all(struct api_call *call, struct prometheus_targets **out, struct err *e)
{
    struct prometheus_targets *all = alloc_new(sizeof(*all));
    struct store_target_page rows = {0};
    enum err_code rc = api_target_all(call, NULL, &rows, e);

    arena_init(&all->arena, "targets", ARENA_BYTES);
    atomic_init(&all->users, 1);
    all->made_us = clock_mono_us();
    if (rc == ERR_OK && rows.count)
        qsort(rows.rows, rows.count, sizeof(*rows.rows), by_age);
    if (rc == ERR_OK)
        rc = fill(all, &rows, e);
    if (rc) {
        release(all);
        return rc;
    }
    *out = all;
    return ERR_OK;
}

static struct prometheus_targets *take_fresh(struct prometheus_target_cache *c)
{
    struct prometheus_targets *t = NULL;

    lock_take(&c->lock);
    if (c->newest && clock_mono_us() - c->newest->made_us < FRESH_US) {
        t = c->newest;
        atomic_fetch_add(&t->users, 1);
    }
    lock_release(&c->lock);
    return t;
}

static void keep(struct prometheus_target_cache *c, struct prometheus_targets *t)
{
    struct prometheus_targets *old = NULL;

    atomic_fetch_add(&t->users, 1);
    lock_take(&c->lock);
    old = c->newest;
    c->newest = t;
    lock_release(&c->lock);
    release(old);
}

/* --- the source --- */

enum err_code prometheus_open(struct api_call *call, struct prometheus_source *out, struct err *e)
{
    struct series_tsdb_config config;
    struct tsdb_reader *reader = NULL;
    enum err_code rc = api_reader(call, &reader, e);

    *out = (struct prometheus_source){0};
    if (rc)
        return rc;
    if (call->who.sight.all)
        out->targets = take_fresh(call->api->targets);
    if (!out->targets) {
        rc = make_all(call, &out->targets, e);
        if (rc)
            return rc;
        if (call->who.sight.all)
            keep(call->api->targets, out->targets);
    }
    config = (struct series_tsdb_config){
        .reader = reader,
        .targets = out->targets->items,
        .target_count = out->targets->count,
    };
    return series_tsdb_init(call->arena, &config, &out->series, e);
}

void prometheus_close(struct api_call *call, struct prometheus_source *s)
{
    (void)call;
    series_tsdb_fini(s->series);
    release(s->targets);
    *s = (struct prometheus_source){0};
}
