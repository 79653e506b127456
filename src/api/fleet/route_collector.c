/* SPDX-License-Identifier: PostgreSQL */
/* route_collector.c: agents enrol, renew their token, and are listed and revoked. */
#include <stdio.h>
#include <string.h>

#include "api/api_door.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_collector.h"
#include "tls/x509_csr.h"

#define TOKEN_S         900
#define REFRESH_GRACE_S (30 * 24 * 3600)
#define PENDING_RETRY_S 30

/* sha256: of the certificate that it is bound to, where agents have a listener; NULL = none */
struct holder {
    const char *id;
    const unsigned char *sha256;
};

/* Sign a token for a collector. */
static enum err_code put_token(struct api_call *call, struct holder holder, struct buf *token,
                               int64_t *expires_ms, struct err *e)
{
    int64_t now_s = clock_wall_ms() / 1000;
    struct jwt_claims claims = {.issued_s = now_s, .expires_s = now_s + TOKEN_S};
    struct uuid jti;

    if (holder.sha256 != NULL && call->api->config.agent_port != 0)
        jwt_thumbprint(holder.sha256, claims.thumbprint);
    entropy_uuid(&jti);
    text_uuid(&jti, claims.session);
    memcpy(claims.subject, holder.id, TEXT_UUID_SIZE);
    *expires_ms = claims.expires_s * 1000;
    return jwt_sign(&call->api->agents, &claims, token, e);
}

/* --- enrolment --- */

/* What an agent with a certificate needs: it, whom to believe, and where to push with it. */
static enum err_code put_certificate(struct api_call *call, struct str certificate, struct err *e)
{
    struct json_writer *w = &call->out;
    struct buf bundle;
    enum err_code rc = ERR_OK;

    json_member_str(w, "certificate", certificate);
    json_member_null(w, "private_key");
    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(call->api->config.ca, &bundle, e);
    json_member_str(w, "ca", buf_view(&bundle));
    buf_fini(&bundle);
    if (call->api->config.agent_port != 0)
        json_member_i64(w, "agent_port", call->api->config.agent_port);
    else
        json_member_null(w, "agent_port");
    return rc;
}

static void put_no_certificate(struct json_writer *w)
{
    json_member_null(w, "certificate");
    json_member_null(w, "private_key");
    json_member_null(w, "ca");
    json_member_null(w, "agent_port");
}

static enum err_code answer_enrolment(struct api_call *call,
                                      const struct store_collector_identity *id, struct err *e)
{
    struct x509_facts facts;
    bool has = id->certificate->len > 0;
    struct json_writer *w;
    int64_t expires_ms;
    struct buf token;
    enum err_code rc = ERR_OK;

    if (has)
        rc = x509_read(call->arena, buf_view(id->certificate), &facts, e);
    buf_init(&token, JWT_TOKEN_MAX);
    if (rc == ERR_OK)
        rc = put_token(call, (struct holder){id->id, has ? facts.sha256 : NULL}, &token,
                       &expires_ms, e);
    if (rc == ERR_OK) {
        w = api_json(call, id->again ? 200 : 201);
        json_object_begin(w);
        json_member_c(w, "collector_id", id->id);
        json_member_str(w, "token", buf_view(&token));
        api_member_time(w, "expires_at", expires_ms);
        if (has)
            rc = put_certificate(call, buf_view(id->certificate), e);
        else
            put_no_certificate(w);
        json_object_end(w);
    }
    buf_fini(&token);
    return rc;
}

static enum err_code answer_pending(struct api_call *call,
                                    const struct store_collector_identity *id)
{
    struct json_writer *w = api_json(call, 202);

    json_object_begin(w);
    json_member_c(w, "collector_id", id->id);
    json_member_null(w, "token");
    json_member_null(w, "expires_at");
    put_no_certificate(w);
    json_object_end(w);
    api_retry_after(call, PENDING_RETRY_S);
    return ERR_OK;
}

