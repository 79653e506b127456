/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_bits.h: fields of 0 to 64 bits, one after the other, lowest bit first.
 *
 * Writer: the caller reserves room (8 bytes more than the bits need) and says where it is.
 * Reader: never touches a byte outside its input; wide loads are used where they fit.
 */
#ifndef STORE_TSDB_CODEC_CODEC_BITS_H
#define STORE_TSDB_CODEC_CODEC_BITS_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BITS_WIDE 57 /* the widest field that one load of 64 bits holds at any offset */

/* How many bits v takes. */
static inline unsigned bits_width(uint64_t v)
{
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

static inline uint64_t bits_mask(unsigned width)
{
    return width == 0 ? 0 : ~UINT64_C(0) >> (64 - width);
}

/* The double of a pattern. */
static inline double bits_double(uint64_t bits)
{
    double v = 0;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline uint64_t bits_load(const unsigned char *p)
{
    uint64_t v = 0;
    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static inline void bits_store(unsigned char *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

/* --- writing --- */

struct bits_writer {
    unsigned char *at;
    uint64_t pending;
    unsigned fill; /* bits pending, < 64 */
};

/* v has no bits above `width`. */
static inline void bits_put(struct bits_writer *w, uint64_t v, unsigned width)
{
    w->pending |= v << w->fill;
    if (w->fill + width < 64) {
        w->fill += width;
        return;
    }
    bits_store(w->at, w->pending);
    w->at += 8;
    w->pending = w->fill ? v >> (64 - w->fill) : 0;
    w->fill = w->fill + width - 64;
}

/* The bits that are pending, as whole bytes. */
static inline void bits_flush(struct bits_writer *w)
{
    bits_store(w->at, w->pending);
    w->at += (w->fill + 7) / 8;
    w->pending = 0;
    w->fill = 0;
}

/* --- reading --- */

struct bits_reader {
    const unsigned char *ptr;
    size_t len;
    size_t pos; /* in bits */
};

/* Whether n fields of this width are there. */
static inline bool bits_have(const struct bits_reader *r, size_t n, unsigned width)
{
    return width == 0 || n <= (r->len * 8 - r->pos) / width;
}

/* One field, its bytes one by one: near the end of the input. */
static inline uint64_t bits_slow(const struct bits_reader *r, size_t pos, unsigned width)
{
    uint64_t v = 0;
    for (unsigned got = 0; got < width;) {
        unsigned skip = (unsigned)(pos & 7);
        v |= (uint64_t)(r->ptr[pos >> 3] >> skip) << got;
        got += 8 - skip;
        pos += 8 - skip;
    }
    return v & bits_mask(width);
}

/* How many of n fields of this width begin at least 9 bytes before the end. */
static inline size_t bits_fast_count(const struct bits_reader *r, size_t n, unsigned width)
{
    if (r->len < 9 || r->pos > (r->len - 9) * 8 || width == 0) {
        return width == 0 ? n : 0;
    }
    size_t fit = ((r->len - 9) * 8 - r->pos) / width + 1;
    return fit < n ? fit : n;
}

/* Take n fields that bits_have; out may be NULL to skip them. */
static inline void bits_take(struct bits_reader *r, uint64_t *out, size_t n, unsigned width)
{
    size_t fast = out ? bits_fast_count(r, n, width) : n;
    size_t pos = r->pos;
    uint64_t mask = bits_mask(width);

    r->pos += n * width;
    if (!out) {
        return;
    }
    if (width == 0) {
        memset(out, 0, n * sizeof(*out));
    } else if (width <= BITS_WIDE) {
        for (size_t i = 0; i < fast; i++, pos += width) {
            out[i] = bits_load(r->ptr + (pos >> 3)) >> (pos & 7) & mask;
        }
    } else {
        for (size_t i = 0; i < fast; i++, pos += width) {
            uint64_t high = r->ptr[(pos >> 3) + 8];
            uint64_t low = bits_load(r->ptr + (pos >> 3)) >> (pos & 7);
            out[i] = (low | (pos & 7 ? high << (64 - (pos & 7)) : 0)) & mask;
        }
    }
    for (size_t i = fast; i < n && width; i++, pos += width) {
        out[i] = bits_slow(r, pos, width);
    }
}

#endif
