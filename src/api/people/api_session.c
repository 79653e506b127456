/* SPDX-License-Identifier: PostgreSQL */
/* api_session.c: see the header. */
#include "api/people/api_session.h"

#include <stdio.h>
#include <string.h>

#include "api/people/api_device.h"
#include "os/clock.h"

/* null: it sees all. */
static void put_groups(struct json_writer *w, const struct store_user *user)
{
    struct str rest, name;

    json_key(w, "groups");
    if (user->sight.all) {
        json_put_null(w);
        return;
    }
    rest = str_of(user->sight.groups != NULL ? user->sight.groups : "");
    json_array_begin(w);
    while (store_group_next(&rest, &name))
        json_put_str(w, name);
    json_array_end(w);
}

void api_session_put_user(struct json_writer *w, const struct store_user *user)
{
    json_object_begin(w);
    json_member_i64(w, "id", user->id);
    json_member_c(w, "username", user->username);
    json_member_c(w, "email", user->email);
    json_member_c(w, "full_name", user->full_name);
    json_member_c(w, "role", user->role);
    put_groups(w, user);
    json_member_bool(w, "is_active", user->is_active);
    api_member_time(w, "last_login", user->last_login_ms);
    if (user->totp != STORE_USER_TOTP_UNKNOWN)
        json_member_bool(w, "totp", user->totp == STORE_USER_TOTP_ON);
    json_object_end(w);
}

bool api_is_secure(const struct httpd_request *r)
{
    return r->listener->profile != HTTPD_PLAIN;
}

void api_cookie_set(struct api_call *call, const struct api_cookie *cookie)
{
    char text[256];

    snprintf(text, sizeof(text), "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
             cookie->name, cookie->value ? cookie->value : "",
             cookie->value ? (long long)cookie->life_s : 0LL,
             api_is_secure(call->req) ? "; Secure" : "");
    httpd_add_header(call->resp, "Set-Cookie", text);
    crypto_wipe(text, sizeof(text));
}

const char *api_cookie_name(const struct httpd_request *r)
{
    return api_is_secure(r) ? "__Host-pga" : "pga_session";
}

void api_session_set_cookie(struct api_call *call, const char *token)
{
    api_cookie_set(call, &(struct api_cookie){api_cookie_name(call->req), token,
                                              STORE_SESSION_LIFE_MS / 1000});
}

enum err_code api_session_answer(struct api_call *call, const struct api_session_grant *grant,
                                 struct err *e)
{
    int64_t now_s = clock_wall_ms() / 1000;
    struct jwt_claims claims = {.issued_s = now_s, .expires_s = now_s + API_SESSION_TOKEN_S};
    struct json_writer *w;
    struct buf token;
    char csrf[65];
    enum err_code rc;

    snprintf(claims.subject, sizeof(claims.subject), "%lld", (long long)grant->user->id);
    snprintf(claims.session, sizeof(claims.session), "%s", grant->session_id);
    buf_init(&token, JWT_TOKEN_MAX);
    rc = jwt_sign(&call->api->people, &claims, &token, e);
    if (rc == ERR_OK) {
        api_csrf(call->api, grant->session_id, csrf);
        w = api_json(call, grant->status);
        json_object_begin(w);
        json_member_str(w, "token", buf_view(&token));
        json_member_c(w, "refresh_token", grant->refresh);
        api_member_time(w, "expires_at", claims.expires_s * 1000);
        json_member_c(w, "csrf_token", csrf);
        json_member_bool(w, "must_enrol", api_must_enrol(call->api, grant->user));
        json_member_c(w, "message", grant->message);
        json_key(w, "user");
        api_session_put_user(w, grant->user);
        json_object_end(w);
    }
    buf_fini(&token);
    crypto_wipe(csrf, sizeof(csrf));
    return rc;
}

/* The session of the cookie that came, if it is one. */
static enum err_code end_present(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct str cookie = httpd_cookie(call->req, api_cookie_name(call->req));
    struct store_session session;
    enum err_code rc;

    if (cookie.len == 0)
        return ERR_OK;
    rc = store_session_find(call->api->config.store, call->arena,
                            (struct store_session_key){STORE_SESSION_BY_TOKEN, cookie}, &session,
                            e);
    if (rc != ERR_OK)
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    who.name = arena_printf(call->arena, "user:%s", session.user.username);
    return store_session_end(call->api->config.store, &who, session.id, e);
}

enum err_code api_session_begin(struct api_call *call, const struct api_session_start *start,
                                struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_session_new n = {.agent = httpd_header(call->req, "User-Agent"),
                                  .from = start->from};
    enum err_code rc = end_present(call, e);

    who.name = arena_printf(call->arena, "user:%s", start->user->username);
    if (rc == ERR_OK)
        rc = store_session_create(call->api->config.store, &who, start->user, &n, e);
    if (rc == ERR_OK)
        rc = api_session_answer(call,
                                &(struct api_session_grant){start->user, n.id, n.refresh,
                                                            start->status, start->message},
                                e);
    if (rc == ERR_OK) {
        api_session_set_cookie(call, n.token);
        api_device_remember(call, start->user);
    }
    crypto_wipe(&n, sizeof(n));
    return rc;
}
