/* SPDX-License-Identifier: PostgreSQL */
/* store_secret.c: see the header. */
#include "store/store_secret.h"

#include <stdio.h>

#include "os/clock.h"
#include "os/net_address.h"
#include "store/store_audit.h"
#include "tls/crypto.h"
#include "tls/hash.h"

#define DETAIL_SIZE (STORE_GROUP_MAX + 8)

/* --- where from --- */

enum err_code store_secret_check_ranges(struct str ranges, struct err *e)
{
    struct str rest = ranges;
    struct net_range range;
    size_t count = 0;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && rest.len > 0) {
        rc = net_range_parse(str_trim(str_split(&rest, ',')), &range, e);
        if (++count > STORE_SECRET_RANGES_MAX)
            return err_set(e, ERR_INVALID, "at most %d ranges", STORE_SECRET_RANGES_MAX);
    }
    return rc;
}

bool store_secret_allows(struct str ranges, const char *address)
{
    struct net_address from, carried;
    struct net_range range;
    struct str rest = ranges;

    if (ranges.len == 0)
        return true;
    if (net_address_parse(str_of(address), &from, NULL) != ERR_OK)
        return false;
    if (!net_address_carried(&from, &carried))
        carried = from;
    while (rest.len > 0) {
        if (net_range_parse(str_trim(str_split(&rest, ',')), &range, NULL) == ERR_OK &&
            (net_range_has(&range, &from) || net_range_has(&range, &carried)))
            return true;
    }
    return false;
}

/* --- making --- */

static struct sqldb_value group_value(struct str group, const char *fallback)
{
    return group.len > 0 ? sqldb_text(group) : sqldb_text_c(fallback);
}

/* For the audit. */
static void describe(struct str group, char out[DETAIL_SIZE])
{
    snprintf(out, DETAIL_SIZE, "%s%.*s", group.len > 0 ? "group " : "", (int)group.len,
             group.len > 0 ? group.ptr : "");
}

static const char *approval_or_auto(struct str approval)
{
    return str_eq_c(approval, "manual") ? "manual" : "auto";
}

/* The value names its row, so that people can tell which secret a text is. */
static enum err_code name_value(struct sqldb *db, const char *token, struct store_secret_made *made,
                                struct err *e)
{
    char hash[HASH_HEX_SIZE];

    snprintf(made->value, STORE_SECRET_SIZE, "pgar_%lld_%s", (long long)made->id, token);
    hash_sha256_hex(str_of(made->value), hash);
    return sqldb_run(db, "secret_hash", SQLDB_ARGS(sqldb_i64(made->id), sqldb_text_c(hash)), e);
}

static enum err_code insert(struct sqldb *db, const struct store_actor *who,
                            const struct store_secret_new *secret, struct store_secret_made *made,
                            struct err *e)
{
    int64_t now = clock_wall_ms();
    char token[CRYPTO_TOKEN_SIZE], hash[HASH_HEX_SIZE];
    struct sqldb_stmt *q = NULL;
    bool more;
    enum err_code rc;

    crypto_random_token(token);
    hash_sha256_hex(str_of(token), hash); /* until the row has its number */
    rc = sqldb_row(db, "secret_insert",
                   SQLDB_ARGS(sqldb_text(secret->name), sqldb_text_c(hash),
                              sqldb_i64(secret->max_registrations),
                              sqldb_i64(now + secret->expires_in_ms), sqldb_text_c(who->name),
                              sqldb_i64(now), sqldb_text(secret->allowed),
                              sqldb_text_c(approval_or_auto(secret->approval)),
                              group_value(secret->group, STORE_GROUP_DEFAULT)),
                   &q, e);
    if (rc == ERR_OK) {
        made->id = store_i64(q, "id");
        rc = sqldb_step(q, &more, e);
    }
    sqldb_end(q);
    if (rc == ERR_OK)
        rc = name_value(db, token, made, e);
    crypto_wipe(token, sizeof(token));
    return rc;
}

enum err_code store_secret_create(struct store *s, const struct store_actor *who,
                                  const struct store_secret_new *secret,
                                  struct store_secret_made *made, struct err *e)
{
    char object[32], detail[DETAIL_SIZE];
    struct sqldb *db;
    enum err_code rc = store_secret_check_ranges(secret->allowed, e);

