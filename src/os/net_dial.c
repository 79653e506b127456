/* SPDX-License-Identifier: PostgreSQL */
/*
 * net_dial.c: judging and dialling; net_host.c reads names and URLs.
 *
 * The order of judgement: port, own listeners, kind of the address, and for private ones the
 * configured networks. An address that carries another is judged as the one it carries.
 */
#include "os/net_dial.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"

/* --- the table --- */

static size_t look_up(const char *name, struct net_address *out, size_t max)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    size_t count = 0;

    if (getaddrinfo(name, NULL, &hints, &found) != 0)
        return 0;
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        struct net_address a;

        if (!net_address_of(at->ai_addr, &a))
            continue;
        if (count < max)
            out[count] = a;
        count++;
    }
    freeaddrinfo(found);
    return count;
}

static const struct net_dial_ops system_ops = {.look_up = look_up};
static const struct net_dial_ops *table = &system_ops;

const struct net_dial_ops *net_dial_ops_set(const struct net_dial_ops *ops)
{
    const struct net_dial_ops *old = table;

    table = ops ? ops : &system_ops;
    return old;
}

/* --- judging --- */

enum err_code net_dial_judge_port(const struct net_dial_policy *policy, uint16_t port,
                                  struct err *e)
{
    for (size_t i = 0; i < policy->port_count; i++) {
        if (port >= policy->ports[i].from && port <= policy->ports[i].to)
            return ERR_OK;
    }
    return err_set(e, ERR_DENIED, "port %u is not one of those that may be dialled", port);
}

/* Whether an interface of this machine has the address. */
static bool is_of_this_machine(const struct net_address *a)
{
    struct ifaddrs *list = NULL;
    bool found = false;

    if (getifaddrs(&list) != 0)
        return true; /* unknown: the careful answer */
    for (const struct ifaddrs *at = list; at && !found; at = at->ifa_next) {
        struct net_address own;

        found = at->ifa_addr && net_address_of(at->ifa_addr, &own) && net_address_eq(&own, a);
    }
    freeifaddrs(list);
    return found;
}

static bool is_any(const struct net_address *a)
{
    static const unsigned char zero[16];

    return memcmp(a->bytes, zero, sizeof(zero)) == 0;
}

/* One of our listeners, by its own address or by one of this machine when it listens on all. */
static bool is_own(const struct net_dial_policy *policy, const struct net_address *a, uint16_t port)
{
    for (size_t i = 0; i < policy->own_count; i++) {
        const struct net_endpoint *at = &policy->own[i];
        struct net_address own;

        if (at->port != port)
            continue;
        if (net_address_parse(str_of(at->host), &own, NULL) != ERR_OK) { /* a name: localhost */
            if (net_address_kind(a) == NET_LOOPBACK || is_of_this_machine(a))
                return true;
        } else if (net_address_eq(&own, a) ||
                   (is_any(&own) &&
                    (net_address_kind(a) == NET_LOOPBACK || is_of_this_machine(a)))) {
            return true;
        }
    }
    return false;
}

static bool is_in(const struct net_dial_policy *policy, const struct net_address *a)
{
    for (size_t i = 0; i < policy->network_count; i++) {
        if (net_range_has(&policy->networks[i], a))
            return true;
    }
    return false;
}

enum err_code net_dial_judge(const struct net_dial_policy *policy, const struct net_address *a,
                             uint16_t port, struct err *e)
{
    char text[NET_ADDRESS_TEXT];
    struct net_address judged;
    enum net_kind kind = net_address_kind(a);

    net_address_text(a, text);
    (void)net_address_carried(a, &judged);
    if (net_dial_judge_port(policy, port, e) != ERR_OK)
        return ERR_DENIED;
    if (is_own(policy, &judged, port))
        return err_set(e, ERR_DENIED, "%s port %u is this server itself", text, port);
    if (kind == NET_PUBLIC || (kind == NET_PRIVATE && is_in(policy, &judged)) ||
        (kind == NET_LOOPBACK && policy->allow_loopback))
        return ERR_OK;
    if (kind == NET_PRIVATE)
        return err_set(e, ERR_DENIED, "%s is private and in none of the networks that are allowed",
                       text);
    return err_set(e, ERR_DENIED, "%s is a %s address, which is never dialled", text,
                   net_kind_name(kind));
}