static enum err_code read_enrolment(struct api_call *call, struct store_collector_new *n,
                                    struct err *e)
{
    enum err_code rc = api_member_text(call, "name", (struct api_length){1, 200}, &n->name, e);

    if (rc == ERR_OK)
        rc = api_member_text(call, "hostname", (struct api_length){1, 255}, &n->hostname, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "version", (struct api_length){0, 64}, &n->version, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "address", (struct api_length){0, 255}, &n->address, e);
    if (rc == ERR_OK && n->address.len == 0)
        n->address = str_of(call->req->peer);
    return rc;
}

/* Nothing of the request is taken but its key. */
static enum err_code read_request(struct api_call *call, struct store_collector_new *n,
                                  struct x509_public *key, struct err *e)
{
    struct str csr;
    enum err_code rc = api_member_text(call, "csr", (struct api_length){0, X509_CSR_MAX}, &csr, e);

    if (rc != ERR_OK || csr.len == 0)
        return rc;
    rc = x509_csr_read(csr, key, e);
    if (rc != ERR_OK)
        return err_set(e, ERR_INVALID,
                       "csr: no request for a certificate, signed with its own "
                       "P-256 key by ECDSA with SHA-256");
    n->key = key;
    n->ca = call->api->config.ca;
    return ERR_OK;
}

static enum err_code enrol(struct api_call *call, struct err *e)
{
    struct store_collector_new n = {.secret = httpd_header(call->req, "X-Registration-Secret")};
    struct store_actor who = api_actor(call);
    struct buf certificate;
    struct store_collector_identity identity = {.certificate = &certificate};
    struct x509_public key;
    enum err_code rc = read_enrolment(call, &n, e);

    if (rc == ERR_OK)
        rc = read_request(call, &n, &key, e);
    if (rc == ERR_OK && n.key == NULL)
        rc = api_door_bearer(call, e);
    if (rc != ERR_OK)
        return rc;
    who.name = "enrolment";
    buf_init(&certificate, X509_CERTIFICATE_MAX);
    rc = store_collector_register(call->api->config.store, &who, &n, &identity, e);
    if (rc == ERR_DENIED)
        rc = api_problem(call, 401, "%s", e->text);
    else if (rc == ERR_OK)
        rc = identity.pending ? answer_pending(call, &identity)
                              : answer_enrolment(call, &identity, e);
    buf_fini(&certificate);
    return rc;
}

static const char *const enrol_members[] = {
    "name text!: what people call the agent",
    "hostname text!: the same host keeps its identity",
    "version text: of the agent",
    "address text: where it can be reached",
    "csr text: a certificate request (PKCS #10, PEM); nothing of it is taken but its P-256 key",
    NULL,
};

static const char *const register_headers[] = {
    "X-Registration-Secret text!: a registration secret",
    NULL,
};

const struct route route_collector_register = {
    .method = "POST",
    .path = "/api/v1/collectors/register",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = enrol_members,
    .headers = register_headers,
    .handle = enrol,
    .summary = "Enrol an agent with a registration secret; without a csr 403 unless"
               " ingest.allow_bearer_push is on.",
    .status = 201,
    .answer = "{collector_id: uuid, token: text? 'null while it waits for approval',"
              " expires_at: time?, certificate: text? 'PEM, when there was a csr',"
              " private_key: text? 'always null: keys stay where they were made',"
              " ca: text? 'all that is to be believed, PEM', agent_port: int? 'of the listener"
              " for which the certificate is'}",
    .also = "200 202 401 403",
};

/* --- renewal --- */

/*
 * Not by the dispatcher: here a token that has expired is still good for a while, and a certificate
 * alone is enough.
 */
static enum err_code who_renews(struct api_call *call, struct jwt_claims *claims, struct err *e)
{
    struct str header = httpd_header(call->req, "Authorization");
    enum err_code rc;

