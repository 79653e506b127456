/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_gate.c: which request heads are taken.
 *
 * A request that two readers could understand differently is refused: more than one length, both
 * length and chunks, a length that is no plain number, a missing or second Host. A Host that names
 * somebody else is refused as well, so that a foreign web page cannot reach us under its own name.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "httpd/httpd_private.h"

/* --- the bytes --- */

static bool is_token_char(unsigned char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_token_char((unsigned char)s.ptr[i]))
            return false;
    }
    return s.len > 0;
}

/* "METHOD target HTTP/1.x" with single spaces and visible characters. */
static bool is_request_line(struct str line)
{
    struct str method = str_split(&line, ' '), target = str_split(&line, ' ');

    for (size_t i = 0; i < target.len; i++) {
        if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f)
            return false;
    }
    return is_token(method) && target.len > 0 &&
           (str_eq_c(line, "HTTP/1.1") || str_eq_c(line, "HTTP/1.0"));
}

/* "name: value"; a line that begins with a blank would continue the one before (obs-fold). */
static bool is_header_line(struct str line)
{
    struct str name = str_split(&line, ':');

    if (line.ptr == NULL || !is_token(name))
        return false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

/* Cut a line that ends with CR LF; false when it does not. */
static bool take_line(struct str *rest, struct str *line)
{
    *line = str_split(rest, '\n');
    if (rest->ptr == NULL || line->len == 0 || line->ptr[line->len - 1] != '\r')
        return false;
    line->len--;
    return line->len == 0 || memchr(line->ptr, '\r', line->len) == NULL;
}

int httpd_gate_raw(const char *head, size_t len)
{
    struct str rest = str_make(head, len), line;
    int headers = 0;

    if (len > LIMIT_HTTP_HEAD_BYTES || !take_line(&rest, &line) || !is_request_line(line))
        return 0;
    while (rest.len > 0) {
        if (!take_line(&rest, &line))
            return 0;
        if (line.len == 0)
            return rest.len == 0;
        if (++headers > LIMIT_HTTP_HEADERS || !is_header_line(line))
            return 0;
    }
    return 0;
}

/* --- the meaning --- */

static int count_headers(const struct mg_request_info *info, const char *name, const char **value)
{
    int count = 0;

    for (int i = 0; i < info->num_headers; i++) {
        if (strcasecmp(info->http_headers[i].name, name) != 0)
            continue;
        if (count++ == 0)
            *value = info->http_headers[i].value;
    }
    return count;
}

static bool is_length(const char *text)
{
    size_t len = strspn(text, "0123456789");

    return len > 0 && len <= 10 && text[len] == '\0';
}

static enum err_code check_framing(const struct mg_request_info *info, struct err *e)
{
    const char *length = "", *coding = "";
    int lengths = count_headers(info, "Content-Length", &length);
    int codings = count_headers(info, "Transfer-Encoding", &coding);

    if (lengths > 1 || codings > 1 || lengths + codings > 1)
        return err_set(e, ERR_INVALID, "the length of the body is given twice");
    if (lengths == 1 && !is_length(length))
        return err_set(e, ERR_INVALID, "Content-Length is not a number");
    if (codings == 1 && strcasecmp(coding, "chunked") != 0)
        return err_set(e, ERR_INVALID, "Transfer-Encoding other than chunked");
    if (codings == 1 && strcmp(info->http_version, "1.1") != 0)
        return err_set(e, ERR_INVALID, "Transfer-Encoding needs HTTP/1.1");
    return ERR_OK;
}

/* The host part of "name", "name:port", "[v6]" or "[v6]:port"; empty when malformed. */
static struct str host_part(const char *text)
{
    const char *end;

    if (text[0] == '[') {
        end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':'))
            return (struct str){NULL, 0};
        return str_make(text + 1, (size_t)(end - text - 1));
    }
    return str_make(text, strcspn(text, ":"));
}

static enum err_code check_host(const struct httpd *h, const struct mg_request_info *info,
                                const struct httpd_listener *listener, struct err *e)
{
    const char *value = "";
    char host[NET_HOST_MAX];
    struct str part;

    if (count_headers(info, "Host", &value) != 1)
        return err_set(e, ERR_INVALID, "a request needs one Host header");
    part = host_part(value);
    if (part.len == 0 || part.len >= sizeof(host))
        return err_set(e, ERR_INVALID, "the Host header is malformed");
    memcpy(host, part.ptr, part.len);
    host[part.len] = '\0';
    if (strcasecmp(host, listener->at.host) == 0)
        return ERR_OK;
    if (net_is_loopback(listener->at.host) && net_is_loopback(host))
        return ERR_OK;
    if (h->config.public_host != NULL && strcasecmp(host, h->config.public_host) == 0)
        return ERR_OK;
    return err_set(e, ERR_DENIED, "the Host header names another server; see public_url");
}

/* IPv4 in the form that an IPv6 socket gives it. */
static bool parse_address(const char *text, struct in6_addr *out)
{
    char mapped[NET_HOST_MAX + 8];

    (void)snprintf(mapped, sizeof(mapped), "%s%s",
                   strchr(text, ':') != NULL ? "" : "::ffff:", text);
    return inet_pton(AF_INET6, mapped, out) == 1;
}

/* The address of ours that a client reached. */
static bool local_address(int fd, struct in6_addr *out)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);
    char text[INET_ADDRSTRLEN];

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return false;
    if (at.ss_family == AF_INET6)
        *out = ((const struct sockaddr_in6 *)&at)->sin6_addr;
    return at.ss_family == AF_INET6 ||
           (inet_ntop(AF_INET, &((const struct sockaddr_in *)&at)->sin_addr, text, sizeof(text)) !=
                NULL &&
            parse_address(text, out));
}

bool httpd_gate_is_here(const struct httpd_request *r)
{
    const char *listen = r->listener->at.host, *value = mg_get_header(r->connection, "Host");
    struct str part = host_part(value != NULL ? value : "");
    struct in6_addr named, reached;
    char host[NET_HOST_MAX];

    if ((strcmp(listen, "::") != 0 && strcmp(listen, "0.0.0.0") != 0) || part.len == 0 ||
        part.len >= sizeof(host))
        return false;
    memcpy(host, part.ptr, part.len);
    host[part.len] = '\0';
    return parse_address(host, &named) &&
           local_address(mg_connection_socket(r->connection), &reached) &&
           memcmp(&named, &reached, sizeof(named)) == 0;
}

enum err_code httpd_gate_check(const struct httpd *h, const struct mg_request_info *info,
                               const struct httpd_listener *listener, struct err *e)
{
    const char *uri = info->request_uri;
    enum err_code rc;

    if (uri == NULL || uri[0] != '/')
        return err_set(e, ERR_INVALID, "the request target is not a path");
    /* CivetWeb cuts the query off in place, so both halves count. */
    if (strlen(uri) + (info->query_string ? strlen(info->query_string) + 1 : 0) >
        LIMIT_HTTP_URI_BYTES)
        return err_set(e, ERR_INVALID, "the request target is longer than %d bytes",
                       LIMIT_HTTP_URI_BYTES);
    rc = check_framing(info, e);
    return rc != ERR_OK ? rc : check_host(h, info, listener, e);
}
