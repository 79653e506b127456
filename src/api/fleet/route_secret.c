/* SPDX-License-Identifier: PostgreSQL */
/* route_secret.c: registration secrets. */
#include <stdio.h>

#include "api/api_sight.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/store_secret.h"

#define EXPIRES_DEFAULT_S 3600
#define EXPIRES_MAX_S     604800
#define REGISTRATIONS_MAX 100000

/* What is shown once, to the person who makes the secret. */
struct shown {
    const char *value;
    char fingerprint[X509_FINGERPRINT_SIZE];
};

/* made: NULL once it was shown */
static void put_secret(struct json_writer *w, const struct store_secret *secret,
                       const struct shown *made)
{
    json_object_begin(w);
    json_member_i64(w, "id", secret->id);
    json_member_c(w, "name", secret->name);
    if (made != NULL) {
        json_member_c(w, "secret", made->value);
        json_member_c(w, "ca_fingerprint", made->fingerprint);
    }
    json_member_c(w, "allowed", secret->allowed);
    json_member_c(w, "approval", secret->approval);
    json_member_c(w, "group", secret->group);
    json_member_i64(w, "max_registrations", secret->max_registrations);
    json_member_i64(w, "total_registrations", secret->total_registrations);
    api_member_time(w, "expires_at", secret->expires_ms);
    api_member_time(w, "last_used_at", secret->last_used_ms);
    api_member_time(w, "created_at", secret->created_ms);
    json_object_end(w);
}

static enum err_code answer(struct api_call *call, int status, int64_t id, const struct shown *made,
                            struct err *e)
{
    struct store_secret secret;
    enum err_code rc = store_secret_get(call->api->config.store, call->arena, id, &secret, e);

    if (rc == ERR_OK)
        put_secret(api_json(call, status), &secret, made);
    return rc;
}

/* expires_at, or expires_in_s from now; *out: 0 when neither is given and fallback_s is 0 */
static enum err_code read_expiry(struct api_call *call, int64_t fallback_s, int64_t *out,
                                 struct err *e)
{
    int64_t now = clock_wall_ms(), seconds;
    struct str text;
    enum err_code rc = api_member_text(call, "expires_at", (struct api_length){0, 64}, &text, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "expires_in_s", (struct api_bounds){fallback_s, 1, EXPIRES_MAX_S},
                            &seconds, e);
    if (rc != ERR_OK)
        return rc;
    *out = seconds > 0 ? now + seconds * 1000 : 0;
    if (text.len == 0)
        return ERR_OK;
    if (num_parse_time_ms(text, out, NULL) != ERR_OK || *out <= now ||
        *out > now + EXPIRES_MAX_S * (int64_t)1000)
        return err_set(e, ERR_INVALID, "expires_at: not a time within the next 7 days");
    return ERR_OK;
}

/* Where from, and whether a person approves; {NULL, 0} where not given. */
static enum err_code read_terms(struct api_call *call, struct str *allowed, struct str *approval,
                                struct err *e)
{
    enum err_code rc = api_member_text(call, "allowed", (struct api_length){0, 1024}, allowed, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "approval", (struct api_length){0, 16}, approval, e);
    if (rc == ERR_OK && approval->len > 0 && !str_eq_c(*approval, "auto") &&
        !str_eq_c(*approval, "manual"))
        rc = err_set(e, ERR_INVALID, "approval: auto or manual");
    if (rc == ERR_OK && store_secret_check_ranges(*allowed, e) != ERR_OK)
        rc = err_wrap(e, "allowed");
    return rc;
}

