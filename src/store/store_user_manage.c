/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_user_manage.c: what owners and admins do with the accounts of others.
 *
 * Each function reads the account inside the transaction that changes it, so that the checks (may
 * this power touch that role, is it the last owner) hold for what is written.
 */
#include <string.h>

#include "os/clock.h"
#include "store/store_audit.h"
#include "store/store_user.h"

enum err_code store_user_may_manage(enum store_user_power power, const char *role, struct err *e)
{
    if (power == STORE_USER_BY_OWNER || strcmp(role, "viewer") == 0 ||
        strcmp(role, "operator") == 0)
        return ERR_OK;
    return err_set(e, ERR_DENIED, "only an owner manages admins, owners and auditors");
}

/* --- one transaction --- */

struct work {
    struct store *store;
    const struct store_actor *who;
    const struct store_user_change *change;
    struct sqldb *db;
    struct arena arena;
    struct store_user user; /* as it was */
};

static enum err_code load(struct work *w, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(w->db, "account_by_id", SQLDB_ARGS(sqldb_i64(w->change->id)), &q,
                                 e);

    if (rc == ERR_OK)
        store_user_read(q, &w->arena, &w->user);
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no such user");
    if (rc == ERR_OK)
        rc = arena_check(&w->arena, e);
    return rc == ERR_OK ? store_user_may_manage(w->change->power, w->user.role, e) : rc;
}

static enum err_code begin(struct work *w, struct err *e)
{
    enum err_code rc = store_begin(w->store, &w->db, e);

    if (rc != ERR_OK)
        return rc;
    arena_init(&w->arena, "user", 65536);
    rc = load(w, e);
    if (rc != ERR_OK) {
        rc = store_end(w->store, rc, e);
        arena_fini(&w->arena);
    }
    return rc;
}

static enum err_code finish(struct work *w, enum err_code rc, struct store_audit_entry entry,
                            struct err *e)
{
    if (rc == ERR_OK)
        rc = arena_check(&w->arena, e);
    if (rc == ERR_OK)
        rc = store_audit_add(w->db, w->who, entry, e);
    rc = store_end(w->store, rc, e);
    arena_fini(&w->arena);
    return rc;
}

/* Somebody must be left who can do everything. */
static enum err_code keep_an_owner(struct work *w, struct err *e)
{
    int64_t accounts, owners;
    enum err_code rc;

    if (strcmp(w->user.role, "owner") != 0 || !w->user.is_active)
        return ERR_OK;
    rc = store_user_count_in(w->db, &accounts, &owners, e);
    if (rc == ERR_OK && owners <= 1)
        return err_set(e, ERR_CONFLICT, "this is the last active owner; make another one first");
    return rc;
}

static enum err_code end_sessions(struct work *w, struct err *e)
{
    return sqldb_run(w->db, "session_end_all",
                     SQLDB_ARGS(sqldb_i64(w->user.id), sqldb_i64(clock_wall_ms())), e);
}

/* --- changes --- */

static bool will_be_active(const struct work *w)
{
    return w->change->active == STORE_USER_AS_IT_IS ? w->user.is_active
                                                    : w->change->active == STORE_USER_ACTIVE;
}

static const char *new_role(const struct work *w)
{
    return w->change->role != NULL ? w->change->role : w->user.role;
}

/* NULL = all. */
static const char *new_groups(const struct work *w)
{
    if (w->change->sets_groups)
        return w->change->groups;
    return w->user.sight.groups; /* also an owner's, who sees all all the same */
}

static bool has_other_groups(const struct work *w)
{
    const char *was = w->user.sight.groups, *is = new_groups(w);

    return was == NULL || is == NULL ? was != is : strcmp(was, is) != 0;
}

static enum err_code write_update(struct work *w, struct err *e)
{
    const struct store_user_change *c = w->change;

