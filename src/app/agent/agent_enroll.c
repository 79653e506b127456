/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_enroll.c: how the agent gets and keeps its identity with the server.
 *
 * Threads: the sender's, or the main thread for `pga agent enroll`.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent/agent.h"
#include "app/agent/agent_sender_internal.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/host.h"
#include "tls/x509_csr.h"

#define ANSWER_MAX (1024 * 1024)
#define TIMEOUT_MS 30000
#define SECRET_MAX 1024

static const struct log_ctx CTX = {.component = "sender"};
static const struct json_limits LIMITS = {ANSWER_MAX, LIMIT_JSON_DEPTH, false};

const char *agent_sender_agent_url(const struct agent_sender *s)
{
    return s->config.agent_url ? s->config.agent_url : s->identity.agent_url;
}

enum err_code agent_sender_post(struct agent_sender *s, const struct agent_post *post,
                                struct err *e)
{
    char url[1024];
    const char *agent_url = agent_sender_agent_url(s);
    bool own = agent_url[0] && s->certificate.has && !post->to_api;
    const char *base = own ? agent_url : s->config.url;
    size_t len = strlen(base);
    while (len && base[len - 1] == '/') {
        len--;
    }
    snprintf(url, sizeof(url), "%.*s/api/v1%s", (int)len, base, post->path);
    const struct httpc_request request = {
        .method = post->method ? post->method : "POST",
        .url = url,
        .headers = post->headers,
        .header_count = post->header_count,
        .body = post->body,
        .timeout_ms = TIMEOUT_MS,
        .max_answer_bytes = ANSWER_MAX,
    };
    return httpc_perform(s->http, &request, &s->answer, e);
}

enum err_code agent_sender_refused(struct agent_sender *s, const char *what, struct err *e)
{
    struct json_doc *doc = NULL;
    int status = s->answer.status;
    enum err_code code = status == 401 || status == 403   ? ERR_DENIED
                         : status >= 500 || status == 429 ? ERR_UNREACHABLE
                                                          : ERR_INVALID;
    struct str detail = STR("no reason given");
    if (!json_parse(buf_view(&s->answer.body), &LIMITS, &doc, NULL)) {
        struct str given = json_str(json_get(json_root(doc), "detail"));
        detail = given.len ? given : detail;
    }
    err_set(e, code, "%s: the server answers %d: %.*s", what, status, STR_ARG(detail));
    json_doc_free(doc);
    return code;
}

static enum err_code take_token(struct agent_sender *s, const struct json *root, struct err *e)
{
    struct str token = json_str(json_get(root, "token"));
    if (token.len == 0 || token.len >= sizeof(s->identity.token)) {
        return err_set(e, ERR_INVALID, "the server's answer has no token");
    }
    snprintf(s->identity.token, sizeof(s->identity.token), "%.*s", STR_ARG(token));
    if (num_parse_time_ms(json_str(json_get(root, "expires_at")), &s->identity.expires_ms, NULL)) {
        s->identity.expires_ms = 0;
    }
    s->refreshed_us = clock_mono_us();
    return ERR_OK;
}

/* The host of where we enrolled, with the port at which agents show their certificates. */
static void take_agent_url(struct agent_sender *s, const struct json *root)
{
    int64_t port = json_i64(json_get(root, "agent_port"), 0);
    struct str rest = str_of(s->config.url);
    size_t at = 0;
    s->identity.agent_url[0] = '\0';
    if (port < 1 || port > UINT16_MAX || !str_find(rest, STR("://"), &at)) {
        return;
    }
    rest = str_make(rest.ptr + at + 3, rest.len - at - 3);
    struct str host = str_split(&rest, '/');
    size_t end = host.len;
    while (end > 0 && host.ptr[end - 1] >= '0' && host.ptr[end - 1] <= '9') {
        end--;
    }
    if (end > 1 && host.ptr[end - 1] == ':' && end < host.len) { /* not inside of [::1] */
        host.len = end - 1;
    }
    snprintf(s->identity.agent_url, sizeof(s->identity.agent_url), "https://%.*s:%lld",
             STR_ARG(host), (long long)port);
}

static enum err_code take_identity(struct agent_sender *s, struct err *e)
{
    struct json_doc *doc = NULL;
    if (json_parse(buf_view(&s->answer.body), &LIMITS, &doc, e)) {
        return e->code;
    }
    const struct json *root = json_root(doc);
    struct uuid collector;
    enum err_code code = ERR_OK;
    if (!text_parse_uuid(json_str(json_get(root, "collector_id")), &collector)) {
        code = err_set(e, ERR_INVALID, "the server's answer has no collector_id");
    }
    code = code ? code : take_token(s, root, e);
    if (!code) {
        s->identity.collector = collector;
        take_agent_url(s, root);
    }
    if (!code && json_str(json_get(root, "certificate")).len) {
        code = agent_sender_take_certificate(s, root, e);
    }
    if (!code) {
        s->identity.enrolled = true;
        memset(&s->identity.epoch, 0, sizeof(s->identity.epoch));
        code = agent_identity_save(s->config.state_dir, &s->identity, e);
    }
    json_doc_free(doc);
    return code;
}

