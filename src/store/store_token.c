/* SPDX-License-Identifier: PostgreSQL */
/* store_token.c: see the header. */
#include "store/store_token.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "os/clock.h"
#include "store/store_audit.h"
#include "tls/hash.h"

#define TOUCH_MS 60000

static const char *const scopes[] = {
    [STORE_TOKEN_METRICS] = "metrics",
    [STORE_TOKEN_READ] = "read",
    [STORE_TOKEN_WRITE] = "write",
    [STORE_TOKEN_ADMIN] = "admin",
};

const char *store_token_scope_name(enum store_token_scope scope)
{
    return scopes[scope];
}

enum err_code store_token_scope_of(struct str name, enum store_token_scope *out, struct err *e)
{
    for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (!str_eq_c(name, scopes[i]))
            continue;
        *out = (enum store_token_scope)i;
        return ERR_OK;
    }
    return err_set(e, ERR_INVALID, "scope: not metrics, read, write or admin");
}

/* --- the value --- */

static void checksum(struct str body, char out[STORE_TOKEN_CHECK + 1])
{
    unsigned char digest[HASH_BYTES];

    hash_sha256(body, digest);
    text_hex(digest, STORE_TOKEN_CHECK / 2, out);
}

static void make_value(char out[STORE_TOKEN_SIZE])
{
    char random[CRYPTO_TOKEN_SIZE], check[STORE_TOKEN_CHECK + 1];
    int len;

    crypto_random_token(random);
    len = snprintf(out, STORE_TOKEN_SIZE, STORE_TOKEN_PREFIX "%s", random);
    checksum(str_make(out, (size_t)len), check);
    memcpy(out + len, check, sizeof(check));
    crypto_wipe(random, sizeof(random));
}

bool store_token_is_one(struct str value)
{
    char check[STORE_TOKEN_CHECK + 1];
    size_t body = STORE_TOKEN_LEN - STORE_TOKEN_CHECK;

    if (value.len != STORE_TOKEN_LEN || !str_starts(value, STR(STORE_TOKEN_PREFIX)))
        return false;
    checksum(str_make(value.ptr, body), check);
    return str_eq_c(str_make(value.ptr + body, STORE_TOKEN_CHECK), check);
}

/* --- making --- */

static enum err_code keep_few(struct sqldb *db, int64_t account, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    int64_t total = 0;
    enum err_code rc = sqldb_row(db, "token_alive",
                                 SQLDB_ARGS(sqldb_i64(account), sqldb_i64(clock_wall_ms())), &q, e);

    if (rc == ERR_OK)
        total = store_i64(q, "total");
    sqldb_end(q);
    if (rc == ERR_OK && total >= STORE_TOKENS_MAX)
        return err_set(e, ERR_LIMIT, "an account has at most %d tokens; revoke some",
                       STORE_TOKENS_MAX);
    return rc;
}

static enum err_code insert(struct sqldb *db, const struct store_token_new *n,
                            struct store_token_made *made, struct err *e)
{
    char hash[HASH_HEX_SIZE];
    struct sqldb_stmt *q = NULL;
    bool more;
    enum err_code rc;

    hash_sha256_hex(str_of(made->value), hash);
    rc = sqldb_row(db, "token_insert",
                   SQLDB_ARGS(sqldb_i64(n->account), sqldb_text(n->name),
                              sqldb_text_c(store_token_scope_name(n->scope)), sqldb_text_c(hash),
                              sqldb_i64(n->expires_ms), sqldb_i64(clock_wall_ms())),
                   &q, e);
    if (rc == ERR_OK) {
        made->id = store_i64(q, "id");
        rc = sqldb_step(q, &more, e);
    }
    sqldb_end(q);
    return rc;
}

enum err_code store_token_create(struct store *s, const struct store_actor *who,
                                 const struct store_token_new *token, struct store_token_made *made,
                                 struct err *e)
{
    char object[32];
    struct sqldb *db;
    enum err_code rc;

