/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_renew.c: the sender gets, uses and renews the agent's certificate.
 *
 *     due: asks for the next one, for which the current one speaks, where it pushes
 *     late (it has expired): asks where it enrolled, by a request signed with the old key
 *     lost (too late): says so, and goes on asking once an hour: our clock may be the wrong one
 *     doubtful (fresh or due by our clock, but pushes are not answered): as late
 *
 * Nothing of this stops collecting: records wait in the spool.
 * Threads: the sender's, or the main thread for `pga agent enroll`.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent/agent_sender_internal.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "tls/x509_renewal.h"

#define ANSWER_MAX   (256 * 1024)
#define TIMEOUT_MS   30000
#define RETRY_S      60
#define LOST_RETRY_S 3600
#define GRACE_S      (30 * 86400) /* what a server grants at most */
#define DOUBT_AFTER  4            /* pushes in a row without an answer */
#define DOUBLINGS    6

static const struct log_ctx CTX = {.component = "certificate"};
static const struct json_limits LIMITS = {ANSWER_MAX, LIMIT_JSON_DEPTH, false};

static int64_t now_s(const struct agent_sender *s)
{
    return (clock_wall_ms() + agent_sender_offset_ms(s)) / 1000;
}

/* Between half of it and all of it from now on, so that agents do not ask in step. */
static void ask_later(struct agent_sender *s, int64_t seconds)
{
    uint32_t random;
    entropy_fill(&random, sizeof(random));
    s->renew_us = clock_mono_us() + (seconds * 500 + random % (uint32_t)(seconds * 500)) * 1000;
}

/* --- connections ------------------------------------------------------------------------------ */

/* What the server gave us, and what the configuration adds. */
static enum err_code use_tls(struct agent_sender *s, struct err *e)
{
    struct agent_certificate *c = &s->certificate;
    struct httpc_tls tls = {{NULL, 0}, buf_view(&c->certificate), buf_view(&c->key)};
    struct buf ca;
    enum err_code code = ERR_OK;
    buf_init(&ca, 2 * X509_BUNDLE_MAX);
    buf_add_str(&ca, buf_view(&c->ca));
    if (s->config.ca_file) {
        buf_add_char(&ca, '\n');
        code = file_read_all(s->config.ca_file, &ca, e);
    }
    code = code ? code : buf_check(&ca, e);
    tls.ca = buf_view(&ca);
    if (!code) {
        httpc_set_tls(s->http, &tls);
    }
    buf_fini(&ca);
    return code ? err_wrap(e, "ca_file") : ERR_OK;
}

enum err_code agent_sender_open_certificate(struct agent_sender *s, struct err *e)
{
    enum err_code code = agent_certificate_load(&s->certificate, clock_wall_ms() / 1000, e);
    return code ? code : use_tls(s, e);
}

/* --- whom to believe -------------------------------------------------------------------------- */

/* GET /ca. unverified: nobody is believed yet, and what comes is compared with the fingerprint. */
static enum err_code fetch_ca(struct agent_sender *s, bool unverified, struct json_doc **doc,
                              struct err *e)
{
    char url[1024];
    size_t len = strlen(s->config.url);
    while (len && s->config.url[len - 1] == '/') {
        len--;
    }
    snprintf(url, sizeof(url), "%.*s/api/v1/ca", (int)len, s->config.url);
    const struct httpc_request request = {.method = "GET",
                                          .url = url,
                                          .timeout_ms = TIMEOUT_MS,
                                          .max_answer_bytes = ANSWER_MAX,
                                          .unverified = unverified};
    enum err_code code = httpc_perform(s->http, &request, &s->answer, e);
    if (!code && s->answer.status != 200) {
        code = agent_sender_refused(s, "authorities of the server", e);
    }
    return code ? code : json_parse(buf_view(&s->answer.body), &LIMITS, doc, e);
}

