/* SPDX-License-Identifier: PostgreSQL */
/* text.c: hexadecimal, base64url, UUIDs. */
#include "base/text.h"

#include <string.h>

static const char text_digits[] = "0123456789abcdef";
static const char text_base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void text_hex(const void *bytes, size_t len, char *out)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < len; i++) {
        *out++ = text_digits[p[i] >> 4];
        *out++ = text_digits[p[i] & 15];
    }
    *out = '\0';
}

static int text_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool text_unhex(struct str s, void *out, size_t len)
{
    unsigned char *p = out;

    if (s.len % 2 != 0 || s.len / 2 != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = text_hex_value(s.ptr[2 * i]), low = text_hex_value(s.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        p[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

void text_base64url(struct buf *out, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    for (size_t at = 0; at < len; at += 3) {
        size_t n = len - at < 3 ? len - at : 3;
        uint32_t group = (uint32_t)p[at] << 16;
        char digits[4];

        if (n > 1)
            group |= (uint32_t)p[at + 1] << 8;
        if (n > 2)
            group |= p[at + 2];
        for (int i = 0; i < 4; i++)
            digits[i] = text_base64_digits[(group >> (18 - 6 * i)) & 63];
        buf_add(out, digits, n + 1);
    }
}

static int text_base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* One encoding per value: left-over bits must be zero, so that a token cannot be respelled. */
enum err_code text_unbase64url(struct str s, struct buf *out, struct err *e)
{
    uint32_t bits = 0;
    int have = 0;

    if (s.len % 4 == 1)
        return err_set(e, ERR_INVALID, "base64url text of impossible length %zu", s.len);
    for (size_t i = 0; i < s.len; i++) {
        int value = text_base64_value(s.ptr[i]);

        if (value < 0)
            return err_set(e, ERR_INVALID, "no base64url digit at position %zu", i + 1);
        bits = (bits << 6 | (uint32_t)value) & 0xFFFF;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_add_char(out, (char)(unsigned char)(bits >> have));
        }
    }
    if ((bits & ((1U << have) - 1)) != 0)
        return err_set(e, ERR_INVALID, "base64url text with left-over bits");
    return buf_check(out, e);
}

static bool text_uuid_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

void text_uuid(const struct uuid *u, char *out)
{
    size_t at = 0;

    for (size_t i = 0; i < sizeof(u->bytes); i++) {
        if (text_uuid_dash(at))
            out[at++] = '-';
        out[at++] = text_digits[u->bytes[i] >> 4];
        out[at++] = text_digits[u->bytes[i] & 15];
    }
    out[at] = '\0';
}

bool text_parse_uuid(struct str s, struct uuid *out)
{
    struct uuid u;
    size_t at = 0;

    if (s.len != TEXT_UUID_LEN)
        return false;
    for (size_t i = 0; i < sizeof(u.bytes); i++) {
        if (text_uuid_dash(at) && s.ptr[at++] != '-')
            return false;
        if (!text_unhex(str_make(s.ptr + at, 2), &u.bytes[i], 1))
            return false;
        at += 2;
    }
    *out = u;
    return true;
}

bool text_uuid_eq(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void text_uuid_v4(struct uuid *u, const unsigned char random[16])
{
    memcpy(u->bytes, random, sizeof(u->bytes));
    u->bytes[6] = (unsigned char)((u->bytes[6] & 0x0F) | 0x40);
    u->bytes[8] = (unsigned char)((u->bytes[8] & 0x3F) | 0x80);
}
