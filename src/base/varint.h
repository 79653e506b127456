/* SPDX-License-Identifier: PostgreSQL */
/*
 * varint.h: LEB128 variable-length integers, zigzag for signed ones; safe on any bytes.
 */
#ifndef BASE_VARINT_H
#define BASE_VARINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

#define VARINT_MAX 10

static inline uint64_t varint_zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t varint_unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

void varint_put(struct buf *b, uint64_t value);
void varint_put_signed(struct buf *b, int64_t value);
/*
 * Take one off the front of `*in`; false when cut short or longer than 64 bits (in is then
 * unchanged).
 */
bool varint_take(struct str *in, uint64_t *out);
bool varint_take_signed(struct str *in, int64_t *out);

#endif
