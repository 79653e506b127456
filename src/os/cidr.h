/* SPDX-License-Identifier: PostgreSQL */
/*
 * cidr.h: addresses as bytes, and ranges of them.
 *
 * An IPv4 address is the same as its form in IPv6 (::ffff:a.b.c.d), so one comparison does for
 * both, and no second way of writing an address slips through a list.
 * Threads: any; nothing is shared.
 */
#ifndef OS_CIDR_H
#define OS_CIDR_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

#define CIDR_ADDRESS_BYTES 16

struct cidr {
    unsigned char address[CIDR_ADDRESS_BYTES]; /* bits behind `bits` are 0 */
    unsigned bits;                             /* of the 128 */
};

/* "192.0.2.1" or "2001:db8::1", no brackets, no zone. False when it is no address. */
bool cidr_parse_address(struct str s, unsigned char out[CIDR_ADDRESS_BYTES]);
/* "10.0.0.0/8", "fd00::/8", or one address. ERR_INVALID also for bits set behind the length. */
enum err_code cidr_parse(struct str s, struct cidr *out, struct err *e) ERR_MUST_CHECK;
bool cidr_has(const struct cidr *c, const unsigned char address[CIDR_ADDRESS_BYTES]);

#endif