    make_value(made->value);
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = keep_few(db, token->account, e);
    if (rc == ERR_OK)
        rc = insert(db, token, made, e);
    snprintf(object, sizeof(object), "token:%lld", (long long)made->id);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who,
                             (struct store_audit_entry){"token.create", object,
                                                        store_token_scope_name(token->scope)},
                             e);
    return store_end(s, rc, e);
}

/* --- reading --- */

static void read_token(struct sqldb_stmt *q, struct arena *a, struct store_token *out)
{
    struct err ignored;

    out->id = store_i64(q, "id");
    out->name = store_text(q, a, "name");
    if (store_token_scope_of(str_of(store_text(q, a, "scope")), &out->scope, &ignored) != ERR_OK)
        out->scope = STORE_TOKEN_METRICS; /* never: the table has a CHECK */
    out->expires_ms = store_ms(q, "expires_ms");
    out->last_used_ms = store_ms(q, "last_used_ms");
    out->created_ms = store_ms(q, "created_ms");
    out->last_address = store_text(q, a, "last_address");
    out->user = (struct store_user){
        .id = store_i64(q, "account_id"),
        .username = store_text(q, a, "username"),
        .email = store_text(q, a, "email"),
        .full_name = store_text(q, a, "full_name"),
        .role = store_text(q, a, "role"),
        .is_active = store_i64(q, "is_active") != 0,
        .last_login_ms = store_ms(q, "last_login_ms"),
    };
    out->user.sight = store_sight_read(q, a, out->user.role);
}

struct lookup {
    const char *statement;
    struct sqldb_value first, second;
};

static enum err_code find(struct store *s, struct arena *a, struct lookup by,
                          struct store_token *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), by.statement, SQLDB_ARGS(by.first, by.second),
                                 &q, e);

    if (rc == ERR_OK)
        read_token(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no such token");
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_token_find(struct store *s, struct arena *a, struct str value,
                               struct store_token *out, struct err *e)
{
    char hash[HASH_HEX_SIZE];

    if (!store_token_is_one(value))
        return err_set(e, ERR_NOT_FOUND, "this is not a whole token");
    hash_sha256_hex(value, hash);
    return find(s, a,
                (struct lookup){"token_by_hash", sqldb_text_c(hash), sqldb_i64(clock_wall_ms())},
                out, e);
}

enum err_code store_token_get(struct store *s, struct arena *a, struct store_token_choice which,
                              struct store_token *out, struct err *e)
{
    return find(s, a, (struct lookup){"token_by_id", sqldb_i64(which.id), sqldb_i64(which.account)},
                out, e);
}

static enum err_code count(struct sqldb *db, struct store_token_page *page, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "token_count", SQLDB_ARGS(sqldb_i64(page->account)), &q, e);

    if (rc == ERR_OK)
        page->total = store_i64(q, "total");
    sqldb_end(q);
    return rc;
}

enum err_code store_token_list(struct store *s, struct arena *a, struct store_token_page *page,
                               struct err *e)
{
    struct store_token *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb *db = store_read_begin(s);
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = count(db, page, e);

    page->count = 0;
    if (rc == ERR_OK)
        rc = sqldb_query(db, "token_list",
                         SQLDB_ARGS(sqldb_i64(page->account), sqldb_i64(page->after),
                                    sqldb_i64((int64_t)page->limit), sqldb_i64(page->offset)),
                         &q, e);
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_token(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

/* --- use and end --- */

enum err_code store_token_touch(struct store *s, const struct store_token *token,
                                const char *address, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct sqldb *db;
    enum err_code rc;

    if (now - token->last_used_ms < TOUCH_MS)
        return ERR_OK;
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "token_used",
                   SQLDB_ARGS(sqldb_i64(token->id), sqldb_i64(now), sqldb_text_c(address)), e);
    return store_end(s, rc, e);
}

enum err_code store_token_revoke(struct store *s, const struct store_actor *who,
                                 struct store_token_choice which, struct err *e)
{
    char object[32];
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    snprintf(object, sizeof(object), "token:%lld", (long long)which.id);
    rc = sqldb_run(
        db, "token_revoke",
        SQLDB_ARGS(sqldb_i64(which.id), sqldb_i64(which.account), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no such token");
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"token.revoke", object, ""}, e);
    return store_end(s, rc, e);
}
