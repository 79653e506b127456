/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpc.c: see httpc.h.
 *
 * Invariants: (1) the easy handle lives as long as the client, so that its connection does;
 *             (2) options of one request never leak into the next: curl_easy_reset comes first.
 * Threads:    one thread performs; `abort` is an atomic flag that the progress callback reads.
 */
#include "httpc/httpc.h"

#include "base/alloc.h"
#include "base/num.h"
#include "os/net.h"
#include "tls/tls.h"

#include <curl/curl.h>

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 5000L
#define TLS_PEM_MAX        ((size_t)1 << 20)

struct httpc {
    CURL *easy;
    atomic_bool abort;
    struct buf ca, certificate, key; /* PEM with its NUL */
    char error[CURL_ERROR_SIZE];
};

enum err_code httpc_setup(struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(e, ERR_BUG, "libcurl did not start");
    }
    return ERR_OK;
}

void httpc_teardown(void)
{
    curl_global_cleanup();
}

struct httpc *httpc_new(void)
{
    struct httpc *c = alloc_new(sizeof(*c));
    c->easy = curl_easy_init();
    buf_init(&c->ca, TLS_PEM_MAX);
    buf_init(&c->certificate, TLS_PEM_MAX);
    buf_init(&c->key, TLS_PEM_MAX);
    atomic_init(&c->abort, false);
    return c;
}

void httpc_free(struct httpc *c)
{
    if (!c) {
        return;
    }
    curl_easy_cleanup(c->easy);
    if (c->key.len) {
        explicit_bzero(c->key.ptr, c->key.len);
    }
    buf_fini(&c->ca);
    buf_fini(&c->certificate);
    buf_fini(&c->key);
    alloc_free(c);
}

static void keep_pem(struct buf *to, struct str pem)
{
    if (to->len) {
        explicit_bzero(to->ptr, to->len);
    }
    buf_reset(to);
    if (pem.len) {
        buf_add_str(to, pem);
        buf_add_char(to, '\0');
    }
}

void httpc_set_tls(struct httpc *c, const struct httpc_tls *tls)
{
    keep_pem(&c->ca, tls->ca);
    keep_pem(&c->certificate, tls->certificate);
    keep_pem(&c->key, tls->key);
}

void httpc_abort(struct httpc *c)
{
    atomic_store(&c->abort, true);
}

void httpc_answer_init(struct httpc_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    answer->retry_after_s = -1;
    buf_init(&answer->body, 0);
}

void httpc_answer_fini(struct httpc_answer *answer)
{
    buf_fini(&answer->body);
}

static void answer_reset(struct httpc_answer *answer, size_t max_bytes)
{
    answer->status = 0;
    answer->retry_after_s = -1;
    answer->content_type[0] = '\0';
    answer->etag[0] = '\0';
    buf_reset(&answer->body);
    answer->body.max = max_bytes;
}

/* Where the body of one exchange goes. */
struct body {
    CURL *easy;
    const struct httpc_request *request;
    struct httpc_answer *answer;
    enum err_code sunk; /* what the sink said */
    struct err *err;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct body *b = arg;
    size_t len = size * count;
    long status = 0;

    curl_easy_getinfo(b->easy, CURLINFO_RESPONSE_CODE, &status);
    if (b->request->sink && status == 200) {
        b->sunk = b->request->sink(b->request->sink_arg, str_make(bytes, len), b->err);
        return b->sunk ? 0 : len;
    }
    buf_add(&b->answer->body, bytes, len);
    return b->answer->body.failed ? 0 : len;
}

/* The value of a header line if it is `name`, else the empty view with a NULL pointer. */
static struct str header_value(struct str line, const char *name)
{
    struct str rest = line;
    struct str key = str_split(&rest, ':');
    if (!str_eq_nocase(key, str_of(name)) || rest.ptr == NULL) {
        return (struct str){NULL, 0};
    }
    return str_trim(rest);
}

static void take_content_type(struct httpc_answer *answer, struct str value)
{
    struct str type = str_trim(str_split(&value, ';'));
    if (type.len < sizeof(answer->content_type)) {
        memcpy(answer->content_type, type.ptr, type.len);
        answer->content_type[type.len] = '\0';
    }
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct httpc_answer *answer = arg;
    struct str line = str_make(bytes, size * count);
    struct str value = header_value(line, "Retry-After");
    if (value.ptr && num_parse_i64(value, 0, INT32_MAX, &answer->retry_after_s, NULL) != ERR_OK) {
        answer->retry_after_s = -1;
    }
    value = header_value(line, "ETag");
    if (value.ptr && value.len < sizeof(answer->etag)) {
        memcpy(answer->etag, value.ptr, value.len);
        answer->etag[value.len] = '\0';
    }
    value = header_value(line, "Content-Type");
    if (value.ptr) {
        take_content_type(answer, value);
    }
    return size * count;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct httpc *client = arg;
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load(&client->abort) ? 1 : 0;
}

enum err_code httpc_check_url(const char *url, struct err *e)
{
    enum err_code rc = ERR_OK;
    char *scheme = NULL, *host = NULL;
    CURLU *parts = curl_url();

    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        rc = err_set(e, ERR_INVALID, "\"%.100s\" is no URL of the form http://host:port", url);
        goto out;
    }
    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        rc = err_set(e, ERR_INVALID, "\"%.20s\" URLs are not taken, only https and http", scheme);
    } else if (strcmp(scheme, "http") == 0) {
        size_t len = strlen(host);
        if (host[0] == '[' && host[len - 1] == ']') { /* an IPv6 literal keeps its brackets */
            host[len - 1] = '\0';
        }
        if (!net_is_loopback(host[0] == '[' ? host + 1 : host)) {
            rc = err_set(e, ERR_UNSUPPORTED,
                         "plain http goes to loopback addresses only, not to \"%.100s\"", host);
        }
    }
