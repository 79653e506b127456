/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_auth.c: who asks. A route sees a principal, never a header.
 *
 * Agents show a token of their own kind. People show either the cookie of a session, or the token
 * that the same session gave; both live only as long as the session. Scripts show a token that a
 * person made for them (store_token.h). Tokens are looked for in the Authorization header and
 * nowhere else: what stands in an address ends up in logs, and a browser sends cookies by itself.
 */
#include <string.h>

#include "api/api_door.h"
#include "base/log.h"
#include "os/clock.h"
#include "store/store_collector.h"
#include "store/store_token.h"
#include "store/store_trust.h"
#include "tls/hash.h"

#define BEARER "Bearer "

static const struct {
    const char *name;
    enum route_role role;
} roles[] = {
    {"viewer", ROUTE_VIEWER}, {"operator", ROUTE_OPERATOR}, {"admin", ROUTE_ADMIN},
    {"owner", ROUTE_OWNER},   {"auditor", ROUTE_AUDITOR},
};

enum route_role api_role_of(const char *name)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].name, name) == 0)
            return roles[i].role;
    }
    return ROUTE_ANYONE;
}

void api_csrf(const struct api *api, const char *session_id, char out[65])
{
    unsigned char mac[HASH_BYTES];

    hash_hmac(str_make(api->config.keys->forms, STORE_KEY_BYTES), str_of(session_id), mac);
    text_hex(mac, sizeof(mac), out);
}

static enum err_code be_user(struct api_call *call, enum store_session_by by, struct str key,
                             struct err *e)
{
    struct api_principal *who = &call->who;
    enum err_code rc = store_session_find(call->api->config.store, call->arena,
                                          (struct store_session_key){by, key}, &who->session, e);

    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the session has ended");
    if (rc == ERR_OK)
        rc = store_session_touch(call->api->config.store, &who->session, e);
    if (rc != ERR_OK)
        return rc;
    who->kind = API_USER;
    who->role = api_role_of(who->session.user.role);
    who->sight = who->session.user.sight;
    who->by_cookie = by == STORE_SESSION_BY_TOKEN;
    who->name = arena_printf(call->arena, "user:%s", who->session.user.username);
    return ERR_OK;
}

static enum err_code user_by_token(struct api_call *call, struct str token, struct err *e)
{
    struct jwt_claims claims;
    enum err_code rc = jwt_verify(&call->api->people, token,
                                  (struct jwt_moment){clock_wall_ms() / 1000, 0}, &claims, e);

    if (rc != ERR_OK)
        return rc;
    return be_user(call, STORE_SESSION_BY_ID, str_of(claims.session), e);
}

/* --- tokens of scripts --- */

static enum route_role role_of_scope(enum store_token_scope scope)
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

static void be_script(struct api_call *call, const struct store_token *token)
{
    struct api_principal *who = &call->who;
    enum route_role own = api_role_of(token->user.role), most = role_of_scope(token->scope);

    who->kind = API_USER;
    who->role = own < most ? own : most;
    who->by_token = true;
    who->metrics_only = token->scope == STORE_TOKEN_METRICS;
    who->session = (struct store_session){.id = "", .user = token->user};
    who->sight = token->user.sight;
    who->name = arena_printf(call->arena, "user:%s token:%lld", token->user.username,
                             (long long)token->id);
}

static enum err_code script_by_token(struct api_call *call, struct str value, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_token token;
    enum err_code rc = store_token_find(store, call->arena, value, &token, e);

    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the token is not known, was revoked or has expired");
    if (rc == ERR_OK)
        rc = store_token_touch(store, &token, call->req->peer, e);
    if (rc == ERR_OK)
        be_script(call, &token);
    return rc;
}

static enum err_code be_collector(struct api_call *call, struct err *e)
{
    struct api_principal *who = &call->who;
    enum err_code rc;

    text_uuid(&who->collector, who->collector_id);
    rc = store_collector_check(call->api->config.store, who->collector_id, &who->config_version, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "the collector is not known or was revoked");
    if (rc != ERR_OK)
        return rc;
    who->kind = API_COLLECTOR;
    who->name = arena_printf(call->arena, "collector:%s", who->collector_id);
    return ERR_OK;
}

