/* SPDX-License-Identifier: PostgreSQL */
/* store_config.c: see the header. */
#include "store/store_config.h"

#include <stdio.h>

#include "os/clock.h"
#include "store/store_audit.h"

static void read_config(struct sqldb_stmt *q, struct arena *a, struct store_config *out)
{
    int toml = sqldb_column(q, "toml");

    out->version = store_i64(q, "version");
    out->author = store_text(q, a, "author");
    out->created_ms = store_ms(q, "created_ms");
    if (toml >= 0) {
        out->toml = store_text(q, a, "toml");
        out->size = (int64_t)sqldb_get_text(q, toml).len;
    } else {
        out->toml = NULL;
        out->size = store_i64(q, "size");
    }
}

/* The newest version of a collector that is not revoked. */
static enum err_code newest(struct sqldb *db, const char *collector, int64_t *version,
                            struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "collector_alive", SQLDB_ARGS(sqldb_text_c(collector)), &q, e);

    if (rc == ERR_OK)
        *version = store_i64(q, "config_version");
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? err_set(e, ERR_NOT_FOUND, "no such collector") : rc;
}

static enum err_code is_same(struct sqldb *db, const struct store_config_put *put, int64_t version,
                             bool *same, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "config_by_version",
                                 SQLDB_ARGS(sqldb_text_c(put->collector), sqldb_i64(version)), &q,
                                 e);

    *same = rc == ERR_OK && str_eq(sqldb_get_text(q, sqldb_column(q, "toml")), put->toml);
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code add(struct sqldb *db, const struct store_actor *who,
                         const struct store_config_put *put, int64_t version, struct err *e)
{
    struct sqldb_value id = sqldb_text_c(put->collector);
    char detail[32];
    enum err_code rc = sqldb_run(db, "config_insert",
                                 SQLDB_ARGS(id, sqldb_i64(version), sqldb_text(put->toml),
                                            sqldb_text_c(who->name), sqldb_i64(clock_wall_ms())),
                                 e);

    if (rc == ERR_OK)
        rc = sqldb_run(db, "config_newest", SQLDB_ARGS(id, sqldb_i64(version)), e);
    if (rc != ERR_OK)
        return rc;
    snprintf(detail, sizeof(detail), "version %lld", (long long)version);
    return store_audit_add(db, who,
                           (struct store_audit_entry){"config.put", put->collector, detail}, e);
}

enum err_code store_config_put(struct store *s, const struct store_actor *who,
                               struct store_config_put *put, struct err *e)
{
    struct sqldb *db;
    bool same = false;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = newest(db, put->collector, &put->version, e);
    if (rc == ERR_OK)
        rc = is_same(db, put, put->version, &same, e);
    put->added = !same;
    if (rc == ERR_OK && !same)
        rc = add(db, who, put, ++put->version, e);
    return store_end(s, rc, e);
}

enum err_code store_config_get(struct store *s, struct arena *a, struct store_config_key key,
                               struct store_config *out, struct err *e)
{
    struct sqldb *db = store_read_begin(s);
    struct sqldb_stmt *q = NULL;
    enum err_code rc = key.version == 0 ? newest(db, key.collector, &key.version, e) : ERR_OK;

    if (rc == ERR_OK)
        rc = sqldb_row(db, "config_by_version",
                       SQLDB_ARGS(sqldb_text_c(key.collector), sqldb_i64(key.version)), &q, e);
    if (rc == ERR_OK)
        read_config(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_config_list(struct store *s, struct arena *a, struct store_config_page *page,
                                struct err *e)
{
    struct store_config *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "config_list",
        SQLDB_ARGS(sqldb_text_c(page->collector),
                   sqldb_i64(page->before > 0 ? page->before : INT64_MAX),
                   sqldb_i64((int64_t)page->limit)),
        &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_config(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_config_report(struct store *s, const struct store_config_report *report,
                                  bool *news, struct err *e)
{
    struct str error = report->error.ptr != NULL ? report->error : STR("");
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "config_report",
                   SQLDB_ARGS(sqldb_text_c(report->collector), sqldb_i64(report->applied),
                              sqldb_i64(report->failed), sqldb_text(error)),
                   e);
    *news = rc == ERR_OK && sqldb_changes(db) > 0;
    return store_end(s, rc, e);
}
