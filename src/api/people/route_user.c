/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_user.c: accounts of people, managed by admins and owners.
 *
 * The route table asks for an admin; which roles an admin may touch is decided with the account in
 * hand (store_user_manage.c). One's own password is changed under /auth, where the old one is asked
 * for.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_sight.h"
#include "api/people/api_session.h"
#include "base/limits.h"
#include "store/store_user.h"
#include "tls/password.h"

#define ROLES "viewer, operator, admin, owner or auditor; user is an old name of operator"

static enum store_user_power power_of(const struct api_call *call)
{
    return call->who.role == ROUTE_OWNER ? STORE_USER_BY_OWNER : STORE_USER_BY_ADMIN;
}

/* *role: NULL when absent. */
static enum err_code read_role(struct api_call *call, size_t min, const char **role, struct err *e)
{
    struct str text;
    enum err_code rc = api_member_text(call, "role", (struct api_length){min, 16}, &text, e);

    *role = NULL;
    if (rc != ERR_OK || text.ptr == NULL || text.len == 0)
        return rc;
    if (str_eq_c(text, "user"))
        text = STR("operator");
    *role = arena_cstr(call->arena, text);
    if (*role == NULL)
        return arena_check(call->arena, e);
    if (api_role_of(*role) == ROUTE_ANYONE)
        return err_set(e, ERR_INVALID, "role: not " ROLES);
    return ERR_OK;
}

static enum err_code busy(struct api_call *call)
{
    api_retry_after(call, 1);
    return api_problem(call, 429, "too many passwords are being set; try again");
}

static enum err_code answer(struct api_call *call, int status, int64_t id, struct err *e)
{
    struct store_user user;
    enum err_code rc = store_user_by_id(call->api->config.store, call->arena, id, &user, e);

    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no such user");
    if (rc == ERR_OK)
        api_session_put_user(api_json(call, status), &user);
    return rc;
}

/* --- list and get --- */

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_user_page list = {0};
    struct api_page page;
    int64_t total, owners;
    char next[24] = "";
    enum err_code rc = api_page_by_id(call, &page, &list.after, e);

    if (rc == ERR_OK)
        rc = store_user_count(store, &total, &owners, e);
    if (rc == ERR_OK) {
        list.limit = page.limit;
        list.offset = page.offset;
        rc = store_user_list(store, call->arena, &list, e);
    }
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        api_session_put_user(&call->out, &list.rows[i]);
    if (list.count > 0)
        snprintf(next, sizeof(next), "%lld", (long long)list.rows[list.count - 1].id);
    api_list_end(call, &page, list.count, list.count == page.limit ? next : NULL, total);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE_NUMBER,
    NULL,
};

const struct route route_user_list = {
    .method = "GET",
    .path = "/api/v1/users",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List the accounts of people.",
    .answer = ROUTE_LIST("User"),
};

static enum err_code get(struct api_call *call, struct err *e)
{
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    return rc == ERR_OK ? answer(call, 200, id, e) : rc;
}

const struct route route_user_get = {
    .method = "GET",
    .path = "/api/v1/users/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One account.",
    .answer = "User",
};

/* --- create --- */

static enum err_code read_new(struct api_call *call, struct store_user_new *n, struct str *password,
                              struct err *e)
{
    bool given;
    enum err_code rc = api_member_text(
        call, "username", (struct api_length){1, STORE_USER_NAME_MAX}, &n->username, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "password", (struct api_length){1, 1024}, password, e);
    if (rc == ERR_OK)
        rc = read_role(call, 1, &n->role, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "email", (struct api_length){0, 254}, &n->email, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "full_name", (struct api_length){0, 200}, &n->full_name, e);
    if (rc == ERR_OK)
        rc = api_sight_groups(call, &given, &n->groups, e);
    if (rc == ERR_OK)
        rc = password_check_new(*password, e);
    return rc == ERR_OK ? store_user_may_manage(power_of(call), n->role, e) : rc;
}

static enum err_code create(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_user_new n = {0};
    char hash[PASSWORD_HASH_SIZE];
    struct str password;
    int64_t id;
    enum err_code rc = read_new(call, &n, &password, e);

    if (rc != ERR_OK)
        return rc;
    rc = password_hash(password, hash, e);
    if (rc == ERR_LIMIT)
        return busy(call);
    n.password_hash = hash;
    if (rc == ERR_OK)
        rc = store_user_create(call->api->config.store, &who, &n, &id, e);
    return rc == ERR_OK ? answer(call, 201, id, e) : rc;
}

static const char *const create_members[] = {
    "username text!: name of the account",
    "password text!: 12 to 128 bytes",
    ("role text!: " ROLES),
    "email text: mail address",
    "full_name text: full name",
    (API_SIGHT_MEMBERS "null or left out: all"),
    NULL,
};

const struct route route_user_create = {
    .method = "POST",
    .path = "/api/v1/users",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = create_members,
    .step_up = true,
    .handle = create,
    .summary = "Make an account: an admin makes viewers and operators, an owner makes all.",
    .status = 201,
    .answer = "User",
    .also = "409 429",
};

/* --- update --- */