    if (rc == ERR_OK && secret->group.len > 0)
        rc = store_group_check(secret->group, e);

    if (rc == ERR_OK)
        rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    describe(secret->group, detail);
    rc = insert(db, who, secret, made, e);
    snprintf(object, sizeof(object), "secret:%lld", (long long)made->id);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"secret.create", object, detail},
                             e);
    return store_end(s, rc, e);
}

/* --- reading and changing --- */

static void read_secret(struct sqldb_stmt *q, struct arena *a, struct store_secret *out)
{
    out->id = store_i64(q, "id");
    out->name = store_text(q, a, "name");
    out->max_registrations = store_i64(q, "max_registrations");
    out->total_registrations = store_i64(q, "total_registrations");
    out->expires_ms = store_ms(q, "expires_ms");
    out->last_used_ms = store_ms(q, "last_used_ms");
    out->created_ms = store_ms(q, "created_ms");
    out->allowed = store_text(q, a, "allowed");
    out->approval = store_text(q, a, "approval");
    out->group = store_text(q, a, "group_name");
}

enum err_code store_secret_get(struct store *s, struct arena *a, int64_t id,
                               struct store_secret *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), "secret_by_id", SQLDB_ARGS(sqldb_i64(id)), &q,
                                 e);

    if (rc == ERR_OK)
        read_secret(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_secret_list(struct store *s, struct arena *a, struct store_secret_page *page,
                                struct err *e)
{
    struct store_secret *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "secret_list",
        SQLDB_ARGS(sqldb_i64(page->after), sqldb_i64((int64_t)page->limit), sqldb_i64(page->offset),
                   store_sight_value(&page->sight)),
        &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_secret(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

static enum err_code write_change(struct sqldb *db, struct arena *a,
                                  const struct store_secret_change *c, struct err *e)
{
    struct store_secret old;
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "secret_by_id", SQLDB_ARGS(sqldb_i64(c->id)), &q, e);

    if (rc == ERR_OK)
        read_secret(q, a, &old);
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "no such registration secret");
    if (rc == ERR_OK)
        rc = arena_check(a, e);
    if (rc != ERR_OK)
        return rc;
    return sqldb_run(
        db, "secret_update",
        SQLDB_ARGS(
            sqldb_i64(c->id), c->name.len > 0 ? sqldb_text(c->name) : sqldb_text_c(old.name),
            sqldb_i64(c->max_registrations > 0 ? c->max_registrations : old.max_registrations),
            sqldb_i64(c->expires_ms > 0 ? c->expires_ms : old.expires_ms),
            c->allowed.ptr ? sqldb_text(c->allowed) : sqldb_text_c(old.allowed),
            sqldb_text_c(c->approval.len > 0 ? approval_or_auto(c->approval) : old.approval),
            group_value(c->group, old.group)),
        e);
}

enum err_code store_secret_update(struct store *s, const struct store_actor *who,
                                  const struct store_secret_change *change, struct err *e)
{
    char object[32], detail[DETAIL_SIZE];
    struct arena a;
    struct sqldb *db;
    enum err_code rc = store_secret_check_ranges(change->allowed, e);

    if (rc == ERR_OK && change->group.len > 0)
        rc = store_group_check(change->group, e);

    if (rc == ERR_OK)
        rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "secret", 8192);
    snprintf(object, sizeof(object), "secret:%lld", (long long)change->id);
    describe(change->group, detail);
    rc = write_change(db, &a, change, e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"secret.update", object, detail},
                             e);
    rc = store_end(s, rc, e);
    arena_fini(&a);
    return rc;
}

enum err_code store_secret_revoke(struct store *s, const struct store_actor *who, int64_t id,
                                  struct err *e)
{
    char object[32];
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    snprintf(object, sizeof(object), "secret:%lld", (long long)id);
    rc = sqldb_run(db, "secret_revoke", SQLDB_ARGS(sqldb_i64(id), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "no such registration secret");
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"secret.revoke", object, ""}, e);
    return store_end(s, rc, e);
}
