/* SPDX-License-Identifier: PostgreSQL */
/* cidr.c: see the header. */
#include "os/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

#define MAPPED_BITS 96 /* what stands before an IPv4 address */

static bool parse_v4(const char *text, unsigned char out[CIDR_ADDRESS_BYTES])
{
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    memset(out, 0, CIDR_ADDRESS_BYTES);
    out[10] = out[11] = 0xff;
    memcpy(out + 12, &v4, sizeof(v4));
    return true;
}

bool cidr_parse_address(struct str s, unsigned char out[CIDR_ADDRESS_BYTES])
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;

    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len) != NULL)
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (parse_v4(text, out))
        return true;
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return false;
    memcpy(out, &v6, CIDR_ADDRESS_BYTES);
    return true;
}

static enum err_code refuse(struct str s, const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "address range \"%.*s\": %s", s.len > 80 ? 80 : (int)s.len,
                   s.ptr ? s.ptr : "", why);
}

/* Whether all bits from `bits` on are 0. */
static bool ends_at(const unsigned char *address, unsigned bits)
{
    for (unsigned i = bits; i < 128; i++) {
        if (address[i / 8] & (0x80 >> i % 8))
            return false;
    }
    return true;
}

enum err_code cidr_parse(struct str s, struct cidr *out, struct err *e)
{
    struct str length = s, host = str_split(&length, '/');
    bool is_v4 = memchr(host.ptr ? host.ptr : "", ':', host.len) == NULL;
    int64_t bits = is_v4 ? 32 : 128;
    struct cidr c;

    if (!cidr_parse_address(host, c.address))
        return refuse(s, "no IPv4 or IPv6 address", e);
    if (length.ptr != NULL && num_parse_i64(length, 0, bits, &bits, NULL) != ERR_OK)
        return refuse(s, "the length behind the slash is wrong", e);
    c.bits = (unsigned)bits + (is_v4 ? MAPPED_BITS : 0);
    if (!ends_at(c.address, c.bits))
        return refuse(s, "bits are set behind its length", e);
    *out = c;
    return ERR_OK;
}

bool cidr_has(const struct cidr *c, const unsigned char address[CIDR_ADDRESS_BYTES])
{
    unsigned whole = c->bits / 8, rest = c->bits % 8;
    unsigned char mask = (unsigned char)(0xff00 >> rest);

    if (memcmp(c->address, address, whole) != 0)
        return false;
    return rest == 0 || ((c->address[whole] ^ address[whole]) & mask) == 0;
}