enum err_code api_be_collector(struct api_call *call, struct str id, struct err *e)
{
    if (!text_parse_uuid(id, &call->who.collector))
        return err_set(e, ERR_DENIED, "collector_id names no collector");
    return be_collector(call, e);
}

/*
 * Who shows the certificate of the connection. What was refused ends the connection: a revoked
 * agent keeps none open.
 */
static enum err_code collector_by_certificate(struct api_call *call, struct err *e)
{
    struct api_principal *who = &call->who;
    const struct store_actor actor = {"handshake", call->req->peer, call->req->id};
    struct store_trust_holder holder;
    enum err_code rc;

    text_hex(call->req->peer_certificate.sha256, X509_HASH_BYTES, who->fingerprint);
    rc = store_trust_use(call->api->config.store, &actor, who->fingerprint, &holder, e);
    if (rc == ERR_DENIED)
        call->resp->close = true;
    if (rc != ERR_OK)
        return rc;
    (void)text_parse_uuid(str_of(holder.id), &who->collector);
    memcpy(who->collector_id, holder.id, sizeof(who->collector_id));
    who->config_version = holder.config_version;
    who->kind = API_COLLECTOR;
    who->name = arena_printf(call->arena, "collector:%s", who->collector_id);
    return ERR_OK;
}

/* Certificate and token have to name the same agent, and the token this certificate. */
static enum err_code check_binding(struct api_call *call, const struct jwt_claims *claims,
                                   struct err *e)
{
    const struct httpd_peer *peer = &call->req->peer_certificate;
    struct log_ctx ctx = {.component = "api", .request = call->req->id};
    char thumbprint[JWT_ID_SIZE] = "";

    if (peer->present)
        jwt_thumbprint(peer->sha256, thumbprint);
    if (crypto_equal(str_of(thumbprint), str_of(claims->thumbprint)) &&
        (!peer->present || strcmp(call->who.collector_id, claims->subject) == 0))
        return ERR_OK;
    if (claims->thumbprint[0] != '\0')
        log_warn(&ctx, "a token of agent %s came from %s %s", claims->subject, call->req->peer,
                 peer->present ? "with another certificate" : "without its certificate");
    call->who.kind = API_NOBODY;
    return err_set(e, ERR_DENIED, "the token is not bound to the certificate of this connection");
}

static enum err_code collector_by_token(struct api_call *call, struct str token, struct err *e)
{
    struct api_principal *who = &call->who;
    struct jwt_claims claims;
    enum err_code rc = ERR_OK;

    if (call->req->peer_certificate.present)
        rc = collector_by_certificate(call, e);
    if (rc == ERR_OK)
        rc = jwt_verify(&call->api->agents, token, (struct jwt_moment){clock_wall_ms() / 1000, 0},
                        &claims, e);
    if (rc == ERR_OK)
        rc = check_binding(call, &claims, e);
    if (rc != ERR_OK) {
        who->kind = API_NOBODY;
        return rc;
    }
    if (!text_parse_uuid(str_of(claims.subject), &who->collector))
        return err_set(e, ERR_DENIED, "the token names no collector");
    rc = be_collector(call, e);
    if (rc == ERR_OK && !call->req->peer_certificate.present)
        rc = api_door_bearer(call, e);
    if (rc != ERR_OK)
        who->kind = API_NOBODY;
    return rc;
}

enum err_code api_sign_in_certificate(struct api_call *call, struct err *e)
{
    if (!call->req->peer_certificate.present)
        return err_set(e, ERR_DENIED, "no certificate");
    return collector_by_certificate(call, e);
}

enum err_code api_sign_in(struct api_call *call, struct err *e)
{
    struct str header = httpd_header(call->req, "Authorization");
    struct str cookie = httpd_cookie(call->req, api_cookie_name(call->req));

    if (header.len > 0) {
        struct str token = str_make(header.ptr + strlen(BEARER), header.len - strlen(BEARER));

        if (!str_starts(header, STR(BEARER)))
            return err_set(e, ERR_DENIED, "only bearer tokens are taken");
        enum err_code rc = ERR_DENIED;

        if (str_starts(token, STR(STORE_TOKEN_PREFIX)) && call->route->role != ROUTE_COLLECTOR)
            return script_by_token(call, token, e);
        if (call->route->role != ROUTE_COLLECTOR)
            rc = user_by_token(call, token, e);
        if (call->route->role == ROUTE_COLLECTOR || (call->route->own_agent && rc == ERR_DENIED))
            rc = collector_by_token(call, token, e);
        return rc;
    }
    if (call->route->open_door)
        return api_door_refuse(call, e);
    if (cookie.len == 0 || call->route->role == ROUTE_COLLECTOR)
        return err_set(e, ERR_DENIED, "sign in first");
    return be_user(call, STORE_SESSION_BY_TOKEN, cookie, e);
}

