/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_names.c: relations, groups and objects that nodes share.
 *
 * Every node holds all names in its catalogue. To add some, it takes one advisory lock, learns what
 * others added since (ids rise with every commit), adds in memory as the SQLite engine does, and
 * writes that down in a short transaction of its own, before the journal row that uses it.
 * When that transaction fails, what was added is taken back (catalog_undo.c), and pushes that met
 * it are resolved again. Should it have been committed all the same, it is learnt like anybody's.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "os/clock.h"

#include <string.h>

#define NAMES_BYTES (256UL * 1024 * 1024)
#define WAIT_US     200000LL
#define BURIED_MAX  1000000 /* things taken back, about 100 MB: then all is read anew */
#define NOT_SEEN    (-1)    /* descriptions are read with the next names */

static const struct log_ctx names_log = {.component = "tsdb"};

static enum err_code read_counts(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->write, "tsdb_state_epoch", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        p->names_seen = sqldb_get_i64(s, 1);
        p->drops_seen = sqldb_get_i64(s, 2);
    }
    sqldb_end(s);
    return code;
}

enum err_code pgstore_names_load(struct pgstore *p, struct err *e)
{
    enum err_code code = sqldb_begin_read(p->write, e);

    if (code) {
        return code;
    }
    code = read_counts(p, e);
    if (code == ERR_OK) {
        code = catalog_load(p->front.catalog, p->write, e);
    }
    if (code == ERR_OK) {
        caps_count(p->front.caps, p->front.catalog);
        code = pgstore_drop_load(p, e);
    }
    sqldb_rollback(p->write);
    return code;
}

/* --- adding --- */

/* Groups of deleted targets are found no more. */
static enum err_code keep_living(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    uint64_t *ids = NULL;
    size_t count = 0;
    size_t cap = 0;
    bool row = true;
    enum err_code code = sqldb_query(p->write, "tsdb_group_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        if (count == cap) {
            cap = cap ? 2 * cap : 1024;
            ids = alloc_resize(ids, cap * sizeof(*ids));
        }
        ids[count++] = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    if (code == ERR_OK) {
        catalog_keep_only(p->front.catalog, ids, count);
        code = pgstore_drop_load(p, e);
    }
    alloc_free(ids);
    return code;
}

/* Those that came or went; the caps of a collector are the same at every node. */
static void count_names(struct pgstore *p, uint64_t group, uint64_t object, bool gone)
{
    const struct catalog *c = p->front.catalog;

    if (gone || c->next_group != group || c->next_object != object) {
        caps_count(p->front.caps, p->front.catalog);
    }
}

static enum err_code sync_names(struct pgstore *p, struct err *e)
{
    const struct catalog *c = p->front.catalog;
    uint64_t group = c->next_group;
    uint64_t object = c->next_object;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->write, "tsdb_names_lock", SQLDB_NO_ARGS, &s, e);

    if (code) {
        return code;
    }
    sqldb_end(s);
    /* the row was read before the lock was waited for: what it says counts only afterwards */
    code = sqldb_row(p->write, "tsdb_state_epoch", SQLDB_NO_ARGS, &s, e);
    if (code) {
        return code;
    }
    int64_t names = sqldb_get_i64(s, 1);
    int64_t drops = sqldb_get_i64(s, 2);
    sqldb_end(s);
    code = catalog_sync(p->front.catalog, p->write,
                        names != p->names_seen ? CATALOG_NAMES_AND_DESCRIPTIONS : CATALOG_NAMES, e);
    if (code == ERR_OK && drops != p->drops_seen) {
        code = keep_living(p, e);
    }
    if (code == ERR_OK) {
        count_names(p, group, object, drops != p->drops_seen);
        p->names_seen = names;
        p->drops_seen = drops;
    }
    return code;
}

enum err_code pgstore_names_begin(struct pgstore *p, struct err *e)
{
    enum err_code code = sqldb_begin_shared(p->write, e);

    if (code == ERR_OK) {
        code = sync_names(p, e);
        if (code) {
            sqldb_rollback(p->write);
        }
    }
    return code;
}

/* {"datname": "app", ...}: what people join by. */
static void put_labels(struct json_writer *w, const struct catalog_object *o)
{
    const struct catalog_relation *r = o->group->relation;
    struct str rest = str_make(o->keys, o->len);

    json_object_begin(w);
    for (size_t k = 0; k < r->key_count && rest.len; k++) {
        struct str value;
        if (!codec_take_bytes(&rest, &value)) {
            break;
        }
        if (value.len && !memchr(value.ptr, '\0', value.len)) { /* jsonb has no NUL */
            json_key_str(w, r->keys[k]->name);
            json_put_str(w, value);
        }
    }
    json_object_end(w);
}

