/* SPDX-License-Identifier: PostgreSQL */
/* store_managed.c: see the header. */
#include "store/store_managed.h"

#include <stdio.h>

#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_audit.h"

#define SEALED_MAX (LIMIT_PASSWORD_BYTES + STORE_SEAL_OVERHEAD)

static enum err_code no_such(struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "there is no such managed instance");
}

/* --- sealing --- */

static struct store_seal_place place_of(const char *target)
{
    return (struct store_seal_place){STORE_SEAL_CREDENTIAL, "managed_instance", "password", target};
}

/* `out` empty: there is no password. */
static enum err_code seal_password(struct store_seal_ctx *seal, const char *target,
                                   const struct store_managed_change *c, struct buf *out,
                                   struct err *e)
{
    const struct store_seal_place place = place_of(target);

    buf_init(out, SEALED_MAX);
    if (c->password_is != STORE_MANAGED_SET)
        return ERR_OK;
    if (c->password.len > LIMIT_PASSWORD_BYTES)
        return err_set(e, ERR_INVALID, "a password has at most %d bytes", LIMIT_PASSWORD_BYTES);
    return store_seal(seal, &place, c->password, out, e);
}

static struct sqldb_value sealed_value(const struct buf *sealed)
{
    return sealed->len > 0 ? sqldb_blob(sealed->ptr, sealed->len) : sqldb_null();
}

enum err_code store_managed_password(struct store *s, struct store_seal_ctx *seal, int64_t id,
                                     struct buf *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    char target[TEXT_UUID_SIZE] = "";
    const struct store_seal_place place = place_of(target);
    struct buf sealed;
    enum err_code rc = sqldb_row(store_read_begin(s), "managed_sealed", SQLDB_ARGS(sqldb_i64(id)),
                                 &q, e);

    buf_init(&sealed, SEALED_MAX);
    if (rc == ERR_OK) {
        struct str blob = sqldb_get_blob(q, sqldb_column(q, "password"));

        snprintf(target, sizeof(target), "%.*s",
                 STR_ARG(sqldb_get_text(q, sqldb_column(q, "target_id"))));
        buf_add(&sealed, blob.ptr, blob.len);
    }
    sqldb_end(q);
    store_read_end(s);
    if (rc == ERR_OK)
        rc = buf_check(&sealed, e);
    if (rc == ERR_OK && sealed.len > 0)
        rc = store_unseal(seal, &place, buf_view(&sealed), out, e);
    buf_fini(&sealed);
    return rc == ERR_NOT_FOUND ? no_such(e) : rc;
}

/* --- changes --- */

static enum err_code audit(struct sqldb *db, const struct store_actor *who, const char *action,
                           const struct store_managed_change *c, struct err *e)
{
    char object[32];

    snprintf(object, sizeof(object), "managed:%lld", (long long)c->id);
    return store_audit_add(db, who, (struct store_audit_entry){action, object, c->detail}, e);
}

static enum err_code check_room(struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "managed_count", SQLDB_ARGS(sqldb_null()), &q, e);

    if (rc == ERR_OK && store_i64(q, "total") >= LIMIT_MANAGED)
        rc = err_set(e, ERR_LIMIT, "a server reads at most %d managed instances", LIMIT_MANAGED);
    sqldb_end(q);
    return rc;
}

static struct sqldb_value group_value(const struct store_managed_fields *f)
{
    return sqldb_text_c(f->group != NULL ? f->group : STORE_GROUP_DEFAULT);
}

static enum err_code insert(struct sqldb *db, const struct store_actor *who,
                            struct store_seal_ctx *seal, struct store_managed_change *c,
                            struct err *e)
{
    const struct store_managed_fields *f = &c->fields;
    char ids[3][TEXT_UUID_SIZE];
    struct sqldb_stmt *q = NULL;
    struct buf sealed;
    bool more;
    enum err_code rc;

