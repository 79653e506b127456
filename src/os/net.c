/* SPDX-License-Identifier: PostgreSQL */
/* net.c: endpoints as text, whether one can listen there, systemd's notifications. */
#include "os/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/num.h"

#define NET_PORT_TEXT 8

static const struct net_ops net_system = {.socket = socket, .connect = connect, .bind = bind};
static const struct net_ops *net_table = &net_system;

const struct net_ops *net_ops_set(const struct net_ops *ops)
{
    const struct net_ops *old = net_table;

    net_table = ops ? ops : &net_system;
    return old;
}

static enum err_code net_refuse(struct str s, const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "address \"%.*s\": %s", s.len > 80 ? 80 : (int)s.len,
                   s.ptr ? s.ptr : "", why);
}

static bool net_is_ipv6(const char *host)
{
    struct in6_addr addr;

    return inet_pton(AF_INET6, host, &addr) == 1;
}

static bool net_is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

/* Split into host and port text; NULL or what is wrong. */
static const char *net_split(struct str s, struct str *host, struct str *port, bool *brackets)
{
    struct str rest = s;

    *brackets = s.len > 0 && s.ptr[0] == '[';
    if (*brackets) {
        rest = str_make(s.ptr + 1, s.len - 1);
        *host = str_split(&rest, ']');
        if (!rest.ptr || rest.len < 2 || rest.ptr[0] != ':')
            return "expected [ADDRESS]:PORT";
        *port = str_make(rest.ptr + 1, rest.len - 1);
        return NULL;
    }
    *host = str_split(&rest, ':');
    *port = rest;
    if (host->len == 0)
        return "the host is missing";
    if (rest.len == 0)
        return "the port is missing";
    if (memchr(rest.ptr, ':', rest.len))
        return "an IPv6 address needs brackets: [::1]:8080";
    return NULL;
}

enum err_code net_parse_endpoint(struct str s, struct net_endpoint *out, struct err *e)
{
    struct str host, port;
    bool brackets;
    int64_t number;
    const char *why = net_split(s, &host, &port, &brackets);
    struct net_endpoint got = {0};

    if (why)
        return net_refuse(s, why, e);
    if (host.len == 0 || host.len >= sizeof(got.host))
        return net_refuse(s, "the host has an impossible length", e);
    memcpy(got.host, host.ptr, host.len);
    if (brackets && (strlen(got.host) != host.len || !net_is_ipv6(got.host)))
        return net_refuse(s, "no IPv6 address in the brackets", e);
    for (size_t i = 0; !brackets && i < host.len; i++) {
        if (!net_is_name_char(host.ptr[i]))
            return net_refuse(s, "the host has a character that no host has", e);
    }
    if (num_parse_i64(port, 1, 65535, &number, NULL) != ERR_OK)
        return net_refuse(s, "the port is no number from 1 to 65535", e);
    got.port = (uint16_t)number;
    *out = got;
    return ERR_OK;
}

bool net_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (str_eq_nocase(str_of(host), STR("localhost")))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static enum err_code net_try_bind(const struct addrinfo *at, const struct net_endpoint *where,
                                  struct err *e)
{
    int fd = net_table->socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum err_code rc = ERR_OK;
    int one = 1;

    if (fd < 0)
        return err_set_errno(e, ERR_IO, errno, "socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (net_table->bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, 1) != 0) {
        int why = errno;

        rc = why == EADDRINUSE               ? ERR_CONFLICT
             : why == EACCES || why == EPERM ? ERR_DENIED
             : why == EADDRNOTAVAIL          ? ERR_INVALID
                                             : ERR_IO;
        if (rc == ERR_CONFLICT)
            (void)err_set(e, rc, "port %u on %s is in use", where->port, where->host);
        else if (why == EACCES && where->port < 1024)
            (void)err_set_errno(e, rc, why, "port %u on %s is for root and CAP_NET_BIND_SERVICE",
                                where->port, where->host);
        else
            (void)err_set_errno(e, rc, why, "listen on %s port %u", where->host, where->port);
        if (e)
            e->os_errno = why;
    }
    (void)close(fd);
    return rc;
}

enum err_code net_probe_listen(const struct net_endpoint *at, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char port[NET_PORT_TEXT];
    enum err_code rc;
    int why;

    (void)snprintf(port, sizeof(port), "%u", at->port);
    why = getaddrinfo(at->host, port, &hints, &found);
    if (why != 0)
        return err_set(e, ERR_INVALID, "host %s: %s", at->host, gai_strerror(why));
    rc = net_try_bind(found, at, e);
    freeaddrinfo(found);
    return rc;
}

enum err_code net_free_port(uint16_t *port, struct err *e)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof(addr);
    int fd = net_table->socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum err_code rc = ERR_OK;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        return err_set_errno(e, ERR_IO, errno, "socket");
    if (net_table->bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
        rc = err_set_errno(e, ERR_IO, errno, "find a free port");
    else
        *port = ntohs(addr.sin_port);
    (void)close(fd);
    return rc;
}

void net_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len == 0 || len >= sizeof(addr.sun_path))
        return;
    memcpy(addr.sun_path, path, len);
    if (addr.sun_path[0] == '@')
        addr.sun_path[0] = '\0'; /* abstract name */
    fd = net_table->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (net_table->connect(fd, (const struct sockaddr *)&addr,
                           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
        (void)!send(fd, state, strlen(state), MSG_NOSIGNAL);
    (void)close(fd);
}
