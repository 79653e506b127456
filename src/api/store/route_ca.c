/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_ca.c: the certificate authority, and the certificates of agents after the first.
 *
 * What is to be believed is public; who asks for it over a connection that is not verified yet
 * compares the fingerprint that came by another way, before anything secret is sent.
 */
#include "api/api_call.h"
#include "base/limits.h"
#include "store/store_trust.h"
#include "tls/x509_csr.h"
#include "tls/x509_renewal.h"

/* --- what is trusted --- */

static enum err_code get(struct api_call *call, struct err *e)
{
    const struct store_ca *ca = call->api->config.ca;
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct json_writer *w;
    struct buf bundle;
    enum err_code rc = store_ca_fingerprint(ca, fingerprint, e);

    buf_init(&bundle, X509_BUNDLE_MAX);
    if (rc == ERR_OK)
        rc = store_ca_bundle(ca, &bundle, e);
    if (rc == ERR_OK) {
        w = api_json(call, 200);
        json_object_begin(w);
        json_member_str(w, "ca", buf_view(&bundle));
        json_member_c(w, "fingerprint", fingerprint);
        json_object_end(w);
    }
    buf_fini(&bundle);
    return rc;
}

const struct route route_ca_get = {
    .method = "GET",
    .path = "/api/v1/ca",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .handle = get,
    .summary = "The certificates that agents believe, and the fingerprint of the newest root.",
    .answer = "{ca: text 'PEM', fingerprint: text 'SHA-256'}",
};

static void put_authority(struct json_writer *w, const struct store_authority *row)
{
    json_object_begin(w);
    json_member_c(w, "name", row->name);
    json_member_c(w, "kind", row->is_root ? "root" : "issuing");
    json_member_i64(w, "generation", row->generation);
    json_member_c(w, "fingerprint", row->fingerprint);
    api_member_time(w, "not_before", row->not_before_ms);
    api_member_time(w, "not_after", row->not_after_ms);
    api_member_time(w, "retires_at", row->retire_ms);
    json_object_end(w);
}

