/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_row.c: rows of a table page by page, the same from either kind of store.
 *
 * A statement is over before its rows are used: in PostgreSQL it may not last for 30 s, and the
 * connection is needed for others.
 */
#include "store/transfer/transfer_part.h"

#include "base/limits.h"
#include "base/pack.h"

#include <string.h>

#define PAGE_ROWS  1000
#define PAGE_TEXTS 50
#define PAGE_BYTES ((size_t)1024 * 1024 * 1024)
#define KEY_BYTES  ((size_t)1024 * 1024)

struct sqldb *transfer_file_of(const struct transfer_side *side, enum transfer_file file)
{
    if (side->pg || file == TRANSFER_CONTROL) {
        return side->control;
    }
    return file == TRANSFER_INGEST ? side->series->ingest
           : file == TRANSFER_TEXT ? side->series->applier.text
                                   : side->series->applier.event;
}

/* --- one value --- */

static struct sqldb_value take_value(struct arena *a, struct sqldb_stmt *s, int column, char type)
{
    if (sqldb_is_null(s, column)) {
        return sqldb_null();
    }
    if (type == 'i') {
        return sqldb_i64(sqldb_get_i64(s, column));
    }
    if (type == 't') {
        return sqldb_text(arena_str(a, sqldb_get_text(s, column)));
    }
    struct str bytes = arena_str(a, sqldb_get_blob(s, column));
    return sqldb_blob(bytes.ptr, bytes.len);
}

/* The columns of a text in SQLite: id, hash, data, packed, size. */
static enum err_code unpack(struct transfer_pages *p, struct sqldb_stmt *s, struct str *out,
                            struct err *e)
{
    struct str data = sqldb_get_blob(s, 2);
    struct buf body;

    if (!sqldb_get_i64(s, 3)) {
        *out = arena_str(&p->arena, data);
        return arena_check(&p->arena, e);
    }
    buf_init(&body, 2 * LIMIT_TEXT_BYTES);
    enum err_code code = pack_unpack(data, PACK_ZSTD, &body, e);
    if (code == ERR_OK && body.len != (size_t)sqldb_get_i64(s, 4)) {
        code = err_set(e, ERR_CORRUPT, "its length is wrong");
    }
    *out = arena_str(&p->arena, buf_view(&body));
    buf_fini(&body);
    return code ? code : arena_check(&p->arena, e);
}

static enum err_code take_text(struct transfer_pages *p, struct sqldb_stmt *s,
                               struct sqldb_value *out, struct err *e)
{
    struct str body = {"", 0};
    struct err why = {0};
    enum err_code code = unpack(p, s, &body, &why);

    if (code && code != ERR_CORRUPT && code != ERR_LIMIT && code != ERR_INVALID) {
        *e = why;
        return code;
    }
    if (code && p->teller) {
        transfer_lose(p->teller, "text %lld cannot be read, an empty one is in its place: %s",
                      (long long)sqldb_get_i64(s, 0), why.text);
    }
    *out = sqldb_text(code ? STR("") : body);
    return ERR_OK;
}

/* --- pages --- */

void transfer_pages_begin(struct transfer_pages *p, const struct transfer_side *side,
                          const struct transfer_table *table)
{
    *p = (struct transfer_pages){.table = table, .db = transfer_file_of(side, table->file)};
    arena_init(&p->arena, "copied rows", PAGE_BYTES);
    arena_init(&p->keys, "copied keys", KEY_BYTES);
    for (size_t k = 0; k < table->keys; k++) {
        char type = table->types[k];
        p->after[k] = type == 'i'   ? sqldb_i64(INT64_MIN)
                      : type == 't' ? sqldb_text(STR(""))
                                    : sqldb_blob("", 0);
    }
}

void transfer_pages_end(struct transfer_pages *p)
{
    arena_fini(&p->keys);
    arena_fini(&p->arena);
}

static enum err_code take_row(struct transfer_pages *p, struct sqldb_stmt *s,
                              struct sqldb_value *row, struct err *e)
{
    bool packed = p->table->is_text && sqldb_dialect_of(p->db) == SQLDB_SQLITE;
    size_t columns = strlen(p->table->types);
    enum err_code code = ERR_OK;

    for (size_t c = 0; code == ERR_OK && c < columns; c++) {
        if (packed && c == 2) {
            code = take_text(p, s, &row[c], e);
        } else {
            row[c] = take_value(&p->arena, s, (int)c, p->table->types[c]);
        }
    }
    return code ? code : arena_check(&p->arena, e);
}

/* The next page begins behind this row. */
static enum err_code remember(struct transfer_pages *p, const struct sqldb_value *row,
                              struct err *e)
{
    arena_reset(&p->keys);
    for (size_t k = 0; k < p->table->keys; k++) {
        p->after[k] = row[k];
        if (row[k].type == SQLDB_TEXT || row[k].type == SQLDB_BLOB) {
            p->after[k].bytes = arena_str(&p->keys, row[k].bytes);
        }
    }
    return arena_check(&p->keys, e);
}

enum err_code transfer_pages_next(struct transfer_pages *p, struct transfer_rows *out,
                                  struct err *e)
{
    size_t most = p->table->is_text ? PAGE_TEXTS : PAGE_ROWS;
    struct sqldb_value values[5];
    struct sqldb_stmt *s = NULL;
    bool row = true;

    *out = (struct transfer_rows){.table = p->table, .columns = strlen(p->table->types)};
    if (p->end) {
        return ERR_OK;
    }
    arena_reset(&p->arena);
    out->rows = arena_array(&p->arena, most, sizeof(*out->rows));
    memcpy(values, p->after, sizeof(p->after));
    values[p->table->keys] = sqldb_i64((int64_t)most);
    enum err_code code = arena_check(&p->arena, e);
    if (code == ERR_OK) {
        code = sqldb_query(p->db, p->table->list, (struct sqldb_args){values, p->table->keys + 1},
                           &s, e);
    }
    while (code == ERR_OK && out->count < most && (code = sqldb_step(s, &row, e)) == ERR_OK &&
           row) {
        code = take_row(p, s, out->rows[out->count++], e);
    }
    sqldb_end(s);
    p->end = out->count < most;
    if (code == ERR_OK && out->count) {
        code = remember(p, out->rows[out->count - 1], e);
    }
    return code ? err_wrap(e, "table %s", p->table->name) : ERR_OK;
}