static enum err_code create(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_secret_new n = {.max_registrations = 1};
    struct store_secret_made made = {0};
    struct shown shown = {.value = made.value};
    int64_t expires_ms;
    enum err_code rc = api_member_text(call, "name", (struct api_length){1, 200}, &n.name, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "max_registrations", (struct api_bounds){1, 1, REGISTRATIONS_MAX},
                            &n.max_registrations, e);
    if (rc == ERR_OK)
        rc = read_expiry(call, EXPIRES_DEFAULT_S, &expires_ms, e);
    if (rc == ERR_OK)
        rc = read_terms(call, &n.allowed, &n.approval, e);
    if (rc == ERR_OK)
        rc = api_sight_group(call, API_SIGHT_NEW, &n.group, e);
    if (rc == ERR_OK)
        rc = store_ca_fingerprint(call->api->config.ca, shown.fingerprint, e);
    if (rc != ERR_OK)
        return rc;
    n.expires_in_ms = expires_ms - clock_wall_ms();
    rc = store_secret_create(call->api->config.store, &who, &n, &made, e);
    if (rc == ERR_OK)
        rc = answer(call, 201, made.id, &shown, e);
    crypto_wipe(&made, sizeof(made));
    return rc;
}

static const char *const create_members[] = {
    "name text!: what it is for",
    "max_registrations int: how many agents may enrol with it, default 1",
    "expires_in_s int: seconds until it expires, default an hour, at most 7 days",
    "expires_at time: the same as a moment",
    "allowed text: ranges of addresses it holds for, with commas; default anywhere",
    "approval text(auto|manual): manual = each agent waits until a person lets it in",
    (API_SIGHT_MEMBER ": of the agents that enrol with it, default " API_SIGHT_FIRST),
    NULL,
};

const struct route route_secret_create = {
    .method = "POST",
    .path = "/api/v1/registration-secrets",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_LIST,
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
    struct store_secret_page list = {.sight = call->who.sight};
    int64_t total;
    struct api_page page;
    char next[24] = "";
    enum err_code rc = api_page_by_id(call, &page, &list.after, e);

    if (rc == ERR_OK)
        rc = store_count(store, "secret_count", SQLDB_ARGS(store_sight_value(&call->who.sight)),
                         &total, e);
    if (rc == ERR_OK) {
        list.limit = page.limit;
        list.offset = page.offset;
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
    ROUTE_PAGE_NUMBER,
    NULL,
};

const struct route route_secret_list = {
    .method = "GET",
    .path = "/api/v1/registration-secrets",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_LIST,
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
    .sight = ROUTE_SIGHT_SECRET,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One registration secret, without its value.",
    .answer = "Secret",
};

static enum err_code update(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_secret_change change = {0};
    enum err_code rc = api_param_id(call, 0, &change.id, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "name", (struct api_length){0, 200}, &change.name, e);
    if (rc == ERR_OK)
        rc = api_member_i64(call, "max_registrations", (struct api_bounds){0, 1, REGISTRATIONS_MAX},
                            &change.max_registrations, e);
    if (rc == ERR_OK)
        rc = read_expiry(call, 0, &change.expires_ms, e);
    if (rc == ERR_OK)
        rc = read_terms(call, &change.allowed, &change.approval, e);
    if (rc == ERR_OK)
        rc = api_sight_group(call, API_SIGHT_CHANGE, &change.group, e);
    if (rc == ERR_OK)
        rc = store_secret_update(call->api->config.store, &who, &change, e);
    return rc == ERR_OK ? answer(call, 200, change.id, NULL, e) : rc;
}

static const char *const update_members[] = {
    "name text: what it is for",
    "max_registrations int: how many agents may enrol with it, those that did included",
    "expires_in_s int: seconds from now until it expires, at most 7 days",
    "expires_at time: the same as a moment",
    "allowed text: ranges of addresses it holds for, with commas; empty = anywhere",
    "approval text(auto|manual): manual = each agent waits until a person lets it in",
    (API_SIGHT_MEMBER ": of the agents that enrol with it from now on"),
    NULL,
};

const struct route route_secret_update = {
    .method = "PUT",
    .path = "/api/v1/registration-secrets/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_SECRET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = update_members,
    .handle = update,
    .summary = "Change a registration secret; what is not given stays, and so does the value.",
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
    .sight = ROUTE_SIGHT_SECRET,
    .classes = HTTPD_API,
    .handle = revoke,
    .summary = "Revoke a registration secret.",
};
