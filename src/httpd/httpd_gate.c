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

/* "METHOD /target HTTP/1.x" with single spaces, visible characters of ASCII, no fragment. */
static bool is_request_line(struct str line)
{
    struct str method = str_split(&line, ' '), target = str_split(&line, ' ');

    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];

        if (c <= ' ' || c >= 0x7f || c == '#')
            return false;
    }
    return is_token(method) && str_starts(target, STR("/")) &&
           (str_eq_c(line, "HTTP/1.1") || str_eq_c(line, "HTTP/1.0"));
}

/*
 * Whether an underscore stands for a dash in a name that frames requests or routes them: some
 * programs take both for the same.
 */
static bool is_disguised(struct str name)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding"};
    char plain[24];
    size_t len = 0;

    if (memchr(name.ptr, '_', name.len) == NULL || name.len >= sizeof(plain))
        return false;
    for (size_t i = 0; i < name.len; i++)
        plain[len++] = name.ptr[i] == '_' ? '-' : name.ptr[i];
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_eq_nocase(str_make(plain, len), str_of(names[i])))
            return true;
    }
    return false;
}

/* "name: value"; a line that begins with a blank would continue the one before (obs-fold). */
static bool is_header_line(struct str line)
{
    struct str name = str_split(&line, ':');

    if (line.ptr == NULL || !is_token(name) || is_disguised(name))
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

static bool is_length_text(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
    }
    return text.len > 0 && text.len <= 10;
}

size_t httpd_gate_small_body(const char *head, size_t len)
{
    struct str rest = str_make(head, len), line, name;
    size_t size = 0;
    int lengths = 0;

    if (!httpd_gate_raw(head, len))
        return 0;
    while (take_line(&rest, &line) && line.len > 0) {
        name = str_split(&line, ':');
        line = str_trim(line);
        if (str_eq_nocase(name, STR("Transfer-Encoding")) || str_eq_nocase(name, STR("Expect")))
            return 0;
        if (!str_eq_nocase(name, STR("Content-Length")))
            continue;
        if (++lengths > 1 || !is_length_text(line))
            return 0;
        for (size_t i = 0; i < line.len; i++)
            size = size * 10 + (size_t)(line.ptr[i] - '0');
    }
    return size <= LIMIT_HTTP_SMALL_BODY ? size : 0;
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

static enum err_code check_framing(const struct mg_request_info *info, struct err *e)
{
    const char *length = "", *coding = "";
    int lengths = count_headers(info, "Content-Length", &length);
    int codings = count_headers(info, "Transfer-Encoding", &coding);

    if (lengths > 1 || codings > 1 || lengths + codings > 1)
        return err_set(e, ERR_INVALID, "the length of the body is given twice");
    if (lengths == 1 && !is_length_text(str_of(length)))
        return err_set(e, ERR_INVALID, "Content-Length is not a number");
    if (codings == 1 && strcasecmp(coding, "chunked") != 0)
        return err_set(e, ERR_INVALID, "Transfer-Encoding other than chunked");
    if (codings == 1 && strcmp(info->http_version, "1.1") != 0)
        return err_set(e, ERR_INVALID, "Transfer-Encoding needs HTTP/1.1");
    return ERR_OK;
}

/* ":80", or nothing. */
static bool is_port(const char *text)
{
    size_t digits;

    if (text[0] == '\0')
        return true;
    digits = text[0] == ':' ? strspn(text + 1, "0123456789") : 0;
    return digits > 0 && digits <= 5 && text[1 + digits] == '\0';
}

/* The host part of "name", "name:port", "[v6]" or "[v6]:port"; empty when malformed. */
static struct str host_part(const char *text)
{
    size_t len = strcspn(text, ":");

    if (text[0] == '[') {
        len = strcspn(text, "]");
        return text[len] == ']' && is_port(text + len + 1) ? str_make(text + 1, len - 1)
                                                           : (struct str){NULL, 0};
    }
    return is_port(text + len) ? str_make(text, len) : (struct str){NULL, 0};
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
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
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
