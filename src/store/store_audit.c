/* SPDX-License-Identifier: PostgreSQL */
/* store_audit.c: adding rows to the audit: their hashes and signatures, and the heads. */
#include "store/store_audit.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "os/clock.h"
#include "store/store_audit_part.h"
#include "store/store_key.h"
#include "tls/crypto.h"

#define ROW_MAX   65536
#define HOUR_MS   (3600 * (int64_t)1000)
#define MAC_INPUT 256

static void put_row(const struct store_audit_raw *row, struct buf *out)
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

enum err_code store_audit_chain(struct str before, const struct store_audit_raw *row,
                                char out[HASH_HEX_SIZE], struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, ROW_MAX);
    buf_add_str(&text, before);
    buf_add_char(&text, '|');
    put_row(row, &text);
    rc = buf_check(&text, e);
    if (rc == ERR_OK)
        hash_sha256_hex(buf_view(&text), out);
    buf_fini(&text);
    return rc;
}

static void sign(const unsigned char *key, const char *text, char out[HASH_HEX_SIZE])
{
    unsigned char mac[HASH_BYTES];

    hash_hmac(str_make(key, STORE_KEY_BYTES), str_of(text), mac);
    text_hex(mac, sizeof(mac), out);
}

void store_audit_row_mac(const unsigned char *key, int64_t number, const char *hash,
                         char out[HASH_HEX_SIZE])
{
    char text[MAC_INPUT];

    out[0] = '\0';
    if (key == NULL)
        return;
    (void)snprintf(text, sizeof(text), "row|%lld|%s", (long long)number, hash);
    sign(key, text, out);
}

void store_audit_head_mac(const unsigned char *key, const struct store_audit_head *head,
                          char out[HASH_HEX_SIZE])
{
    char text[MAC_INPUT];

    (void)snprintf(text, sizeof(text), "head|%lld|%lld|%s|%lld", (long long)head->hour,
                   (long long)head->number, head->hash, (long long)head->at_ms);
    sign(key, text, out);
}

static void copy_hash(struct str text, char out[HASH_HEX_SIZE])
{
    out[0] = '\0';
    if (text.len < HASH_HEX_SIZE && text.len > 0) {
        memcpy(out, text.ptr, text.len);
        out[text.len] = '\0';
    }
}

enum err_code store_audit_last(struct sqldb *db, int64_t *number, char hash[HASH_HEX_SIZE],
                               struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "audit_last", SQLDB_NO_ARGS, &q, e);

    *number = 0;
    hash[0] = '\0';
    if (rc == ERR_OK) {
        *number = store_i64(q, "number");
        copy_hash(sqldb_get_text(q, sqldb_column(q, "hash")), hash);
    }
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

/* --- rows --- */

static enum err_code insert(struct sqldb *db, const struct store_audit_raw *row, const char *hash,
                            struct err *e)
{
    char mac[HASH_HEX_SIZE];

    store_audit_row_mac(sqldb_context(db), row->number, hash, mac);
    return sqldb_run(db, "audit_insert",
                     SQLDB_ARGS(sqldb_i64(row->number), sqldb_i64(row->at_ms),
                                sqldb_text(row->actor), sqldb_text(row->action),
                                sqldb_text(row->object), sqldb_text(row->detail),
                                sqldb_text(row->address), sqldb_text(row->request),
                                sqldb_text_c(hash), sqldb_text_c(mac)),
                     e);
}

enum err_code store_audit_add(struct sqldb *db, const struct store_actor *who,
                              struct store_audit_entry entry, struct err *e)
{
    char before[HASH_HEX_SIZE], hash[HASH_HEX_SIZE];
    struct store_audit_raw row = {.at_ms = clock_wall_ms(),
                                  .actor = str_of(who->name),
                                  .action = str_of(entry.action),
                                  .object = str_of(entry.object),
                                  .detail = str_of(entry.detail),
                                  .address = str_of(who->address),
                                  .request = str_of(who->request)};
    enum err_code rc = store_audit_last(db, &row.number, before, e);

