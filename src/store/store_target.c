/* SPDX-License-Identifier: PostgreSQL */
/* store_target.c: see the header. */
#include "store/store_target.h"

#include <stdio.h>

#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/net.h"
#include "store/store_audit.h"
#include "store/store_setting.h"

#define LSN_SETTING    "target_lsn"
#define ATTRIBUTES_MAX ((size_t)65536)
#define MODE_SIZE      16
#define HOST_SIZE      256
#define DETAIL_SIZE    192

enum err_code store_target_lsn(struct sqldb *db, uint64_t *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "setting_get", SQLDB_ARGS(sqldb_text_c(LSN_SETTING)), &q, e);

    *out = 0;
    if (rc == ERR_OK)
        rc = num_parse_u64(sqldb_get_text(q, sqldb_column(q, "value")), UINT64_MAX, out, e);
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code taken_before(struct sqldb *db, uint64_t lsn, bool *before, struct err *e)
{
    uint64_t last = 0;
    enum err_code rc = store_target_lsn(db, &last, e);

    *before = last >= lsn;
    return rc;
}

/* --- links that prove nothing --- */

/* The mode of a link over a network that does not verify the server's name; empty = it does. */
static void weak_mode(struct str attributes, char out[MODE_SIZE])
{
    const struct json_limits limits = {ATTRIBUTES_MAX, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct str mode, at;
    char host[HOST_SIZE];

    out[0] = '\0';
    if (json_parse(attributes, &limits, &doc, NULL) != ERR_OK)
        return;
    mode = json_str(json_get(json_root(doc), "sslmode"));
    at = json_str(json_get(json_root(doc), "address"));
    snprintf(host, sizeof(host), "%.*s", STR_ARG(at));
    if (mode.len > 0 && !str_eq_c(mode, "verify-full") && at.len > 0 && at.ptr[0] != '/' &&
        at.ptr[0] != '@' && !str_eq_nocase(at, STR("localhost")) && !net_is_loopback(host))
        snprintf(out, MODE_SIZE, "%.*s", STR_ARG(mode));
    json_doc_free(doc);
}

static enum err_code mode_before(struct sqldb *db, const char *id, char out[MODE_SIZE],
                                 struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "target_by_id", SQLDB_ARGS(sqldb_text_c(id)), &q, e);

    out[0] = '\0';
    if (rc == ERR_OK)
        weak_mode(sqldb_get_text(q, sqldb_column(q, "attributes")), out);
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* A row of the audit when a link becomes one of those (security T8, L1). */
static enum err_code note_weak(struct sqldb *db, const char *collector,
                               const struct batch_target *t, struct err *e)
{
    char id[TEXT_UUID_SIZE], before[MODE_SIZE], now[MODE_SIZE], by[64], detail[DETAIL_SIZE];
    enum err_code rc;

    weak_mode(t->attributes, now);
    if (now[0] == '\0')
        return ERR_OK;
    text_uuid(&t->id, id);
    rc = mode_before(db, id, before, e);
    if (rc != ERR_OK || strcmp(before, now) == 0)
        return rc;
    snprintf(by, sizeof(by), "collector:%s", collector);
    snprintf(detail, sizeof(detail), "%.*s: sslmode %s does not verify the server",
             t->name.len > 100 ? 100 : (int)t->name.len, t->name.ptr, now);
    return store_audit_add(db, &(struct store_actor){by, "", ""},
                           (struct store_audit_entry){"target.link", id, detail}, e);
}

static enum err_code upsert(struct sqldb *db, const char *collector, const struct batch_target *t,
                            struct err *e)
{
    struct str attributes = t->attributes.len > 0 ? t->attributes : STR("{}");
    char id[TEXT_UUID_SIZE];
    enum err_code rc = note_weak(db, collector, t, e);

    if (rc != ERR_OK)
        return rc;
    text_uuid(&t->id, id);
    return sqldb_run(db, "target_upsert",
                     SQLDB_ARGS(sqldb_text_c(id), sqldb_text_c(collector), sqldb_text(t->kind),
                                sqldb_text(t->name), sqldb_text(attributes),
                                sqldb_i64(clock_wall_ms())),
                     e);
}

static enum err_code taken(struct sqldb *db, uint64_t lsn, struct err *e)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)lsn);
    return store_setting_put(db, LSN_SETTING, text, e);
}

