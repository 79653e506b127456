/* SPDX-License-Identifier: PostgreSQL */
/*
 * quarantine.c: keeps what cannot be read in damaged.db, and tells slices that can from those that
 * cannot.
 */
#include "store/tsdb/quarantine.h"

#include "os/clock.h"
#include "sqldb/sqldb.h"

#include <limits.h>
#include <stdio.h>

#define SCHEMA_DAMAGED 1

static enum err_code put_item(struct sqldb *db, const struct quarantine_item *i, struct err *e)
{
    return sqldb_run(db, "tsdb_damaged_insert",
                     SQLDB_ARGS(sqldb_text_c(i->file), sqldb_text_c(i->what), sqldb_i64(i->key),
                                sqldb_text_c(i->reason),
                                i->about.len ? sqldb_text(i->about) : sqldb_null(),
                                sqldb_blob(i->data.ptr, i->data.len), sqldb_i64(clock_wall_ms())),
                     e);
}

enum err_code quarantine_put(const char *dir, const struct quarantine_item *items, size_t count,
                             struct err *e)
{
    char url[PATH_MAX];
    struct sqldb *db = NULL;

    (void)snprintf(url, sizeof(url), "sqlite:%s/damaged.db", dir);
    enum err_code code = sqldb_open(url, NULL, &db, e);
    if (code == ERR_OK) {
        code = sqldb_schema(db, "tsdb_damaged", SCHEMA_DAMAGED, e);
    }
    if (code == ERR_OK) {
        code = sqldb_begin(db, e);
    }
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = put_item(db, &items[i], e);
    }
    if (code == ERR_OK) {
        code = sqldb_commit(db, e);
    }
    sqldb_close(db); /* rolls back what was not committed */
    return code ? err_wrap(e, "damaged.db") : ERR_OK;
}

enum err_code quarantine_check_slice(struct str slice, struct arena *a, struct err *e)
{
    struct codec_slice s;
    struct cell *cells = NULL;
    enum err_code code = codec_get_slice(slice, a, &s, e);

    for (size_t c = 0; code == ERR_OK && c < s.column_count; c++) {
        code = codec_get_column(s.columns[c].stream, a, s.row_count, &cells, e);
    }
    for (size_t k = 0; code == ERR_OK && k < s.key_count; k++) {
        code = codec_get_column(s.keys[k].stream, a, s.row_count, &cells, e);
    }
    return code;
}

void quarantine_split(struct str blob, struct arena *a, struct quarantine_slices *out)
{
    struct err e;

    buf_init(&out->good, blob.len);
    out->bad = 0;
    err_clear(&out->why);
    while (blob.len) {
        struct str one;
        arena_reset(a);
        bool framed = codec_take_bytes(&blob, &one);
        if (framed && quarantine_check_slice(one, a, &e) == ERR_OK) {
            codec_put_bytes(&out->good, one);
            continue;
        }
        if (!framed) {
            (void)err_set(&e, ERR_CORRUPT, "slices cut short");
        }
        out->why = out->bad ? out->why : e;
        out->bad++;
        if (!framed) {
            return;
        }
    }
}
