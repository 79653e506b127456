/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_sqlite.c: the SQLite dialect; the only file that includes sqlite3.h.
 *
 * SQLite before 3.51.3 can lose committed WAL data when two connections write or checkpoint one
 * file, so older ones are refused at run time too.
 * Invariants: (1) a read-only connection never checkpoints, not even when it closes last;
 *             (2) parameters are found by number ("$7"), since SQLite numbers them by first use.
 */
#include "sqldb/sqldb_backend.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/file.h"

#include <sqlite3.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define VERSION_LEAST     3051003
#define PARAMETERS_MAX    64
#define PROGRESS_OPS      1000
#define BUSY_TIMEOUT_MS   5000
#define DEFAULT_CACHE_KIB 2000

struct lite {
    struct sqldb base; /* first */
    sqlite3 *db;
    int wal_pages;
    int64_t deadline_us;
};

struct lite_stmt {
    struct sqldb_stmt base; /* first */
    sqlite3_stmt *stmt;
    int parameters;
    int at[PARAMETERS_MAX + 1]; /* number -> SQLite's index; 0 = not used */
};

static enum err_code code_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return ERR_TIMEOUT;
    case SQLITE_CONSTRAINT:
        return ERR_CONFLICT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return ERR_DENIED;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_NOMEM:
        return ERR_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_TOOBIG:
        return ERR_LIMIT;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return ERR_BUG;
    default:
        return ERR_INVALID;
    }
}

static enum err_code fail(struct sqldb *db, int rc, struct err *e)
{
    struct lite *l = (struct lite *)db;
    enum err_code code = code_of(rc);
    const char *said = sqlite3_errmsg(l->db), *means = sqlite3_errstr(rc);
    bool same = strcmp(said, means) == 0;
    int why = (rc & 0xFF) == SQLITE_FULL ? ENOSPC : sqlite3_system_errno(l->db);
    /* which file, where the file system has to do with it */
    const char *file = code == ERR_IO ? sqlite3_db_filename(l->db, "main") : NULL;
    (void)err_set(e, code, "%s%ssqlite: %s%s%s%s", file ? file : "", file ? ": " : "", said,
                  same ? "" : " (", same ? "" : means, same ? "" : ")");
    if (e && code == ERR_IO) {
        e->os_errno = why;
    }
    return code;
}

static void lite_close(struct sqldb *db)
{
    struct lite *l = (struct lite *)db;
    (void)sqlite3_close_v2(l->db);
    alloc_free(l);
}

static enum err_code lite_script(struct sqldb *db, const char *sql, struct err *e)
{
    struct lite *l = (struct lite *)db;
    int rc = sqlite3_exec(l->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? ERR_OK : fail(db, rc, e);
}

static enum err_code lite_prepare(struct sqldb *db, const char *sql, struct sqldb_stmt **out,
                                  struct err *e)
{
    struct lite *l = (struct lite *)db;
    struct lite_stmt *s = alloc_new(sizeof(*s));
    int rc = sqlite3_prepare_v3(l->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);

    if (rc != SQLITE_OK || !s->stmt) {
        alloc_free(s);
        return rc == SQLITE_OK ? err_set(e, ERR_BUG, "empty statement") : fail(db, rc, e);
    }
    for (int i = 1; i <= PARAMETERS_MAX; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "$%d", i);
        s->at[i] = sqlite3_bind_parameter_index(s->stmt, name);
        if (s->at[i] > 0) {
            s->parameters = i;
        }
    }
    *out = &s->base;
    return ERR_OK;
}

