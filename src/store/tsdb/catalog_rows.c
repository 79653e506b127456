/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalog_rows.c: the catalogue from and to the tables of ingest.db.
 *
 * Threads: catalog_load before the threads start; catalog_save and catalog_saved the writer.
 */
#include "store/tsdb/catalog.h"

#include <string.h>

static struct catalog_relation *relation_by_id(struct catalog *c, int64_t id)
{
    for (size_t i = 0; i < c->relation_count; i++) {
        if (c->by_id[i]->id == id) {
            return c->by_id[i];
        }
    }
    return NULL;
}

/* What is known already takes what the rows say. */
static enum err_code load_relations(struct catalog *c, struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db, "tsdb_relation_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct catalog_relation *r = relation_by_id(c, sqldb_get_i64(s, 0));
        if (!r) {
            r = catalog_put_relation(c, (uint32_t)sqldb_get_i64(s, 0), sqldb_get_text(s, 1),
                                     sqldb_get_i64(s, 3) ? RELATION_FACT : RELATION_OBJECT);
        }
        lock_take(&c->lock);
        catalog_replace(&r->help, sqldb_get_text(s, 2));
        r->sparse = sqldb_get_i64(s, 4) != 0;
        r->described = sqldb_get_i64(s, 5) != 0;
        lock_release(&c->lock);
    }
    sqldb_end(s);
    return code;
}

static enum err_code load_column(struct catalog *c, struct sqldb_stmt *s, struct err *e)
{
    struct catalog_relation *r = relation_by_id(c, sqldb_get_i64(s, 0));
    bool is_key = sqldb_get_i64(s, 1) != 0;
    size_t at = (size_t)sqldb_get_i64(s, 2);

    if (!r || at > (is_key ? r->key_count : r->column_count)) {
        return err_set(e, ERR_CORRUPT, "column %.*s has no place", STR_ARG(sqldb_get_text(s, 3)));
    }
    struct catalog_column ***list = is_key ? &r->keys : &r->columns;
    size_t *count = is_key ? &r->key_count : &r->column_count;
    struct catalog_column *col = at < *count
                                     ? (*list)[at]
                                     : catalog_put_column(c, list, count, sqldb_get_text(s, 3));
    lock_take(&c->lock);
    col->kind = (enum relation_kind)(sqldb_get_i64(s, 4) & 3);
    col->type = (enum relation_type)(sqldb_get_i64(s, 5) & 3);
    catalog_replace(&col->unit, sqldb_get_text(s, 6));
    catalog_replace(&col->help, sqldb_get_text(s, 7));
    col->resolution = sqldb_get_f64(s, 8);
    col->described = sqldb_get_i64(s, 9) != 0;
    lock_release(&c->lock);
    return ERR_OK;
}

static enum err_code load_group(struct catalog *c, struct sqldb_stmt *s, struct err *e)
{
    struct str target = sqldb_get_blob(s, 1);
    struct catalog_group_key key = {.relation = relation_by_id(c, sqldb_get_i64(s, 2)),
                                    .scope = sqldb_get_text(s, 3)};

    if (!key.relation || target.len != sizeof(key.target.bytes)) {
        return err_set(e, ERR_CORRUPT, "group %lld is damaged", (long long)sqldb_get_i64(s, 0));
    }
    memcpy(key.target.bytes, target.ptr, sizeof(key.target.bytes));
    struct str maker = sqldb_get_blob(s, 4);
    if (maker.len == sizeof(key.maker.bytes)) {
        memcpy(key.maker.bytes, maker.ptr, sizeof(key.maker.bytes));
    }
    (void)catalog_put_group(c, (uint64_t)sqldb_get_i64(s, 0), &key);
    return ERR_OK;
}

static enum err_code load_object(struct catalog *c, struct sqldb_stmt *s, struct err *e)
{
    uint64_t id = (uint64_t)sqldb_get_i64(s, 1);
    size_t low = 0;