    row.number++;
    if (rc == ERR_OK)
        rc = store_audit_chain(str_of(before), &row, hash, e);
    return rc == ERR_OK ? insert(db, &row, hash, e) : rc;
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

static enum err_code sign_row(struct sqldb *db, int64_t number, bool *more, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    char hash[HASH_HEX_SIZE] = "", mac[HASH_HEX_SIZE];
    enum err_code rc = sqldb_row(db, "audit_walk", SQLDB_ARGS(sqldb_i64(number - 1), sqldb_i64(1)),
                                 &q, e);

    *more = rc == ERR_OK;
    if (rc == ERR_OK)
        copy_hash(sqldb_get_text(q, sqldb_column(q, "hash")), hash);
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    store_audit_row_mac(sqldb_context(db), number, hash, mac);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "audit_mac", SQLDB_ARGS(sqldb_i64(number), sqldb_text_c(mac)), e);
    return rc;
}

enum err_code store_audit_adopt(struct sqldb *db, struct err *e)
{
    struct store_audit_verdict verdict;
    bool more = true;
    enum err_code rc = store_audit_check(db, NULL, &verdict, e);

    if (rc == ERR_OK && verdict.bad != 0)
        return err_set(e, ERR_CORRUPT, "audit: %s", verdict.finding);
    for (int64_t number = 1; rc == ERR_OK && more; number++)
        rc = sign_row(db, number, &more, e);
    return rc;
}

/* --- heads --- */

/*
 * The newest head. Its row must be there as it was signed: a head that moved on over rows that were
 * cut off and written anew would hide that.
 */
static enum err_code last_head(struct sqldb *db, struct store_audit_head *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "audit_head_last", SQLDB_NO_ARGS, &q, e);

    *out = (struct store_audit_head){0};
    if (rc == ERR_OK) {
        out->hour = store_i64(q, "hour");
        out->number = store_i64(q, "number");
        if (!crypto_equal(sqldb_get_text(q, sqldb_column(q, "hash")),
                          sqldb_get_text(q, sqldb_column(q, "row_hash"))))
            rc = err_set(e, ERR_CORRUPT,
                         "row %lld is not there as it was signed: run pga ctl audit verify",
                         (long long)out->number);
    }
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code put_head(struct sqldb *db, struct store_audit_head *head, struct err *e)
{
    head->at_ms = clock_wall_ms();
    head->hour = head->at_ms / HOUR_MS;
    store_audit_head_mac(sqldb_context(db), head, head->mac);
    return sqldb_run(db, "audit_head_put",
                     SQLDB_ARGS(sqldb_i64(head->hour), sqldb_i64(head->number),
                                sqldb_text_c(head->hash), sqldb_i64(head->at_ms),
                                sqldb_text_c(head->mac)),
                     e);
}

static enum err_code sign_in(struct sqldb *db, struct store_audit_head *out,
                             struct store_audit_head *last, bool *changed, struct err *e)
{
    enum err_code rc = last_head(db, last, e);

    if (rc == ERR_OK)
        rc = store_audit_last(db, &out->number, out->hash, e);
    *changed = rc == ERR_OK && sqldb_context(db) != NULL && out->number > last->number;
    return *changed ? put_head(db, out, e) : rc;
}

enum err_code store_audit_sign(struct store *s, struct store_audit_head *out, bool *changed,
                               bool *is_first, struct err *e)
{
    struct store_audit_head last;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    *changed = *is_first = false;
    *out = (struct store_audit_head){0};
    if (rc != ERR_OK)
        return rc;
    rc = store_end(s, sign_in(db, out, &last, changed, e), e);
    *changed = *changed && rc == ERR_OK;
    *is_first = *changed && out->hour != last.hour;
    return rc;
}
