/* SPDX-License-Identifier: PostgreSQL */
/*
 * net_address.h: IP addresses as numbers: what kind of place each one is, and ranges of them.
 *
 * Forms of IPv6 that carry an IPv4 address (v4-mapped, v4-compatible, NAT64, 6to4, Teredo) are
 * judged as that address: ::ffff:127.0.0.1 is loopback, 64:ff9b::169.254.169.254 link-local.
 *
 * Owner:   plain values; nothing is allocated
 * Threads: any; no shared state
 * Errors:  ERR_INVALID says what is wrong with a text
 */
#ifndef OS_NET_ADDRESS_H
#define OS_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define NET_ADDRESS_TEXT 46 /* the longest text of an address, with its NUL */

struct sockaddr;

struct net_address {
    unsigned char bytes[16]; /* network order; of IPv4 the first four, the others are zero */
    bool is_v6;
};

/* An address and how many of its leading bits count. */
struct net_range {
    struct net_address base;
    unsigned bits;
};

enum net_kind {
    NET_PUBLIC,
    NET_PRIVATE,    /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7, fec0::/10 */
    NET_LOOPBACK,   /* 127/8, ::1 */
    NET_LINK_LOCAL, /* 169.254/16, fe80::/10 */
    NET_METADATA,   /* where clouds tell a machine its secrets, beyond 169.254/16 */
    NET_NOWHERE,    /* 0/8, ::, multicast, broadcast, reserved, documentation, ISATAP */
};

/* --- Text --- */

/* One address and nothing else: four decimal numbers without leading zeros, or IPv6, no zone. */
enum err_code net_address_parse(struct str s, struct net_address *out,
                                struct err *e) ERR_MUST_CHECK;
void net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT]);
/* "10.0.0.0/8", "fd00::/8", or an address alone. Bits beyond the prefix must be zero. */
enum err_code net_range_parse(struct str s, struct net_range *out, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

/* False when it is neither IPv4 nor IPv6. */
bool net_address_of(const struct sockaddr *from, struct net_address *out);
/* The IPv4 address that a form of IPv6 carries; false and *out = *a when it carries none. */
bool net_address_carried(const struct net_address *a, struct net_address *out);
/* IPv4 in the form in which a socket of both kinds shows it (v4-mapped) becomes IPv4. */
void net_address_unmap(struct net_address *a);
enum net_kind net_address_kind(const struct net_address *a);
const char *net_kind_name(enum net_kind kind); /* "loopback" */
bool net_address_eq(const struct net_address *a, const struct net_address *b);
bool net_range_has(const struct net_range *r, const struct net_address *a);

#endif