    return sqldb_run(
        w->db, "account_update",
        SQLDB_ARGS(sqldb_i64(c->id), sqldb_text_c(c->email != NULL ? c->email : w->user.email),
                   sqldb_text_c(c->full_name != NULL ? c->full_name : w->user.full_name),
                   sqldb_text_c(new_role(w)), sqldb_i64(will_be_active(w)),
                   sqldb_i64(clock_wall_ms()),
                   new_groups(w) != NULL ? sqldb_text_c(new_groups(w)) : sqldb_null()),
        e);
}

static const char *describe_update(struct work *w)
{
    const struct store_user_change *c = w->change;
    bool role = strcmp(new_role(w), w->user.role) != 0;
    bool active = will_be_active(w) != w->user.is_active;
    const char *text = arena_printf(&w->arena, "%s%s%s%s%s%s%s%s", role ? "role " : "",
                                    role ? w->user.role : "", role ? " to " : "",
                                    role ? new_role(w) : "", role && active ? ", " : "",
                                    !active             ? ""
                                    : will_be_active(w) ? "active"
                                                        : "not active",
                                    (role || active) && (c->email || c->full_name) ? ", " : "",
                                    c->email || c->full_name ? "name or mail address" : "");

    if (text != NULL && has_other_groups(w))
        text = arena_printf(&w->arena, "%s%sgroups %s to %s", text, text[0] != '\0' ? ", " : "",
                            w->user.sight.groups != NULL ? w->user.sight.groups : "all",
                            new_groups(w) != NULL ? new_groups(w) : "all");
    return text != NULL ? text : "";
}

enum err_code store_user_update(struct store *s, const struct store_actor *who,
                                const struct store_user_change *change, struct err *e)
{
    struct work w = {.store = s, .who = who, .change = change};
    enum err_code rc = begin(&w, e);
    bool demoted, retired;

    if (rc != ERR_OK)
        return rc;
    demoted = strcmp(new_role(&w), w.user.role) != 0;
    retired = w.user.is_active && !will_be_active(&w);
    rc = store_user_may_manage(change->power, new_role(&w), e);
    if (rc == ERR_OK)
        rc = store_user_check_groups(new_role(&w), new_groups(&w), e);
    if (rc == ERR_OK && (demoted || retired))
        rc = keep_an_owner(&w, e);
    if (rc == ERR_OK)
        rc = write_update(&w, e);
    if (rc == ERR_OK && (demoted || retired))
        rc = end_sessions(&w, e);
    return finish(
        &w, rc, (struct store_audit_entry){"user.update", w.user.username, describe_update(&w)}, e);
}

enum err_code store_user_delete(struct store *s, const struct store_actor *who,
                                const struct store_user_change *change, struct err *e)
{
    struct work w = {.store = s, .who = who, .change = change};
    enum err_code rc = begin(&w, e);

    if (rc != ERR_OK)
        return rc;
    rc = keep_an_owner(&w, e);
    if (rc == ERR_OK)
        rc = sqldb_run(w.db, "account_delete", SQLDB_ARGS(sqldb_i64(change->id)), e);
    return finish(&w, rc, (struct store_audit_entry){"user.delete", w.user.username, w.user.role},
                  e);
}

enum err_code store_user_reset_password(struct store *s, const struct store_actor *who,
                                        const struct store_user_change *change,
                                        const char *password_hash, struct err *e)
{
    struct work w = {.store = s, .who = who, .change = change};
    enum err_code rc = begin(&w, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(
        w.db, "account_password",
        SQLDB_ARGS(sqldb_i64(change->id), sqldb_text_c(password_hash), sqldb_i64(clock_wall_ms())),
        e);
    if (rc == ERR_OK)
        rc = end_sessions(&w, e);
    if (rc == ERR_OK)
        rc = sqldb_run(w.db, "token_revoke_all",
                       SQLDB_ARGS(sqldb_i64(change->id), sqldb_i64(clock_wall_ms())), e);
    return finish(&w, rc, (struct store_audit_entry){"user.reset_password", w.user.username, ""},
                  e);
}
