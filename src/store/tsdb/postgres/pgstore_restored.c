/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_restored.c: makes a database that PostgreSQL's own tools restored a store of its own.
 *
 * It is behind what agents were told was stored: a new epoch makes them offer again what they
 * still hold. Journal rows go on above every number that something in the copy names, so nothing
 * new is taken for something old. In one transaction; twice does no harm.
 * Threads: the caller's; no server may use the store.
 */
#include "store/tsdb/tsdb.h"

#include "os/entropy.h"
#include "sqldb/sqldb.h"

static enum err_code check_unused(struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "tsdb_restored_used", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        struct str name = sqldb_get_text(s, 0);
        code = err_set(e, ERR_CONFLICT,
                       "the server %.*s used the store less than 10 s ago: stop it, or wait",
                       STR_ARG(name));
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code raise_numbers(struct sqldb *db, uint64_t applied, uint64_t *lsn, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "tsdb_restored_lsn", SQLDB_ARGS(sqldb_i64((int64_t)applied)),
                                   &s, e);

    *lsn = code ? 0 : (uint64_t)sqldb_get_i64(s, 0);
    sqldb_end(s);
    code = code ? code : sqldb_run(db, "tsdb_restored_ids", SQLDB_NO_ARGS, e);
    return code ? code : sqldb_run(db, "tsdb_restored_owners", SQLDB_NO_ARGS, e);
}

enum err_code tsdb_restored_pg(struct sqldb *db, uint64_t applied, uint64_t *lsn, struct err *e)
{
    struct uuid epoch;

    entropy_uuid(&epoch);
    enum err_code code = check_unused(db, e);
    code = code ? code : sqldb_begin(db, e);
    if (code) {
        return code;
    }
    code = sqldb_run(db, "tsdb_restored_epoch",
                     SQLDB_ARGS(sqldb_blob(epoch.bytes, sizeof(epoch.bytes))), e);
    if (code == ERR_OK && sqldb_changes(db) != 1) {
        code = err_set(e, ERR_NOT_FOUND, "no server has used this store yet: nothing was restored");
    }
    code = code ? code : raise_numbers(db, applied, lsn, e);
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    return sqldb_commit(db, e);
}
