/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb.c: what both dialects share: URLs, statements by name, transactions.
 *
 * Invariants: (1) a statement is prepared once per connection and kept under its name;
 *             (2) in_transaction follows begin, commit and rollback, also when one of them fails.
 * Threads:    a connection belongs to one thread at a time.
 */
#include "sqldb/sqldb.h"

#include "sqldb/sqldb_backend.h"

#include "base/alloc.h"
#include "base/embed.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 96

enum err_code sqldb_open(const char *url, const struct sqldb_options *options, struct sqldb **out,
                         struct err *e)
{
    static const struct sqldb_options none;
    const struct sqldb_options *o = options ? options : &none;

    if (str_starts(str_of(url), STR("sqlite:"))) {
        return sqldb_sqlite_open(url + strlen("sqlite:"), o, out, e);
    }
    if (str_starts(str_of(url), STR("postgres://")) ||
        str_starts(str_of(url), STR("postgresql://"))) {
        return sqldb_pg_open(url, o, out, e);
    }
    return err_set(e, ERR_UNSUPPORTED, "a store is sqlite:DIR or postgres://...");
}

static void free_statement(void *s)
{
    struct sqldb_stmt *stmt = s;
    stmt->db->backend->free_stmt(stmt);
}

void sqldb_close(struct sqldb *db)
{
    if (!db) {
        return;
    }
    map_free(db->statements, free_statement);
    db->statements = NULL;
    sqldb_rollback(db);
    db->backend->close(db);
}

const char *sqldb_sql(const char *name, enum sqldb_dialect dialect)
{
    static const char *const endings[2] = {[SQLDB_SQLITE] = "sqlite.sql", [SQLDB_PG] = "pg.sql"};
    char file[NAME_MAX_BYTES];

    (void)snprintf(file, sizeof(file), "%s.%s", name, endings[dialect]);
    const struct embed_file *found = embed_find(embed_sql, embed_sql_count, file);
    if (!found) {
        (void)snprintf(file, sizeof(file), "%s.sql", name);
        found = embed_find(embed_sql, embed_sql_count, file);
    }
    return found ? (const char *)found->data : NULL;
}

static enum err_code begin(struct sqldb *db, const char *name, struct err *e)
{
    const char *sql = sqldb_sql(name, db->backend->dialect);
    if (!sql) {
        return err_set(e, ERR_BUG, "no statement %s", name);
    }
    const struct sqldb_backend *b = db->backend;
    enum err_code code = b->begin ? b->begin(db, sql, e) : b->script(db, sql, e);
    db->in_transaction = code == ERR_OK;
    return code;
}

enum err_code sqldb_begin(struct sqldb *db, struct err *e)
{
    return begin(db, "begin_write", e);
}

enum err_code sqldb_begin_read(struct sqldb *db, struct err *e)
{
    return begin(db, "begin_read", e);
}

enum err_code sqldb_begin_shared(struct sqldb *db, struct err *e)
{
    return begin(db, "begin_shared", e);
}

enum err_code sqldb_load(struct sqldb *db, const char *copy, struct str rows, struct err *e)
{
    return db->backend->load ? db->backend->load(db, copy, rows, e)
                             : err_set(e, ERR_UNSUPPORTED, "no COPY in this dialect");
}

enum err_code sqldb_commit(struct sqldb *db, struct err *e)
{
    enum err_code code = db->backend->script(db, "COMMIT", e);
    if (code) {
        sqldb_rollback(db);
    }
    db->in_transaction = false;
    return code;
}

void sqldb_rollback(struct sqldb *db)
{
    if (db->in_transaction && db->backend->script(db, "ROLLBACK", NULL) != ERR_OK) {
        /* SQLite rolls back by itself on a full disk or I/O error; then there is nothing to do */
        db->in_transaction = false;
    }
    db->in_transaction = false;
}

static enum err_code find_statement(struct sqldb *db, const char *name, struct sqldb_stmt **out,
                                    struct err *e)
{
    *out = map_get(db->statements, str_of(name));
    if (*out) {
        return ERR_OK;
    }
    const char *sql = sqldb_sql(name, db->backend->dialect);
    if (!sql) {
        return err_set(e, ERR_BUG, "no statement %s", name);
    }
    enum err_code code = db->backend->prepare(db, sql, out, e);
    if (code) {
        (void)err_wrap(e, "statement %s", name);
        return code;
    }
    (*out)->db = db;
    (void)map_put(db->statements, str_of(name), *out);
    return ERR_OK;
}

enum err_code sqldb_query(struct sqldb *db, const char *name, struct sqldb_args args,
                          struct sqldb_stmt **out, struct err *e)
{
    *out = NULL;
    enum err_code code = find_statement(db, name, out, e);
    if (code) {
        return code;
    }
    db->backend->end(*out);
    code = db->backend->start(*out, args, e);
    if (code) {
        db->backend->end(*out);
        *out = NULL;
        (void)err_wrap(e, "statement %s", name);
    }
    return code;
}

enum err_code sqldb_step(struct sqldb_stmt *s, bool *row, struct err *e)
{
    return s->db->backend->step(s, row, e);
}

void sqldb_end(struct sqldb_stmt *s)
{
    if (s) {
        s->db->backend->end(s);
    }
}

enum err_code sqldb_run(struct sqldb *db, const char *name, struct sqldb_args args, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db, name, args, &s, e);

    while (code == ERR_OK && row) {
        code = sqldb_step(s, &row, e);
        if (code) {
            (void)err_wrap(e, "statement %s", name);
        }
    }
    sqldb_end(s);
    return code;
}

enum err_code sqldb_row(struct sqldb *db, const char *name, struct sqldb_args args,
                        struct sqldb_stmt **out, struct err *e)
{
    bool row = false;
    enum err_code code = sqldb_query(db, name, args, out, e);
    if (code) {
        return code;
    }
    code = sqldb_step(*out, &row, e);
    if (code == ERR_OK && !row) {
        code = err_set(e, ERR_NOT_FOUND, "no row");
    }
    if (code) {
        sqldb_end(*out);
        *out = NULL;
        (void)err_wrap(e, "statement %s", name);
    }
    return code;
}

enum err_code sqldb_script(struct sqldb *db, const char *sql, struct err *e)
{
    return db->backend->script(db, sql, e);
}

int sqldb_column(struct sqldb_stmt *s, const char *name)
{
    return s->db->backend->column(s, name);
}

bool sqldb_is_null(struct sqldb_stmt *s, int column)
{
    return s->db->backend->is_null(s, column);
}

int64_t sqldb_get_i64(struct sqldb_stmt *s, int column)
{
    return s->db->backend->get_i64(s, column);
}

double sqldb_get_f64(struct sqldb_stmt *s, int column)
{
    return s->db->backend->get_f64(s, column);
}

struct str sqldb_get_text(struct sqldb_stmt *s, int column)
{
    return s->db->backend->get_text(s, column);
}

struct str sqldb_get_blob(struct sqldb_stmt *s, int column)
{
    return s->db->backend->get_blob(s, column);
}

enum sqldb_dialect sqldb_dialect_of(const struct sqldb *db)
{
    return db->backend->dialect;
}

int64_t sqldb_changes(const struct sqldb *db)
{
    return db->backend->changes(db);
}

void sqldb_set_context(struct sqldb *db, const void *context)
{
    db->context = context;
}

const void *sqldb_context(const struct sqldb *db)
{
    return db->context;
}

bool sqldb_in_transaction(const struct sqldb *db)
{
    return db->in_transaction;
}

void sqldb_deadline(struct sqldb *db, int64_t mono_us)
{
    db->backend->deadline(db, mono_us);
}
