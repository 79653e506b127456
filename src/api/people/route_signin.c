/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_signin.c: where an account is signed in, and ending that.
 *
 * Everybody has the sessions of the own account; an owner sees and ends those of others. Somebody
 * else's is answered as one that does not exist.
 */
#include <string.h>

#include "api/api_call.h"

#define SHOWN_MAX 200

static void put_session(struct api_call *call, const struct store_session *session)
{
    struct json_writer *w = &call->out;

    json_object_begin(w);
    json_member_c(w, "id", session->id);
    json_member_c(w, "username", session->user.username);
    json_member_c(w, "address", session->address);
    json_member_c(w, "agent", session->agent);
    json_member_bool(w, "current", strcmp(session->id, call->who.session.id) == 0);
    api_member_time(w, "created_at", session->created_ms);
    api_member_time(w, "last_used_at", session->used_ms);
    api_member_time(w, "ends_at", session->created_ms + STORE_SESSION_LIFE_MS);
    json_object_end(w);
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store_session_list list = {.limit = SHOWN_MAX};
    struct api_page page = {.limit = SHOWN_MAX, .number = 1};
    enum err_code rc = api_param_account(call, &list.account, e);

    if (rc == ERR_OK)
        rc = store_session_list(call->api->config.store, call->arena, &list, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        put_session(call, &list.rows[i]);
    api_list_end(call, &page, list.count, NULL, -1);
    return ERR_OK;
}

static const char *const list_query[] = {
    API_PARAM_ACCOUNT,
    NULL,
};

const struct route route_signin_list = {
    .method = "GET",
    .path = "/api/v1/sessions",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .in_person = true,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "Where one is signed in: the newest 200 sessions.",
    .answer = ROUTE_LIST("Signin"),
};

static enum err_code revoke(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_session_choice which = {call->params[0], api_own_account(call)};
    enum err_code rc = store_session_revoke(call->api->config.store, &who, which, e);

    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_signin_revoke = {
    .method = "DELETE",
    .path = "/api/v1/sessions/{id}",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .in_person = true,
    .classes = HTTPD_API,
    .handle = revoke,
    .summary = "End a session of one's own; an owner those of others, too.",
};