    if (call->req->peer_certificate.present) {
        rc = api_sign_in_certificate(call, e);
        memcpy(claims->subject, call->who.collector_id, TEXT_UUID_SIZE);
        return rc;
    }
    if (!str_starts(header, STR("Bearer ")))
        return err_set(e, ERR_DENIED, "no token");
    rc = jwt_verify(&call->api->agents, str_make(header.ptr + 7, header.len - 7),
                    (struct jwt_moment){clock_wall_ms() / 1000, REFRESH_GRACE_S}, claims, e);
    if (rc == ERR_OK && claims->thumbprint[0] != '\0')
        rc = err_set(e, ERR_DENIED, "the token is bound to a certificate");
    if (rc == ERR_OK)
        rc = store_collector_check(call->api->config.store, claims->subject, NULL, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_DENIED, "not known or revoked");
    return rc == ERR_OK ? api_door_bearer(call, e) : rc;
}

static enum err_code renew(struct api_call *call, struct err *e)
{
    const struct httpd_peer *peer = &call->req->peer_certificate;
    struct jwt_claims claims;
    struct json_writer *w;
    int64_t expires_ms;
    struct buf token;
    enum err_code rc = who_renews(call, &claims, e);

    if (rc == ERR_DENIED && call->refusal == 0) {
        httpd_add_header(call->resp, "WWW-Authenticate", "Bearer");
        return api_problem(call, 401, "the token is not valid; enrol again");
    }
    if (rc != ERR_OK)
        return rc;
    buf_init(&token, JWT_TOKEN_MAX);
    rc = put_token(call, (struct holder){claims.subject, peer->present ? peer->sha256 : NULL},
                   &token, &expires_ms, e);
    if (rc == ERR_OK) {
        api_seen(call->api, claims.subject, 0);
        w = api_json(call, 200);
        json_object_begin(w);
        json_member_str(w, "token", buf_view(&token));
        api_member_time(w, "expires_at", expires_ms);
        json_object_end(w);
    }
    buf_fini(&token);
    return rc;
}

static const char *const renew_headers[] = {
    "Authorization text!: Bearer and the token that runs out",
    NULL,
};

const struct route route_collector_renew = {
    .method = "POST",
    .path = "/api/v1/collectors/refresh-token",
    .role = ROUTE_ANYONE, /* see who_renews */
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .headers = renew_headers,
    .handle = renew,
    .summary = "A new token for an agent, also when the old one expired up to 30 days ago; without"
               " its certificate 403 unless ingest.allow_bearer_push is on.",
    .answer = "{token: text, expires_at: time}",
    .also = "401 403",
};

/* --- reading --- */

static const char *status_of(const struct store_collector *c)
{
    if (c->revoked_ms != 0)
        return "revoked";
    if (c->pending_ms != 0)
        return "pending";
    if (c->suspended_ms != 0)
        return "suspended";
    if (c->last_seen_ms == 0)
        return "registered";
    if (c->offline_ms == 0 && c->config_failed != 0)
        return "error";
    return c->offline_ms == 0 ? "active" : "offline"; /* api_tick.c decides */
}

/* What each collector has in the store. */
struct uses {
    struct tsdb_use *list;
    size_t count;
};

static enum err_code read_uses(struct api_call *call, struct uses *out, struct err *e)
{
    return tsdb_uses(call->api->config.tsdb, call->arena, &out->list, &out->count, e);
}

/* The limits over which something was left out since the server started. */
static void put_over_limits(struct json_writer *w, const struct uses *uses, const char *id)
{
    struct uuid uuid;
    bool known = text_parse_uuid(str_of(id), &uuid);

    json_key(w, "over_limits");
    json_array_begin(w);
    for (size_t i = 0; known && i < uses->count; i++) {
        for (int cap = 0; text_uuid_eq(&uses->list[i].collector, &uuid) && cap < TSDB_CAPS; cap++) {
            if (uses->list[i].refused[cap] > 0)
                json_put_c(w, tsdb_cap_name((enum tsdb_cap)cap));
        }
    }
    json_array_end(w);
}

