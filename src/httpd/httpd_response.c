/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_response.c: writing of answers, with the headers that every answer carries.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/pack.h"
#include "httpd/httpd_private.h"
#include "httpd/httpd_tls.h"
#include "os/clock.h"

#define BODY_MAX   ((size_t)128 * 1024 * 1024)
#define HEAD_MAX   16384
#define GZIP_FROM  1024 /* smaller bodies gain nothing */
#define GZIP_LEVEL 4

static const char fixed_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'none'; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

static const struct {
    int status;
    const char *text;
} texts[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *httpd_status_text(int status)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status)
            return texts[i].text;
    }
    return status < 500 ? "Refused" : "Error";
}

void httpd_response_init(struct httpd_response *w)
{
    memset(w, 0, sizeof(*w));
    w->status = 200;
    buf_init(&w->body, BODY_MAX);
    buf_init(&w->head, HEAD_MAX);
}

void httpd_response_fini(struct httpd_response *w)
{
    buf_fini(&w->body);
    buf_fini(&w->head);
}

void httpd_add_header(struct httpd_response *w, const char *name, const char *value)
{
    assert(strpbrk(value, "\r\n") == NULL);
    buf_printf(&w->head, "%s: %s\r\n", name, value);
}

void httpd_response_problem(struct httpd_response *w, int status, const char *detail,
                            const char *id)
{
    struct json_writer json;

    w->status = status;
    w->content_type = "application/problem+json";
    w->fixed = (struct str){NULL, 0};
    buf_reset(&w->body);
    json_writer_init(&json, &w->body);
    json_object_begin(&json);
    json_member_c(&json, "type", "about:blank");
    json_member_c(&json, "title", httpd_status_text(status));
    json_member_i64(&json, "status", status);
    json_member_c(&json, "detail", detail);
    json_member_c(&json, "instance", id);
    json_member_i64(&json, "code", status);
    json_member_c(&json, "message", detail);
    json_object_end(&json);
}

static bool accepts_gzip(const struct httpd_request *r)
{
    struct str rest = httpd_header(r, "Accept-Encoding");

    while (rest.ptr != NULL && rest.len > 0) {
        struct str one = str_split(&rest, ',');
        struct str name = str_trim(str_split(&one, ';'));

        if (str_eq_nocase(name, STR("gzip")))
            return !str_eq_c(str_trim(one), "q=0");
    }
    return false;
}

static bool is_compressible(const char *type)
{
    return strstr(type, "json") != NULL || strncmp(type, "text/", 5) == 0 ||
           strstr(type, "javascript") != NULL;
}

/* Compress into `packed` when it pays; returns what is to be sent. */
static struct str choose_body(const struct httpd_request *r, struct httpd_response *w,
                              struct buf *packed)
{
    struct str body = w->fixed.ptr != NULL ? w->fixed : buf_view(&w->body);

    if (w->encoding != NULL || w->content_type == NULL || body.len < GZIP_FROM || r == NULL ||
        !is_compressible(w->content_type) || !accepts_gzip(r))
        return body;
    if (pack_gzip(body, GZIP_LEVEL, packed, NULL) != ERR_OK)
        return body;
    w->encoding = "gzip";
    return buf_view(packed);
}

/* RFC 9110, 5.6.7; the names are fixed, whatever the locale. */
static void put_date(struct buf *out)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm t;

    gmtime_r(&now, &t);
    buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", days[t.tm_wday], t.tm_mday,
               months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

static void put_head(struct buf *out, const struct httpd_request *r, const struct httpd_response *w,
                     size_t body_len)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", w->status, httpd_status_text(w->status));
    put_date(out);
    buf_add_c(out, fixed_headers);
    if (r != NULL && r->listener->profile != HTTPD_PLAIN)
        buf_add_c(out, "Strict-Transport-Security: " HTTPD_HSTS "\r\n");
    buf_printf(out, "Cache-Control: %s\r\n", w->cache_control ? w->cache_control : "no-store");
    if (r != NULL)
        buf_printf(out, "X-Request-Id: %s\r\n", r->id);
    if (w->content_type != NULL)
        buf_printf(out, "Content-Type: %s\r\n", w->content_type);
    if (w->encoding != NULL)
        buf_printf(out, "Content-Encoding: %s\r\n", w->encoding);
    if (w->content_type != NULL && is_compressible(w->content_type))
        buf_add_c(out, "Vary: Accept-Encoding\r\n");
    if (w->streamed == HTTPD_CHUNKED)
        buf_add_c(out, "Transfer-Encoding: chunked\r\n");
    else if (w->streamed == HTTPD_WHOLE && w->status != 204 && w->status != 304)
        buf_printf(out, "Content-Length: %zu\r\n", body_len);
    if (w->close)
        buf_add_c(out, "Connection: close\r\n");
    buf_add_str(out, buf_view(&w->head));
    buf_add_c(out, "\r\n");
}