static void lite_free_stmt(struct sqldb_stmt *s)
{
    struct lite_stmt *ls = (struct lite_stmt *)s;
    (void)sqlite3_finalize(ls->stmt);
    alloc_free(ls);
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct sqldb_value *v)
{
    const char *ptr = v->bytes.ptr ? v->bytes.ptr : "";
    switch (v->type) {
    case SQLDB_NULL:
        return sqlite3_bind_null(stmt, at);
    case SQLDB_I64:
        return sqlite3_bind_int64(stmt, at, v->i64);
    case SQLDB_F64:
        return sqlite3_bind_double(stmt, at, v->f64);
    case SQLDB_TEXT:
        return sqlite3_bind_text64(stmt, at, ptr, v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
    case SQLDB_BLOB:
        return sqlite3_bind_blob64(stmt, at, ptr, v->bytes.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static enum err_code lite_start(struct sqldb_stmt *s, struct sqldb_args args, struct err *e)
{
    struct lite_stmt *ls = (struct lite_stmt *)s;

    if (args.count != (size_t)ls->parameters) {
        return err_set(e, ERR_BUG, "%zu parameters given, %d wanted", args.count, ls->parameters);
    }
    for (size_t i = 0; i < args.count; i++) {
        int at = ls->at[i + 1];
        int rc = at > 0 ? bind_one(ls->stmt, at, &args.values[i]) : SQLITE_OK;
        if (rc != SQLITE_OK) {
            return fail(s->db, rc, e);
        }
    }
    return ERR_OK;
}

static enum err_code lite_step(struct sqldb_stmt *s, bool *row, struct err *e)
{
    struct lite_stmt *ls = (struct lite_stmt *)s;
    int rc = sqlite3_step(ls->stmt);

    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? ERR_OK : fail(s->db, rc, e);
}

static void lite_end(struct sqldb_stmt *s)
{
    struct lite_stmt *ls = (struct lite_stmt *)s;
    (void)sqlite3_reset(ls->stmt); /* repeats the error of the last step, which was reported then */
    (void)sqlite3_clear_bindings(ls->stmt);
}

static int lite_column(struct sqldb_stmt *s, const char *name)
{
    struct lite_stmt *ls = (struct lite_stmt *)s;
    int count = sqlite3_column_count(ls->stmt);
    for (int i = 0; i < count; i++) {
        if (strcmp(sqlite3_column_name(ls->stmt, i), name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool lite_is_null(struct sqldb_stmt *s, int column)
{
    return sqlite3_column_type(((struct lite_stmt *)s)->stmt, column) == SQLITE_NULL;
}

static int64_t lite_get_i64(struct sqldb_stmt *s, int column)
{
    return sqlite3_column_int64(((struct lite_stmt *)s)->stmt, column);
}

static double lite_get_f64(struct sqldb_stmt *s, int column)
{
    return sqlite3_column_double(((struct lite_stmt *)s)->stmt, column);
}

static struct str lite_get_text(struct sqldb_stmt *s, int column)
{
    sqlite3_stmt *stmt = ((struct lite_stmt *)s)->stmt;
    const unsigned char *text = sqlite3_column_text(stmt, column);
    return str_make(text, text ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static struct str lite_get_blob(struct sqldb_stmt *s, int column)
{
    sqlite3_stmt *stmt = ((struct lite_stmt *)s)->stmt;
    const void *bytes = sqlite3_column_blob(stmt, column);
    return str_make(bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, column) : 0);
}

static int64_t lite_changes(const struct sqldb *db)
{
    return sqlite3_changes64(((const struct lite *)db)->db);
}

static int on_progress(void *arg)
{
    struct lite *l = arg;
    return l->deadline_us != 0 && clock_mono_us() > l->deadline_us;
}

static void lite_deadline(struct sqldb *db, int64_t mono_us)
{
    struct lite *l = (struct lite *)db;
    l->deadline_us = mono_us;
    sqlite3_progress_handler(l->db, mono_us ? PROGRESS_OPS : 0, mono_us ? on_progress : NULL, l);
}

static const struct sqldb_backend lite_backend = {
    .dialect = SQLDB_SQLITE,
    .close = lite_close,
    .script = lite_script,
    .prepare = lite_prepare,
    .free_stmt = lite_free_stmt,
    .start = lite_start,
    .step = lite_step,
    .end = lite_end,
    .column = lite_column,
    .is_null = lite_is_null,
    .get_i64 = lite_get_i64,
    .get_f64 = lite_get_f64,
    .get_text = lite_get_text,
    .get_blob = lite_get_blob,
    .changes = lite_changes,
    .deadline = lite_deadline,
};

static int on_commit(void *arg, sqlite3 *db, const char *schema, int pages)
{
    (void)db;
    (void)schema;
    ((struct lite *)arg)->wal_pages = pages;
    return SQLITE_OK;
}

static int on_commit_checkpoint(void *arg, sqlite3 *db, const char *schema, int pages)
{
    ((struct lite *)arg)->wal_pages = pages;
    if (pages >= 1000) {
        (void)sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return SQLITE_OK;
}

static enum err_code set_up(struct lite *l, const struct sqldb_options *o, struct err *e)
{
    char text[160];
    int on = 0;

    (void)sqlite3_busy_timeout(l->db, o->busy_timeout_ms ? o->busy_timeout_ms : BUSY_TIMEOUT_MS);
    (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_DEFENSIVE, 1, &on);
    if (o->flags & SQLDB_READ_ONLY) {
        (void)sqlite3_db_config(l->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &on);
    } else {
        (void)sqlite3_wal_hook(
            l->db, o->flags & SQLDB_OWN_CHECKPOINT ? on_commit : on_commit_checkpoint, l);
    }
    (void)snprintf(text, sizeof(text),
                   "PRAGMA cache_size=-%d; PRAGMA mmap_size=0; PRAGMA foreign_keys=1",
                   o->cache_kib ? o->cache_kib : DEFAULT_CACHE_KIB);
    enum err_code code = lite_script(&l->base, text, e);
    if (code || o->flags & SQLDB_READ_ONLY) {
        return code;
    }
    if (o->flags & SQLDB_SHRINKS) { /* counts only while the file is empty */
        code = lite_script(&l->base, "PRAGMA auto_vacuum=INCREMENTAL", e);
    }
    if (code == ERR_OK) {
        code = lite_script(&l->base, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", e);
    }
    return code;
}

static void file_of(const char *path, char *out, size_t size)
{
    struct stat st;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    (void)snprintf(out, size, is_dir ? "%s/meta.db" : "%s", path);
}

enum err_code sqldb_sqlite_open(const char *path, const struct sqldb_options *options,
                                struct sqldb **out, struct err *e)
{
    char file[PATH_MAX];
    int flags = options->flags & SQLDB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;

    if (sqlite3_libversion_number() < VERSION_LEAST) {
        return err_set(e, ERR_UNSUPPORTED, "SQLite %s is older than 3.51.3", sqlite3_libversion());
    }
    if (!(options->flags & (SQLDB_READ_ONLY | SQLDB_MUST_EXIST))) {
        flags |= SQLITE_OPEN_CREATE;
    }
    file_of(path, file, sizeof(file));
    struct stat st;
    if (!(flags & SQLITE_OPEN_CREATE) && stat(file, &st) != 0) {
        return err_set(e, ERR_NOT_FOUND, "no database %s", file);
    }
    struct lite *l = alloc_new(sizeof(*l));
    l->base.backend = &lite_backend;
    int rc = sqlite3_open_v2(file, &l->db, flags, NULL);
    enum err_code code = rc == SQLITE_OK ? set_up(l, options, e) : fail(&l->base, rc, e);
    if (code) {
        (void)err_wrap(e, "%s", file);
        lite_close(&l->base);
        return code;
    }
    l->base.statements = map_new();
    *out = &l->base;
    return ERR_OK;
}

/* --- what only SQLite has --- */

static struct lite *lite_of(struct sqldb *db)
{
    return db->backend == &lite_backend ? (struct lite *)db : NULL;
}

enum err_code sqldb_checkpoint(struct sqldb *db, struct err *e)
{
    struct lite *l = lite_of(db);
    int left = 0;
    int done = 0;

    if (!l) {
        return err_set(e, ERR_UNSUPPORTED, "no checkpoint in this dialect");
    }
    int rc = sqlite3_wal_checkpoint_v2(l->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &done);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
        return fail(db, rc, e);
    }
    if (left == done) {
        l->wal_pages = 0;
    }
    return ERR_OK;
}

static int number_of(struct lite *l, const char *pragma)
{
    sqlite3_stmt *s = NULL;
    int value = 0;

    if (sqlite3_prepare_v2(l->db, pragma, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW) {
        value = sqlite3_column_int(s, 0);
    }
    (void)sqlite3_finalize(s);
    return value;
}

enum err_code sqldb_shrink(struct sqldb *db, int spare, int most, bool *more, struct err *e)
{
    struct lite *l = lite_of(db);
    char text[64];

    *more = false;
    if (!l) {
        return err_set(e, ERR_UNSUPPORTED, "no pages in this dialect");
    }
    int idle = number_of(l, "PRAGMA freelist_count") - spare;
    if (idle <= 0 || number_of(l, "PRAGMA auto_vacuum") != 2) {
        return ERR_OK;
    }
    *more = idle > most;
    (void)snprintf(text, sizeof(text), "PRAGMA incremental_vacuum(%d)", idle < most ? idle : most);
    return lite_script(db, text, e);
}

int sqldb_wal_pages(const struct sqldb *db)
{
    return db->backend == &lite_backend ? ((const struct lite *)db)->wal_pages : 0;
}

enum err_code sqldb_copy_to(struct sqldb *db, const char *path, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = false;

    if (!lite_of(db)) {
        return err_set(e, ERR_UNSUPPORTED, "no file copy in this dialect");
    }
    enum err_code code = db->backend->prepare(db, "VACUUM INTO $1", &s, e);
    if (code) {
        return code;
    }
    s->db = db;
    code = db->backend->start(s, SQLDB_ARGS(sqldb_text_c(path)), e);
    if (code == ERR_OK) {
        code = db->backend->step(s, &row, e);
    }
    db->backend->free_stmt(s);
    return code;
}

enum err_code sqldb_verify(struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = false;

    if (!lite_of(db)) {
        return err_set(e, ERR_UNSUPPORTED, "no file check in this dialect");
    }
    enum err_code code = db->backend->prepare(db, "PRAGMA integrity_check(1)", &s, e);
    if (code) {
        return code;
    }
    s->db = db;
    code = db->backend->step(s, &row, e);
    if (code == ERR_OK && row && !str_eq_c(lite_get_text(s, 0), "ok")) {
        code = err_set(e, ERR_CORRUPT, "%.*s", STR_ARG(lite_get_text(s, 0)));
    }
    db->backend->free_stmt(s);
    return code;
}

static enum err_code user_version(struct sqldb *db, int *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = false;
    enum err_code code = db->backend->prepare(db, "PRAGMA user_version", &s, e);

    if (code) {
        return code;
    }
    s->db = db;
    code = db->backend->step(s, &row, e);
    if (code == ERR_OK) {
        *out = (int)lite_get_i64(s, 0);
    }
    db->backend->free_stmt(s);
    return code;
}

static enum err_code schema_step(struct sqldb *db, const char *name, int version, struct err *e)
{
    char text[96];
    (void)snprintf(text, sizeof(text), "%s_%d", name, version);
    const char *sql = sqldb_sql(text, SQLDB_SQLITE);
    if (!sql) {
        return err_set(e, ERR_BUG, "no schema %s", text);
    }
    enum err_code code = sqldb_begin(db, e);
    if (code) {
        return code;
    }
    (void)snprintf(text, sizeof(text), "PRAGMA user_version=%d", version);
    code = lite_script(db, sql, e);
    if (code == ERR_OK) {
        code = lite_script(db, text, e);
    }
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    return sqldb_commit(db, e);
}

enum err_code sqldb_schema(struct sqldb *db, const char *name, int version, struct err *e)
{
    int at = 0;

    if (!lite_of(db)) {
        return err_set(e, ERR_UNSUPPORTED, "no user_version in this dialect");
    }
    enum err_code code = user_version(db, &at, e);
    if (code == ERR_OK && at > version) {
        code = err_set(e, ERR_UNSUPPORTED, "schema %d of %s is newer than this program (%d)", at,
                       name, version);
    }
    while (code == ERR_OK && at < version) {
        code = schema_step(db, name, ++at, e);
    }
    return code;
}
