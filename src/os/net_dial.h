/* SPDX-License-Identifier: PostgreSQL */
/*
 * net_dial.h: the one guarded way to a host that a person named (security S1, S2, S5).
 *
 * A name is read strictly, resolved once, and every address that it has is judged; the caller then
 * connects to those addresses and to nothing else, so that a second look-up cannot lead elsewhere.
 * One bad address among good ones refuses the name: who controls a name could otherwise choose.
 *
 *     host text --net_host_parse--> name or address --net_dial_resolve--> judged addresses
 *         --net_dial_connect--> socket, or --net_address_text--> libpq's hostaddr
 *
 * Owner:   plain values; the strings and arrays of a policy are borrowed for the call
 * Threads: any; net_dial_ops_set before threads start. A look-up blocks as long as the system's
 *          resolver lets it; nothing else waits beyond its deadline.
 * Errors:  ERR_INVALID (host or URL that is not taken), ERR_NOT_FOUND (the name has no address),
 *          ERR_DENIED (a policy forbids it), ERR_UNREACHABLE, ERR_TIMEOUT
 */
#ifndef OS_NET_DIAL_H
#define OS_NET_DIAL_H

#include "os/net.h"
#include "os/net_address.h"

#define NET_DIAL_ADDRESSES 16 /* of one name; more are a mistake or a trick */
#define NET_URL_TEXT       2048

struct net_host {
    char text[NET_HOST_MAX]; /* the name in lower case, or the address as inet_ntop writes it */
    bool is_address;
    struct net_address address;
};

struct net_url {
    bool is_https;
    struct net_host host;
    uint16_t port;
    struct str rest; /* path and query, borrowed; "/..." or empty */
};

/* A way out that is open. */
struct net_ports {
    uint16_t from, to;
};

struct net_dial_policy {
    const struct net_range *networks; /* private addresses are taken in these alone */
    size_t network_count;
    const struct net_ports *ports;
    size_t port_count;
    const struct net_endpoint *own; /* where this process listens: never dialled */
    size_t own_count;
    bool allow_loopback; /* for tests and demonstrations */
};

struct net_dial_route {
    struct net_address addresses[NET_DIAL_ADDRESSES];
    size_t count;
    uint16_t port;
};

/* What tests replace: the look-up, and who is told of each address that is dialled. */
struct net_dial_ops {
    /* Into out[max]; the number found, 0 = none, more than max = too many. */
    size_t (*look_up)(const char *name, struct net_address *out, size_t max);
    void (*dialled)(const struct net_address *address, uint16_t port); /* NULL = nobody */
};
/* NULL = the system's. Returns those before. */
const struct net_dial_ops *net_dial_ops_set(const struct net_dial_ops *ops);

/* --- Reading --- */

/*
 * A host name or an address, IPv6 with or without brackets, and nothing around it: no user, port,
 * path, zone, percent sign, blank, or byte beyond ASCII. What any reader could take for a number
 * (octal, hexadecimal, short forms) is refused unless it is four plain decimal numbers.
 */
enum err_code net_host_parse(struct str s, struct net_host *out, struct err *e) ERR_MUST_CHECK;
/* "http://HOST[:PORT][/PATH][?QUERY]" or https; no user, fragment, backslash or blank. */
enum err_code net_url_parse(struct str s, struct net_url *out, struct err *e) ERR_MUST_CHECK;

/* --- Use --- */

/* Whether an address may be dialled at that port. ERR_DENIED says why not. */
enum err_code net_dial_judge(const struct net_dial_policy *policy, const struct net_address *a,
                             uint16_t port, struct err *e) ERR_MUST_CHECK;
/* The same of the port alone. */
enum err_code net_dial_judge_port(const struct net_dial_policy *policy, uint16_t port,
                                  struct err *e) ERR_MUST_CHECK;
/* Look the host up, once, and judge every address. *out is untouched on an error. */
enum err_code net_dial_resolve(const struct net_dial_policy *policy, const struct net_host *host,
                               uint16_t port, struct net_dial_route *out,
                               struct err *e) ERR_MUST_CHECK;
/* A connected socket (non-blocking, close-on-exec): the addresses in turn, until mono_us. */
enum err_code net_dial_connect(const struct net_dial_route *route, int64_t mono_us, int *fd,
                               struct err *e) ERR_MUST_CHECK;
/* Tell the hook of the addresses when somebody else's code connects to them. */
void net_dial_note(const struct net_dial_route *route);

#endif