    for (int i = 0; i < 3; i++) {
        struct uuid id;

        entropy_uuid(&id);
        text_uuid(&id, ids[i]);
    }
    rc = seal_password(seal, ids[0], c, &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_row(
            db, "managed_insert",
            SQLDB_ARGS(sqldb_text_c(f->name), sqldb_text_c(f->description),
                       sqldb_text_c(f->endpoint), sqldb_i64(f->port), sqldb_text_c(f->dbname),
                       sqldb_text_c(f->environment), sqldb_text_c(f->username),
                       sealed_value(&sealed), sqldb_text_c(f->ssl_mode), sqldb_i64(f->interval_ms),
                       sqldb_i64(f->timeout_ms), sqldb_text_c(f->tags), sqldb_i64(f->is_paused),
                       sqldb_text_c(ids[0]), sqldb_text_c(ids[1]), sqldb_text_c(ids[2]),
                       sqldb_text_c(who->name), sqldb_i64(clock_wall_ms()), group_value(f)),
            &q, e);
    if (rc == ERR_OK) {
        c->id = store_i64(q, "id");
        rc = sqldb_step(q, &more, e);
    }
    sqldb_end(q);
    buf_fini(&sealed);
    return rc;
}

/* A name that is taken is the one conflict that an insert or update can have. */
static enum err_code explain(enum err_code rc, struct err *e)
{
    return rc == ERR_CONFLICT ? err_set(e, rc, "there is a managed instance of that name already")
                              : rc;
}

enum err_code store_managed_create(struct store *s, const struct store_actor *who,
                                   struct store_seal_ctx *seal, struct store_managed_change *change,
                                   struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = check_room(db, e);
    if (rc == ERR_OK)
        rc = explain(insert(db, who, seal, change, e), e);
    if (rc == ERR_OK)
        rc = audit(db, who, "managed.create", change, e);
    return store_end(s, rc, e);
}

static enum err_code write_fields(struct sqldb *db, const struct store_managed_change *c,
                                  struct err *e)
{
    const struct store_managed_fields *f = &c->fields;

    return explain(
        sqldb_run(db, "managed_update",
                  SQLDB_ARGS(sqldb_i64(c->id), sqldb_i64(c->version), sqldb_text_c(f->name),
                             sqldb_text_c(f->description), sqldb_text_c(f->endpoint),
                             sqldb_i64(f->port), sqldb_text_c(f->dbname),
                             sqldb_text_c(f->environment), sqldb_text_c(f->username),
                             sqldb_text_c(f->ssl_mode), sqldb_i64(f->interval_ms),
                             sqldb_i64(f->timeout_ms), sqldb_text_c(f->tags),
                             sqldb_i64(f->is_paused), sqldb_i64(clock_wall_ms()), group_value(f)),
                  e),
        e);
}

static enum err_code write_password(struct sqldb *db, struct store_seal_ctx *seal,
                                    const struct store_managed_change *c, struct err *e)
{
    char target[TEXT_UUID_SIZE] = "";
    struct sqldb_stmt *q = NULL;
    struct buf sealed;
    enum err_code rc = sqldb_row(db, "managed_sealed", SQLDB_ARGS(sqldb_i64(c->id)), &q, e);

    if (rc == ERR_OK)
        snprintf(target, sizeof(target), "%.*s",
                 STR_ARG(sqldb_get_text(q, sqldb_column(q, "target_id"))));
    sqldb_end(q);
    if (rc != ERR_OK)
        return rc == ERR_NOT_FOUND ? no_such(e) : rc;
    rc = seal_password(seal, target, c, &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "managed_password", SQLDB_ARGS(sqldb_i64(c->id), sealed_value(&sealed)),
                       e);
    buf_fini(&sealed);
    return rc;
}

enum err_code store_managed_update(struct store *s, const struct store_actor *who,
                                   struct store_seal_ctx *seal,
                                   const struct store_managed_change *change, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = write_fields(db, change, e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_CONFLICT, "the managed instance was changed meanwhile");
    if (rc == ERR_OK)
        rc = sqldb_run(db, "managed_target_group",
                       SQLDB_ARGS(sqldb_i64(change->id), group_value(&change->fields)), e);
    if (rc == ERR_OK && change->password_is != STORE_MANAGED_KEEP)
        rc = write_password(db, seal, change, e);
    if (rc == ERR_OK)
        rc = audit(db, who, "managed.update", change, e);
    return store_end(s, rc, e);
}

static void read_row(struct sqldb_stmt *q, struct arena *a, struct store_managed *out)
{
    *out = (struct store_managed){
        .id = store_i64(q, "id"),
        .version = store_i64(q, "version"),
        .fields = {.name = store_text(q, a, "name"),
                   .description = store_text(q, a, "description"),
                   .endpoint = store_text(q, a, "endpoint"),
                   .dbname = store_text(q, a, "dbname"),
                   .environment = store_text(q, a, "environment"),
                   .username = store_text(q, a, "username"),
                   .ssl_mode = store_text(q, a, "ssl_mode"),
                   .tags = store_text(q, a, "tags"),
                   .group = store_text(q, a, "group_name"),
                   .port = store_i64(q, "port"),
                   .interval_ms = store_i64(q, "interval_ms"),
                   .timeout_ms = store_i64(q, "timeout_ms"),
                   .is_paused = store_i64(q, "is_paused") != 0},
        .has_password = store_i64(q, "has_password") != 0,
        .target_id = store_text(q, a, "target_id"),
        .collector_id = store_text(q, a, "collector_id"),
        .stream_id = store_text(q, a, "stream_id"),
        .created_by = store_text(q, a, "created_by"),
        .created_ms = store_ms(q, "created_ms"),
        .updated_ms = store_ms(q, "updated_ms"),
        .connection = store_text(q, a, "connection"),
        .stage = store_text(q, a, "stage"),
        .error = store_text(q, a, "error"),
        .fix = store_text(q, a, "fix"),
        .server_version = store_text(q, a, "server_version"),
        .tried_ms = store_ms(q, "tried_ms"),
        .since_ms = store_ms(q, "since_ms"),
        .connected_ms = store_ms(q, "connected_ms"),
        .failed_ms = store_ms(q, "failed_ms"),
    };
}

static enum err_code find(struct sqldb *db, struct arena *a, int64_t id, struct store_managed *out,
                          struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "managed_by_id", SQLDB_ARGS(sqldb_i64(id)), &q, e);