static enum err_code pin(struct agent_sender *s, const char *fingerprint, struct err *e)
{
    struct json_doc *doc = NULL;
    struct buf pinned;
    buf_init(&pinned, X509_BUNDLE_MAX);
    enum err_code code = fetch_ca(s, true, &doc, e);
    if (!code) {
        code = x509_pin(json_str(json_get(json_root(doc), "ca")), fingerprint, now_s(s), &pinned,
                        e);
    }
    code = code ? code : agent_certificate_trust(&s->certificate, buf_view(&pinned), e);
    code = code ? code : use_tls(s, e);
    json_doc_free(doc);
    buf_fini(&pinned);
    return code ? err_wrap(e, "the server is not the one of the fingerprint") : ERR_OK;
}

static bool is_https(const char *url)
{
    return strncmp(url, "https://", 8) == 0;
}

enum err_code agent_sender_pin(struct agent_sender *s, struct err *e)
{
    char fingerprint[X509_FINGERPRINT_SIZE];
    enum err_code code = use_tls(s, e);
    if (code) {
        return code;
    }
    if (!s->config.ca_fingerprint) {
        if (is_https(s->config.url) && !s->certificate.ca.len && !s->config.ca_file) {
            return err_set(e, ERR_INVALID,
                           "the registration secret goes to a server only whose authority is "
                           "known: --ca-fingerprint (pga ctl ca show) or server.ca_file");
        }
        return ERR_OK;
    }
    code = x509_parse_fingerprint(str_of(s->config.ca_fingerprint), fingerprint, e);
    return code ? code : pin(s, fingerprint, e);
}

void agent_sender_refresh_ca(struct agent_sender *s)
{
    struct json_doc *doc = NULL;
    struct err e = {0};
    char path[] = "/ca";
    if (!s->certificate.has || !is_https(agent_sender_agent_url(s))) {
        return;
    }
    enum err_code code = agent_sender_post(
        s, &(struct agent_post){path, NULL, 0, {NULL, 0}, "GET", false}, &e);
    if (code || s->answer.status != 200) {
        return; /* the next one comes with the next certificate */
    }
    code = json_parse(buf_view(&s->answer.body), &LIMITS, &doc, &e);
    struct str ca = json_str(json_get(json_root(doc), "ca"));
    if (!code && ca.len && !str_eq(ca, buf_view(&s->certificate.ca))) {
        code = agent_certificate_trust(&s->certificate, ca, &e);
        code = code ? code : use_tls(s, &e);
        if (code) {
            log_warn(&CTX, "authorities of the server: %s", e.text);
        } else {
            log_info(&CTX, "the server has new authorities");
        }
    }
    json_doc_free(doc);
}

/* --- certificates ----------------------------------------------------------------------------- */

enum err_code agent_sender_take_certificate(struct agent_sender *s, const struct json *root,
                                            struct err *e)
{
    const struct agent_certificate_answer answer = {
        .certificate = json_str(json_get(root, "certificate")),
        .ca = json_str(json_get(root, "ca")),
        .collector = &s->identity.collector,
    };
    enum err_code code = agent_certificate_take(&s->certificate, &answer, now_s(s), e);
    s->told_lost = false;
    return code ? code : use_tls(s, e);
}

static enum err_code write_member(const char *name, struct str value, struct buf *body,
                                  struct err *e)
{
    struct json_writer w;
    json_writer_init(&w, body);
    json_object_begin(&w);
    json_member_str(&w, name, value);
    json_object_end(&w);
    return buf_check(body, e);
}

/* The answer to either question; the token of the old certificate is of no use with the new. */
static enum err_code take_answer(struct agent_sender *s, struct err *e)
{
    struct json_doc *doc = NULL;
    enum err_code code = ERR_OK;
    if (s->answer.status != 200) {
        return agent_sender_refused(s, "renewal of the certificate", e);
    }
    code = json_parse(buf_view(&s->answer.body), &LIMITS, &doc, e);
    code = code ? code : agent_sender_take_certificate(s, json_root(doc), e);
    json_doc_free(doc);
    if (!code && agent_sender_agent_url(s)[0]) {
        code = agent_sender_refresh(s, e);
    }
    return code;
}

