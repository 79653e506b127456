/* SPDX-License-Identifier: PostgreSQL */
/* net_address.c: see the header. The ranges are those of IANA's special-purpose registries. */
#include "os/net_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/num.h"

#define V4_BITS 32
#define V6_BITS 128

static const char *const kind_names[] = {
    [NET_PUBLIC] = "public",         [NET_PRIVATE] = "private",   [NET_LOOPBACK] = "loopback",
    [NET_LINK_LOCAL] = "link-local", [NET_METADATA] = "metadata", [NET_NOWHERE] = "not a host's",
};

/* --- text --- */

static enum err_code refuse(struct str s, const char *why, struct err *e)
{
    return err_set(e, ERR_INVALID, "address \"%.*s\": %s", s.len > 60 ? 60 : (int)s.len,
                   s.ptr ? s.ptr : "", why);
}

/* Four decimal numbers; "010" is eight to some readers and ten to others, so it is neither. */
static bool read_v4(struct str s, unsigned char out[4])
{
    for (int i = 0; i < 4; i++) {
        struct str part = str_split(&s, '.');
        int64_t number;

        if (part.len == 0 || part.len > 3 || (part.len > 1 && part.ptr[0] == '0'))
            return false;
        if ((i == 3) != (s.ptr == NULL) || part.ptr[0] < '0' || part.ptr[0] > '9' ||
            num_parse_i64(part, 0, 255, &number, NULL) != ERR_OK)
            return false;
        out[i] = (unsigned char)number;
    }
    return true;
}

enum err_code net_address_parse(struct str s, struct net_address *out, struct err *e)
{
    struct net_address got = {0};
    char text[NET_ADDRESS_TEXT] = "";

    if (s.len == 0 || s.len >= sizeof(text) || memchr(s.ptr, '\0', s.len))
        return refuse(s, "impossible length", e);
    memcpy(text, s.ptr, s.len);
    got.is_v6 = strchr(text, ':') != NULL;
    if (got.is_v6 ? inet_pton(AF_INET6, text, got.bytes) != 1 : !read_v4(s, got.bytes))
        return refuse(s, got.is_v6 ? "no IPv6 address" : "not four decimal numbers", e);
    *out = got;
    return ERR_OK;
}

void net_address_text(const struct net_address *a, char out[NET_ADDRESS_TEXT])
{
    if (!inet_ntop(a->is_v6 ? AF_INET6 : AF_INET, a->bytes, out, NET_ADDRESS_TEXT))
        out[0] = '\0';
}

/* Whether every bit from `bits` on is zero. */
static bool ends_in_zeros(const struct net_address *a, unsigned bits)
{
    for (unsigned i = bits; i < (a->is_v6 ? V6_BITS : V4_BITS); i++) {
        if (a->bytes[i / 8] & (0x80u >> (i % 8)))
            return false;
    }
    return true;
}

enum err_code net_range_parse(struct str s, struct net_range *out, struct err *e)
{
    struct str rest = s, base = str_split(&rest, '/');
    struct net_range got = {0};
    int64_t bits;
    enum err_code rc = net_address_parse(base, &got.base, e);

    if (rc != ERR_OK)
        return rc;
    bits = got.base.is_v6 ? V6_BITS : V4_BITS;
    if (rest.ptr && (rest.len == 0 || rest.len > 3 || (rest.len > 1 && rest.ptr[0] == '0') ||
                     rest.ptr[0] < '0' || rest.ptr[0] > '9' ||
                     num_parse_i64(rest, 0, bits, &bits, NULL) != ERR_OK))
        return refuse(s, "no prefix length behind the slash", e);
    got.bits = (unsigned)bits;
    if (!ends_in_zeros(&got.base, got.bits))
        return refuse(s, "bits are set beyond the prefix length", e);
    *out = got;
    return ERR_OK;
}

/* --- kinds --- */

bool net_address_of(const struct sockaddr *from, struct net_address *out)
{
    memset(out, 0, sizeof(*out));
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)from;

        memcpy(out->bytes, &v4->sin_addr, 4);
        return true;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)from;

        memcpy(out->bytes, &v6->sin6_addr, 16);
        out->is_v6 = true;
        return true;
    }
    return false;
}

bool net_address_eq(const struct net_address *a, const struct net_address *b)
{
    return a->is_v6 == b->is_v6 && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool net_range_has(const struct net_range *r, const struct net_address *a)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);

    if (r->base.is_v6 != a->is_v6 || memcmp(r->base.bytes, a->bytes, whole) != 0)
        return false;
    return rest == 0 || ((r->base.bytes[whole] ^ a->bytes[whole]) & mask) == 0;
}

/* A range of the tables below; IPv4 ones have their bytes in front like addresses. */
struct row {
    unsigned char bytes[16];
    unsigned bits;
    enum net_kind kind;
};

