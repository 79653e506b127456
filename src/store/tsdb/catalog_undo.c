/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalog_undo.c: takes back what was added to the catalogue and could not be written.
 *
 * New things are the last of their lists, so taking back is cutting lists; ids are given again. A
 * push that resolves its names at the same time may hold pointers to what goes: that is kept until
 * the catalogue is freed, and the generation, raised afterwards, says that what was resolved before
 * is not to be trusted.
 * Threads: the writer.
 */
#include "store/tsdb/catalog.h"

#include "base/alloc.h"
#include "base/map.h"

void catalog_mark_saved(struct catalog *c)
{
    c->saved_group = c->next_group;
    c->saved_object = c->next_object;
}

void catalog_mark_relations_saved(struct catalog *c)
{
    for (size_t i = 0; i < c->relation_count; i++) {
        struct catalog_relation *r = c->by_id[i];
        r->saved_keys = r->key_count;
        r->saved_columns = r->column_count;
    }
    c->saved_relations = c->relation_count;
    c->saved_relation = c->next_relation;
}

size_t catalog_buried_count(const struct catalog *c)
{
    return c->buried_count;
}

void catalog_free_buried(struct catalog *c)
{
    for (size_t i = 0; i < c->buried_count; i++) {
        c->buried[i].release(c->buried[i].thing);
    }
    alloc_free(c->buried);
}

static void bury(struct catalog *c, void *thing, void (*release)(void *thing))
{
    if (c->buried_count == c->buried_cap) {
        c->buried_cap = c->buried_cap ? 2 * c->buried_cap : 64;
        c->buried = alloc_resize(c->buried, c->buried_cap * sizeof(*c->buried));
    }
    c->buried[c->buried_count++] = (struct catalog_buried){thing, release};
}

/* New ones are the last of their groups; a group's table is made again once. */
static void undo_objects(struct catalog *c)
{
    for (size_t i = c->new_object_count; i > 0; i--) {
        struct catalog_object *o = c->new_objects[i - 1];
        struct catalog_group *g = o->group;
        g->object_count--;
        c->object_count--;
        bury(c, o, alloc_free);
        if (i == 1 || c->new_objects[i - 2]->group != g) {
            catalog_cut_objects(g, g->object_count);
        }
    }
    c->new_object_count = 0;
}

static void undo_groups(struct catalog *c)
{
    for (size_t i = 0; i < c->new_group_count; i++) {
        struct catalog_group *g = c->new_groups[i];
        atomic_store(&g->dropped, true); /* whoever holds it looks for it again */
        catalog_unlist_group(c, g);
        bury(c, g, catalog_free_group);
    }
    c->group_count -= c->new_group_count;
    c->new_group_count = 0;
}

static void undo_columns(struct catalog *c, struct catalog_column **list, size_t *count,
                         size_t saved)
{
    while (*count > saved) {
        bury(c, list[--*count], catalog_free_column);
    }
    for (size_t i = 0; i < *count; i++) {
        list[i]->described &= !list[i]->dirty; /* until it was read again */
        list[i]->dirty = false;
    }
}

static void undo_relations(struct catalog *c)
{
    while (c->relation_count > c->saved_relations) {
        struct catalog_relation *r = c->by_id[--c->relation_count];
        (void)map_remove(c->relations, r->name);
        bury(c, r, catalog_free_relation);
    }
    for (size_t i = 0; c->relations_dirty && i < c->relation_count; i++) {
        struct catalog_relation *r = c->by_id[i];
        undo_columns(c, r->keys, &r->key_count, r->saved_keys);
        undo_columns(c, r->columns, &r->column_count, r->saved_columns);
        r->described &= !r->dirty;
        r->dirty = false;
    }
    c->relations_dirty = false;
}

void catalog_undo(struct catalog *c)
{
    lock_take(&c->lock);
    undo_objects(c);
    undo_groups(c);
    undo_relations(c);
    c->ids_dirty = false;
    c->next_relation = c->saved_relation;
    c->next_group = c->saved_group;
    c->next_object = c->saved_object;
    lock_release(&c->lock);
    atomic_fetch_add(&c->generation, 1);
}
