/* SPDX-License-Identifier: PostgreSQL */
/* store_audit.c: audit rows and their chain. */
#include "store/store_audit.h"

#include <string.h>

#include "base/json.h"
#include "os/clock.h"
#include "tls/hash.h"

#define ROW_MAX 65536

struct row {
    int64_t number, at_ms;
    struct str actor, action, object, detail, address, request;
};

static void put_row(const struct row *row, struct buf *out)
{
    const struct str *texts[] = {&row->actor,  &row->action,  &row->object,
                                 &row->detail, &row->address, &row->request};
    struct json_writer w;

    json_writer_init(&w, out);
    json_array_begin(&w);
    json_put_i64(&w, row->number);
    json_put_i64(&w, row->at_ms);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        json_put_str(&w, *texts[i]);
    json_array_end(&w);
}

static void chain(struct str before, const struct row *row, char out[HASH_HEX_SIZE])
{
    struct buf text;

    buf_init(&text, ROW_MAX);
    buf_add_str(&text, before);
    buf_add_char(&text, '|');
    put_row(row, &text);
    hash_sha256_hex(buf_view(&text), out);
    buf_fini(&text);
}

static enum err_code last_row(struct sqldb *db, int64_t *number, char hash[HASH_HEX_SIZE],
                              struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "audit_last", SQLDB_NO_ARGS, &q, e);

    *number = 0;
    hash[0] = '\0';
    if (rc == ERR_OK) {
        struct str text = sqldb_get_text(q, sqldb_column(q, "hash"));

        *number = store_i64(q, "number");
        if (text.len < HASH_HEX_SIZE && text.len > 0) {
            memcpy(hash, text.ptr, text.len);
            hash[text.len] = '\0';
        }
    }
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code store_audit_add(struct sqldb *db, const struct store_actor *who,
                              struct store_audit_entry entry, struct err *e)
{
    char before[HASH_HEX_SIZE], hash[HASH_HEX_SIZE];
    struct row row = {.at_ms = clock_wall_ms(),
                      .actor = str_of(who->name),
                      .action = str_of(entry.action),
                      .object = str_of(entry.object),
                      .detail = str_of(entry.detail),
                      .address = str_of(who->address),
                      .request = str_of(who->request)};
    int64_t number;
    enum err_code rc = last_row(db, &number, before, e);

    if (rc != ERR_OK)
        return rc;
    row.number = number + 1;
    chain(str_of(before), &row, hash);
    return sqldb_run(db, "audit_insert",
                     SQLDB_ARGS(sqldb_i64(row.number), sqldb_i64(row.at_ms), sqldb_text(row.actor),
                                sqldb_text(row.action), sqldb_text(row.object),
                                sqldb_text(row.detail), sqldb_text(row.address),
                                sqldb_text(row.request), sqldb_text_c(hash)),
                     e);
}

enum err_code store_audit_note(struct store *s, const struct store_actor *who,
                               struct store_audit_entry entry, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = store_audit_add(db, who, entry, e);
    return store_end(s, rc, e);
}

static void read_row(struct sqldb_stmt *q, struct row *row)
{
    row->number = store_i64(q, "number");
    row->at_ms = store_i64(q, "at_ms");
    row->actor = sqldb_get_text(q, sqldb_column(q, "actor"));
    row->action = sqldb_get_text(q, sqldb_column(q, "action"));
    row->object = sqldb_get_text(q, sqldb_column(q, "object"));
    row->detail = sqldb_get_text(q, sqldb_column(q, "detail"));
    row->address = sqldb_get_text(q, sqldb_column(q, "address"));
    row->request = sqldb_get_text(q, sqldb_column(q, "request"));
}

static enum err_code walk(struct sqldb_stmt *q, int64_t *rows, struct err *e)
{
    char before[HASH_HEX_SIZE] = "", hash[HASH_HEX_SIZE];
    struct row row;
    bool more;

    for (*rows = 0;; ++*rows) {
        enum err_code rc = sqldb_step(q, &more, e);

        if (rc != ERR_OK || !more)
            return rc;
        read_row(q, &row);
        chain(str_of(before), &row, hash);
        if (row.number != *rows + 1 || !str_eq_c(sqldb_get_text(q, sqldb_column(q, "hash")), hash))
            return err_set(e, ERR_CORRUPT, "audit row %lld does not fit the chain",
                           (long long)(*rows + 1));
        memcpy(before, hash, sizeof(before));
    }
}

enum err_code store_audit_verify(struct store *s, int64_t *rows, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_query(store_read_begin(s), "audit_walk", SQLDB_NO_ARGS, &q, e);

    if (rc == ERR_OK)
        rc = walk(q, rows, e);
    sqldb_end(q);
    store_read_end(s);
    return rc;
}
