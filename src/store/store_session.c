/* SPDX-License-Identifier: PostgreSQL */
/* store_session.c: see the header. */
#include "store/store_session.h"

#include <stdio.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_audit.h"
#include "tls/hash.h"

#define TOUCH_MS       60000
#define PURGE_MS       (24 * 3600 * (int64_t)1000)
#define TOKEN_PURGE_MS (30 * PURGE_MS) /* an expired token may be looked at for a while */

/* What may be kept of it: text of a bounded length. */
static struct str agent_of(struct str agent)
{
    if (agent.len > STORE_SESSION_AGENT_MAX)
        agent.len = STORE_SESSION_AGENT_MAX;
    return str_is_utf8(agent) && agent.len > 0 ? agent : STR("");
}

static enum err_code insert(struct sqldb *db, const struct store_actor *who,
                            const struct store_user *user, const struct store_session_new *n,
                            struct err *e)
{
    char token[HASH_HEX_SIZE], refresh[HASH_HEX_SIZE];

    hash_sha256_hex(str_of(n->token), token);
    hash_sha256_hex(str_of(n->refresh), refresh);
    return sqldb_run(db, "session_insert",
                     SQLDB_ARGS(sqldb_text_c(n->id), sqldb_i64(user->id), sqldb_text_c(token),
                                sqldb_text_c(refresh), sqldb_text_c(who->address),
                                sqldb_i64(clock_wall_ms()), sqldb_text(agent_of(n->agent))),
                     e);
}

static enum err_code note_login(struct sqldb *db, const struct store_actor *who,
                                const struct store_user *user, const char *from, struct err *e)
{
    const struct store_login at = {str_of(user->username), from};
    struct arena a;
    enum err_code rc;

    arena_init(&a, "login", 4096);
    rc = sqldb_run(db, "account_logged_in",
                   SQLDB_ARGS(sqldb_i64(user->id), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "login_failure_delete",
                       SQLDB_ARGS(sqldb_text_c(store_user_login_name(&a, &at))), e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"login", user->username, ""}, e);
    arena_fini(&a);
    return rc;
}

enum err_code store_session_create(struct store *s, const struct store_actor *who,
                                   const struct store_user *user, struct store_session_new *out,
                                   struct err *e)
{
    unsigned char id[(STORE_SESSION_ID_SIZE - 1) / 2];
    struct sqldb *db;
    enum err_code rc;

    entropy_fill(id, sizeof(id));
    text_hex(id, sizeof(id), out->id);
    crypto_random_token(out->token);
    crypto_random_token(out->refresh);
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = insert(db, who, user, out, e);
    if (rc == ERR_OK)
        rc = note_login(db, who, user, out->from, e);
    return store_end(s, rc, e);
}

static void read_session(struct sqldb_stmt *q, struct arena *a, struct store_session *out)
{
    out->id = store_text(q, a, "id");
    out->address = store_text(q, a, "address");
    out->agent = store_text(q, a, "agent");
    out->verified_ms = store_ms(q, "verified_ms");
    out->created_ms = store_ms(q, "created_ms");
    out->used_ms = store_ms(q, "used_ms");
    out->user.id = store_i64(q, "account_id");
    out->user.username = store_text(q, a, "username");
    out->user.email = store_text(q, a, "email");
    out->user.full_name = store_text(q, a, "full_name");
    out->user.role = store_text(q, a, "role");
    out->user.sight = store_sight_read(q, a, out->user.role);
    out->user.password_hash = NULL;
    out->user.is_active = store_i64(q, "is_active") != 0;
    out->user.last_login_ms = store_ms(q, "last_login_ms");
    out->user.totp = store_i64(q, "totp") != 0 ? STORE_USER_TOTP_ON : STORE_USER_TOTP_OFF;
}

static bool is_alive(struct sqldb_stmt *q, const struct store_session *session)
{
    int64_t now = clock_wall_ms();

    return sqldb_is_null(q, sqldb_column(q, "ended_ms")) && session->user.is_active &&
           now - session->used_ms < STORE_SESSION_IDLE_MS &&
           now - session->created_ms < STORE_SESSION_LIFE_MS;
}

enum err_code store_session_find(struct store *s, struct arena *a, struct store_session_key key,
                                 struct store_session *out, struct err *e)
{
    static const char *const statements[] = {"session_by_id", "session_by_token",
                                             "session_by_refresh"};
    char hash[HASH_HEX_SIZE];
    struct sqldb_value value = sqldb_text(key.text);
    struct sqldb_stmt *q = NULL;
    enum err_code rc;

    if (key.by != STORE_SESSION_BY_ID) {
        hash_sha256_hex(key.text, hash);
        value = sqldb_text_c(hash);
    }
    rc = sqldb_row(store_read_begin(s), statements[key.by], SQLDB_ARGS(value), &q, e);
    if (rc == ERR_OK) {
        read_session(q, a, out);
        if (!is_alive(q, out))
            rc = err_set(e, ERR_NOT_FOUND, "the session has ended");
    }
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_session_touch(struct store *s, const struct store_session *session,
                                  struct err *e)
{
    int64_t now = clock_wall_ms();
    struct sqldb *db;
    enum err_code rc;

    if (now - session->used_ms < TOUCH_MS)
        return ERR_OK;
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "session_used", SQLDB_ARGS(sqldb_text_c(session->id), sqldb_i64(now)), e);
    return store_end(s, rc, e);
}

/* --- refresh tokens --- */

static enum err_code exchange(struct sqldb *db, const struct store_session_renewal *r,
                              struct err *e)
{
    char hash[HASH_HEX_SIZE], old[HASH_HEX_SIZE];
    int64_t now = clock_wall_ms();
    enum err_code rc;