enum err_code net_dial_resolve(const struct net_dial_policy *policy, const struct net_host *host,
                               uint16_t port, struct net_dial_route *out, struct err *e)
{
    struct net_dial_route got = {.port = port};
    enum err_code rc = net_dial_judge_port(policy, port, e);

    if (rc != ERR_OK) /* before anybody is asked about the name */
        return rc;
    if (host->is_address) {
        got.addresses[got.count++] = host->address;
    } else {
        got.count = table->look_up(host->text, got.addresses, NET_DIAL_ADDRESSES);
        if (got.count == 0)
            return err_set(e, ERR_NOT_FOUND, "the name %s has no address", host->text);
        if (got.count > NET_DIAL_ADDRESSES)
            return err_set(e, ERR_DENIED, "the name %s has more than %d addresses", host->text,
                           NET_DIAL_ADDRESSES);
    }
    for (size_t i = 0; rc == ERR_OK && i < got.count; i++)
        rc = net_dial_judge(policy, &got.addresses[i], port, e);
    if (rc == ERR_OK)
        *out = got;
    return rc;
}

/* --- dialling --- */

static socklen_t to_sockaddr(const struct net_address *a, uint16_t port,
                             struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (a->is_v6) {
        struct sockaddr_in6 *v6 = (void *)out;

        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, a->bytes, 16);
        return sizeof(*v6);
    }
    struct sockaddr_in *v4 = (void *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, a->bytes, 4);
    return sizeof(*v4);
}

/* Until the connection under way stands or fails. */
static enum err_code await(int fd, int64_t mono_us, struct err *e)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int64_t left_ms = (mono_us - clock_mono_us()) / 1000;
    int why = 0, got;
    socklen_t len = sizeof(why);

    do {
        left_ms = left_ms > 0 ? left_ms : 0;
        got = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        left_ms = (mono_us - clock_mono_us()) / 1000;
    } while ((got < 0 && errno == EINTR) || (got == 0 && left_ms > 0));
    if (got == 0)
        return err_set(e, ERR_TIMEOUT, "no answer to the connection in time");
    if (got < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
        return err_set_errno(e, ERR_IO, errno, "wait for a connection");
    return why == 0 ? ERR_OK : err_set_errno(e, ERR_UNREACHABLE, why, "connect");
}

static enum err_code dial_one(const struct net_address *a, uint16_t port, int64_t mono_us, int *fd,
                              struct err *e)
{
    struct sockaddr_storage at;
    socklen_t len = to_sockaddr(a, port, &at);
    int s = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum err_code rc = ERR_OK;

    if (s < 0)
        return err_set_errno(e, ERR_IO, errno, "socket");
    if (table->dialled)
        table->dialled(a, port);
    if (connect(s, (const struct sockaddr *)&at, len) != 0)
        rc = errno == EINPROGRESS ? await(s, mono_us, e)
                                  : err_set_errno(e, ERR_UNREACHABLE, errno, "connect");
    if (rc == ERR_OK)
        *fd = s;
    else
        (void)close(s);
    return rc;
}

enum err_code net_dial_connect(const struct net_dial_route *route, int64_t mono_us, int *fd,
                               struct err *e)
{
    enum err_code rc = err_set(e, ERR_NOT_FOUND, "no address to connect to");

    for (size_t i = 0; i < route->count; i++) {
        int64_t now = clock_mono_us();
        int64_t share = (mono_us - now) / (int64_t)(route->count - i);

        rc = dial_one(&route->addresses[i], route->port, now + share, fd, e);
        if (rc == ERR_OK)
            break;
    }
    return rc;
}

void net_dial_note(const struct net_dial_route *route)
{
    for (size_t i = 0; table->dialled && i < route->count; i++)
        table->dialled(&route->addresses[i], route->port);
}