static const struct row rows_v4[] = {
    {{0}, 8, NET_NOWHERE}, /* "this network": 0.0.0.0 reaches the machine itself */
    {{10}, 8, NET_PRIVATE},
    {{100, 100, 100, 200}, 32, NET_METADATA},
    {{100, 64}, 10, NET_PRIVATE},
    {{127}, 8, NET_LOOPBACK},
    {{168, 63, 129, 16}, 32, NET_METADATA},
    {{169, 254}, 16, NET_LINK_LOCAL},
    {{172, 16}, 12, NET_PRIVATE},
    {{192, 0, 0}, 24, NET_NOWHERE},
    {{192, 0, 2}, 24, NET_NOWHERE},
    {{192, 88, 99}, 24, NET_NOWHERE},
    {{192, 168}, 16, NET_PRIVATE},
    {{198, 18}, 15, NET_NOWHERE},
    {{198, 51, 100}, 24, NET_NOWHERE},
    {{203, 0, 113}, 24, NET_NOWHERE},
    {{224}, 3, NET_NOWHERE}, /* multicast, reserved, broadcast */
};

/* Only 2000::/3 is in public use; what stands before it here is not, whatever it says. */
static const struct row rows_v6[] = {
    {{[15] = 1}, 128, NET_LOOPBACK}, {{0xfd, 0x00, 0x0e, 0xc2}, 32, NET_METADATA},
    {{0xfc}, 7, NET_PRIVATE},        {{0xfe, 0x80}, 10, NET_LINK_LOCAL},
    {{0xfe, 0xc0}, 10, NET_PRIVATE}, {{0x20, 0x01, 0x0d, 0xb8}, 32, NET_NOWHERE},
    {{0x20, 0x01}, 23, NET_NOWHERE}, {{0x3f, 0xff}, 20, NET_NOWHERE},
    {{0x20}, 3, NET_PUBLIC},
};

/*
 * Forms that carry an IPv4 address, and where in them it stands. NAT64 of a network's own
 * (64:ff9b:1::/48) has it at a place of the network's choice: such addresses are nobody's.
 */
static const struct carrier {
    unsigned char bytes[16];
    unsigned bits, at;
    unsigned char flip; /* Teredo writes the address with its bits turned over */
} carriers[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, 12, 0},  /* v4-mapped */
    {{[8] = 0xff, [9] = 0xff}, 96, 12, 0},    /* ::ffff:0:a.b.c.d, translated */
    {{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0},    /* NAT64 */
    {{0x20, 0x02}, 16, 2, 0},                 /* 6to4 */
    {{0x20, 0x01, 0x00, 0x00}, 32, 12, 0xff}, /* Teredo */
    {{0}, 96, 12, 0},                         /* v4-compatible; :: and ::1 are not */
};

/* A tunnel to the IPv4 address in it, whatever the prefix is; nothing uses that any more. */
static bool is_isatap(const struct net_address *a)
{
    static const unsigned char id[3] = {0x00, 0x5e, 0xfe};

    return (a->bytes[8] & 0xfd) == 0 && memcmp(a->bytes + 9, id, sizeof(id)) == 0;
}

static void take_v4(const struct net_address *a, unsigned at, unsigned char flip,
                    struct net_address *out)
{
    struct net_address v4 = {0};

    for (unsigned i = 0; i < 4; i++)
        v4.bytes[i] = a->bytes[at + i] ^ flip;
    *out = v4;
}

bool net_address_carried(const struct net_address *a, struct net_address *out)
{
    static const struct net_address zero = {.is_v6 = true};

    *out = *a;
    if (!a->is_v6 || memcmp(a->bytes, zero.bytes, 15) == 0) /* :: and ::1 stand for themselves */
        return false;
    for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++) {
        struct net_range r = {.bits = carriers[i].bits, .base.is_v6 = true};

        memcpy(r.base.bytes, carriers[i].bytes, sizeof(r.base.bytes));
        if (net_range_has(&r, a)) {
            take_v4(a, carriers[i].at, carriers[i].flip, out);
            return true;
        }
    }
    return false;
}

static enum net_kind find(const struct row *rows, size_t count, const struct net_address *a,
                          enum net_kind otherwise)
{
    for (size_t i = 0; i < count; i++) {
        struct net_range r = {.bits = rows[i].bits, .base.is_v6 = a->is_v6};

        memcpy(r.base.bytes, rows[i].bytes, sizeof(r.base.bytes));
        if (net_range_has(&r, a))
            return rows[i].kind;
    }
    return otherwise;
}

enum net_kind net_address_kind(const struct net_address *a)
{
    struct net_address judged;

    (void)net_address_carried(a, &judged);
    if (judged.is_v6 && is_isatap(&judged))
        return NET_NOWHERE;
    if (judged.is_v6)
        return find(rows_v6, sizeof(rows_v6) / sizeof(rows_v6[0]), &judged, NET_NOWHERE);
    return find(rows_v4, sizeof(rows_v4) / sizeof(rows_v4[0]), &judged, NET_PUBLIC);
}

const char *net_kind_name(enum net_kind kind)
{
    return kind_names[kind];
}

void net_address_unmap(struct net_address *a)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (!a->is_v6 || memcmp(a->bytes, mapped, sizeof(mapped)) != 0)
        return;
    memmove(a->bytes, a->bytes + sizeof(mapped), 4);
    memset(a->bytes + 4, 0, sizeof(a->bytes) - 4);
    a->is_v6 = false;
}