out:
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parts);
    return rc;
}

static enum err_code classify(struct httpc *c, CURLcode code, const struct httpc_answer *answer,
                              struct err *e)
{
    const char *why = c->error[0] ? c->error : curl_easy_strerror(code);

    if (code == CURLE_OK) {
        return ERR_OK;
    }
    if (answer->body.failed) {
        return err_set(e, ERR_LIMIT, "the answer is larger than %zu bytes", answer->body.max);
    }
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return err_set(e, ERR_CANCELLED, "the request was cancelled");
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        return err_set(e, ERR_DENIED, "the server's certificate is not taken: %s", why);
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return err_set(e, ERR_TIMEOUT, "%s", why);
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return err_set(e, ERR_INVALID, "%s", why);
    }
    if (code == CURLE_RECV_ERROR && c->certificate.len && answer->status == 0) {
        /* In TLS 1.3 a refusal comes after our handshake, and Mbed TLS cannot tell which it is. */
        return err_set(e, ERR_UNREACHABLE,
                       "the server hung up: it may not take our certificate, as its log says (%s)",
                       why);
    }
    return err_set(e, ERR_UNREACHABLE, "%s", why);
}

/* The request's header lines; Expect is suppressed, since waiting for it helps nobody here. */
static struct curl_slist *header_lines(const struct httpc_request *request)
{
    struct curl_slist *lines = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; i < request->header_count; i++) {
        struct buf line;
        buf_init(&line, 16 * 1024);
        buf_printf(&line, "%s: %s", request->headers[i].name, request->headers[i].value);
        lines = curl_slist_append(lines, line.ptr);
        buf_fini(&line);
    }
    return lines;
}

static void set_limits(struct httpc *c, const struct httpc_request *request)
{
    curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c->easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c->easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c->easy, CURLOPT_XFERINFODATA, c);
    if (request->stall_ms) {
        curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(c->easy, CURLOPT_LOW_SPEED_TIME, (long)((request->stall_ms + 999) / 1000));
    }
}

static void set_blob(struct httpc *c, CURLoption option, const struct buf *pem)
{
    struct curl_blob blob = {pem->ptr, pem->len, CURL_BLOB_NOCOPY};
    if (pem->len) {
        curl_easy_setopt(c->easy, option, &blob);
    }
}

static CURLcode on_tls(CURL *easy, void *library, void *arg)
{
    (void)easy, (void)arg;
    tls_config_tighten(library);
    return CURLE_OK;
}

/* libcurl takes PEM without its NUL for certificates, and with it for keys. */
static enum err_code set_tls(struct httpc *c, const struct httpc_request *request, struct err *e)
{
    struct curl_blob ca = {c->ca.ptr, c->ca.len ? c->ca.len - 1 : 0, CURL_BLOB_NOCOPY};
    struct curl_blob own = {c->certificate.ptr, c->certificate.len ? c->certificate.len - 1 : 0,
                            CURL_BLOB_NOCOPY};
    bool secure = strncasecmp(request->url, "https:", 6) == 0;
    if (request->unverified && (request->header_count || request->body.len)) {
        return err_set(e, ERR_BUG, "nothing is sent to a peer that is not verified");
    }
    if (secure && !request->unverified && !c->ca.len) {
        return err_set(e, ERR_UNSUPPORTED, "no authority is known by which to verify the server");
    }
    curl_easy_setopt(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, request->unverified ? 0L : 1L);
    curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, request->unverified ? 0L : 2L);
    curl_easy_setopt(c->easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
    curl_easy_setopt(c->easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    if (secure && !request->unverified) {
        curl_easy_setopt(c->easy, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (secure && !request->unverified && own.len) {
        curl_easy_setopt(c->easy, CURLOPT_SSLCERT_BLOB, &own);
        set_blob(c, CURLOPT_SSLKEY_BLOB, &c->key);
    }
    return ERR_OK;
}

static void set_request(struct httpc *c, const struct httpc_request *request, struct body *body,
                        struct curl_slist *lines)
{
    curl_easy_setopt(c->easy, CURLOPT_URL, request->url);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, lines);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(c->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c->easy, CURLOPT_HEADERDATA, body->answer);
    if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, request->body.len ? request->body.ptr : "");
    }
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, request->method);
}

enum err_code httpc_perform(struct httpc *c, const struct httpc_request *request,
                            struct httpc_answer *answer, struct err *e)
{
    long status = 0;
    struct body body = {.easy = c->easy, .request = request, .answer = answer, .err = e};
    enum err_code rc = httpc_check_url(request->url, e);
    if (rc) {
        return rc;
    }
    answer_reset(answer, request->max_answer_bytes);
    curl_easy_reset(c->easy);
    c->error[0] = '\0';
    rc = set_tls(c, request, e);
    if (rc) {
        return rc;
    }
    struct curl_slist *lines = header_lines(request);
    set_limits(c, request);
    set_request(c, request, &body, lines);
    CURLcode code = curl_easy_perform(c->easy);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    answer->status = (int)status;
    curl_slist_free_all(lines);
    return body.sunk ? body.sunk : classify(c, code, answer, e);
}
