/* SPDX-License-Identifier: PostgreSQL */
/* route_auth.c: people sign in and out. */
#include "api/people/api_login.h"
#include "api/people/api_session.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "tls/password.h"

/* --- login --- */

static enum err_code login(struct api_call *call, struct err *e)
{
    struct api_login l = {0};
    enum err_code rc = api_member_text(call, "username", (struct api_length){1, 256}, &l.username,
                                       e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "password", (struct api_length){1, 1024}, &l.password, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "code", (struct api_length){0, 32}, &l.code, e);
    if (rc == ERR_OK)
        rc = api_login_try(call, &l, e);
    if (rc != ERR_OK || !l.right)
        return rc;
    return api_session_begin(call, &(struct api_session_start){&l.user, l.from, 200, "signed in"},
                             e);
}

static const char *const login_members[] = {
    "username text!: name of the account",
    "password text!: its password",
    ("code text: of the second factor, or a recovery code; asked for with problem type "
     "urn:pga:problem:code"),
    NULL,
};

const struct route route_auth_login = {
    .method = "POST",
    .path = "/api/v1/auth/login",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
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
    .sight = ROUTE_SIGHT_APART,
    .enrols = true,
    .classes = HTTPD_API,
    .in_person = true,
    .handle = logout,
    .summary = "End this session.",
    .answer = "{message: text}",
};

/* --- refresh --- */

/* Somebody else may have it: then the session ends for both. */
static enum err_code refuse_refresh(struct api_call *call, struct str key, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct log_ctx ctx = {.component = "api", .request = call->req->id};
    bool ended = false;
    enum err_code rc = store_session_reused(call->api->config.store, &who, key, &ended, e);

    if (rc != ERR_OK)
        return rc;
    if (ended)
        log_warn(&ctx, "a refresh token was shown twice, its session has ended");
    return api_problem(call, 401, "sign in again");
}

static enum err_code renew(struct api_call *call, const struct store_session *session,
                           struct str key, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_session_renewal r = {.id = session->id, .old = key};
    enum err_code rc;

    who.name = arena_printf(call->arena, "user:%s", session->user.username);
    rc = store_session_refresh(call->api->config.store, &who, &r, e);
    if (rc == ERR_OK)
        rc = api_session_answer(
            call,
            &(struct api_session_grant){&session->user, session->id, r.refresh, 200, "signed in"},
            e);
    crypto_wipe(&r.refresh, sizeof(r.refresh));
    return rc;
}

static enum err_code refresh(struct api_call *call, struct err *e)
{
    struct store_session session;
    struct str key;
    enum err_code rc = api_member_text(call, "refresh_token", (struct api_length){1, 256}, &key, e);

    if (rc != ERR_OK)
        return rc;
    rc = store_session_find(call->api->config.store, call->arena,
                            (struct store_session_key){STORE_SESSION_BY_REFRESH, key}, &session, e);
    if (rc == ERR_OK)
        rc = renew(call, &session, key, e);
    if (rc == ERR_LIMIT)
        return api_problem(call, 401, "sign in again");
    return rc == ERR_NOT_FOUND ? refuse_refresh(call, key, e) : rc;
}

static const char *const refresh_members[] = {
    "refresh_token text!: what the login or the last refresh answered",
    NULL,
};

const struct route route_auth_refresh = {
    .method = "POST",
    .path = "/api/v1/auth/refresh",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
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
    json_member_c(w, "csrf_token", call->who.by_token ? NULL : csrf);
    json_member_bool(w, "must_enrol",
                     !call->who.by_token && api_must_enrol(call->api, &session->user));
    api_member_time(w, "expires_at", call->who.by_token ? 0 : idle_end < end ? idle_end : end);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_auth_me = {
    .method = "GET",
    .path = "/api/v1/auth/me",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .enrols = true,
    .classes = HTTPD_API,
    .handle = me,
    .summary = "Who is signed in.",
    .answer = "{user: User, csrf_token: text? 'not of an API token', must_enrol: bool"
              " 'nothing else is open before there is a second factor', expires_at: time?}",
};

/* --- change-password --- */

/* All sessions end, this one as well; the person goes on in a new one. */
static enum err_code set_password(struct api_call *call, struct api_login *l, struct str password,
                                  struct err *e)
{
    struct store_actor who = api_actor(call);
    char hash[PASSWORD_HASH_SIZE];
    enum err_code rc = password_hash(password, hash, e);

    if (rc == ERR_LIMIT)
        return api_login_busy(call, 1000);
    if (rc == ERR_OK)
        rc = store_user_set_password(call->api->config.store, &who, l->user.id, hash, e);
    if (rc != ERR_OK)
        return rc;
    l->user.password_hash = hash;
    return api_session_begin(
        call,
        &(struct api_session_start){&l->user, l->from, 200,
                                    "the password was changed; all other sessions have ended"},
        e);
}

static enum err_code change_password(struct api_call *call, struct err *e)
{
    struct api_login l = {.username = str_of(call->who.session.user.username),
                          .refusal = 403,
                          .need = API_LOGIN_PASSWORD};
    struct str password;
    enum err_code rc = api_member_text(call, "old_password", (struct api_length){1, 1024},
                                       &l.password, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "new_password", (struct api_length){1, 1024}, &password, e);
    if (rc == ERR_OK)
        rc = password_check_new(password, e);
    if (rc == ERR_OK)
        rc = api_login_try(call, &l, e);
    return rc == ERR_OK && l.right ? set_password(call, &l, password, e) : rc;
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
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = change_members,
    .in_person = true,
    .handle = change_password,
    .summary = "Change one's own password. All sessions end; the answer is a new one.",
    .answer = "Session",
    .also = "429",
};

/* --- confirm --- */

static enum err_code read_proof(struct api_call *call, struct api_login *l, struct err *e)
{
    enum err_code rc = api_member_text(call, "password", (struct api_length){0, 1024}, &l->password,
                                       e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "code", (struct api_length){0, 32}, &l->code, e);
    if (rc == ERR_OK && (l->password.len == 0) == (l->code.len == 0))
        return err_set(e, ERR_INVALID, "one of password and code must be given");
    l->need = l->code.len > 0 ? API_LOGIN_CODE : API_LOGIN_PASSWORD;
    return rc;
}

static enum err_code confirm(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct api_login l = {.username = str_of(call->who.session.user.username), .refusal = 403};
    struct json_writer *w;
    enum err_code rc = read_proof(call, &l, e);

    if (rc == ERR_OK)
        rc = api_login_try(call, &l, e);
    if (rc != ERR_OK || !l.right)
        return rc;
    rc = store_session_verified(call->api->config.store, &who, call->who.session.id,
                                &(struct store_login){l.username, l.from}, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    api_member_time(w, "confirmed_until", clock_wall_ms() + API_STEP_UP_MS);
    json_object_end(w);
    return ERR_OK;
}

static const char *const confirm_members[] = {
    "password text: of the account that is signed in",
    "code text: of its second factor, in place of the password",
    NULL,
};

const struct route route_auth_confirm = {
    .method = "POST",
    .path = "/api/v1/auth/confirm",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .enrols = true,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = confirm_members,
    .in_person = true,
    .handle = confirm,
    .summary = "Prove once more who one is: what asks for a fresh proof is open for 5 minutes.",
    .answer = "{confirmed_until: time}",
    .also = "429",
};
