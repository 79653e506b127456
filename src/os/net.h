/* SPDX-License-Identifier: PostgreSQL */
/*
 * net.h: addresses and our own sockets, behind a replaceable table.
 *
 * CivetWeb, libcurl and libpq open their own sockets; what pga opens itself goes through here.
 */
#ifndef OS_NET_H
#define OS_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/str.h"

struct net_ops {
    int (*socket)(int domain, int type, int protocol);
    int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
    int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
};

const struct net_ops *net_ops_set(const struct net_ops *ops);

#define NET_HOST_MAX 256

struct net_endpoint {
    char host[NET_HOST_MAX]; /* without brackets */
    uint16_t port;
};

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080". ERR_INVALID says what is wrong. */
enum err_code net_parse_endpoint(struct str s, struct net_endpoint *out,
                                 struct err *e) ERR_MUST_CHECK;
/* Whether the host is a loopback literal (127/8, ::1) or "localhost"; no name is looked up. */
bool net_is_loopback(const char *host);
/* Whether one could listen there now: ERR_CONFLICT "port in use", ERR_DENIED, ERR_INVALID. */
enum err_code net_probe_listen(const struct net_endpoint *at, struct err *e) ERR_MUST_CHECK;
/* A loopback port that was free a moment ago. */
enum err_code net_free_port(uint16_t *port, struct err *e) ERR_MUST_CHECK;
/* Send one datagram to $NOTIFY_SOCKET (systemd); nothing happens when it is unset. */
void net_notify(const char *state);

#endif
