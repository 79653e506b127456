/* SPDX-License-Identifier: PostgreSQL */
/*
 * store.c: connections and transactions of the control plane.
 *
 * Threads: `write_lock` and `read_lock` guard one connection each; no lock is taken inside them.
 */
#include "store/store.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store_setting.h"
#include "tls/hash.h"

struct store {
    struct sqldb *write, *read;
    struct lock write_lock, read_lock;
};

static enum err_code hash_file(const void *bytes, size_t len, unsigned char out[32])
{
    hash_sha256(str_make(bytes, len), out);
    return ERR_OK;
}

void store_migrations(struct sqldb_migrate_set *set, const char *backup_of)
{
    set->files = embed_migration;
    set->count = embed_migration_count;
    set->hash = hash_file;
    set->backup_of = backup_of;
}

static void count_pending(void *arg, const struct sqldb_migrate_step *step)
{
    *(int *)arg += step->applied_ms == 0;
}

/* A shared database is changed only when somebody says so. */
static enum err_code refuse_pending(struct store *s, const struct sqldb_migrate_set *set,
                                    struct err *e)
{
    int pending = 0;
    enum err_code rc = sqldb_migrate_status(s->write, set, count_pending, &pending, e);

    if (rc == ERR_OK && pending > 0)
        rc = err_set(e, ERR_CONFLICT, "%d migrations are pending: run pga migrate up", pending);
    return rc;
}

/* What is there is not all of it. */
static enum err_code refuse_unfinished(struct store *s, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(s->write, "setting_get", SQLDB_ARGS(sqldb_text_c(STORE_COPY_MARK)),
                                 &q, e);

    sqldb_end(q);
    if (rc == ERR_OK)
        return err_set(e, ERR_CONFLICT,
                       "the store is a copy that did not come to its end: run pga migrate copy "
                       "again");
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code migrate(struct store *s, const char *url, struct err *e)
{
    struct sqldb_migrate_set set;
    struct arena a;
    enum err_code rc;

    arena_init(&a, "migrate", 65536);
    store_migrations(&set, NULL);
    if (sqldb_dialect_of(s->write) == SQLDB_SQLITE) {
        set.backup_of = arena_printf(&a, "%s/meta.db", url + strlen("sqlite:"));
        rc = sqldb_migrate_up(s->write, &set, NULL, e);
    } else {
        rc = refuse_pending(s, &set, e);
    }
    arena_fini(&a);
    return rc;
}

enum err_code store_open(const char *url, struct store **out, struct err *e)
{
    static const struct sqldb_options reading = {.flags = SQLDB_READ_ONLY};
    struct store *s = alloc_new(sizeof(*s));
    enum err_code rc;

    lock_init(&s->write_lock, "store.write", 100);
    lock_init(&s->read_lock, "store.read", 101);
    rc = sqldb_open(url, NULL, &s->write, e);
    if (rc == ERR_OK)
        rc = migrate(s, url, e);
    if (rc == ERR_OK)
        rc = refuse_unfinished(s, e);
    if (rc == ERR_OK)
        rc = sqldb_open(url, &reading, &s->read, e);
    if (rc != ERR_OK) {
        store_close(s);
        return rc;
    }
    *out = s;
    return ERR_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    sqldb_close(s->read);
    sqldb_close(s->write);
    lock_fini(&s->read_lock);
    lock_fini(&s->write_lock);
    alloc_free(s);
}

enum err_code store_begin(struct store *s, struct sqldb **db, struct err *e)
{
    enum err_code rc;

    lock_take(&s->write_lock);
    rc = sqldb_begin(s->write, e);
    if (rc != ERR_OK)
        lock_release(&s->write_lock);
    *db = s->write;
    return rc;
}

enum err_code store_end(struct store *s, enum err_code rc, struct err *e)
{
    if (rc == ERR_OK)
        rc = sqldb_commit(s->write, e);
    else
        sqldb_rollback(s->write);
    lock_release(&s->write_lock);
    return rc;
}

struct sqldb *store_writing(struct store *s)
{
    assert(lock_is_mine(&s->write_lock));
    return s->write;
}

struct sqldb *store_read_begin(struct store *s)
{
    lock_take(&s->read_lock);
    return s->read;
}

void store_read_end(struct store *s)
{
    lock_release(&s->read_lock);
}

void store_set_audit_key(struct store *s, const unsigned char *key)
{
    lock_take(&s->write_lock);
    sqldb_set_context(s->write, key);
    lock_release(&s->write_lock);
}

const unsigned char *store_audit_key(const struct store *s)
{
    return sqldb_context(s->write);
}

static int column_of(struct sqldb_stmt *q, const char *name)
{
    int column = sqldb_column(q, name);

    assert(column >= 0);
    return column;
}

const char *store_text(struct sqldb_stmt *q, struct arena *a, const char *column)
{
    return arena_cstr(a, sqldb_get_text(q, column_of(q, column)));
}

int64_t store_i64(struct sqldb_stmt *q, const char *column)
{
    return sqldb_get_i64(q, column_of(q, column));
}

int64_t store_ms(struct sqldb_stmt *q, const char *column)
{
    return store_i64(q, column);
}

enum err_code store_count(struct store *s, const char *statement, struct sqldb_args args,
                          int64_t *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), statement, args, &q, e);

    if (rc == ERR_OK)
        *out = store_i64(q, "total");
    sqldb_end(q);
    store_read_end(s);
    return rc;
}

enum err_code store_ping(struct store *s, struct err *e)
{
    int64_t total;

    return store_count(s, "target_count", SQLDB_ARGS(sqldb_null()), &total, e);
}