void httpd_response_bare(struct buf *out, int status, const char *detail)
{
    struct httpd_response w;

    httpd_response_init(&w);
    httpd_response_problem(&w, status, detail, NULL);
    if (status == 503)
        httpd_add_header(&w, "Retry-After", "2");
    w.close = true;
    put_head(out, NULL, &w, w.body.len);
    buf_add_str(out, buf_view(&w.body));
    httpd_response_fini(&w);
}

/* Whether this side ends the connection: an unread body, HTTP/1.0, or the client's wish. */
static bool must_close(const struct httpd_request *r)
{
    struct str wish;

    if (r == NULL || (r->content_length != 0 && !r->body_done))
        return true;
    wish = httpd_header(r, "Connection");
    if (strcmp(mg_get_request_info(r->connection)->http_version, "1.1") != 0)
        return true;
    return wish.len > 0 && !str_find(wish, STR("eep-"), &(size_t){0});
}

/* --- an answer in parts --- */

static enum err_code write_part(struct httpd_request *r, struct str bytes, struct err *e)
{
    struct mg_connection *conn = r->connection;

    if (mg_write(conn, bytes.ptr, bytes.len) != (int)bytes.len)
        return err_set(e, ERR_UNREACHABLE, "the client went away, or takes nothing");
    return ERR_OK;
}

static enum err_code begin_stream(struct httpd_request *r, struct httpd_response *w, struct err *e)
{
    struct buf head;
    enum err_code rc;

    w->streamed = must_close(r) ? HTTPD_UNTIL_CLOSE : HTTPD_CHUNKED;
    w->close = w->close || w->streamed == HTTPD_UNTIL_CLOSE;
    buf_init(&head, 2 * HEAD_MAX);
    put_head(&head, r, w, 0);
    rc = buf_check(&head, e);
    if (rc == ERR_OK)
        rc = write_part(r, buf_view(&head), e);
    buf_fini(&head);
    return rc;
}

enum err_code httpd_stream(struct httpd_request *r, struct httpd_response *w, struct str part,
                           struct err *e)
{
    char size[24];
    enum err_code rc = w->streamed == HTTPD_WHOLE ? begin_stream(r, w, e) : ERR_OK;
    bool chunks = w->streamed == HTTPD_CHUNKED;

    if (part.len == 0 || r->is_head)
        return rc;
    if (rc == ERR_OK && chunks) {
        int len = snprintf(size, sizeof(size), "%zx\r\n", part.len);
        rc = write_part(r, str_make(size, (size_t)len), e);
    }
    if (rc == ERR_OK)
        rc = write_part(r, part, e);
    return rc == ERR_OK && chunks ? write_part(r, STR("\r\n"), e) : rc;
}

/* The last chunk, unless the answer was cut. */
static void end_stream(struct mg_connection *conn, struct httpd_response *w)
{
    static const char last[] = "0\r\n\r\n";

    if (w->close || w->cut)
        mg_disable_connection_keep_alive(conn);
    if (w->cut && mg_connection_tls(conn) != NULL)
        httpd_tls_abandon(mg_connection_tls(conn));
    if (w->streamed == HTTPD_CHUNKED && !w->cut)
        (void)mg_write(conn, last, sizeof(last) - 1);
}

void httpd_response_send(struct mg_connection *conn, const struct httpd_request *r,
                         struct httpd_response *w)
{
    struct buf head, packed;
    struct str body;

    if (w->streamed != HTTPD_WHOLE) {
        end_stream(conn, w);
        return;
    }
    if (w->body.failed || w->head.failed) {
        buf_reset(&w->head);
        httpd_response_problem(w, 500, "the answer is too large", r ? r->id : NULL);
    }
    if (must_close(r))
        w->close = true;
    buf_init(&head, 2 * HEAD_MAX);
    buf_init(&packed, BODY_MAX);
    body = choose_body(r, w, &packed);
    put_head(&head, r, w, body.len);
    if ((r == NULL || !r->is_head) && w->status != 204 && w->status != 304) {
        if (body.len <= 16384) { /* one packet, one system call */
            buf_add_str(&head, body);
            body.len = 0;
        }
    } else {
        body.len = 0;
    }
    if (w->close)
        mg_disable_connection_keep_alive(conn);
    (void)mg_write(conn, head.ptr, head.len);
    if (body.len > 0)
        (void)mg_write(conn, body.ptr, body.len);
    buf_fini(&packed);
    buf_fini(&head);
}
