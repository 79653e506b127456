/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_reader.c: a pool of read-only connections; a borrowed one sees one snapshot.
 *
 * Names come from the same snapshot, so a reader needs no catalogue. Keys of objects are kept group
 * by group until the reader is returned.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define NAMES_BYTES (256UL * 1024 * 1024)

struct object_key {
    uint64_t id;
    struct str keys;
};

/* The objects of a group, in order of id. */
struct pgstore_objects {
    size_t count, cap;
    struct object_key *list;
};

static struct pgstore_reader *reader_of(struct tsdb_reader *r)
{
    return (struct pgstore_reader *)r;
}

/* --- pool --- */

/* Caller holds state. */
static struct pgstore_reader *find_free(struct tsdb *db)
{
    for (size_t i = 0; i < db->reader_count; i++) {
        struct pgstore_reader *r = reader_of(db->readers[i]);
        if (!r->borrowed) {
            return r;
        }
    }
    if (db->reader_count == db->reader_max) {
        return NULL;
    }
    struct pgstore_reader *r = alloc_new(sizeof(*r));
    r->base.ops = db->ops;
    r->store = pgstore_of(db);
    arena_init(&r->names, "tsdb names", NAMES_BYTES);
    r->objects = map_new();
    db->readers[db->reader_count++] = (struct tsdb_reader *)r;
    return r;
}

enum err_code pgstore_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                    struct err *e)
{
    struct pgstore_reader *r = NULL;
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    while (!(r = find_free(db)) && code == ERR_OK) {
        if (!cond_wait_until(&db->reader_free, &db->state, mono_us)) {
            code = err_set(e, ERR_TIMEOUT, "all readers of the store are busy");
        }
    }
    if (r) {
        code = ERR_OK;
        r->borrowed = true;
    }
    lock_release(&db->state);
    *out = (struct tsdb_reader *)r;
    return code;
}

static void free_objects(void *value)
{
    struct pgstore_objects *o = value;
    alloc_free(o->list);
    alloc_free(o);
}

void pgstore_reader_return(struct tsdb_reader *base)
{
    struct pgstore_reader *r = reader_of(base);
    struct tsdb *db = &r->store->front;

    if (r->in_snapshot) {
        sqldb_deadline(r->db, 0);
        sqldb_rollback(r->db);
        r->in_snapshot = false;
    }
    map_clear(r->objects, free_objects);
    arena_reset(&r->names);
    lock_take(&db->state);
    r->borrowed = false;
    cond_signal(&db->reader_free);
    lock_release(&db->state);
}

void pgstore_reader_close(struct pgstore_reader *r)
{
    sqldb_close(r->db);
    map_free(r->objects, free_objects);
    arena_fini(&r->names);
    alloc_free(r);
}

enum err_code pgstore_reader_db(struct tsdb_reader *base, struct sqldb **out, struct err *e)
{
    struct pgstore_reader *r = reader_of(base);
    enum err_code code = ERR_OK;

    if (!r->db) {
        code = pgstore_connect(r->store, SQLDB_READ_ONLY, &r->db, e);
    }
    if (code == ERR_OK && !r->in_snapshot) {
        code = sqldb_begin_read(r->db, e);
        r->in_snapshot = code == ERR_OK;
    }
    *out = r->db;
    return code;
}

/* --- keys of objects --- */

static enum err_code read_objects(struct tsdb_reader *base, uint64_t group,
                                  struct pgstore_objects *o, struct err *e)
{
    struct pgstore_reader *r = reader_of(base);
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = pgstore_reader_db(base, &db, e);

    if (code == ERR_OK) {
        code = sqldb_query(db, "tsdb_object_of_group", SQLDB_ARGS(sqldb_i64((int64_t)group)), &s,
                           e);
    }
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        if (o->count == o->cap) {
            o->cap = o->cap ? 2 * o->cap : 64;
            o->list = alloc_resize(o->list, o->cap * sizeof(*o->list));
        }
        o->list[o->count++] = (struct object_key){(uint64_t)sqldb_get_i64(s, 0),
                                                  arena_str(&r->names, sqldb_get_blob(s, 1))};
    }
    sqldb_end(s);
    return code ? code : arena_check(&r->names, e);
}

static enum err_code objects_of(struct tsdb_reader *base, uint64_t group,
                                struct pgstore_objects **out, struct err *e)
{
    struct pgstore_reader *r = reader_of(base);
    struct str key = str_make(&group, sizeof(group));

    *out = map_get(r->objects, key);
    if (*out) {
        return ERR_OK;
    }
    *out = alloc_new(sizeof(**out));
    enum err_code code = read_objects(base, group, *out, e);
    if (code) {
        free_objects(*out);
        return code;
    }
    (void)map_put(r->objects, key, *out);
    return ERR_OK;
}

static int compare_objects(const void *a, const void *b)
{
    const struct object_key *x = a;
    const struct object_key *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static enum err_code split_keys(struct str bytes, struct str *keys, size_t count, struct err *e)
{
    for (size_t k = 0; k < count; k++) {
        keys[k] = (struct str){"", 0};
        if (bytes.len && !codec_take_bytes(&bytes, &keys[k])) {
            return err_set(e, ERR_CORRUPT, "keys of an object");
        }
    }
    return ERR_OK;
}

enum err_code pgstore_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                                 struct str *keys, size_t count, struct err *e)
{
    struct object_key key = {.id = of->object};
    struct pgstore_objects *objects = NULL;
    enum err_code code = objects_of(r, of->group, &objects, e);

    if (code) {
        return code;
    }
    const struct object_key *found = objects->count ? bsearch(&key, objects->list, objects->count,
                                                              sizeof(key), compare_objects)
                                                    : NULL;
    return found ? split_keys(found->keys, keys, count, e)
                 : err_set(e, ERR_NOT_FOUND, "no object %llu", (unsigned long long)of->object);
}

enum err_code pgstore_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                                  struct str **keys, struct err *e)
{
    struct sqldb *db = NULL;
    struct sqldb_stmt *s = NULL;
    enum err_code code = pgstore_reader_db(r, &db, e);

    if (code == ERR_OK) {
        code = sqldb_row(db, "tsdb_object_get", SQLDB_ARGS(sqldb_i64((int64_t)object)), &s, e);
    }
    if (code) {
        return code;
    }
    struct str bytes = arena_str(a, sqldb_get_blob(s, 0));
    size_t count = (size_t)sqldb_get_i64(s, 1);
    sqldb_end(s);
    *keys = arena_array(a, count + 1, sizeof(**keys));
    return *keys ? split_keys(bytes, *keys, count, e) : arena_check(a, e);
}
