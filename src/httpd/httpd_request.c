/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_request.c: reading of headers and query.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "httpd/httpd_private.h"

#define PARAMS_MAX 64

struct str httpd_header(const struct httpd_request *r, const char *name)
{
    return str_of(mg_get_header(r->connection, name));
}

int httpd_hex_digit(char c)
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
    high = httpd_hex_digit(s.ptr[at + 1]);
    low = httpd_hex_digit(s.ptr[at + 2]);
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

struct str httpd_cookie_in(struct str header, const char *name)
{
    struct str rest = header;

    while (rest.ptr != NULL && rest.len > 0) {
        struct str value = str_trim(str_split(&rest, ';'));
        struct str key = str_split(&value, '=');

        if (str_eq_c(key, name))
            return value;
    }
    return (struct str){NULL, 0};
}

struct str httpd_cookie(const struct httpd_request *r, const char *name)
{
    return httpd_cookie_in(httpd_header(r, "Cookie"), name);
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