/* *out: NULL when absent. */
static enum err_code read_optional(struct api_call *call, const char *name, size_t max,
                                   const char **out, struct err *e)
{
    struct str text;
    enum err_code rc = api_member_text(call, name, (struct api_length){0, max}, &text, e);

    *out = rc == ERR_OK && text.ptr != NULL ? arena_cstr(call->arena, text) : NULL;
    return rc;
}

static enum err_code read_active(struct api_call *call, enum store_user_active *out, struct err *e)
{
    const struct json *n = json_get(call->body, "is_active");

    *out = STORE_USER_AS_IT_IS;
    if (json_type(n) == JSON_ABSENT || json_type(n) == JSON_NULL)
        return ERR_OK;
    if (json_type(n) != JSON_BOOL)
        return err_set(e, ERR_INVALID, "is_active: not true or false");
    *out = json_bool(n, false) ? STORE_USER_ACTIVE : STORE_USER_INACTIVE;
    return ERR_OK;
}

static enum err_code update(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_user_change change = {.power = power_of(call)};
    enum err_code rc = api_param_id(call, 0, &change.id, e);

    if (rc == ERR_OK)
        rc = read_role(call, 0, &change.role, e);
    if (rc == ERR_OK)
        rc = read_optional(call, "email", 254, &change.email, e);
    if (rc == ERR_OK)
        rc = read_optional(call, "full_name", 200, &change.full_name, e);
    if (rc == ERR_OK)
        rc = read_active(call, &change.active, e);
    if (rc == ERR_OK)
        rc = api_sight_groups(call, &change.sets_groups, &change.groups, e);
    if (rc == ERR_OK)
        rc = arena_check(call->arena, e);
    if (rc == ERR_OK)
        rc = store_user_update(call->api->config.store, &who, &change, e);
    return rc == ERR_OK ? answer(call, 200, change.id, e) : rc;
}

static const char *const update_members[] = {
    ("role text: " ROLES),           "email text: mail address",
    "full_name text: full name",     "is_active bool: false: cannot sign in",
    (API_SIGHT_MEMBERS "null: all"), NULL,
};

const struct route route_user_update = {
    .method = "PUT",
    .path = "/api/v1/users/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = update_members,
    .step_up = true,
    .handle = update,
    .summary = "Change an account; what is not given stays. Another role ends its sessions.",
    .answer = "User",
    .also = "409",
};

/* --- delete --- */

static enum err_code delete(struct api_call *call, struct err *e) {
    struct store_actor who = api_actor(call);
    struct store_user_change change = {.power = power_of(call)};
    enum err_code rc = api_param_id(call, 0, &change.id, e);

    if (rc == ERR_OK) rc = store_user_delete(call->api->config.store, &who, &change, e);
    if (rc == ERR_OK) call->resp->status = 204;
    return rc;
}

const struct route route_user_delete = {
    .method = "DELETE",
    .path = "/api/v1/users/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .step_up = true,
    .handle = delete,
    .summary = "Remove an account with its sessions; the last active owner stays.",
    .also = "409",
};

/* --- reset-password --- */

/* password: what is asked for, or empty: one is made, and the answer shows it. */
static enum err_code set_password(struct api_call *call, const struct store_user_change *change,
                                  struct str password, struct err *e)
{
    struct store_actor who = api_actor(call);
    char hash[PASSWORD_HASH_SIZE], made[CRYPTO_TOKEN_SIZE];
    bool show = password.len == 0;
    struct json_writer *w;
    enum err_code rc;

    crypto_random_token(made);
    rc = password_hash(show ? str_of(made) : password, hash, e);
    if (rc == ERR_OK)
        rc = store_user_reset_password(call->api->config.store, &who, change, hash, e);
    if (rc == ERR_OK) {
        w = api_json(call, 200);
        json_object_begin(w);
        json_member_c(w, "message", "the password was set; the sessions of this user have ended");
        if (show)
            json_member_c(w, "password", made);
        json_object_end(w);
    }
    crypto_wipe(made, sizeof(made));
    return rc == ERR_LIMIT ? busy(call) : rc;
}

static enum err_code reset_password(struct api_call *call, struct err *e)
{
    struct store_user_change change = {.power = power_of(call)};
    struct str password = {NULL, 0};
    enum err_code rc = api_param_id(call, 0, &change.id, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "password", (struct api_length){0, 1024}, &password, e);
    if (rc == ERR_OK && password.len > 0)
        rc = password_check_new(password, e);
    if (rc == ERR_OK && change.id == call->who.session.user.id)
        rc = err_set(e, ERR_DENIED, "change your own password under /api/v1/auth/change-password");
    return rc == ERR_OK ? set_password(call, &change, password, e) : rc;
}

static const char *const reset_members[] = {
    "password text: 12 to 128 bytes; without it one is made",
    NULL,
};

const struct route route_user_reset_password = {
    .method = "POST",
    .path = "/api/v1/users/{id}/reset-password",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = reset_members,
    .step_up = true,
    .handle = reset_password,
    .summary = "Set the password of somebody else; their sessions and tokens end.",
    .answer = "{message: text, password~: text 'the one that was made'}",
    .also = "429",
};
