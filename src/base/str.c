/* SPDX-License-Identifier: PostgreSQL */
/*
 * str.c: comparing, cutting and hashing borrowed text.
 *
 * The hash is SipHash-1-3 keyed from the 16 random bytes the kernel gives each process, so that
 * nobody outside can choose keys that collide.
 */
#include "base/str.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>

struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

struct str str_make(const void *ptr, size_t len)
{
    return (struct str){ptr, len};
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_of(b));
}

static char str_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (str_lower(a.ptr[i]) != str_lower(b.ptr[i]))
            return false;
    }
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_make(s.ptr, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    if (s.len < suffix.len || suffix.len == 0)
        return suffix.len == 0;
    return str_eq(str_make(s.ptr + (s.len - suffix.len), suffix.len), suffix);
}

static bool str_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && str_is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && str_is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct str str_split(struct str *rest, char sep)
{
    struct str all = *rest;
    const char *at = all.len > 0 ? memchr(all.ptr, sep, all.len) : NULL;
    size_t cut;

    if (!at) {
        *rest = (struct str){NULL, 0};
        return all;
    }
    cut = (size_t)(at - all.ptr);
    *rest = str_make(at + 1, all.len - cut - 1);
    return str_make(all.ptr, cut);
}

bool str_find(struct str s, struct str needle, size_t *at)
{
    const char *hit;

    if (needle.len == 0) {
        *at = 0;
        return true;
    }
    hit = s.len >= needle.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    if (hit)
        *at = (size_t)(hit - s.ptr);
    return hit != NULL;
}

/* Length of the well-formed sequence at p, at most `left` bytes; 0 = none (RFC 3629). */
static size_t str_utf8_step(const unsigned char *p, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t len;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xC2 || p[0] > 0xF4)
        return 0;
    len = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    if (p[0] == 0xE0)
        low = 0xA0;
    if (p[0] == 0xED)
        high = 0x9F;
    if (p[0] == 0xF0)
        low = 0x90;
    if (p[0] == 0xF4)
        high = 0x8F;
    if (left < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    return len;
}

size_t str_utf8_len(struct str s)
{
    return s.len > 0 ? str_utf8_step((const unsigned char *)s.ptr, s.len) : 0;
}

bool str_is_utf8(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t at = 0;

    while (at < s.len) {
        size_t step = str_utf8_step(p + at, s.len - at);

        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

static uint64_t str_load64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t str_rotl(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static void str_sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = str_rotl(v[1], 13) ^ v[0];
    v[0] = str_rotl(v[0], 32);
    v[2] += v[3];
    v[3] = str_rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = str_rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = str_rotl(v[1], 17) ^ v[2];
    v[2] = str_rotl(v[2], 32);
}

/* Two threads may both fill the key: they write the same values. */
static void str_hash_key(uint64_t key[2])
{
    static _Atomic uint64_t cached[2];
    const unsigned char *random;

    key[0] = atomic_load_explicit(&cached[0], memory_order_relaxed);
    key[1] = atomic_load_explicit(&cached[1], memory_order_relaxed);
    if (key[0] != 0 && key[1] != 0)
        return;
    random = (const unsigned char *)getauxval(AT_RANDOM); /* NOLINT: the interface is an integer */
    key[0] = random ? str_load64(random) : 0;
    key[1] = random ? str_load64(random + 8) : 0;
    key[0] = (key[0] ^ UINT64_C(0x9E3779B97F4A7C15)) | 1;
    key[1] = (key[1] ^ UINT64_C(0xC2B2AE3D27D4EB4F)) | 1;
    atomic_store_explicit(&cached[0], key[0], memory_order_relaxed);
    atomic_store_explicit(&cached[1], key[1], memory_order_relaxed);
}

uint64_t str_hash(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t left = s.len;
    uint64_t key[2], v[4], tail = (uint64_t)s.len << 56;

    str_hash_key(key);
    v[0] = key[0] ^ UINT64_C(0x736F6D6570736575);
    v[1] = key[1] ^ UINT64_C(0x646F72616E646F6D);
    v[2] = key[0] ^ UINT64_C(0x6C7967656E657261);
    v[3] = key[1] ^ UINT64_C(0x7465646279746573);
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t word = str_load64(p);

        v[3] ^= word;
        str_sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < left; i++)
        tail |= (uint64_t)p[i] << (8 * i);
    v[3] ^= tail;
    str_sip_round(v);
    v[0] ^= tail;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        str_sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
