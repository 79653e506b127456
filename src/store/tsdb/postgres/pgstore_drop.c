/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_drop.c: deletes a target with its history.
 *
 * One transaction, in which no node stores a push or adds a name, deletes the target's groups and
 * objects and adds a journal row, by which the mover deletes events, texts and the target itself.
 * What the journal still holds of the groups is not moved; the leader removes what the tables hold.
 * Threads: the writer.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/alloc.h"
#include "base/fault.h"

#include <string.h>

enum err_code pgstore_drop_load(struct pgstore *p, struct err *e)
{
    struct tsdb *db = &p->front;
    struct dropped_target *list = NULL;
    struct sqldb_stmt *s = NULL;
    size_t count = 0;
    bool row = true;
    enum err_code code = sqldb_query(p->write, "tsdb_dropped_target_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct str id = sqldb_get_blob(s, 0);
        list = alloc_resize(list, (count + 1) * sizeof(*list));
        if (id.len == sizeof(list->id.bytes)) {
            memcpy(list[count].id.bytes, id.ptr, id.len);
            list[count++].t_ms = sqldb_get_i64(s, 1);
        }
    }
    sqldb_end(s);
    if (code) {
        alloc_free(list);
        return code;
    }
    lock_take(&db->state);
    struct dropped_target *old = db->dropped_targets;
    db->dropped_targets = list;
    atomic_store(&db->dropped_target_count, count);
    lock_release(&db->state);
    alloc_free(old);
    return ERR_OK;
}

static enum err_code insert_row(struct pgstore *p, struct ingest_job *job, struct err *e)
{
    struct ingest_record *r = &job->records[0];
    struct sqldb_stmt *s = NULL;
    struct sqldb_value none = sqldb_null();
    struct sqldb_value zero = sqldb_i64(0);
    enum err_code code = sqldb_row(p->write, "tsdb_journal_insert",
                                   SQLDB_ARGS(sqldb_i64(p->node), zero, zero, sqldb_i64(1), none,
                                              none, zero, zero, none, none, none,
                                              sqldb_blob(r->meta.ptr, r->meta.len)),
                                   &s, e);
    if (code == ERR_OK) {
        r->lsn = job->drop->lsn = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code take_locks(struct pgstore *p, struct err *e)
{
    static const char *const locks[] = {"tsdb_names_lock", "tsdb_drops_lock"};
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < sizeof(locks) / sizeof(locks[0]); i++) {
        code = sqldb_run(p->write, locks[i], SQLDB_NO_ARGS, e);
    }
    return code;
}

static enum err_code delete_rows(struct pgstore *p, const struct drop *d, struct err *e)
{
    static const char *const steps[] = {"tsdb_drop_groups", "tsdb_object_drop", "tsdb_group_drop"};
    struct sqldb_value id = sqldb_blob(d->target.bytes, sizeof(d->target.bytes));
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < sizeof(steps) / sizeof(steps[0]); i++) {
        code = sqldb_run(p->write, steps[i], SQLDB_ARGS(id), e);
    }
    if (code == ERR_OK) {
        code = sqldb_run(p->write, "tsdb_dropped_target_put", SQLDB_ARGS(id, sqldb_i64(d->t_ms)),
                         e);
    }
    return code ? code : sqldb_run(p->write, "tsdb_drops_count", SQLDB_NO_ARGS, e);
}

enum err_code pgstore_drop_store(struct pgstore *p, struct ingest_job *job, struct err *e)
{
    enum err_code code = sqldb_begin_shared(p->write, e);

    if (code) {
        return code;
    }
    code = take_locks(p, e);
    code = code ? code : delete_rows(p, job->drop, e);
    code = code ? code : insert_row(p, job, e);
    if (code) {
        sqldb_rollback(p->write);
        return code;
    }
    code = sqldb_commit(p->write, e);
    FAULT_POINT("tsdb.drop_committed");
    if (code) {
        return code;
    }
    code = pgstore_names_begin(p, e); /* the groups are found no more */
    code = code ? code : pgstore_names_commit(p, e);
    if (code) {
        p->names_lost = true; /* the deletion is done: what we know of names is old */
    }
    return ERR_OK;
}
