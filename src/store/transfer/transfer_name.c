/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_name.c: relations, groups and objects, with their ids.
 *
 * The catalogue of the destination is made that of the source, and written the way its engine
 * writes new names. What is there from an earlier try is left as it is.
 */
#include "store/transfer/transfer_part.h"

#include "base/fault.h"
#include "store/tsdb/postgres/pgstore.h"

#ifdef PGA_FAULTS
#define CHUNK 50 /* so that a small store has several, too */
#else
#define CHUNK 50000 /* names of a transaction */
#endif

struct naming {
    struct transfer *t;
    struct catalog *from, *to;
    size_t added; /* since the last commit */
};

static enum err_code begin(struct naming *n, struct err *e)
{
    struct tsdb *to = n->t->to.series;

    n->added = 0;
    return n->t->to.pg ? pgstore_names_begin(pgstore_of(to), e) : sqldb_begin(to->ingest, e);
}

static enum err_code save(struct tsdb *to, struct err *e)
{
    enum err_code code = catalog_save(to->catalog, to->ingest, e);

    if (code) {
        sqldb_rollback(to->ingest);
        return code;
    }
    FAULT_POINT("transfer.names");
    code = sqldb_commit(to->ingest, e);
    if (code == ERR_OK) {
        catalog_saved(to->catalog);
    }
    return code;
}

/*
 * Numbers that the source gave once are not given again. Before each commit: the engine in
 * PostgreSQL then reads what others added from there on.
 */
static void copy_ids(struct naming *n)
{
    n->to->next_relation = n->from->next_relation;
    n->to->next_group = n->from->next_group;
    n->to->next_object = n->from->next_object;
    n->to->ids_dirty = true;
}

static enum err_code commit(struct naming *n, struct err *e)
{
    struct tsdb *to = n->t->to.series;

    copy_ids(n);
    transfer_tell(n->t);
    return n->t->to.pg ? pgstore_names_commit(pgstore_of(to), e) : save(to, e);
}

/* One more; a transaction has CHUNK of them. */
static enum err_code count(struct naming *n, struct err *e)
{
    n->t->progress.done++;
    if (++n->added < CHUNK) {
        return ERR_OK;
    }
    enum err_code code = commit(n, e);
    return code ? code : begin(n, e);
}

/* --- relations --- */

static void copy_column(struct catalog_column *to, const struct catalog_column *from)
{
    catalog_replace(&to->help, from->help);
    catalog_replace(&to->unit, from->unit);
    to->kind = from->kind;
    to->type = from->type;
    to->resolution = from->resolution;
    to->described = from->described;
    to->dirty = true;
}

static enum err_code copy_columns(struct naming *n, struct catalog_relation *to,
                                  const struct catalog_relation *from, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < from->key_count; i++) {
        struct catalog_column *c = i < to->key_count ? to->keys[i] : NULL;
        code = c ? ERR_OK : catalog_add_key(n->to, to, from->keys[i]->name, &c, e);
        if (code == ERR_OK) {
            copy_column(c, from->keys[i]);
        }
    }
    for (size_t i = 0; code == ERR_OK && i < from->column_count; i++) {
        struct catalog_column *c = i < to->column_count ? to->columns[i] : NULL;
        code = c ? ERR_OK : catalog_add_column(n->to, to, from->columns[i]->name, &c, e);
        if (code == ERR_OK) {
            copy_column(c, from->columns[i]);
        }
    }
    return code;
}

static enum err_code copy_relation(struct naming *n, const struct catalog_relation *from,
                                   struct err *e)
{
    struct catalog_relation *to = catalog_find_relation(n->to, from->name);
    enum err_code code = ERR_OK;

    if (!to) {
        n->to->next_relation = from->id;
        code = catalog_add_relation(n->to, from->name, from->shape, &to, e);
    }
    if (code) {
        return code;
    }
    catalog_replace(&to->help, from->help);
    to->sparse = from->sparse;
    to->described = from->described;
    to->dirty = n->to->relations_dirty = true;
    code = copy_columns(n, to, from, e);
    return code ? code : count(n, e);
}

/* --- groups and objects --- */

static enum err_code copy_group(struct naming *n, const struct catalog_group *from, struct err *e)
{
    const struct catalog_group_key key = {
        .relation = catalog_find_relation(n->to, from->relation->name),
        .target = from->target,
        .scope = from->scope,
        .maker = from->maker};
    struct catalog_group *to = catalog_group_by_id(n->to, from->id);

    if (atomic_load(&from->dropped) || to) {
        return ERR_OK;
    }
    if (!key.relation) {
        return err_set(e, ERR_BUG, "a group without its relation");
    }
    n->to->next_group = from->id;
    enum err_code code = catalog_add_group(n->to, &key, &to, e);
    return code ? code : count(n, e);
}

static enum err_code copy_objects(struct naming *n, const struct catalog_group *from, struct err *e)
{
    struct catalog_group *to = catalog_group_by_id(n->to, from->id);
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && to && i < from->object_count; i++) {
        const struct catalog_object *o = from->objects[i];
        struct catalog_object *made = catalog_object_by_id(n->to, to, o->id);
        if (made) {
            continue;
        }
        n->to->next_object = o->id;
        code = catalog_add_object(n->to, to, str_make(o->keys, o->len), &made, e);
        code = code ? code : count(n, e);
    }
    return code;
}

static enum err_code copy_all(struct naming *n, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < n->from->relation_count; i++) {
        code = copy_relation(n, n->from->by_id[i], e);
    }
    for (size_t i = 0; code == ERR_OK && i < n->from->group_count; i++) {
        code = copy_group(n, n->from->all_groups[i], e);
    }
    for (size_t i = 0; code == ERR_OK && i < n->from->group_count; i++) {
        if (!atomic_load(&n->from->all_groups[i]->dropped)) {
            code = copy_objects(n, n->from->all_groups[i], e);
        }
    }
    return code;
}

enum err_code transfer_names_copy(struct transfer *t, struct err *e)
{
    struct naming n = {.t = t, .from = t->from.series->catalog, .to = t->to.series->catalog};

    t->progress = (struct transfer_progress){.step = "names",
                                             .total = n.from->relation_count + n.from->group_count +
                                                      n.from->object_count};
    enum err_code code = begin(&n, e);
    if (code) {
        return code;
    }
    code = copy_all(&n, e);
    if (code) {
        sqldb_rollback(t->to.pg ? pgstore_of(t->to.series)->write : t->to.series->ingest);
        return code;
    }
    return commit(&n, e);
}
