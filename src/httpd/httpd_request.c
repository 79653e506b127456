/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_request.c: reading of headers, query and body.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "httpd/httpd_private.h"
#include "os/clock.h"

#define PARAMS_MAX 64
#define READ_PIECE 65536
#define ROOM_MAX   ((size_t)1024 * 1024) /* made at once for a body of known length */
/* A body has 10 s and then a second for each 64 KiB; see also request_timeout_ms in httpd.c. */
#define BODY_BASE_US     (10 * (int64_t)1000000)
#define BODY_BYTES_PER_S 65536

struct str httpd_header(const struct httpd_request *r, const char *name)
{
    return str_of(mg_get_header(r->connection, name));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode one escape at `at`; -1 = bad. */
static int unescape(struct str s, size_t at)
{
    int high, low;

    if (at + 2 >= s.len)
        return -1;
    high = hex_digit(s.ptr[at + 1]);
    low = hex_digit(s.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static enum err_code decode(struct arena *a, struct str s, char space, struct str *out,
                            struct err *e)
{
    char *to = arena_alloc(a, s.len + 1);
    size_t len = 0;

    if (to == NULL)
        return arena_fail(a, e);
    for (size_t i = 0; i < s.len; i++) {
        int c = (unsigned char)s.ptr[i];

        if (c == '%') {
            c = unescape(s, i);
            i += 2;
        } else if (c == space) {
            c = ' ';
        }
        if (c <= 0)
            return err_set(e, ERR_INVALID, "a percent escape in the address is wrong");
        to[len++] = (char)c;
    }
    *out = str_make(to, len);
    if (!str_is_utf8(*out))
        return err_set(e, ERR_INVALID, "the address is not UTF-8");
    return ERR_OK;
}

enum err_code httpd_decode(struct arena *a, struct str s, struct str *out, struct err *e)
{
    return decode(a, s, '\0', out, e);
}

enum err_code httpd_params(const struct httpd_request *r, struct httpd_param **out, size_t *count,
                           struct err *e)
{
    struct httpd_param *params = arena_array(r->arena, PARAMS_MAX, sizeof(*params));
    struct str rest = r->query;
    enum err_code rc = ERR_OK;
    size_t n = 0;

    if (params == NULL)
        return arena_fail(r->arena, e);
    while (rc == ERR_OK && rest.ptr != NULL && rest.len > 0) {
        struct str value = str_split(&rest, '&');
        struct str name = str_split(&value, '=');

        if (name.len == 0 && value.len == 0)
            continue;
        if (n == PARAMS_MAX)
            return err_set(e, ERR_LIMIT, "more than %d query parameters", PARAMS_MAX);
        rc = decode(r->arena, name, '+', &params[n].name, e);
        if (rc == ERR_OK)
            rc = decode(r->arena, value, '+', &params[n].value, e);
        n++;
    }
    *out = params;
    *count = n;
    return rc;
}

enum err_code httpd_query(const struct httpd_request *r, const char *name, struct str *out,
                          bool *found, struct err *e)
{
    struct httpd_param *params;
    size_t count;
    enum err_code rc = httpd_params(r, &params, &count, e);

    *found = false;
    *out = (struct str){NULL, 0};
    for (size_t i = 0; rc == ERR_OK && i < count && !*found; i++) {
        if (!str_eq_c(params[i].name, name))
            continue;
        *found = true;
        *out = params[i].value;
    }
    return rc;
}

enum err_code httpd_take_form(struct httpd_request *r, struct str form, struct err *e)
{
    const char *both = arena_printf(r->arena, "%.*s&%.*s", STR_ARG(form), STR_ARG(r->query));

    if (both == NULL)
        return arena_fail(r->arena, e);
    r->query = str_of(both);
    return ERR_OK;
}

bool httpd_is_gone(const struct httpd_request *r)
{
    struct pollfd p = {.fd = mg_connection_socket(r->connection), .events = POLLIN | POLLRDHUP};
    char byte;

    if (poll(&p, 1, 0) <= 0)
        return false;
    if (p.revents & (POLLERR | POLLHUP | POLLNVAL))
        return true;
    if (mg_connection_tls(r->connection) != NULL) /* its last word is a record, then the end */
        return (p.revents & POLLRDHUP) != 0;
    return recv(p.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0; /* not: a request that waits */
}

struct str httpd_cookie(const struct httpd_request *r, const char *name)
{
    struct str rest = httpd_header(r, "Cookie");

    while (rest.ptr != NULL && rest.len > 0) {
        struct str value = str_trim(str_split(&rest, ';'));
        struct str key = str_split(&value, '=');

        if (str_eq_c(key, name))
            return value;
    }
    return (struct str){NULL, 0};
}

bool httpd_matches_etag(const struct httpd_request *r, const char *etag)
{
    struct str rest = httpd_header(r, "If-None-Match");

    while (rest.ptr != NULL && rest.len > 0) {
        struct str one = str_trim(str_split(&rest, ','));

        if (str_starts(one, STR("W/")))
            one = str_make(one.ptr + 2, one.len - 2);
        if (str_eq_c(one, etag))
            return true;
    }
    return false;
}

static void answer_expect(struct httpd_request *r)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (str_eq_nocase(httpd_header(r, "Expect"), STR("100-continue")))
        (void)mg_write(r->connection, go_on, sizeof(go_on) - 1);
}

/* Up to `want` bytes more. */
static enum err_code read_piece(struct httpd_request *r, struct buf *out, size_t want, bool *end,
                                struct err *e)
{
    size_t room = out->max - out->len + 1; /* one more, to notice a body that is too long */
    char *to;
    int got;

    if (want > READ_PIECE)
        want = READ_PIECE;
    if (room > want + 1)
        room = want + 1;
    to = buf_room(out, out->max == out->len ? 0 : room - 1);
    if (to == NULL)
        return buf_check(out, e);
    if (room == 1) {
        char extra;

        got = mg_read(r->connection, &extra, 1);
        if (got > 0)
            return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
    } else {
        got = mg_read(r->connection, to, room - 1);
    }
    if (got < 0)
        return err_set(e, ERR_INVALID, "the body cannot be read");
    if (got > 0)
        buf_grew(out, (size_t)got);
    *end = got == 0;
    return ERR_OK;
}

/* Bytes that are to come; of a body without a length all that fit into one piece. */
static size_t bytes_left(const struct httpd_request *r, const struct buf *out, size_t start)
{
    return r->content_length < 0 ? READ_PIECE : (size_t)r->content_length - (out->len - start);
}

static enum err_code read_all(struct httpd_request *r, struct buf *out, struct err *e)
{
    int64_t deadline = clock_mono_us() + BODY_BASE_US;
    size_t start = out->len, left = bytes_left(r, out, start);
    enum err_code rc;
    bool end = false;

    if (r->content_length > 0)
        (void)buf_room(out, left < ROOM_MAX ? left : ROOM_MAX);
    for (; left > 0; left = bytes_left(r, out, start)) {
        int64_t now = clock_mono_us();
        int64_t earned = (int64_t)(out->len - start) * 1000000 / BODY_BYTES_PER_S;

        if (now > deadline + earned)
            return err_set(e, ERR_TIMEOUT, "the body came too slowly");
        rc = read_piece(r, out, left, &end, e);
        if (rc != ERR_OK)
            return rc;
        if (!end)
            continue;
        if (r->content_length < 0)
            return ERR_OK;
        return err_set(e, ERR_TIMEOUT, "the body did not come whole");
    }
    return ERR_OK;
}

enum err_code httpd_read_body(struct httpd_request *r, struct buf *out, struct err *e)
{
    enum err_code rc;

    if (r->content_length > 0 && (uint64_t)r->content_length > out->max - out->len)
        return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
    answer_expect(r);
    rc = read_all(r, out, e);
    r->body_done = rc == ERR_OK;
    return rc;
}
