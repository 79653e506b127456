/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalog_drop.c: groups of deleted targets: nobody finds them from then on; when nothing names
 * them any more they are taken out.
 */
#include "store/tsdb/catalog.h"

#include "base/alloc.h"

/* Caller holds the lock. */
static void drop_group(struct catalog *c, struct catalog_group *g)
{
    atomic_store(&g->dropped, true);
    catalog_unlist_group(c, g);
    c->object_count -= g->object_count;
    c->dropped_count++;
}

void catalog_keep_only(struct catalog *c, const uint64_t *ids, size_t count)
{
    size_t at = 0;

    lock_take(&c->lock);
    for (size_t i = 0; i < c->group_count; i++) {
        struct catalog_group *g = c->all_groups[i];
        while (at < count && ids[at] < g->id) {
            at++;
        }
        if (!atomic_load(&g->dropped) && (at == count || ids[at] != g->id)) {
            drop_group(c, g);
        }
    }
    lock_release(&c->lock);
}

size_t catalog_drop(struct catalog *c, const struct uuid *target, uint64_t **ids)
{
    size_t count = 0;

    lock_take(&c->lock);
    uint64_t *list = alloc_array(c->group_count + 1, sizeof(*list));
    for (size_t i = 0; i < c->group_count; i++) {
        struct catalog_group *g = c->all_groups[i];
        if (text_uuid_eq(&g->target, target) && !atomic_load(&g->dropped)) {
            drop_group(c, g);
            list[count++] = g->id;
        }
    }
    lock_release(&c->lock);
    *ids = list;
    return count;
}

size_t catalog_take_dropped(struct catalog *c, catalog_group_test *is_over, const void *arg,
                            struct catalog_group ***groups)
{
    size_t count = 0;
    size_t kept = 0;

    *groups = NULL;
    lock_take(&c->lock);
    if (c->dropped_count && !c->new_group_count && !c->new_object_count) {
        struct catalog_group **list = alloc_array(c->dropped_count, sizeof(*list));
        for (size_t i = 0; i < c->group_count; i++) {
            struct catalog_group *g = c->all_groups[i];
            if (atomic_load(&g->dropped) && is_over(arg, g)) {
                list[count++] = g;
            } else {
                c->all_groups[kept++] = g;
            }
        }
        c->group_count = kept;
        c->dropped_count -= count;
        *groups = list;
    }
    lock_release(&c->lock);
    return count;
}