enum err_code api_authenticate(struct api_call *call, struct err *e)
{
    enum route_role role = call->route->role;

    call->who.kind = API_NOBODY;
    call->who.name = "";
    if (role == ROUTE_ANYONE || (role == ROUTE_LOCAL && net_is_loopback(call->req->peer)))
        return ERR_OK;
    if (call->route->certificate)
        return api_sign_in_certificate(call, e);
    if (api_door_is_open(call))
        return ERR_OK;
    return api_sign_in(call, e);
}

enum err_code api_check_fresh(struct api_call *call, struct err *e)
{
    const struct api_principal *who = &call->who;

    if (who->by_token)
        return err_set(e, ERR_DENIED, "this is for people who signed in, not for an API token");
    if (clock_wall_ms() - who->session.verified_ms < API_STEP_UP_MS)
        return ERR_OK;
    call->problem_type = API_STEP_UP_TYPE;
    return err_set(e, ERR_DENIED, "prove once more who you are: POST /api/v1/auth/confirm");
}

bool api_must_enrol(const struct api *api, const struct store_user *user)
{
    return user->totp == STORE_USER_TOTP_OFF &&
           (api->config.totp_roles & (1u << api_role_of(user->role))) != 0;
}

/* A person who must is asked; a token was made by one who could sign in then. */
static enum err_code check_enrolled(struct api_call *call, struct err *e)
{
    const struct api_principal *who = &call->who;

    if (who->by_token || call->route->enrols || !api_must_enrol(call->api, &who->session.user))
        return ERR_OK;
    call->problem_type = API_ENROL_TYPE;
    return err_set(e, ERR_DENIED, "your role asks for a second factor: POST /api/v1/auth/totp");
}

enum err_code api_check_proof(struct api_call *call, struct err *e)
{
    const struct api_principal *who = &call->who;
    const struct route *route = call->route;

    if (who->kind != API_USER)
        return ERR_OK;
    if (who->by_token && route->in_person)
        return err_set(e, ERR_DENIED, "this is for people who signed in, not for an API token");
    if (who->metrics_only && !str_starts(str_of(route->path), STR("/prometheus/")))
        return err_set(e, ERR_DENIED, "the scope of this token is Prometheus's API alone");
    if (check_enrolled(call, e) != ERR_OK)
        return e->code;
    return route->step_up ? api_check_fresh(call, e) : ERR_OK;
}

/* Origin is "http://host:port"; it must name the host that the browser asked for. */
static bool is_own_origin(struct str origin, struct str host)
{
    size_t at;

    if (!str_find(origin, STR("://"), &at))
        return false;
    return str_eq_nocase(str_make(origin.ptr + at + 3, origin.len - at - 3), host);
}

enum err_code api_check_origin(const struct api_call *call, struct err *e)
{
    struct str site = httpd_header(call->req, "Sec-Fetch-Site");
    struct str origin = httpd_header(call->req, "Origin");
    struct str token = httpd_header(call->req, "X-CSRF-Token");
    char want[65];

    if (str_eq_c(call->req->method, "GET"))
        return ERR_OK;
    if (site.len > 0 && !str_eq_c(site, "same-origin") && !str_eq_c(site, "none"))
        return err_set(e, ERR_DENIED, "the request comes from another site");
    if (origin.len > 0 && !is_own_origin(origin, httpd_header(call->req, "Host")))
        return err_set(e, ERR_DENIED, "the request comes from another origin");
    if (!call->who.by_cookie)
        return ERR_OK;
    if (!str_eq_c(site, "same-origin") && origin.len == 0)
        return err_set(e, ERR_DENIED, "the request does not say that it comes from our pages");
    api_csrf(call->api, call->who.session.id, want);
    if (!crypto_equal(token, str_of(want)))
        return err_set(e, ERR_DENIED, "the X-CSRF-Token header is missing or wrong");
    return ERR_OK;
}