static enum err_code save_groups(struct pgstore *p, struct err *e)
{
    const struct catalog *c = p->front.catalog;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < c->new_group_count; i++) {
        const struct catalog_group *g = c->new_groups[i];
        code = sqldb_run(p->write, "tsdb_group_insert",
                         SQLDB_ARGS(sqldb_i64((int64_t)g->id),
                                    sqldb_blob(g->target.bytes, sizeof(g->target.bytes)),
                                    sqldb_i64(g->relation->id), sqldb_text(g->scope),
                                    sqldb_blob(g->maker.bytes, sizeof(g->maker.bytes))),
                         e);
    }
    return code;
}

static enum err_code save_objects(struct pgstore *p, struct err *e)
{
    const struct catalog *c = p->front.catalog;
    struct buf rows;
    struct buf labels;
    enum err_code code = ERR_OK;

    buf_init(&rows, NAMES_BYTES);
    buf_init(&labels, NAMES_BYTES);
    for (size_t i = 0; i < c->new_object_count; i++) {
        const struct catalog_object *o = c->new_objects[i];
        struct json_writer w;
        buf_reset(&labels);
        json_writer_init(&w, &labels);
        put_labels(&w, o);
        buf_add_i64(&rows, (int64_t)o->id);
        buf_add_char(&rows, '\t');
        buf_add_i64(&rows, (int64_t)o->group->id);
        buf_add_char(&rows, '\t');
        pgstore_copy_blob(&rows, str_make(o->keys, o->len));
        buf_add_char(&rows, '\t');
        pgstore_copy_text(&rows, buf_view(&labels));
        buf_add_char(&rows, '\n');
    }
    code = buf_check(&labels, e);
    code = code ? code : buf_check(&rows, e);
    if (code == ERR_OK && c->new_object_count) {
        code = sqldb_load(p->write, "COPY ts_object (id, grp, keys, labels) FROM STDIN",
                          buf_view(&rows), e);
    }
    buf_fini(&labels);
    buf_fini(&rows);
    return code;
}

static enum err_code save_names(struct pgstore *p, struct err *e)
{
    struct catalog *c = p->front.catalog;
    bool described = c->relations_dirty;
    enum err_code code = catalog_save_relations(c, p->write, e);

    if (code == ERR_OK && described) {
        code = sqldb_run(p->write, "tsdb_names_count", SQLDB_NO_ARGS, e);
    }
    code = code ? code : save_groups(p, e);
    code = code ? code : save_objects(p, e);
    code = code ? code : catalog_save_ids(c, p->write, e);
    if (code) {
        sqldb_rollback(p->write);
        return code;
    }
    FAULT_POINT("pgstore.names_commit");
    code = sqldb_commit(p->write, e);
    if (code == ERR_OK) {
        p->names_seen += described;
    }
    return code;
}

enum err_code pgstore_names_commit(struct pgstore *p, struct err *e)
{
    const struct catalog *c = p->front.catalog;

    if (!c->relations_dirty && !c->ids_dirty) { /* another node had added it all */
        sqldb_rollback(p->write);
        return ERR_OK;
    }
    enum err_code code = save_names(p, e);
    if (code == ERR_OK) {
        catalog_saved(p->front.catalog);
    } else {
        pgstore_names_undo(p);
    }
    return code;
}

void pgstore_names_undo(struct pgstore *p)
{
    catalog_undo(p->front.catalog);
    caps_count(p->front.caps, p->front.catalog);
    p->names_seen = NOT_SEEN;
    p->names_lost |= catalog_buried_count(p->front.catalog) > BURIED_MAX;
}

/* --- beginning again --- */

/* Nobody pushes: jobs that wait are turned away, and what is under way ends. */
static void wait_for_pushes(struct pgstore *p)
{
    struct tsdb *db = &p->front;
    struct batch_of_jobs b;
    struct err e;

    (void)err_set(&e, ERR_TIMEOUT, "the store reads its names again");
    lock_take(&db->state);
    db->restarting = true;
    while (db->busy_streams || db->queue_first) {
        writer_take_jobs(db, &b);
        lock_release(&db->state);
        for (size_t i = 0; i < b.count; i++) {
            writer_fail_job(b.jobs[i], ERR_TIMEOUT, &e);
        }
        writer_finish_jobs(db, &b);
        lock_take(&db->state);
        if (db->busy_streams && !db->queue_first) {
            (void)cond_wait_until(&db->stream_free, &db->state, clock_mono_us() + WAIT_US);
        }
    }
    lock_release(&db->state);
}

enum err_code pgstore_names_restart(struct pgstore *p, struct err *e)
{
    struct tsdb *db = &p->front;
    struct str key;
    void *value = NULL;

    wait_for_pushes(p);
    struct catalog *fresh = catalog_new();
    lock_take(&db->state);
    struct catalog *old = db->catalog;
    db->catalog = fresh;
    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        struct stream *s = value;
        stream_forget(s);
        s->loaded = false;
    }
    lock_release(&db->state);
    catalog_free(old);
    enum err_code code = pgstore_names_load(p, e);
    lock_take(&db->state);
    p->names_lost = code != ERR_OK;
    db->restarting = code != ERR_OK;
    lock_release(&db->state);
    if (code == ERR_OK) {
        log_info(&names_log, "names were read again");
    }
    return code;
}
