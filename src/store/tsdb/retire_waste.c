/* SPDX-License-Identifier: PostgreSQL */
/*
 * retire_waste.c: heaps of names that wait for the readers of their time.
 *
 * A reader's number is that of its borrowing. A heap has that of the newest one when it was closed:
 * whoever was borrowed later cannot have met what is in it.
 */
#include "store/tsdb/retire_waste.h"

#include "base/alloc.h"
#include "store/tsdb/ingest.h"
#include "store/tsdb/read/reader.h"

struct retire_waste {
    struct retire_waste *next;
    uint64_t borrows; /* UINT64_MAX = open */
    size_t group_count;
    struct catalog_group **groups; /* with their objects */
    size_t count;
    struct catalog_object *objects[];
};

struct retire_waste *retire_waste_open(struct tsdb *db, size_t objects)
{
    struct retire_waste *w = alloc_new(sizeof(*w) + objects * sizeof(struct catalog_object *));

    w->borrows = UINT64_MAX;
    lock_take(&db->state);
    w->next = db->waste;
    db->waste = w;
    lock_release(&db->state);
    return w;
}

void retire_waste_close(struct tsdb *db, struct retire_waste *w)
{
    lock_take(&db->state);
    w->borrows = db->borrows;
    lock_release(&db->state);
}

bool retire_waste_take(struct tsdb *db, struct retire_waste *w, struct catalog_group *g,
                       uint64_t object)
{
    lock_take(&db->state);
    struct catalog_object *o = catalog_take_object(db->catalog, g, object);
    if (o) {
        w->objects[w->count++] = o;
    }
    lock_release(&db->state);
    return o != NULL;
}

/* --- groups of deleted targets --- */

/* No row of `dropped`: neither heads nor files nor the journal name it. Caller holds state. */
static bool is_over(const void *arg, const struct catalog_group *g)
{
    const struct tsdb *db = arg;
    return !drop_has(db, g->id);
}

size_t retire_waste_groups(struct tsdb *db)
{
    struct retire_waste *w = retire_waste_open(db, 0);
    struct str key;
    void *value = NULL;

    lock_take(&db->state);
    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        stream_forget_dropped(value);
    }
    w->group_count = catalog_take_dropped(db->catalog, is_over, db, &w->groups);
    size_t count = w->group_count;
    lock_release(&db->state);
    retire_waste_close(db, w);
    return count;
}

/* --- readers --- */

static const struct catalog_object *find_in(struct catalog_object *const *list, size_t count,
                                            uint64_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i]->id == id) {
            return list[i];
        }
    }
    return NULL;
}

const struct catalog_object *retire_find(struct tsdb_reader *r, uint64_t object)
{
    struct tsdb *db = r->db;
    const struct catalog_object *found = NULL;

    lock_take(&db->state);
    for (const struct retire_waste *w = db->waste; !found && w; w = w->next) {
        if (w->borrows < r->borrow) {
            continue; /* may be freed at any time */
        }
        found = find_in(w->objects, w->count, object);
        for (size_t i = 0; !found && i < w->group_count; i++) {
            found = find_in(w->groups[i]->objects, w->groups[i]->object_count, object);
        }
    }
    lock_release(&db->state);
    return found;
}

/* --- the end --- */

static void free_all(struct retire_waste *w)
{
    while (w) {
        struct retire_waste *next = w->next;
        for (size_t i = 0; i < w->count; i++) {
            alloc_free(w->objects[i]);
        }
        for (size_t i = 0; i < w->group_count; i++) {
            catalog_free_group(w->groups[i]);
        }
        alloc_free(w->groups);
        alloc_free(w);
        w = next;
    }
}

void retire_waste_free(struct tsdb *db)
{
    struct retire_waste *free_these = NULL;

    lock_take(&db->state);
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < db->reader_count; i++) {
        if (db->readers[i]->borrowed && db->readers[i]->borrow < oldest) {
            oldest = db->readers[i]->borrow;
        }
    }
    for (struct retire_waste **at = &db->waste; *at;) {
        struct retire_waste *w = *at;
        if (w->borrows < oldest) {
            *at = w->next;
            w->next = free_these;
            free_these = w;
        } else {
            at = &w->next;
        }
    }
    lock_release(&db->state);
    free_all(free_these);
}

void retire_waste_fini(struct tsdb *db)
{
    free_all(db->waste);
}
