/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalog.c: relations, columns, groups and objects in memory.
 *
 * Everything known is held, about 130 bytes an object. Lookups take the lock for a moment; a steady
 * push does not look up at all, since its stream remembers the pointers.
 */
#include "store/tsdb/catalog.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/thread.h"
#include "os/clock.h"
#include "store/tsdb/engine.h"

#include <string.h>

#define GROUPS_A_LOOK 256 /* with the lock held */
#define GROUP_KEY_MAX (sizeof(uint32_t) + sizeof(struct uuid) + LIMIT_KEY_BYTES)

static struct str keep(struct str s)
{
    return str_make(alloc_strndup(s.ptr ? s.ptr : "", s.len), s.len);
}

void catalog_replace(struct str *at, struct str s)
{
    if (!str_eq(*at, s)) {
        alloc_free((char *)(uintptr_t)at->ptr);
        *at = keep(s);
    }
}

struct catalog *catalog_new(void)
{
    struct catalog *c = alloc_new(sizeof(*c));
    lock_init(&c->lock, "tsdb catalog", TSDB_LOCK_CATALOG);
    c->relations = map_new();
    c->groups = map_new();
    c->next_relation = c->next_group = c->next_object = 1;
    c->saved_relation = c->saved_group = c->saved_object = 1;
    return c;
}

void catalog_free_column(void *column)
{
    struct catalog_column *col = column;
    alloc_free((char *)(uintptr_t)col->name.ptr);
    alloc_free((char *)(uintptr_t)col->help.ptr);
    alloc_free((char *)(uintptr_t)col->unit.ptr);
    alloc_free(col);
}

void catalog_free_relation(void *relation)
{
    struct catalog_relation *r = relation;
    for (size_t i = 0; i < r->key_count; i++) {
        catalog_free_column(r->keys[i]);
    }
    for (size_t i = 0; i < r->column_count; i++) {
        catalog_free_column(r->columns[i]);
    }
    alloc_free(r->keys);
    alloc_free(r->columns);
    alloc_free((char *)(uintptr_t)r->name.ptr);
    alloc_free((char *)(uintptr_t)r->help.ptr);
    alloc_free(r);
}

void catalog_free_group(void *group)
{
    struct catalog_group *g = group;
    for (size_t i = 0; i < g->object_count; i++) {
        alloc_free(g->objects[i]);
    }
    alloc_free(g->objects);
    alloc_free(g->slots);
    alloc_free((char *)(uintptr_t)g->scope.ptr);
    alloc_free((char *)(uintptr_t)g->last_reason.ptr);
    alloc_free(g);
}

void catalog_free(struct catalog *c)
{
    if (!c) {
        return;
    }
    map_free(c->groups, NULL);
    for (size_t i = 0; i < c->group_count; i++) {
        catalog_free_group(c->all_groups[i]);
    }
    map_free(c->relations, catalog_free_relation);
    catalog_free_buried(c);
    alloc_free(c->by_id);
    alloc_free(c->all_groups);
    alloc_free(c->new_groups);
    alloc_free(c->new_objects);
    lock_fini(&c->lock);
    alloc_free(c);
}

/* Append to a list of pointers that doubles. */
static void push(void ***list, size_t *count, size_t *cap, void *value)
{
    if (*count == *cap) {
        *cap = *cap ? 2 * *cap : 8;
        *list = alloc_resize(*list, *cap * sizeof(**list));
    }
    (*list)[(*count)++] = value;
}

/* --- Look up --- */

struct catalog_relation *catalog_find_relation(struct catalog *c, struct str name)
{
    lock_take(&c->lock);
    struct catalog_relation *r = map_get(c->relations, name);
    lock_release(&c->lock);
    return r;
}

static struct catalog_column *find_in(struct catalog_column **list, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(list[i]->name, name)) {
            return list[i];
        }
    }
    return NULL;
}

struct catalog_column *catalog_find_column(struct catalog *c, struct catalog_relation *r,
                                           struct str name)
{
    lock_take(&c->lock);
    struct catalog_column *col = find_in(r->columns, r->column_count, name);
    lock_release(&c->lock);
    return col;
}

struct catalog_column *catalog_find_key(struct catalog *c, struct catalog_relation *r,
                                        struct str name)
{
    lock_take(&c->lock);
    struct catalog_column *col = find_in(r->keys, r->key_count, name);
    lock_release(&c->lock);
    return col;
}

static struct str group_key(const struct catalog_group_key *key, char *out)
{
    uint32_t id = key->relation->id;
    size_t len = key->scope.len < LIMIT_KEY_BYTES ? key->scope.len : LIMIT_KEY_BYTES;

