/* SPDX-License-Identifier: PostgreSQL */
/* route_secret.c: registration secrets. */
#include <stdio.h>

#include "api/api_call.h"
#include "base/limits.h"
#include "base/num.h"
#include "store/store_secret.h"

#define EXPIRES_DEFAULT_S 3600
#define EXPIRES_MAX_S     604800
#define REGISTRATIONS_MAX 100000

/* value: NULL once it was shown */
static void put_secret(struct json_writer *w, const struct store_secret *secret, const char *value)
{
    json_object_begin(w);
    json_member_i64(w, "id", secret->id);
    json_member_c(w, "name", secret->name);
    if (value != NULL)
        json_member_c(w, "secret", value);
    json_member_i64(w, "max_registrations", secret->max_registrations);
    json_member_i64(w, "total_registrations", secret->total_registrations);
    api_member_time(w, "expires_at", secret->expires_ms);
    api_member_time(w, "last_used_at", secret->last_used_ms);
    api_member_time(w, "created_at", secret->created_ms);
    json_object_end(w);
}

static enum err_code answer(struct api_call *call, int status, int64_t id, const char *value,
                            struct err *e)
{
    struct store_secret secret;
    enum err_code rc = store_secret_get(call->api->config.store, call->arena, id, &secret, e);

    if (rc == ERR_OK)
        put_secret(api_json(call, status), &secret, value);
    return rc;
}

static enum err_code create(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_secret_new n = {.max_registrations = 1};
    struct store_secret_made made = {0};
    int64_t expires_s;
    enum err_code rc = api_member_text(call, "name", (struct api_length){1, 200}, &n.name, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "max_registrations", (struct api_bounds){1, 1, REGISTRATIONS_MAX},
                            &n.max_registrations, e);
    if (rc == ERR_OK)
        rc = api_member_i64(call, "expires_in_s",
                            (struct api_bounds){EXPIRES_DEFAULT_S, 1, EXPIRES_MAX_S}, &expires_s,
                            e);
    if (rc != ERR_OK)
        return rc;
    n.expires_in_ms = expires_s * 1000;
    rc = store_secret_create(call->api->config.store, &who, &n, &made, e);
    if (rc == ERR_OK)
        rc = answer(call, 201, made.id, made.value, e);
    crypto_wipe(&made, sizeof(made));
    return rc;
}

static const char *const create_members[] = {
    "name text!: what it is for",
    "max_registrations int: how many agents may enrol with it, default 1",
    "expires_in_s int: seconds until it expires, default a day",
    NULL,
};

const struct route route_secret_create = {
    .method = "POST",
    .path = "/api/v1/registration-secrets",
    .role = ROUTE_ADMIN,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = create_members,
    .handle = create,
    .summary = "Make a registration secret; its value is shown once.",
    .status = 201,
    .answer = "Secret",
};

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_secret_page list = {0};
    int64_t total;
    struct api_page page;
    char next[24];
    enum err_code rc = api_page(call, &page, e);

    if (rc == ERR_OK && page.cursor.len > 0 &&
        num_parse_i64(page.cursor, 0, INT64_MAX, &list.after, NULL) != ERR_OK)
        rc = err_set(e, ERR_INVALID, "cursor: not one of ours");
    if (rc == ERR_OK)
        rc = store_count(store, "secret_count", &total, e);
    if (rc == ERR_OK) {
        list.limit = page.limit;
        rc = store_secret_list(store, call->arena, &list, e);
    }
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        put_secret(&call->out, &list.rows[i], NULL);
    if (list.count > 0)
        snprintf(next, sizeof(next), "%lld", (long long)list.rows[list.count - 1].id);
    api_list_end(call, &page, list.count, list.count == page.limit ? next : NULL, total);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    NULL,
};

const struct route route_secret_list = {
    .method = "GET",
    .path = "/api/v1/registration-secrets",
    .role = ROUTE_ADMIN,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List the registration secrets, without their values.",
    .answer = ROUTE_LIST("Secret"),
};

static enum err_code get(struct api_call *call, struct err *e)
{
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    return rc == ERR_OK ? answer(call, 200, id, NULL, e) : rc;
}

const struct route route_secret_get = {
    .method = "GET",
    .path = "/api/v1/registration-secrets/{id}",
    .role = ROUTE_ADMIN,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One registration secret, without its value.",
    .answer = "Secret",
};

static enum err_code revoke(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    if (rc == ERR_OK)
        rc = store_secret_revoke(call->api->config.store, &who, id, e);
    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_secret_revoke = {
    .method = "DELETE",
    .path = "/api/v1/registration-secrets/{id}",
    .role = ROUTE_ADMIN,
    .classes = HTTPD_API,
    .handle = revoke,
    .summary = "Revoke a registration secret.",
};