static void put_collector(struct api_call *call, const struct uses *uses,
                          const struct store_collector *c)
{
    struct json_writer *w = &call->out;

    json_object_begin(w);
    json_member_c(w, "id", c->id);
    json_member_c(w, "name", c->name);
    json_member_c(w, "hostname", c->hostname);
    json_member_c(w, "address", c->address);
    json_member_c(w, "version", c->version);
    json_member_c(w, "group", c->group);
    json_member_c(w, "status", status_of(c));
    api_member_time(w, "last_seen", c->last_seen_ms);
    json_member_c(w, "certificate_thumbprint", c->fingerprint[0] != '\0' ? c->fingerprint : NULL);
    api_member_time(w, "certificate_expires_at", c->certificate_ms);
    json_member_i64(w, "config_version", c->config_applied);
    json_member_i64(w, "config_version_newest", c->config_version);
    if (c->config_failed != 0)
        json_member_c(w, "config_error", c->config_error);
    else
        json_member_null(w, "config_error");
    json_member_i64(w, "metrics_count_total", c->samples_total);
    json_member_i64(w, "metrics_count_24h", c->samples_day);
    json_member_i64(w, "health_check_interval", call->api->config.check_interval_ms / 1000);
    put_over_limits(w, uses, c->id);
    api_member_time(w, "created_at", c->created_ms);
    json_object_end(w);
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_collector_page list = {.after = "", .sight = call->who.sight};
    struct uses uses = {NULL, 0};
    struct api_page page;
    int64_t total;
    enum err_code rc = api_page_numbered(call, &page, e);

    if (rc == ERR_OK)
        rc = store_count(store, "collector_count", SQLDB_ARGS(store_sight_value(&call->who.sight)),
                         &total, e);
    if (rc == ERR_OK) {
        list.limit = page.limit;
        list.offset = page.offset;
        if (page.cursor.len > 0)
            list.after = arena_cstr(call->arena, page.cursor);
        rc = store_collector_list(store, call->arena, &list, e);
    }
    if (rc == ERR_OK)
        rc = read_uses(call, &uses, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        put_collector(call, &uses, &list.rows[i]);
    api_list_end(call, &page, list.count,
                 list.count == page.limit ? list.rows[list.count - 1].id : NULL, total);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE_NUMBER,
    NULL,
};

const struct route route_collector_list = {
    .method = "GET",
    .path = "/api/v1/collectors",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List the enrolled agents.",
    .answer = ROUTE_LIST("Collector"),
};

static enum err_code get(struct api_call *call, struct err *e)
{
    struct uses uses = {NULL, 0};
    struct store_collector c;
    char id[TEXT_UUID_SIZE];
    struct uuid uuid;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK)
        rc = store_collector_get(call->api->config.store, call->arena, id, &c, e);
    if (rc == ERR_OK)
        rc = read_uses(call, &uses, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_json(call, 200);
    put_collector(call, &uses, &c);
    return ERR_OK;
}

const struct route route_collector_get = {
    .method = "GET",
    .path = "/api/v1/collectors/{id}",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One enrolled agent.",
    .answer = "Collector",
};

/* The connections that it keeps open; one at work ends with its next request. */
static void end_connections(struct api_call *call, const struct store_trust_shown *shown)
{
    unsigned char sha256[X509_HASH_BYTES];

    for (int i = 0; i < 2; i++) {
        if (text_unhex(str_of(shown->fingerprints[i]), sha256, sizeof(sha256)))
            httpd_end_peer(call->req->server, sha256);
    }
}

static enum err_code revoke(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_actor who = api_actor(call);
    struct store_trust_shown shown = {0};
    char id[TEXT_UUID_SIZE];
    struct uuid uuid;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK)
        rc = store_trust_shown(store, call->arena, id, &shown, e);
    if (rc == ERR_OK)
        rc = store_collector_revoke(store, &who, id, e);
    if (rc != ERR_OK)
        return rc;
    end_connections(call, &shown);
    call->resp->status = 204;
    return ERR_OK;
}

const struct route route_collector_revoke = {
    .method = "DELETE",
    .path = "/api/v1/collectors/{id}",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .handle = revoke,
    .summary = "Revoke an agent; its tokens and certificates are dead at once.",
};
