/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb.h: one interface over the two SQL dialects (SQLite and PostgreSQL).
 *
 * Statements live in files (store/sql, store/tsdb/sql) and are called by name: `name.sql` serves
 * both dialects, `name.sqlite.sql` and `name.pg.sql` one each. Parameters are $1, $2 ... in both. A
 * statement is prepared once per connection and kept; running it again resets it.
 *
 * Errors: ERR_CONFLICT for a violated constraint, ERR_TIMEOUT when busy for longer than allowed,
 * ERR_IO for a full disk or I/O error, ERR_CORRUPT, ERR_DENIED (read only), ERR_INVALID for bad
 * SQL.
 * Threads: a connection and its statements belong to one thread at a time.
 */
#ifndef SQLDB_SQLDB_H
#define SQLDB_SQLDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct sqldb;      /* one connection */
struct sqldb_stmt; /* one prepared statement; owned by its connection */

enum sqldb_dialect { SQLDB_SQLITE, SQLDB_PG };

enum sqldb_flag {
    SQLDB_READ_ONLY = 1,      /* never writes and never checkpoints */
    SQLDB_MUST_EXIST = 2,     /* ERR_NOT_FOUND instead of making the file */
    SQLDB_OWN_CHECKPOINT = 4, /* no automatic checkpoints; the owner calls sqldb_checkpoint */
    SQLDB_SHRINKS = 8,        /* a file that is made now can give pages back: sqldb_shrink */
};

struct sqldb_options {
    unsigned flags;      /* enum sqldb_flag */
    int busy_timeout_ms; /* how long a lock is waited for; 0 = 5000 */
    int cache_kib;       /* page cache of the connection; 0 = 2000 */
};

/* A parameter. Text and blobs are borrowed until the statement was stepped to its end or run. */
enum sqldb_type { SQLDB_NULL, SQLDB_I64, SQLDB_F64, SQLDB_TEXT, SQLDB_BLOB };

struct sqldb_value {
    enum sqldb_type type;
    union {
        int64_t i64;
        double f64;
        struct str bytes; /* SQLDB_TEXT (UTF-8), SQLDB_BLOB */
    };
};

static inline struct sqldb_value sqldb_null(void)
{
    return (struct sqldb_value){.type = SQLDB_NULL};
}

static inline struct sqldb_value sqldb_i64(int64_t v)
{
    return (struct sqldb_value){.type = SQLDB_I64, .i64 = v};
}

static inline struct sqldb_value sqldb_f64(double v)
{
    return (struct sqldb_value){.type = SQLDB_F64, .f64 = v};
}

static inline struct sqldb_value sqldb_text(struct str v)
{
    return (struct sqldb_value){.type = SQLDB_TEXT, .bytes = v};
}

static inline struct sqldb_value sqldb_text_c(const char *v)
{
    return v ? sqldb_text(str_of(v)) : sqldb_null();
}

static inline struct sqldb_value sqldb_blob(const void *ptr, size_t len)
{
    return (struct sqldb_value){.type = SQLDB_BLOB, .bytes = {ptr, len}};
}

/*
 * Parameters of a call: sqldb_run(db, "user_insert", SQLDB_ARGS(sqldb_text(name),
 * sqldb_i64(id)), e)
 */
struct sqldb_args {
    const struct sqldb_value *values;
    size_t count;
};
#define SQLDB_ARGS(...)                                                      \
    ((struct sqldb_args){(const struct sqldb_value[]){__VA_ARGS__},          \
                         sizeof((const struct sqldb_value[]){__VA_ARGS__}) / \
                             sizeof(struct sqldb_value)})
#define SQLDB_NO_ARGS ((struct sqldb_args){NULL, 0})

/* --- Life cycle --- */

/*
 * Open a connection by URL.
 * url: "sqlite:FILE", "sqlite:DIR" (a directory means DIR/meta.db), "postgres://...",
 * "postgresql://...".
 *      SQLite: WAL, synchronous FULL, foreign keys on.
 *      PostgreSQL: the URL as libpq reads it, never shown; UTC, synchronous_commit on; sqldb_begin
 *      takes an advisory lock, so that writers come one after the other as in SQLite; a statement
 *      that fails ends the transaction: what follows gives ERR_CONFLICT until sqldb_rollback.
 *      A pooler in between is noticed, one by transaction as well.
 * options: NULL = defaults
 * Owner:  caller closes with sqldb_close
 * Errors: ERR_UNSUPPORTED for an unknown scheme or a SQLite older than 3.51.3; of PostgreSQL those
 *         of pgclient_open
 */
enum err_code sqldb_open(const char *url, const struct sqldb_options *options, struct sqldb **out,
                         struct err *e) ERR_MUST_CHECK;
void sqldb_close(struct sqldb *db); /* NULL allowed; an open transaction is rolled back */

/* --- Use --- */