    for (size_t high = c->group_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (c->all_groups[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == c->group_count || c->all_groups[low]->id != id) {
        return err_set(e, ERR_CORRUPT, "object of unknown group %llu", (unsigned long long)id);
    }
    (void)catalog_put_object(c, (uint64_t)sqldb_get_i64(s, 0), c->all_groups[low],
                             sqldb_get_blob(s, 2));
    return ERR_OK;
}

typedef enum err_code load_row(struct catalog *c, struct sqldb_stmt *s, struct err *e);

/* Rows of a statement. */
struct row_list {
    const char *statement;
    load_row *load;
    uint64_t from; /* the first id; 0 = the statement has no parameter */
};

static enum err_code load_rows(struct catalog *c, struct sqldb *db, const struct row_list *list,
                               struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    struct sqldb_args args = list->from ? SQLDB_ARGS(sqldb_i64((int64_t)list->from))
                                        : SQLDB_NO_ARGS;
    enum err_code code = sqldb_query(db, list->statement, args, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = list->load(c, s, e);
    }
    sqldb_end(s);
    return code;
}

/* A store of an older program is read as it is, when it is checked. */
static enum err_code load_groups(struct catalog *c, struct sqldb *ingest, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(ingest, "tsdb_group_has_collector", SQLDB_NO_ARGS, &s, e);
    bool found = code == ERR_OK && sqldb_get_i64(s, 0) != 0;

    sqldb_end(s);
    const char *list = found ? "tsdb_group_list" : "tsdb_group_list_2";
    return code ? code : load_rows(c, ingest, &(struct row_list){list, load_group, 0}, e);
}

static enum err_code load_ids(struct catalog *c, struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "tsdb_ids_get", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) { /* rows may have been deleted: the counters remember */
        uint64_t relation = (uint64_t)sqldb_get_i64(s, 0);
        uint64_t group = (uint64_t)sqldb_get_i64(s, 1);
        uint64_t object = (uint64_t)sqldb_get_i64(s, 2);
        c->next_relation = relation > c->next_relation ? relation : c->next_relation;
        c->next_group = group > c->next_group ? group : c->next_group;
        c->next_object = object > c->next_object ? object : c->next_object;
    }
    sqldb_end(s);
    return code;
}

enum err_code catalog_load(struct catalog *c, struct sqldb *ingest, struct err *e)
{
    enum err_code code = load_relations(c, ingest, e);

    if (code == ERR_OK) {
        code = load_rows(c, ingest, &(struct row_list){"tsdb_column_list", load_column, 0}, e);
    }
    if (code == ERR_OK) {
        code = load_groups(c, ingest, e);
    }
    if (code == ERR_OK) {
        code = load_rows(c, ingest, &(struct row_list){"tsdb_object_list", load_object, 0}, e);
    }
    code = code ? code : load_ids(c, ingest, e);
    catalog_mark_saved(c);
    catalog_mark_relations_saved(c);
    return code;
}

enum err_code catalog_sync(struct catalog *c, struct sqldb *db, enum catalog_what what,
                           struct err *e)
{
    bool relations = what == CATALOG_NAMES_AND_DESCRIPTIONS;
    enum err_code code = relations ? load_relations(c, db, e) : ERR_OK;

    if (code == ERR_OK && relations) {
        code = load_rows(c, db, &(struct row_list){"tsdb_column_list", load_column, 0}, e);
    }
    if (code == ERR_OK) {
        code = load_rows(c, db, &(struct row_list){"tsdb_group_since", load_group, c->next_group},
                         e);
    }
    if (code == ERR_OK) {
        code = load_rows(c, db,
                         &(struct row_list){"tsdb_object_since", load_object, c->next_object}, e);
    }
    code = code ? code : load_ids(c, db, e);
    catalog_mark_saved(c); /* what came before an error is there, too */
    if (relations) {
        catalog_mark_relations_saved(c);
    }
    return code;
}

static enum err_code save_columns(struct sqldb *db, const struct catalog_relation *r,
                                  struct catalog_column **list, size_t n, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < n; i++) {
        const struct catalog_column *c = list[i];
        if (c->dirty) {
            code = sqldb_run(db, "tsdb_column_put",
                             SQLDB_ARGS(sqldb_i64(r->id), sqldb_i64(list == r->keys),
                                        sqldb_i64(c->id), sqldb_text(c->name), sqldb_i64(c->kind),
                                        sqldb_i64(c->type), sqldb_text(c->unit),
                                        sqldb_text(c->help), sqldb_f64(c->resolution),
                                        sqldb_i64(c->described)),
                             e);
        }
    }
    return code;
}