    if (rc == ERR_OK)
        read_row(q, a, out);
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? no_such(e) : rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_managed_delete(struct store *s, const struct store_actor *who, int64_t id,
                                   int64_t version, struct err *e)
{
    struct store_managed old = {0};
    struct store_managed_change c = {.id = id};
    struct sqldb *db;
    struct arena a;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "managed delete", 65536);
    rc = find(db, &a, id, &old, e);
    if (rc == ERR_OK && version != 0 && version != old.version)
        rc = err_set(e, ERR_CONFLICT, "the managed instance was changed meanwhile");
    if (rc == ERR_OK)
        rc = sqldb_run(db, "managed_delete", SQLDB_ARGS(sqldb_i64(id)), e);
    c.detail = old.fields.name;
    if (rc == ERR_OK)
        rc = audit(db, who, "managed.delete", &c, e);
    arena_fini(&a);
    return store_end(s, rc, e);
}

enum err_code store_managed_note(struct store *s, const struct store_managed_status *status,
                                 size_t count, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = count > 0 ? store_begin(s, &db, e) : ERR_OK;

    if (rc != ERR_OK || count == 0)
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        const struct store_managed_status *st = &status[i];

        rc = sqldb_run(db, "managed_status",
                       SQLDB_ARGS(sqldb_i64(st->id), sqldb_text_c(st->connection),
                                  sqldb_text_c(st->stage), sqldb_text_c(st->error),
                                  sqldb_text_c(st->fix), sqldb_text_c(st->server_version),
                                  sqldb_i64(st->at_ms)),
                       e);
    }
    return store_end(s, rc, e);
}

/* --- reading --- */

enum err_code store_managed_get(struct store *s, struct arena *a, int64_t id,
                                struct store_managed *out, struct err *e)
{
    enum err_code rc = find(store_read_begin(s), a, id, out, e);

    store_read_end(s);
    return rc;
}

enum err_code store_managed_list(struct store *s, struct arena *a, struct store_managed_page *page,
                                 struct err *e)
{
    struct store_managed *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "managed_list",
        SQLDB_ARGS(sqldb_i64(page->after), sqldb_i64((int64_t)page->limit), sqldb_i64(page->offset),
                   store_sight_value(&page->sight)),
        &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_row(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}
