/* SPDX-License-Identifier: PostgreSQL */
/* store_user.c: accounts. The back-off is in store_login.c. */
#include "store/store_user.h"

#include <string.h>

#include "os/clock.h"
#include "store/store_audit.h"

static enum err_code fold(struct arena *a, struct str name, const char **out, struct err *e)
{
    char *copy;

    if (name.len == 0 || name.len > STORE_USER_NAME_MAX)
        return err_set(e, ERR_INVALID, "a user name has 1 to %d bytes", STORE_USER_NAME_MAX);
    copy = arena_cstr(a, name);
    if (copy == NULL)
        return arena_fail(a, e);
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)copy[i];

        if (c <= ' ' || c == 0x7f || c == '|')
            return err_set(e, ERR_INVALID, "a user name has no blanks or control characters");
        if (c >= 'A' && c <= 'Z')
            copy[i] = (char)(c | 0x20);
    }
    *out = copy;
    return ERR_OK;
}

void store_user_read(struct sqldb_stmt *q, struct arena *a, struct store_user *out)
{
    out->id = store_i64(q, "id");
    out->username = store_text(q, a, "username");
    out->email = store_text(q, a, "email");
    out->full_name = store_text(q, a, "full_name");
    out->role = store_text(q, a, "role");
    out->sight = store_sight_read(q, a, out->role);
    out->password_hash = store_text(q, a, "password_hash");
    out->is_active = store_i64(q, "is_active") != 0;
    out->last_login_ms = store_ms(q, "last_login_ms");
    out->totp = store_i64(q, "totp") != 0 ? STORE_USER_TOTP_ON : STORE_USER_TOTP_OFF;
}

enum err_code store_user_count_in(struct sqldb *db, int64_t *accounts, int64_t *owners,
                                  struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "account_count", SQLDB_NO_ARGS, &q, e);

    if (rc == ERR_OK) {
        *accounts = store_i64(q, "accounts");
        *owners = store_i64(q, "owners");
    }
    sqldb_end(q);
    return rc;
}

enum err_code store_user_count(struct store *s, int64_t *accounts, int64_t *owners, struct err *e)
{
    enum err_code rc = store_user_count_in(store_read_begin(s), accounts, owners, e);

    store_read_end(s);
    return rc;
}

enum err_code store_user_check_groups(const char *role, const char *groups, struct err *e)
{
    if (groups == NULL || (strcmp(role, "owner") != 0 && strcmp(role, "auditor") != 0))
        return ERR_OK;
    return err_set(e, ERR_INVALID, "groups: an %s is not limited to groups; give null", role);
}

/* For the audit: whether it is limited. */
static const char *describe(struct arena *a, const struct store_user_new *user)
{
    if (user->groups == NULL)
        return user->role;
    return arena_printf(a, "%s, groups %s", user->role, user->groups);
}

static enum err_code insert(struct sqldb *db, const struct store_user_new *user, const char *folded,
                            int64_t *id, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_row(
        db, "account_insert",
        SQLDB_ARGS(sqldb_text(user->username), sqldb_text_c(folded), sqldb_text(user->email),
                   sqldb_text(user->full_name), sqldb_text_c(user->role),
                   sqldb_text_c(user->password_hash), sqldb_i64(clock_wall_ms()),
                   user->groups != NULL ? sqldb_text_c(user->groups) : sqldb_null()),
        &q, e);

    if (rc == ERR_OK) {
        *id = store_i64(q, "id");
        rc = sqldb_step(q, &more, e);
    }
    sqldb_end(q);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "this user name is taken");
    return rc;
}

enum err_code store_user_create(struct store *s, const struct store_actor *who,
                                const struct store_user_new *user, int64_t *id, struct err *e)
{
    int64_t accounts = 0, owners = 0;
    const char *folded;
    struct sqldb *db;
    struct arena a;
    enum err_code rc;

    arena_init(&a, "user", 16384);
    rc = fold(&a, user->username, &folded, e);
    if (rc == ERR_OK)
        rc = store_user_check_groups(user->role, user->groups, e);
    if (rc == ERR_OK)
        rc = store_begin(s, &db, e);
    if (rc != ERR_OK)
        goto out;
    if (user->must_be_first)
        rc = store_user_count_in(db, &accounts, &owners, e);
    if (rc == ERR_OK && accounts > 0)
        rc = err_set(e, ERR_CONFLICT, "the first owner exists already");
    if (rc == ERR_OK)
        rc = insert(db, user, folded, id, e);
    if (rc == ERR_OK)
        rc = store_audit_add(
            db, who, (struct store_audit_entry){"user.create", folded, describe(&a, user)}, e);
    rc = store_end(s, rc, e);
out:
    arena_fini(&a);
    return rc;
}

struct lookup {
    const char *statement;
    struct sqldb_value key;
};

static enum err_code find(struct store *s, struct arena *a, struct lookup by,
                          struct store_user *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), by.statement, SQLDB_ARGS(by.key), &q, e);

    if (rc == ERR_OK)
        store_user_read(q, a, out);
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_user_by_name(struct store *s, struct arena *a, struct str username,
                                 struct store_user *out, struct err *e)
{
    const char *folded;

    if (fold(a, username, &folded, e) != ERR_OK)
        return err_set(e, ERR_NOT_FOUND, "no such user");
    return find(s, a, (struct lookup){"account_by_name", sqldb_text_c(folded)}, out, e);
}

enum err_code store_user_by_id(struct store *s, struct arena *a, int64_t id, struct store_user *out,
                               struct err *e)
{
    return find(s, a, (struct lookup){"account_by_id", sqldb_i64(id)}, out, e);
}

enum err_code store_user_list(struct store *s, struct arena *a, struct store_user_page *page,
                              struct err *e)
{
    struct store_user *rows = arena_array(a, page->limit + 1, sizeof(*rows));
    struct sqldb_stmt *q = NULL;
    bool more = rows != NULL;
    enum err_code rc = sqldb_query(store_read_begin(s), "account_list",
                                   SQLDB_ARGS(sqldb_i64(page->after),
                                              sqldb_i64((int64_t)page->limit),
                                              sqldb_i64(page->offset)),
                                   &q, e);

    page->count = 0;
    while (rc == ERR_OK && more && page->count < page->limit) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            store_user_read(q, a, &rows[page->count++]);
    }
    sqldb_end(q);
    store_read_end(s);
    page->rows = rows;
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code store_user_rehash(struct store *s, int64_t id, const char *password_hash,
                                struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(
        db, "account_password",
        SQLDB_ARGS(sqldb_i64(id), sqldb_text_c(password_hash), sqldb_i64(clock_wall_ms())), e);
    return store_end(s, rc, e);
}

enum err_code store_user_set_password(struct store *s, const struct store_actor *who, int64_t id,
                                      const char *password_hash, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct sqldb *db;
    enum err_code rc = store_begin(s, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "account_password",
                   SQLDB_ARGS(sqldb_i64(id), sqldb_text_c(password_hash), sqldb_i64(now)), e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "session_end_all", SQLDB_ARGS(sqldb_i64(id), sqldb_i64(now)), e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"user.password", who->name, ""},
                             e);
    return store_end(s, rc, e);
}
