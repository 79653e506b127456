/* SPDX-License-Identifier: PostgreSQL */
/*
 * fingerprint.c: two lanes of multiplications of 64 by 64 bits, folded.
 *
 * Both lanes see every byte, each beside other neighbours and under other words of the key.
 * A product of zero would wipe out what a lane has seen; without the key none can be aimed at, and
 * each step adds the lane's old value again.
 */
#include "base/fingerprint.h"

#include <endian.h>
#include <string.h>

#define BLOCK_BYTES 32

struct block {
    uint64_t word[4];
};

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static uint64_t load32(const unsigned char *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void mix(struct fingerprint *f, const struct fingerprint_key *key, const struct block *b)
{
    const uint64_t *k = key->word, *w = b->word;
    uint64_t x = f->word[0], y = f->word[1];

    x = fold(x ^ w[0], k[0] ^ w[1]) + x;
    y = fold(y ^ w[1], k[2] ^ w[2]) + y;
    f->word[0] = fold(x ^ w[2], k[1] ^ w[3]) + x;
    f->word[1] = fold(y ^ w[3], k[3] ^ w[0]) + y;
}

/* Fewer bytes than a block. Of one length no two ends give the same block. */
static struct block end_block(const unsigned char *p, size_t len)
{
    struct block b = {{0}};

    if (len >= 16) { /* reads overlap in the middle */
        b.word[0] = load64(p);
        b.word[1] = load64(p + 8);
        b.word[2] = load64(p + len - 16);
        b.word[3] = load64(p + len - 8);
    } else if (len >= 8) {
        b.word[0] = load64(p);
        b.word[1] = load64(p + len - 8);
    } else if (len >= 4) {
        b.word[0] = load32(p);
        b.word[1] = load32(p + len - 4);
    } else if (len > 0) {
        b.word[0] = (uint64_t)p[0] << 16 | (uint64_t)p[len / 2] << 8 | p[len - 1];
    }
    return b;
}

void fingerprint_key_of(const unsigned char bytes[16], struct fingerprint_key *out)
{
    /* Fractional digits of pi: any constants do that no one chose for a purpose. */
    static const uint64_t first[4] = {
        UINT64_C(0x243f6a8885a308d3),
        UINT64_C(0x13198a2e03707344),
        UINT64_C(0xa4093822299f31d0),
        UINT64_C(0x082efa98ec4e6c89),
    };
    uint64_t a = load64(bytes), b = load64(bytes + 8);

    for (size_t i = 0; i < 4; i++) {
        a = fold(a ^ first[i], b ^ first[(i + 1) % 4]) + b;
        b = fold(b ^ first[(i + 2) % 4], a ^ first[(i + 3) % 4]) + a;
        out->word[i] = a ^ (b << 32 | b >> 32);
    }
}

struct fingerprint fingerprint_begin(const struct fingerprint_key *key)
{
    return (struct fingerprint){{key->word[3], key->word[0]}};
}

void fingerprint_add(struct fingerprint *f, const struct fingerprint_key *key, struct str piece)
{
    const unsigned char *p = (const unsigned char *)piece.ptr;
    size_t left = piece.len;
    struct block b;

    f->word[0] += piece.len;
    f->word[1] += piece.len;
    for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, p += BLOCK_BYTES) {
        b = (struct block){{load64(p), load64(p + 8), load64(p + 16), load64(p + 24)}};
        mix(f, key, &b);
    }
    b = end_block(p, left);
    mix(f, key, &b);
}

void fingerprint_end(struct fingerprint *f, const struct fingerprint_key *key)
{
    struct fingerprint last = *f;
    struct block b = {{last.word[1], last.word[0], key->word[1], key->word[2]}};

    mix(f, key, &b);
    mix(f, key, &b);
}

struct fingerprint fingerprint_of(const struct fingerprint_key *key, struct str text)
{
    struct fingerprint f = fingerprint_begin(key);

    fingerprint_add(&f, key, text);
    fingerprint_end(&f, key);
    return f;
}