    memcpy(out, &id, sizeof(id));
    memcpy(out + sizeof(id), key->target.bytes, sizeof(key->target.bytes));
    if (len) {
        memcpy(out + sizeof(id) + sizeof(key->target.bytes), key->scope.ptr, len);
    }
    return str_make(out, sizeof(id) + sizeof(key->target.bytes) + len);
}

struct catalog_group *catalog_find_group(struct catalog *c, const struct catalog_group_key *key)
{
    char bytes[GROUP_KEY_MAX];
    lock_take(&c->lock);
    struct catalog_group *g = map_get(c->groups, group_key(key, bytes));
    lock_release(&c->lock);
    return g;
}

/* The slot that holds `keys`, or the free one where it belongs. */
static size_t slot_of(const struct catalog_group *g, struct str keys, uint64_t hash)
{
    size_t at = (size_t)hash & g->slot_mask;
    while (g->slots[at] && (g->slots[at]->hash != hash ||
                            !str_eq(str_make(g->slots[at]->keys, g->slots[at]->len), keys))) {
        at = (at + 1) & g->slot_mask;
    }
    return at;
}

struct catalog_object *catalog_find_object(struct catalog *c, struct catalog_group *g,
                                           struct str keys)
{
    uint64_t hash = str_hash(keys);
    lock_take(&c->lock);
    struct catalog_object *o = g->slot_mask ? g->slots[slot_of(g, keys, hash)] : NULL;
    lock_release(&c->lock);
    return o;
}

void catalog_give(struct catalog *c, struct catalog_group *g, const struct uuid *who,
                  int64_t lease_ms, int64_t now_us)
{
    lock_take(&c->lock);
    g->owner = *who;
    g->owned_until_us = now_us + lease_ms * 1000;
    lock_release(&c->lock);
}

bool catalog_claim(struct catalog *c, struct catalog_group *g, const struct uuid *who,
                   int64_t lease_ms, int64_t now_us)
{
    lock_take(&c->lock);
    bool mine = now_us >= g->owned_until_us || text_uuid_eq(&g->owner, who);
    if (mine) {
        g->owner = *who;
        g->owned_until_us = now_us + lease_ms * 1000;
    }
    lock_release(&c->lock);
    return mine;
}