enum err_code catalog_save_relations(struct catalog *c, struct sqldb *db, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && c->relations_dirty && i < c->relation_count; i++) {
        const struct catalog_relation *r = c->by_id[i];
        if (r->dirty) {
            code = sqldb_run(db, "tsdb_relation_put",
                             SQLDB_ARGS(sqldb_i64(r->id), sqldb_text(r->name), sqldb_text(r->help),
                                        sqldb_i64(r->shape == RELATION_FACT), sqldb_i64(r->sparse),
                                        sqldb_i64(r->described)),
                             e);
        }
        if (code == ERR_OK) {
            code = save_columns(db, r, r->keys, r->key_count, e);
        }
        if (code == ERR_OK) {
            code = save_columns(db, r, r->columns, r->column_count, e);
        }
    }
    return code;
}

static enum err_code save_new(struct catalog *c, struct sqldb *db, struct err *e)
{
    enum err_code code = ERR_OK;
    for (size_t i = 0; code == ERR_OK && i < c->new_group_count; i++) {
        const struct catalog_group *g = c->new_groups[i];
        code = sqldb_run(db, "tsdb_group_insert",
                         SQLDB_ARGS(sqldb_i64((int64_t)g->id),
                                    sqldb_blob(g->target.bytes, sizeof(g->target.bytes)),
                                    sqldb_i64(g->relation->id), sqldb_text(g->scope),
                                    sqldb_blob(g->maker.bytes, sizeof(g->maker.bytes))),
                         e);
    }
    for (size_t i = 0; code == ERR_OK && i < c->new_object_count; i++) {
        const struct catalog_object *o = c->new_objects[i];
        code = sqldb_run(db, "tsdb_object_insert",
                         SQLDB_ARGS(sqldb_i64((int64_t)o->id), sqldb_i64((int64_t)o->group->id),
                                    sqldb_blob(o->keys, o->len)),
                         e);
    }
    return code;
}

enum err_code catalog_save(struct catalog *c, struct sqldb *ingest, struct err *e)
{
    enum err_code code = catalog_save_relations(c, ingest, e);

    if (code == ERR_OK) {
        code = save_new(c, ingest, e);
    }
    return code ? code : catalog_save_ids(c, ingest, e);
}

enum err_code catalog_save_ids(struct catalog *c, struct sqldb *ingest, struct err *e)
{
    enum err_code code = ERR_OK;

    if (c->ids_dirty) {
        code = sqldb_run(ingest, "tsdb_ids_put",
                         SQLDB_ARGS(sqldb_i64((int64_t)c->next_relation),
                                    sqldb_i64((int64_t)c->next_group),
                                    sqldb_i64((int64_t)c->next_object)),
                         e);
    }
    return code;
}

static void clean(struct catalog_column **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        list[i]->dirty = false;
    }
}

void catalog_saved(struct catalog *c)
{
    for (size_t i = 0; c->relations_dirty && i < c->relation_count; i++) {
        c->by_id[i]->dirty = false;
        clean(c->by_id[i]->keys, c->by_id[i]->key_count);
        clean(c->by_id[i]->columns, c->by_id[i]->column_count);
    }
    catalog_mark_saved(c);
    if (c->relations_dirty) {
        catalog_mark_relations_saved(c);
    }
    c->relations_dirty = c->ids_dirty = false;
    c->new_group_count = c->new_object_count = 0;
}