/*
 * Always with a request for a certificate. Whom to believe is known by now, or comes with the
 * answer of a server on this machine, which got the secret as well.
 */
static enum err_code registration_body(struct agent_sender *s, struct buf *body, struct err *e)
{
    struct json_writer w;
    struct buf csr;
    buf_init(&csr, X509_CSR_MAX);
    enum err_code code = agent_certificate_request(&s->certificate, &csr, e);
    json_writer_init(&w, body);
    json_object_begin(&w);
    json_member_c(&w, "name", s->config.name);
    json_member_c(&w, "hostname", s->config.hostname);
    json_member_c(&w, "version", PGA_VERSION);
    json_member_str(&w, "csr", buf_view(&csr));
    json_object_end(&w);
    buf_fini(&csr);
    return code;
}

enum err_code agent_sender_register(struct agent_sender *s, struct err *e)
{
    struct buf secret, body;
    char room[1024];
    if (!s->config.secret_file && !s->config.secret) {
        return err_set(e, ERR_DENIED, "no identity, and no registration_secret_file to get one");
    }
    buf_init(&secret, SECRET_MAX);
    buf_init(&body, 64 * 1024);
    enum err_code code = agent_sender_pin(s, e);
    if (code) {
        goto out;
    }
    if (s->config.secret_file) {
        code = file_read_secret(agent_config_secret_path(s->config.secret_file, room, sizeof(room)),
                                &secret, e);
    } else {
        buf_add_c(&secret, s->config.secret);
        code = buf_check(&secret, e);
    }
    if (!code) {
        const struct httpc_header headers[] = {
            {"Content-Type", "application/json"},
            {"X-Registration-Secret", secret.ptr},
        };
        code = registration_body(s, &body, e);
        const struct agent_post post = {"/collectors/register", headers, 2,
                                        buf_view(&body),        NULL,    true};
        code = code ? code : agent_sender_post(s, &post, e);
    }
    if (!code && s->answer.status == 202) {
        code = err_set(e, ERR_UNREACHABLE,
                       "registration: a person at the server has to let this agent in first "
                       "(pga ctl collector approve)");
    }
    if (!code && s->answer.status != 200 && s->answer.status != 201) {
        code = agent_sender_refused(s, "registration", e);
    }
    code = code ? code : take_identity(s, e);
    if (!code) {
        log_info(&CTX, "registered with %s%s", s->config.url,
                 s->certificate.has ? ", with a certificate" : "");
    }
out:
    if (secret.ptr) {
        explicit_bzero(secret.ptr, secret.len);
    }
    buf_fini(&secret);
    buf_fini(&body);
    return code;
}

enum err_code agent_sender_refresh(struct agent_sender *s, struct err *e)
{
    char bearer[AGENT_TOKEN_MAX + 16];
    struct json_doc *doc = NULL;
    snprintf(bearer, sizeof(bearer), "Bearer %s", s->identity.token);
    const struct httpc_header headers[] = {{"Authorization", bearer},
                                           {"Content-Type", "application/json"}};
    enum err_code code = agent_sender_post(
        s, &(struct agent_post){"/collectors/refresh-token", headers, 2, {NULL, 0}, NULL, false},
        e);
    if (!code && s->answer.status != 200) {
        code = agent_sender_refused(s, "token refresh", e);
    }
    code = code ? code : json_parse(buf_view(&s->answer.body), &LIMITS, &doc, e);
    code = code ? code : take_token(s, json_root(doc), e);
    code = code ? code : agent_identity_save(s->config.state_dir, &s->identity, e);
    json_doc_free(doc);
    return code;
}

int agent_enroll(const struct agent_options *o, const struct agent_config *config)
{
    struct err e = {0};
    char hostname[256] = "localhost";
    (void)o;
    if (!config->server_url || !config->secret_file) {
        fputs("pga agent enroll: --server and --secret-file are needed\n", stderr);
        return AGENT_EXIT_USAGE;
    }
    if (host_read_name("", hostname, sizeof(hostname), NULL)) {
        snprintf(hostname, sizeof(hostname), "localhost");
    }
    const struct agent_sender_config sender_config = {
        .url = config->server_url,
        .state_dir = config->state_dir,
        .secret_file = config->secret_file,
        .ca_fingerprint = config->ca_fingerprint,
        .ca_file = config->ca_file,
        .name = config->name ? config->name : hostname,
        .hostname = hostname,
    };
    struct agent_sender *s = agent_sender_new(&sender_config);
    enum err_code code = file_make_dirs(config->state_dir, 0700, &e);
    code = code ? code : agent_sender_open_certificate(s, &e);
    code = code ? code : agent_sender_enroll(s, &e);
    if (code) {
        fprintf(stderr, "pga agent enroll: %s\n", e.text);
    } else {
        char id[TEXT_UUID_SIZE];
        text_uuid(&s->identity.collector, id);
        printf("enrolled as %s\n", id);
    }
    agent_sender_free(s);
    return agent_exit_code(code);
}