/* The place of the first group with this id or a higher one. Caller holds the lock. */
static size_t group_place(const struct catalog *c, uint64_t id)
{
    size_t low = 0;
    size_t high = c->group_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->all_groups[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The place of an object, or object_count. Caller holds the lock. */
/* The place of the first object whose id is not lower. */
static size_t object_place_from(const struct catalog_group *g, uint64_t id)
{
    size_t low = 0;
    size_t high = g->object_count;
    /* ids of a group mostly rise by one: then it is known where the object is */
    uint64_t guess = high ? id - g->objects[0]->id : 0;
    if (guess < high && g->objects[guess]->id == id) {
        low = high = (size_t)guess;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->objects[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static size_t object_place(const struct catalog_group *g, uint64_t id)
{
    size_t low = object_place_from(g, id);

    return low < g->object_count && g->objects[low]->id == id ? low : g->object_count;
}

struct catalog_object *catalog_object_by_id(struct catalog *c, struct catalog_group *g, uint64_t id)
{
    struct catalog_object *found = NULL;

    lock_take(&c->lock);
    size_t at = object_place(g, id);
    if (at < g->object_count) {
        found = g->objects[at];
    }
    lock_release(&c->lock);
    return found;
}

size_t catalog_objects_after(struct catalog *c, const struct catalog_group *g, uint64_t id,
                             struct catalog_object **list, size_t room)
{
    size_t n = 0;

    lock_take(&c->lock);
    for (size_t at = object_place_from(g, id + 1); at < g->object_count && n < room; at++) {
        list[n++] = g->objects[at];
    }
    lock_release(&c->lock);
    return n;
}

size_t catalog_object_count(struct catalog *c, const struct catalog_group *g)
{
    lock_take(&c->lock);
    size_t count = g->object_count;
    lock_release(&c->lock);
    return count;
}

struct catalog_object *catalog_object_after(struct catalog *c, uint64_t *group, uint64_t id)
{
    struct catalog_object *found = NULL;

    lock_take(&c->lock);
    size_t at = group_place(c, *group + 1);
    for (size_t n = 0; !found && at < c->group_count && n < GROUPS_A_LOOK; n++, at++) {
        const struct catalog_group *g = c->all_groups[at];
        size_t place = object_place(g, id);
        found = place < g->object_count ? g->objects[place] : NULL;
        *group = g->id;
    }
    if (at == c->group_count) {
        *group = UINT64_MAX;
    }
    lock_release(&c->lock);
    return found;
}

static bool knows_column(const struct catalog_relation *r, const struct relation_column *d)
{
    const struct catalog_column *col = find_in(r->columns, r->column_count, d->name);
    return col && col->described && col->kind == d->kind && col->type == d->type &&
           col->resolution == d->resolution && str_eq(col->unit, d->unit) &&
           str_eq(col->help, d->help);
}

/* A description without help yields to what is known: it adds what nobody described yet. */
static bool yields(const struct relation *d)
{
    return d->help.len == 0;
}

static bool knows_something(const struct catalog_relation *r, const struct relation *d)
{
    for (size_t i = 0; r && i < d->key_count; i++) {
        if (!find_in(r->keys, r->key_count, d->keys[i].name)) {
            return false;
        }
    }
    for (size_t i = 0; r && i < d->column_count; i++) {
        const struct catalog_column *col = find_in(r->columns, r->column_count, d->columns[i].name);
        if (!col || !col->described) {
            return false;
        }
    }
    return r && r->described;
}

static bool knows(const struct catalog_relation *r, const struct relation *d)
{
    if (yields(d)) {
        return knows_something(r, d);
    }
    if (!r || !r->described || r->shape != d->shape || r->sparse != d->sparse ||
        !str_eq(r->help, d->help)) {
        return false;
    }
    for (size_t i = 0; i < d->key_count; i++) {
        const struct catalog_column *key = find_in(r->keys, r->key_count, d->keys[i].name);
        if (!key || !str_eq(key->help, d->keys[i].help)) {
            return false;
        }
    }
    for (size_t i = 0; i < d->column_count; i++) {
        if (!knows_column(r, &d->columns[i])) {
            return false;
        }
    }
    return true;
}

bool catalog_knows(struct catalog *c, const struct relation *described)
{
    lock_take(&c->lock);
    bool known = knows(map_get(c->relations, described->name), described);
    lock_release(&c->lock);
    return known;
}

/* --- Add --- */

struct catalog_relation *catalog_put_relation(struct catalog *c, uint32_t id, struct str name,
                                              enum relation_shape shape)
{
    struct catalog_relation *r = alloc_new(sizeof(*r));
    r->id = id;
    r->name = keep(name);
    r->help = keep((struct str){NULL, 0});
    r->shape = shape;
    lock_take(&c->lock);
    (void)map_put(c->relations, name, r);
    push((void ***)&c->by_id, &c->relation_count, &c->relation_cap, r);
    if (id >= c->next_relation) {
        c->next_relation = id + 1;
    }
    lock_release(&c->lock);
    return r;
}

bool catalog_is_full(const struct catalog *c)
{
    return c->relation_count >= CATALOG_RELATIONS ||
           c->group_count - c->dropped_count >= CATALOG_GROUPS ||
           c->object_count >= CATALOG_OBJECTS;
}

enum err_code catalog_add_relation(struct catalog *c, struct str name, enum relation_shape shape,
                                   struct catalog_relation **out, struct err *e)
{
    if (c->relation_count >= CATALOG_RELATIONS) {
        return err_set(e, ERR_LIMIT, "more than %d relations", CATALOG_RELATIONS);
    }
    *out = catalog_put_relation(c, (uint32_t)c->next_relation, name, shape);
    (*out)->dirty = true;
    c->relations_dirty = c->ids_dirty = true;
    return ERR_OK;
}

/* Add a key or column at the end of its list; `list` and `count` are those of `r`. */
struct catalog_column *catalog_put_column(struct catalog *c, struct catalog_column ***list,
                                          size_t *count, struct str name)
{
    struct catalog_column *col = alloc_new(sizeof(*col));
    struct catalog_column **longer = alloc_array(*count + 1, sizeof(*longer));

    col->id = (uint32_t)*count;
    col->name = keep(name);
    col->help = keep((struct str){NULL, 0});
    col->unit = keep((struct str){NULL, 0});
    col->kind = RELATION_GAUGE;
    col->type = RELATION_F64;
    lock_take(&c->lock);
    if (*count) {
        memcpy(longer, *list, *count * sizeof(*longer));
    }
    longer[*count] = col;
    alloc_free(*list);
    *list = longer;
    (*count)++;
    lock_release(&c->lock);
    return col;
}

enum err_code catalog_add_column(struct catalog *c, struct catalog_relation *r, struct str name,
                                 struct catalog_column **out, struct err *e)
{
    if (r->column_count >= LIMIT_RELATION_COLUMNS) {
        return err_set(e, ERR_LIMIT, "relation %.*s: more than %d columns", STR_ARG(r->name),
                       LIMIT_RELATION_COLUMNS);
    }
    *out = catalog_put_column(c, &r->columns, &r->column_count, name);
    (*out)->dirty = c->relations_dirty = true;
    return ERR_OK;
}

enum err_code catalog_add_key(struct catalog *c, struct catalog_relation *r, struct str name,
                              struct catalog_column **out, struct err *e)
{
    if (r->key_count >= LIMIT_RELATION_KEYS) {
        return err_set(e, ERR_LIMIT, "relation %.*s: more than %d keys", STR_ARG(r->name),
                       LIMIT_RELATION_KEYS);
    }
    *out = catalog_put_column(c, &r->keys, &r->key_count, name);
    (*out)->dirty = c->relations_dirty = true;
    return ERR_OK;
}

static void set_column(struct catalog *c, struct catalog_column *col,
                       const struct relation_column *d)
{
    lock_take(&c->lock);
    col->kind = d->kind;
    col->type = d->type;
    col->resolution = d->resolution;
    catalog_replace(&col->unit, d->unit);
    catalog_replace(&col->help, d->help);
    col->described = col->dirty = true;
    lock_release(&c->lock);
}

static enum err_code describe_parts(struct catalog *c, struct catalog_relation *r,
                                    const struct relation *d, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < d->key_count; i++) {
        struct catalog_column *key = find_in(r->keys, r->key_count, d->keys[i].name);
        if (!key && r->key_count >= LIMIT_RELATION_KEYS) {
            continue; /* what has no room is left out when it comes */
        }
        if (!key) {
            code = catalog_add_key(c, r, d->keys[i].name, &key, e);
        }
        if (code == ERR_OK && !(yields(d) && key->described)) {
            lock_take(&c->lock);
            catalog_replace(&key->help, d->keys[i].help);
            key->described = key->dirty = true;
            lock_release(&c->lock);
        }
    }
    for (size_t i = 0; code == ERR_OK && i < d->column_count; i++) {
        struct catalog_column *col = find_in(r->columns, r->column_count, d->columns[i].name);
        if (!col && r->column_count >= LIMIT_RELATION_COLUMNS) {
            continue;
        }
        if (!col) {
            code = catalog_add_column(c, r, d->columns[i].name, &col, e);
        }
        if (code == ERR_OK && !(yields(d) && col->described)) {
            set_column(c, col, &d->columns[i]);
        }
    }
    return code;
}

enum err_code catalog_describe(struct catalog *c, const struct relation *described, struct err *e)
{
    struct catalog_relation *r = map_get(c->relations, described->name);
    enum err_code code = ERR_OK;

    if (!r) {
        code = catalog_add_relation(c, described->name, described->shape, &r, e);
        if (code) {
            return code;
        }
    }
    /* the shape stays what the first slice made it: groups on disk have it */
    lock_take(&c->lock);
    if (!yields(described) || !r->described) {
        r->sparse = described->sparse;
        catalog_replace(&r->help, described->help);
    }
    r->described = r->dirty = c->relations_dirty = true;
    lock_release(&c->lock);
    return describe_parts(c, r, described, e);
}

struct catalog_group *catalog_put_group(struct catalog *c, uint64_t id,
                                        const struct catalog_group_key *key)
{
    char bytes[GROUP_KEY_MAX];
    struct catalog_group *g = alloc_new(sizeof(*g));

    g->id = id;
    g->target = key->target;
    g->maker = key->maker;
    g->scope = keep(key->scope);
    lock_take(&c->lock);
    g->relation = map_get(c->relations, key->relation->name);
    (void)map_put(c->groups, group_key(key, bytes), g);
    push((void ***)&c->all_groups, &c->group_count, &c->group_cap, g);
    if (id >= c->next_group) {
        c->next_group = id + 1;
    }
    lock_release(&c->lock);
    return g;
}

enum err_code catalog_add_group(struct catalog *c, const struct catalog_group_key *key,
                                struct catalog_group **out, struct err *e)
{
    if (c->group_count - c->dropped_count >= CATALOG_GROUPS) {
        return err_set(e, ERR_LIMIT, "more than %d groups", CATALOG_GROUPS);
    }
    *out = catalog_put_group(c, c->next_group, key);
    push((void ***)&c->new_groups, &c->new_group_count, &c->new_group_cap, *out);
    c->ids_dirty = true;
    return ERR_OK;
}

void catalog_unlist_group(struct catalog *c, const struct catalog_group *g)
{
    char bytes[GROUP_KEY_MAX];
    struct catalog_group_key key = {g->relation, g->target, g->scope, g->maker};

    (void)map_remove(c->groups, group_key(&key, bytes));
}

static void fill_slots(struct catalog_group *g, size_t mask)
{
    alloc_free(g->slots);
    g->slots = alloc_array(mask + 1, sizeof(struct catalog_object *));
    g->slot_mask = mask;
    for (size_t i = 0; i < g->object_count; i++) {
        struct catalog_object *o = g->objects[i];
        g->slots[slot_of(g, str_make(o->keys, o->len), o->hash)] = o;
    }
}

void catalog_cut_objects(struct catalog_group *g, size_t count)
{
    g->object_count = count;
    for (size_t i = 0; g->slot_mask && i <= g->slot_mask; i++) {
        g->slots[i] = NULL;
    }
    for (size_t i = 0; i < count; i++) {
        struct catalog_object *o = g->objects[i];
        g->slots[slot_of(g, str_make(o->keys, o->len), o->hash)] = o;
    }
}

static void grow_slots(struct catalog_group *g)
{
    fill_slots(g, g->slot_mask ? g->slot_mask * 2 + 1 : 7);
}

struct catalog_object *catalog_put_object(struct catalog *c, uint64_t id, struct catalog_group *g,
                                          struct str keys)
{
    struct catalog_object *o = alloc_new(sizeof(*o) + keys.len);

    o->id = id;
    o->group = g;
    o->hash = str_hash(keys);
    atomic_init(&o->seen_ms, clock_mono_ms());
    o->len = (uint32_t)keys.len;
    if (keys.len) {
        memcpy(o->keys, keys.ptr, keys.len);
    }
    lock_take(&c->lock);
    if (2 * (g->object_count + 1) > g->slot_mask) {
        grow_slots(g);
    }
    g->slots[slot_of(g, keys, o->hash)] = o;
    push((void ***)&g->objects, &g->object_count, &g->object_cap, o);
    c->object_count++;
    if (id >= c->next_object) {
        c->next_object = id + 1;
    }
    lock_release(&c->lock);
    return o;
}

enum err_code catalog_add_object(struct catalog *c, struct catalog_group *g, struct str keys,
                                 struct catalog_object **out, struct err *e)
{
    if (c->object_count >= CATALOG_OBJECTS) {
        return err_set(e, ERR_LIMIT, "more than %d objects", CATALOG_OBJECTS);
    }
    *out = catalog_put_object(c, c->next_object, g, keys);
    push((void ***)&c->new_objects, &c->new_object_count, &c->new_object_cap, *out);
    c->ids_dirty = true;
    return ERR_OK;
}

int64_t catalog_note_ms(int64_t rest_ms)
{
    return rest_ms / 256;
}

struct catalog_object *catalog_take_object(struct catalog *c, struct catalog_group *g, uint64_t id)
{
    struct catalog_object *o = NULL;

    lock_take(&c->lock);
    size_t at = object_place(g, id);
    if (at < g->object_count) {
        o = g->objects[at];
        memmove(&g->objects[at], &g->objects[at + 1],
                (g->object_count - at - 1) * sizeof(struct catalog_object *));
        g->object_count--;
        c->object_count--;
        size_t mask = g->slot_mask;
        while (mask > 7 && g->object_count * 8 < mask) {
            mask /= 2;
        }
        fill_slots(g, mask);
    }
    lock_release(&c->lock);
    return o;
}

/* Caller holds the lock. */
static struct catalog_group *group_by_id(const struct catalog *c, uint64_t id)
{
    size_t at = group_place(c, id);
    bool found = at < c->group_count && c->all_groups[at]->id == id;
    return found ? c->all_groups[at] : NULL;
}

struct catalog_group *catalog_group_by_id(struct catalog *c, uint64_t id)
{
    lock_take(&c->lock);
    struct catalog_group *g = group_by_id(c, id);
    lock_release(&c->lock);
    return g;
}

void catalog_seen(struct catalog *c, uint64_t group, const struct catalog_last *last)
{
    lock_take(&c->lock);
    struct catalog_group *g = group_by_id(c, group);
    if (g && (!g->has_last || last->t_ms >= g->last_t_ms)) {
        g->has_last = true;
        g->last_t_ms = last->t_ms;
        g->last_every_ms = last->every_ms;
        g->last_flags = last->flags;
        struct str reason = last->reason;
        reason.len = reason.len < CATALOG_REASON_MAX ? reason.len : CATALOG_REASON_MAX;
        catalog_replace(&g->last_reason, reason);
    }
    lock_release(&c->lock);
}
