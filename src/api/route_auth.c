/* SPDX-License-Identifier: PostgreSQL */
/* route_auth.c: people sign in and out. */
#include "api/api_session.h"
#include "base/limits.h"
#include "os/clock.h"
#include "tls/password.h"

static const char wrong_login[] = "user name or password is wrong";

/* --- login --- */

static enum err_code refuse_login(struct api_call *call, struct str username, struct err *e)
{
    struct store_actor who = api_actor(call);
    enum err_code rc = store_user_login_failed(call->api->config.store, call->arena, &who, username,
                                               e);

    return rc == ERR_OK ? api_problem(call, 401, "%s", wrong_login) : rc;
}

static enum err_code busy(struct api_call *call, int64_t wait_ms)
{
    api_retry_after(call, (wait_ms + 999) / 1000);
    return api_problem(call, 429, "too many attempts; try again later");
}

struct attempt {
    struct str username, password;
    struct store_user user; /* filled in when the name is known */
    bool right;
};

static enum err_code check_password(struct api_call *call, struct attempt *a, struct err *e)
{
    enum err_code rc = store_user_by_name(call->api->config.store, call->arena, a->username,
                                          &a->user, e);
    bool known = rc == ERR_OK && a->user.is_active;

    if (rc != ERR_OK && rc != ERR_NOT_FOUND)
        return rc;
    return password_verify(known ? a->user.password_hash : NULL, a->password, &a->right, e);
}

static enum err_code login(struct api_call *call, struct err *e)
{
    struct attempt a = {0};
    int64_t wait_ms = 0;
    enum err_code rc = api_member_text(call, "username", (struct api_length){1, 256}, &a.username,
                                       e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "password", (struct api_length){1, 1024}, &a.password, e);
    if (rc == ERR_OK)
        rc = store_user_login_wait(call->api->config.store, a.username, call->req->peer, &wait_ms,
                                   e);
    if (rc == ERR_OK && wait_ms > 0)
        return busy(call, wait_ms);
    if (rc == ERR_OK)
        rc = check_password(call, &a, e);
    if (rc == ERR_LIMIT)
        return busy(call, 1000);
    if (rc != ERR_OK)
        return rc;
    return a.right ? api_session_begin(call, &a.user, 200, e) : refuse_login(call, a.username, e);
}

static const char *const login_members[] = {
    "username text!: name of the account",
    "password text!: its password",
    NULL,
};

const struct route route_auth_login = {
    .method = "POST",
    .path = "/api/v1/auth/login",
    .role = ROUTE_ANYONE,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = login_members,
    .handle = login,
    .summary = "Sign in with user name and password.",
    .answer = "Session",
    .also = "429",
};

/* --- logout --- */

static enum err_code logout(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct json_writer *w;
    enum err_code rc = store_session_end(call->api->config.store, &who, call->who.session.id, e);

    if (rc != ERR_OK)
        return rc;
    api_session_set_cookie(call, NULL);
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "message", "signed out");
    json_object_end(w);
    return ERR_OK;
}

const struct route route_auth_logout = {
    .method = "POST",
    .path = "/api/v1/auth/logout",
    .role = ROUTE_SIGNED_IN,
    .classes = HTTPD_API,
    .handle = logout,
    .summary = "End this session.",
    .answer = "{message: text}",
};

/* --- refresh --- */

static enum err_code refresh(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    char token[CRYPTO_TOKEN_SIZE];
    struct store_session session;
    struct str key;
    enum err_code rc = api_member_text(call, "refresh_token", (struct api_length){1, 256}, &key, e);

    if (rc == ERR_OK)
        rc = store_session_find(call->api->config.store, call->arena,
                                (struct store_session_key){STORE_SESSION_BY_REFRESH, key}, &session,
                                e);
    if (rc == ERR_NOT_FOUND)
        return api_problem(call, 401, "sign in again");
    if (rc != ERR_OK)
        return rc;
    who.name = arena_printf(call->arena, "user:%s", session.user.username);
    rc = store_session_refresh(call->api->config.store, &who, session.id, token, e);
    if (rc == ERR_OK)
        rc = api_session_answer(
            call, &(struct api_session_grant){&session.user, session.id, token, 200}, e);
    crypto_wipe(token, sizeof(token));
    return rc;
}

static const char *const refresh_members[] = {
    "refresh_token text!: what the login or the last refresh answered",
    NULL,
};

const struct route route_auth_refresh = {
    .method = "POST",
    .path = "/api/v1/auth/refresh",
    .role = ROUTE_ANYONE,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = refresh_members,
    .handle = refresh,
    .summary = "Exchange a refresh token for new tokens.",
    .answer = "Session",
    .also = "401",
};

/* --- me --- */

static enum err_code me(struct api_call *call, struct err *e)
{
    const struct store_session *session = &call->who.session;
    int64_t idle_end = clock_wall_ms() + STORE_SESSION_IDLE_MS;
    int64_t end = session->created_ms + STORE_SESSION_LIFE_MS;
    struct json_writer *w = api_json(call, 200);
    char csrf[65];

    (void)e;
    api_csrf(call->api, session->id, csrf);
    json_object_begin(w);
    json_key(w, "user");
    api_session_put_user(w, &session->user);
    json_member_c(w, "csrf_token", csrf);
    api_member_time(w, "expires_at", idle_end < end ? idle_end : end);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_auth_me = {
    .method = "GET",
    .path = "/api/v1/auth/me",
    .role = ROUTE_SIGNED_IN,
    .classes = HTTPD_API,
    .handle = me,
    .summary = "Who is signed in.",
    .answer = "{user: User, csrf_token: text, expires_at: time?}",
};

/* --- change-password --- */

static enum err_code set_password(struct api_call *call, struct str password, struct err *e)
{
    struct store_actor who = api_actor(call);
    char hash[PASSWORD_HASH_SIZE];
    struct json_writer *w;
    enum err_code rc = password_hash(password, hash, e);

    if (rc == ERR_OK)
        rc = store_user_set_password(
            call->api->config.store, &who,
            &(struct store_user_password){call->who.session.user.id, hash, call->who.session.id},
            e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "message", "the password was changed; other sessions have ended");
    json_object_end(w);
    return ERR_OK;
}

static enum err_code change_password(struct api_call *call, struct err *e)
{
    struct attempt a = {.username = str_of(call->who.session.user.username)};
    struct str password;
    int64_t wait_ms = 0;
    enum err_code rc = api_member_text(call, "old_password", (struct api_length){1, 1024},
                                       &a.password, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "new_password", (struct api_length){1, 1024}, &password, e);
    if (rc == ERR_OK)
        rc = password_check_new(password, e);
    if (rc == ERR_OK)
        rc = store_user_login_wait(call->api->config.store, a.username, call->req->peer, &wait_ms,
                                   e);
    if (rc == ERR_OK && wait_ms > 0)
        return busy(call, wait_ms);
    if (rc == ERR_OK)
        rc = check_password(call, &a, e);
    if (rc == ERR_LIMIT)
        return busy(call, 1000);
    if (rc != ERR_OK)
        return rc;
    return a.right ? set_password(call, password, e) : refuse_login(call, a.username, e);
}

static const char *const change_members[] = {
    "old_password text!: the password so far",
    "new_password text!: 12 to 128 bytes",
    NULL,
};

const struct route route_auth_change_password = {
    .method = "POST",
    .path = "/api/v1/auth/change-password",
    .role = ROUTE_SIGNED_IN,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = change_members,
    .handle = change_password,
    .summary = "Change one's own password.",
    .answer = "{message: text}",
    .also = "429",
};