/* takes the write lock now */
enum err_code sqldb_begin(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
enum err_code sqldb_begin_read(struct sqldb *db, struct err *e) ERR_MUST_CHECK; /* one snapshot */
/*
 * PostgreSQL: without the lock of the one writer, so that others write meanwhile; each locks the
 * rows that it changes.
 */
enum err_code sqldb_begin_shared(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
/* a failure rolls back */
enum err_code sqldb_commit(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
void sqldb_rollback(struct sqldb *db); /* no-op without a transaction */

/* Run a named statement to its end; rows that it returns are dropped. Then sqldb_changes. */
enum err_code sqldb_run(struct sqldb *db, const char *name, struct sqldb_args args,
                        struct err *e) ERR_MUST_CHECK;
/*
 * Start a named statement; then sqldb_step until *row is false, or sqldb_end before.
 * A statement is one cursor: starting the same name again ends the earlier run.
 */
enum err_code sqldb_query(struct sqldb *db, const char *name, struct sqldb_args args,
                          struct sqldb_stmt **out, struct err *e) ERR_MUST_CHECK;
enum err_code sqldb_step(struct sqldb_stmt *s, bool *row, struct err *e) ERR_MUST_CHECK;
void sqldb_end(struct sqldb_stmt *s); /* NULL allowed; releases the row and the snapshot */
/*
 * Start a named statement and read its first row: ERR_NOT_FOUND when there is none.
 * The caller reads the columns, then calls sqldb_end.
 */
enum err_code sqldb_row(struct sqldb *db, const char *name, struct sqldb_args args,
                        struct sqldb_stmt **out, struct err *e) ERR_MUST_CHECK;
/* Run SQL text of any number of statements, without parameters: migrations, session settings. */
enum err_code sqldb_script(struct sqldb *db, const char *sql, struct err *e) ERR_MUST_CHECK;

/*
 * PostgreSQL: run `COPY ... FROM STDIN` with these rows, in the text format. ERR_UNSUPPORTED
 * elsewhere.
 */
enum err_code sqldb_load(struct sqldb *db, const char *copy, struct str rows,
                         struct err *e) ERR_MUST_CHECK;

/* Make every call on this connection fail with ERR_TIMEOUT after mono_us (0 = no deadline). */
void sqldb_deadline(struct sqldb *db, int64_t mono_us);

/* --- Columns of the current row; text and blobs live until the next step or end --- */

/* index, -1 = absent; resolve once a query */
int sqldb_column(struct sqldb_stmt *s, const char *name);
bool sqldb_is_null(struct sqldb_stmt *s, int column);
int64_t sqldb_get_i64(struct sqldb_stmt *s, int column);     /* 0 when NULL */
double sqldb_get_f64(struct sqldb_stmt *s, int column);      /* 0 when NULL */
struct str sqldb_get_text(struct sqldb_stmt *s, int column); /* empty when NULL */
struct str sqldb_get_blob(struct sqldb_stmt *s, int column); /* empty when NULL */

/* --- Query --- */

enum sqldb_dialect sqldb_dialect_of(const struct sqldb *db);
int64_t sqldb_changes(const struct sqldb *db); /* rows changed by the last sqldb_run */
bool sqldb_in_transaction(const struct sqldb *db);
/* What the owner of the connection wants to find again where only the connection is known. */
void sqldb_set_context(struct sqldb *db, const void *context);
const void *sqldb_context(const struct sqldb *db); /* NULL when none was set */
/* The embedded text of a statement: `name.sql` or the dialect's own; NULL when there is none. */
const char *sqldb_sql(const char *name, enum sqldb_dialect dialect);

/* --- SQLite only (ERR_UNSUPPORTED or 0 elsewhere) --- */

/* Copy the WAL into the database as far as readers allow. */
enum err_code sqldb_checkpoint(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
int sqldb_wal_pages(const struct sqldb *db); /* pages in the WAL after the last commit */
/*
 * Give pages that hold nothing back to the file system, but `spare` of them and at most `most` in
 * one transaction; the file is shorter after the next checkpoint. *more: there are still some. A
 * file made without SQLDB_SHRINKS keeps its size.
 */
enum err_code sqldb_shrink(struct sqldb *db, int spare, int most, bool *more,
                           struct err *e) ERR_MUST_CHECK;
/* A whole copy of the database into a new file at `path`. */
enum err_code sqldb_copy_to(struct sqldb *db, const char *path, struct err *e) ERR_MUST_CHECK;
/* Structure of the file; ERR_CORRUPT with the first finding. */
enum err_code sqldb_verify(struct sqldb *db, struct err *e) ERR_MUST_CHECK;
/*
 * Give a file its schema: with user_version 0 run script `<name>_1`, then `<name>_2` ... up to
 * `version`, each in
 * one transaction with user_version. ERR_UNSUPPORTED when the file is newer.
 */
enum err_code sqldb_schema(struct sqldb *db, const char *name, int version,
                           struct err *e) ERR_MUST_CHECK;

#endif