static enum err_code renew_due(struct agent_sender *s, struct err *e)
{
    static const struct httpc_header HEADERS[] = {{"Content-Type", "application/json"}};
    struct buf csr, body;
    buf_init(&csr, X509_CERTIFICATE_MAX);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    enum err_code code = agent_certificate_request(&s->certificate, &csr, e);
    code = code ? code : write_member("csr", buf_view(&csr), &body, e);
    const struct agent_post post = {
        "/collectors/renew-certificate", HEADERS, 1, buf_view(&body), NULL, false};
    code = code ? code : agent_sender_post(s, &post, e);
    code = code ? code : take_answer(s, e);
    buf_fini(&body);
    buf_fini(&csr);
    return code;
}

static enum err_code renew_late(struct agent_sender *s, struct err *e)
{
    static const struct httpc_header HEADERS[] = {{"Content-Type", "application/json"}};
    struct buf text, body;
    buf_init(&text, X509_RENEWAL_MAX);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    enum err_code code = agent_certificate_sign_renewal(&s->certificate, &text, e);
    code = code ? code : write_member("renewal", buf_view(&text), &body, e);
    const struct agent_post post = {
        "/collectors/renew-expired", HEADERS, 1, buf_view(&body), NULL, true};
    code = code ? code : agent_sender_post(s, &post, e);
    code = code ? code : take_answer(s, e);
    buf_fini(&body);
    buf_fini(&text);
    return code;
}

/* Where agents have no listener of their own, a certificate speaks by its key alone. */
static bool speaks_by_itself(const struct agent_sender *s)
{
    return is_https(agent_sender_agent_url(s));
}

/*
 * A server that finds a certificate expired, or not valid yet, ends the connection, and no answer
 * tells its time. Its clock is ahead of ours, or was when it issued; or it is just away.
 */
static bool is_doubtful(const struct agent_sender *s)
{
    return speaks_by_itself(s) && s->unanswered >= DOUBT_AFTER;
}

/* What the log need not hear: that a server is away, of which the sender tells. */
static void failed_in_doubt(struct agent_sender *s, const struct err *e)
{
    ask_later(s, RETRY_S);
    log_debug(&CTX, "another certificate was not to be had: %s", e->text);
}

static void failed(struct agent_sender *s, enum x509_life_state state, const struct err *e)
{
    bool lost = state == X509_LIFE_LOST || (state == X509_LIFE_LATE && e->code == ERR_DENIED);
    ask_later(s, lost ? LOST_RETRY_S : RETRY_S);
    if (lost && !s->told_lost) {
        log_error(&CTX,
                  "the certificate has expired and is not renewed: enrol again with a new secret "
                  "(pga agent enroll); what was collected waits in the spool: %s",
                  e->text);
        s->told_lost = true;
    } else if (!lost) {
        log_warn(&CTX, "the certificate is %s and was not renewed: %s", x509_life_name(state),
                 e->text);
    }
}

void agent_sender_renew(struct agent_sender *s)
{
    struct err e = {0};
    if (!s->certificate.has || clock_mono_us() < s->renew_us) {
        return;
    }
    enum x509_life_state state = x509_life_at(&s->certificate.life, now_s(s),
                                              clock_mono_ms() / 1000, GRACE_S);
    bool doubtful = state <= X509_LIFE_DUE && is_doubtful(s);
    if (state == X509_LIFE_FRESH && !doubtful) {
        return;
    }
    bool due = state == X509_LIFE_DUE && speaks_by_itself(s) && !doubtful;
    enum err_code code = due ? renew_due(s, &e) : renew_late(s, &e);
    if (code && doubtful) {
        failed_in_doubt(s, &e);
        return;
    }
    if (code) {
        failed(s, state, &e);
        return;
    }
    /* When that was not the reason, certificates are not to be had by the dozen. */
    ask_later(s, (int64_t)RETRY_S << (s->doubted < DOUBLINGS ? s->doubted : DOUBLINGS));
    s->doubted += doubtful;
    log_info(&CTX, "the certificate was renewed%s",
             doubtful ? ": pushes with the old one were not answered, the clocks may differ" : "");
}