    hash_sha256_hex(str_of(r->refresh), hash);
    hash_sha256_hex(r->old, old);
    rc = sqldb_run(
        db, "session_refresh",
        SQLDB_ARGS(sqldb_text_c(r->id), sqldb_text_c(hash), sqldb_i64(now), sqldb_text_c(old)), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        return err_set(e, ERR_NOT_FOUND, "this refresh token was used up");
    if (rc == ERR_OK)
        rc = sqldb_run(db, "session_refresh_add",
                       SQLDB_ARGS(sqldb_text_c(old), sqldb_text_c(r->id), sqldb_i64(now)), e);
    return rc;
}

static enum err_code count_refreshes(struct sqldb *db, const char *id, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    int64_t total = 0;
    enum err_code rc = sqldb_row(db, "session_refresh_count", SQLDB_ARGS(sqldb_text_c(id)), &q, e);

    if (rc == ERR_OK)
        total = store_i64(q, "total");
    sqldb_end(q);
    if (rc == ERR_OK && total >= STORE_SESSION_REFRESHES)
        return err_set(e, ERR_LIMIT, "this session was renewed too often");
    return rc;
}

enum err_code store_session_refresh(struct store *s, const struct store_actor *who,
                                    struct store_session_renewal *r, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    crypto_random_token(r->refresh);
    rc = count_refreshes(db, r->id, e);
    if (rc == ERR_OK)
        rc = exchange(db, r, e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"session.refresh", r->id, ""}, e);
    return store_end(s, rc, e);
}

struct used {
    const char *id, *user;
};

/* The living session that used this token up; in `a`. ERR_NOT_FOUND: there is none. */
static enum err_code find_used(struct sqldb *db, struct arena *a, struct str refresh,
                               struct used *out, struct err *e)
{
    char hash[HASH_HEX_SIZE];
    struct sqldb_stmt *q = NULL;
    enum err_code rc;

    hash_sha256_hex(refresh, hash);
    rc = sqldb_row(db, "session_refresh_find", SQLDB_ARGS(sqldb_text_c(hash)), &q, e);
    if (rc == ERR_OK)
        *out = (struct used){store_text(q, a, "id"), store_text(q, a, "username")};
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_session_reused(struct store *s, const struct store_actor *who,
                                   struct str refresh, bool *ended, struct err *e)
{
    struct used at = {"", ""};
    struct arena a;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    *ended = false;
    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "refresh", 4096);
    rc = find_used(db, &a, refresh, &at, e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "session_end",
                       SQLDB_ARGS(sqldb_text_c(at.id), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"session.reused", at.id, at.user},
                             e);
    *ended = rc == ERR_OK;
    rc = store_end(s, rc == ERR_NOT_FOUND ? ERR_OK : rc, e);
    arena_fini(&a);
    return rc;
}

/* --- ends --- */

enum err_code store_session_verified(struct store *s, const struct store_actor *who, const char *id,
                                     const struct store_login *at, struct err *e)
{
    struct arena a;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "login", 4096);
    rc = sqldb_run(db, "session_verified", SQLDB_ARGS(sqldb_text_c(id), sqldb_i64(clock_wall_ms())),
                   e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "login_failure_delete",
                       SQLDB_ARGS(sqldb_text_c(store_user_login_name(&a, at))), e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"session.confirm", id, ""}, e);
    rc = store_end(s, rc, e);
    arena_fini(&a);
    return rc;
}

enum err_code store_session_end(struct store *s, const struct store_actor *who, const char *id,
                                struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "session_end", SQLDB_ARGS(sqldb_text_c(id), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"logout", id, ""}, e);
    return store_end(s, rc, e);
}

enum err_code store_session_list(struct store *s, struct arena *a, struct store_session_list *list,
                                 struct err *e)
{
    struct store_session *rows = arena_array(a, list->limit + 1, sizeof(*rows));
    int64_t now = clock_wall_ms();
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(
        store_read_begin(s), "session_list",
        SQLDB_ARGS(sqldb_i64(list->account), sqldb_i64(now - STORE_SESSION_IDLE_MS),
                   sqldb_i64(now - STORE_SESSION_LIFE_MS), sqldb_i64((int64_t)list->limit)),
        &q, e);

    list->count = 0;
    while (rc == ERR_OK && more && list->count < list->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            read_session(q, a, &rows[list->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    list->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_session_revoke(struct store *s, const struct store_actor *who,
                                   struct store_session_choice which, struct err *e)
{
    char object[STORE_SESSION_ID_SIZE];
    struct sqldb *db;
    enum err_code rc;

    if (which.id.len != STORE_SESSION_ID_SIZE - 1)
        return err_set(e, ERR_NOT_FOUND, "there is no such session");
    snprintf(object, sizeof(object), "%.*s", STR_ARG(which.id));
    rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(
        db, "session_revoke",
        SQLDB_ARGS(sqldb_text(which.id), sqldb_i64(which.account), sqldb_i64(clock_wall_ms())), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no such session");
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"session.revoke", object, ""}, e);
    return store_end(s, rc, e);
}

enum err_code store_session_purge(struct store *s, struct err *e)
{
    int64_t before = clock_wall_ms() - PURGE_MS;
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "session_purge", SQLDB_ARGS(sqldb_i64(before)), e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "login_failure_purge", SQLDB_ARGS(sqldb_i64(before)), e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "token_purge", SQLDB_ARGS(sqldb_i64(clock_wall_ms() - TOKEN_PURGE_MS)),
                       e);
    return store_end(s, rc, e);
}
