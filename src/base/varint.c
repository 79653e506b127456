/* SPDX-License-Identifier: PostgreSQL */
/* varint.c: LEB128. */
#include "base/varint.h"

void varint_put(struct buf *b, uint64_t value)
{
    unsigned char bytes[VARINT_MAX];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (unsigned char)value;
    buf_add(b, bytes, len);
}

void varint_put_signed(struct buf *b, int64_t value)
{
    varint_put(b, varint_zigzag(value));
}

bool varint_take(struct str *in, uint64_t *out)
{
    const unsigned char *p = (const unsigned char *)in->ptr;
    size_t max = in->len < VARINT_MAX ? in->len : VARINT_MAX;
    uint64_t value = 0;

    for (size_t i = 0; i < max; i++) {
        if (i == VARINT_MAX - 1 && p[i] > 1)
            return false;
        value |= (uint64_t)(p[i] & 0x7F) << (7 * i);
        if (p[i] < 0x80) {
            *out = value;
            *in = str_make(in->ptr + i + 1, in->len - i - 1);
            return true;
        }
    }
    return false;
}

bool varint_take_signed(struct str *in, int64_t *out)
{
    uint64_t value;

    if (!varint_take(in, &value))
        return false;
    *out = varint_unzigzag(value);
    return true;
}