static enum err_code answer_authorities(struct api_call *call, struct err *e)
{
    struct store_authority *rows;
    struct json_writer *w;
    size_t count;
    enum err_code rc = store_ca_list(call->api->config.ca, call->arena, &rows, &count, e);

    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        put_authority(w, &rows[i]);
    json_array_end(w);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_ca_list = {
    .method = "GET",
    .path = "/api/v1/ca/authorities",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .handle = answer_authorities,
    .summary = "The authorities that are trusted, the newest of a kind first: that one issues.",
    .answer = "{data: [Authority]}",
};

/* --- rotation --- */

static enum err_code rotate(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct str kind;
    enum err_code rc = api_member_text(call, "kind", (struct api_length){1, 16}, &kind, e);

    if (rc != ERR_OK)
        return rc;
    if (!str_eq_c(kind, "issuing") && !str_eq_c(kind, "root"))
        return err_set(e, ERR_INVALID, "kind: issuing or root");
    rc = store_ca_rotate(call->api->config.ca, &who,
                         str_eq_c(kind, "root") ? STORE_CA_ROOT : STORE_CA_ISSUING, e);
    return rc == ERR_OK ? answer_authorities(call, e) : rc;
}

static const char *const rotate_members[] = {
    "kind text(issuing|root)!: a new root comes with a new issuing authority",
    NULL,
};

const struct route route_ca_rotate = {
    .method = "POST",
    .path = "/api/v1/ca/rotate",
    .role = ROUTE_OWNER,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = rotate_members,
    .step_up = true,
    .handle = rotate,
    .summary = "Make a new authority, which issues from now on; the one before is trusted for 45"
               " days more.",
    .answer = "{data: [Authority]}",
};

/* --- the next certificate of an agent --- */

static enum err_code answer_certificate(struct api_call *call, struct str certificate,
                                        struct err *e)
{
    struct json_writer *w;
    struct buf bundle;
    enum err_code rc;

    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(call->api->config.ca, &bundle, e);
    if (rc == ERR_OK) {
        w = api_json(call, 200);
        json_object_begin(w);
        json_member_str(w, "certificate", certificate);
        json_member_str(w, "ca", buf_view(&bundle));
        json_object_end(w);
    }
    buf_fini(&bundle);
    return rc;
}

/* A refusal by the state of the agent is 401: it cannot help to ask again. */
static enum err_code finish(struct api_call *call, enum err_code rc, struct buf *pem, struct err *e)
{
    if (rc == ERR_OK)
        rc = answer_certificate(call, buf_view(pem), e);
    buf_fini(pem);
    if (rc == ERR_DENIED) {
        api_log(call, e);
        return api_problem(call, 401, "the certificate cannot be renewed; enrol again");
    }
    if (rc == ERR_LIMIT) {
        api_retry_after(call, STORE_TRUST_RENEW_MS / 1000);
        return api_problem(call, 429, "%s", e->text);
    }
    return rc;
}

static enum err_code renew(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_trust_renewal next = {call->who.collector_id, call->who.fingerprint, NULL, ""};
    struct x509_public key;
    struct str csr;
    struct buf pem;
    enum err_code rc = api_member_text(call, "csr", (struct api_length){1, X509_CSR_MAX}, &csr, e);

    if (rc == ERR_OK && x509_csr_read(csr, &key, e) != ERR_OK)
        rc = err_set(e, ERR_INVALID, "csr: %s", e->text);
    if (rc != ERR_OK)
        return rc;
    next.key = &key;
    buf_init(&pem, X509_CERTIFICATE_MAX);
    rc = store_trust_renew(call->api->config.ca, &who, &next, &pem, e);
    if (rc == ERR_OK)
        api_seen(call->api, call->who.collector_id, 0);
    return finish(call, rc, &pem, e);
}

static const char *const renew_members[] = {
    "csr text!: a certificate request (PKCS #10, PEM) with a new P-256 key",
    NULL,
};

const struct route route_certificate_renew = {
    .method = "POST",
    .path = "/api/v1/collectors/renew-certificate",
    .role = ROUTE_COLLECTOR,
    .sight = ROUTE_SIGHT_APART,
    .certificate = true,
    .classes = HTTPD_AGENT,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = renew_members,
    .handle = renew,
    .summary = "The next certificate of an agent, for which its current one speaks.",
    .answer = "{certificate: text, ca: text}",
    .also = "401 429",
};

static enum err_code renew_late(struct api_call *call, struct err *e)
{
    struct store_actor who = {"enrolment", call->req->peer, call->req->id};
    struct store_trust_late late = {.grace_s = call->api->config.renewal_grace_s};
    struct buf pem;
    enum err_code rc = api_member_text(call, "renewal", (struct api_length){1, X509_RENEWAL_MAX},
                                       &late.signed_text, e);

    if (rc != ERR_OK)
        return rc;
    if (late.grace_s == 0)
        return api_problem(call, 401, "expired certificates are not renewed here; enrol again");
    buf_init(&pem, X509_CERTIFICATE_MAX);
    rc = store_trust_renew_late(call->api->config.ca, &who, &late, &pem, e);
    return finish(call, rc, &pem, e);
}

static const char *const late_members[] = {
    "renewal text!: JWS (ES256, typ pga-renewal) of {certificate, csr}, signed with the key of the"
    " certificate that has expired",
    NULL,
};

const struct route route_certificate_renew_late = {
    .method = "POST",
    .path = "/api/v1/collectors/renew-expired",
    .role = ROUTE_ANYONE, /* the signature says who */
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = late_members,
    .handle = renew_late,
    .summary = "The next certificate of an agent whose last one has expired, within the grace.",
    .answer = "{certificate: text, ca: text}",
    .also = "401 429",
};

/* --- approval --- */

static enum err_code approve(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    char id[TEXT_UUID_SIZE];
    struct uuid uuid;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK)
        rc = store_trust_approve(call->api->config.store, &who, id, e);
    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_collector_approve = {
    .method = "POST",
    .path = "/api/v1/collectors/{id}/approve",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .handle = approve,
    .status = 204,
    .summary = "Let an agent in that waits for it, or that was suspended.",
};
