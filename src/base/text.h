/* SPDX-License-Identifier: PostgreSQL */
/*
 * text.h: bytes as text: hexadecimal, base64url (RFC 4648, no padding), UUIDs.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define TEXT_UUID_LEN  36
#define TEXT_UUID_SIZE (TEXT_UUID_LEN + 1)

struct uuid {
    unsigned char bytes[16];
};

void text_hex(const void *bytes, size_t len, char *out); /* out: 2 * len + 1 */
bool text_unhex(struct str s, void *out, size_t len);    /* exactly 2 * len digits */
void text_base64url(struct buf *out, const void *bytes, size_t len);
enum err_code text_unbase64url(struct str s, struct buf *out, struct err *e) ERR_MUST_CHECK;
/* Lower-case canonical form; `out` has TEXT_UUID_SIZE bytes. */
void text_uuid(const struct uuid *u, char *out);
bool text_parse_uuid(struct str s, struct uuid *out); /* canonical form, either case */
bool text_uuid_eq(const struct uuid *a, const struct uuid *b);
/* Set version 4 and the variant in 16 random bytes. */
void text_uuid_v4(struct uuid *u, const unsigned char random[16]);

#endif