static enum err_code apply(struct sqldb *db, uint64_t lsn, const struct uuid *collector,
                           const struct batch *batch, struct err *e)
{
    char id[TEXT_UUID_SIZE];
    bool before;
    enum err_code rc = taken_before(db, lsn, &before, e);

    if (rc != ERR_OK || before)
        return rc;
    text_uuid(collector, id);
    for (size_t i = 0; rc == ERR_OK && i < batch->target_count; i++)
        rc = upsert(db, id, &batch->targets[i], e);
    return rc == ERR_OK ? taken(db, lsn, e) : rc;
}

enum err_code store_target_apply(struct store *s, uint64_t lsn, const struct uuid *collector,
                                 const struct batch *batch, struct err *e)
{
    struct sqldb *db;
    enum err_code rc;

    if (batch->target_count == 0)
        return ERR_OK;
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = apply(db, lsn, collector, batch, e);
    return store_end(s, rc, e);
}

void store_target_put_by(struct json_writer *w, const struct store_actor *who,
                         const struct store_target *t)
{
    json_object_begin(w);
    json_member_c(w, "name", who->name);
    json_member_c(w, "address", who->address);
    json_member_c(w, "request", who->request);
    json_member_c(w, "target", t->name);
    json_object_end(w);
}

static enum err_code audit_delete(struct sqldb *db, struct arena *a, const char *id,
                                  const struct json *by, struct err *e)
{
    struct store_actor who = {arena_cstr(a, json_str(json_get(by, "name"))),
                              arena_cstr(a, json_str(json_get(by, "address"))),
                              arena_cstr(a, json_str(json_get(by, "request")))};
    const char *name = arena_cstr(a, json_str(json_get(by, "target")));
    enum err_code rc = arena_check(a, e);

    return rc != ERR_OK ? rc
                        : store_audit_add(db, &who,
                                          (struct store_audit_entry){"target.delete", id, name}, e);
}

enum err_code store_target_delete(struct store *s, uint64_t lsn, const struct uuid *target,
                                  const struct json *by, struct err *e)
{
    char id[TEXT_UUID_SIZE];
    struct sqldb *db;
    struct arena a;
    bool before;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    text_uuid(target, id);
    arena_init(&a, "target delete", 65536);
    rc = taken_before(db, lsn, &before, e);
    if (rc == ERR_OK && !before) {
        rc = sqldb_run(db, "target_delete", SQLDB_ARGS(sqldb_text_c(id)), e);
        if (rc == ERR_OK)
            rc = audit_delete(db, &a, id, by, e);
        if (rc == ERR_OK)
            rc = taken(db, lsn, e);
    }
    arena_fini(&a);
    return store_end(s, rc, e);
}

static void read_target(struct sqldb_stmt *q, struct arena *a, struct store_target *out)
{
    bool known = !sqldb_is_null(q, sqldb_column(q, "collector_name"));

    out->id = store_text(q, a, "id");
    out->kind = store_text(q, a, "kind");
    out->name = store_text(q, a, "name");
    out->attributes = store_text(q, a, "attributes");
    out->collector_id = store_text(q, a, "collector_id");
    out->group = store_text(q, a, "group_name");
    out->first_seen_ms = store_ms(q, "first_seen_ms");
    out->collector_name = known ? store_text(q, a, "collector_name") : NULL;
    out->collector_hostname = known ? store_text(q, a, "hostname") : NULL;
    out->collector_version = known ? store_text(q, a, "version") : NULL;
    out->collector_seen_ms = store_ms(q, "last_seen_ms");
    out->collector_revoked = store_ms(q, "revoked_ms") != 0;
}

enum err_code store_target_get(struct store *s, struct arena *a, const char *id,
                               struct store_target *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), "target_by_id", SQLDB_ARGS(sqldb_text_c(id)),
                                 &q, e);

    if (rc == ERR_OK)
        read_target(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_target_list(struct store *s, struct arena *a, struct store_target_page *page,
                                struct err *e)
{
    struct store_target *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "target_list",
        SQLDB_ARGS(sqldb_text_c(page->after_name), sqldb_text_c(page->after_id),
                   sqldb_i64((int64_t)page->limit), store_sight_value(&page->sight)),
        &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_target(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}
