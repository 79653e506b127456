/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_token.c: tokens that people make for their scripts.
 *
 * Everybody has those of the own account; an owner sees and ends those of others. Somebody else's
 * is answered as one that does not exist.
 */
#include <stdio.h>

#include "api/api_call.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/store_token.h"

#define DAY_S             (24 * 3600)
#define EXPIRES_DEFAULT_S (90 * (int64_t)DAY_S)
#define EXPIRES_MAX_S     (366 * (int64_t)DAY_S)

/* value: NULL once it was shown */
static void put_token(struct json_writer *w, const struct store_token *token, const char *value)
{
    json_object_begin(w);
    json_member_i64(w, "id", token->id);
    json_member_c(w, "name", token->name);
    json_member_c(w, "scope", store_token_scope_name(token->scope));
    if (value != NULL)
        json_member_c(w, "token", value);
    json_member_c(w, "username", token->user.username);
    api_member_time(w, "expires_at", token->expires_ms);
    api_member_time(w, "last_used_at", token->last_used_ms);
    json_member_c(w, "last_address", token->last_address);
    api_member_time(w, "created_at", token->created_ms);
    json_object_end(w);
}

/* --- create --- */

/* The least role that has what a scope allows. */
static enum route_role role_for(enum store_token_scope scope)
{
    switch (scope) {
    case STORE_TOKEN_METRICS:
    case STORE_TOKEN_READ:
        return ROUTE_VIEWER;
    case STORE_TOKEN_WRITE:
        return ROUTE_OPERATOR;
    case STORE_TOKEN_ADMIN:
        break;
    }
    return ROUTE_ADMIN;
}

static enum err_code read_scope(struct api_call *call, enum store_token_scope *out, struct err *e)
{
    struct str scope;
    enum err_code rc = api_member_text(call, "scope", (struct api_length){1, 16}, &scope, e);

    if (rc == ERR_OK)
        rc = store_token_scope_of(scope, out, e);
    if (rc == ERR_OK && call->who.role < role_for(*out))
        return err_set(e, ERR_DENIED, "your own role does not have this scope");
    return rc;
}

static enum err_code read_expiry(struct api_call *call, int64_t *out, struct err *e)
{
    int64_t now = clock_wall_ms(), seconds;
    struct str text;
    enum err_code rc = api_member_text(call, "expires_at", (struct api_length){0, 64}, &text, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "expires_in_s",
                            (struct api_bounds){EXPIRES_DEFAULT_S, 1, EXPIRES_MAX_S}, &seconds, e);
    if (rc != ERR_OK)
        return rc;
    *out = now + seconds * 1000;
    if (text.len > 0 && (num_parse_time_ms(text, out, NULL) != ERR_OK || *out <= now ||
                         *out > now + EXPIRES_MAX_S * 1000))
        return err_set(e, ERR_INVALID, "expires_at: not a time within the next 366 days");
    return ERR_OK;
}

static enum err_code create(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_actor who = api_actor(call);
    struct store_token_new n = {.account = call->who.session.user.id};
    struct store_token_made made = {0};
    struct store_token token;
    enum err_code rc = api_member_text(call, "name", (struct api_length){1, STORE_TOKEN_NAME_MAX},
                                       &n.name, e);

    if (rc == ERR_OK)
        rc = read_scope(call, &n.scope, e);
    if (rc == ERR_OK)
        rc = read_expiry(call, &n.expires_ms, e);
    if (rc == ERR_OK)
        rc = store_token_create(store, &who, &n, &made, e);
    if (rc == ERR_OK)
        rc = store_token_get(store, call->arena, (struct store_token_choice){made.id, n.account},
                             &token, e);
    if (rc == ERR_OK)
        put_token(api_json(call, 201), &token, made.value);
    crypto_wipe(&made, sizeof(made));
    return rc;
}

static const char *const create_members[] = {
    "name text!: what it is for",
    "scope text!: metrics (Prometheus's API alone), read, write or admin",
    "expires_in_s int: seconds until it expires, default 90 days, at most 366",
    "expires_at time: the same as a moment",
    NULL,
};

const struct route route_token_create = {
    .method = "POST",
    .path = "/api/v1/tokens",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .step_up = true,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = create_members,
    .handle = create,
    .summary = "Make a token for a script, within one's own role; its value is shown once.",
    .status = 201,
    .answer = "Token",
};

/* --- list --- */

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store_token_page list = {0};
    struct api_page page;
    char next[24] = "";
    enum err_code rc = api_page_by_id(call, &page, &list.after, e);

    if (rc == ERR_OK)
        rc = api_param_account(call, &list.account, e);
    if (rc != ERR_OK)
        return rc;
    list.limit = page.limit;
    list.offset = page.offset;
    rc = store_token_list(call->api->config.store, call->arena, &list, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        put_token(&call->out, &list.rows[i], NULL);
    if (list.count > 0)
        snprintf(next, sizeof(next), "%lld", (long long)list.rows[list.count - 1].id);
    api_list_end(call, &page, list.count, list.count == page.limit ? next : NULL, list.total);
    return ERR_OK;
}

static const char *const list_query[] = {
    API_PARAM_ACCOUNT,
    ROUTE_PAGE_NUMBER,
    NULL,
};

const struct route route_token_list = {
    .method = "GET",
    .path = "/api/v1/tokens",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .in_person = true,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List one's own tokens, without their values.",
    .answer = ROUTE_LIST("Token"),
};

/* --- revoke --- */

static enum err_code revoke(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_token_choice which = {.account = api_own_account(call)};
    enum err_code rc = api_param_id(call, 0, &which.id, e);

    if (rc == ERR_OK)
        rc = store_token_revoke(call->api->config.store, &who, which, e);
    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_token_revoke = {
    .method = "DELETE",
    .path = "/api/v1/tokens/{id}",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .in_person = true,
    .classes = HTTPD_API,
    .handle = revoke,
    .summary = "Revoke a token of one's own; an owner those of others, too.",
};
