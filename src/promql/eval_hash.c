/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_hash.c: where a label set stands between 0 and 1, for limit_ratio: XXH64 over the labels as
 * Prometheus keeps them, so that both let the same series through.
 */
#include <string.h>

#include "promql/eval.h"

#define XXH_1 UINT64_C(0x9E3779B185EBCA87)
#define XXH_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define XXH_3 UINT64_C(0x165667B19E3779F9)
#define XXH_4 UINT64_C(0x85EBCA77C2B2AE63)
#define XXH_5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t hash_turn(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

static uint64_t hash_load(const unsigned char *p, size_t len)
{
    uint64_t v = 0;

    for (size_t i = 0; i < len; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static uint64_t hash_round(uint64_t acc, uint64_t in)
{
    return hash_turn(acc + in * XXH_2, 31) * XXH_1;
}

static uint64_t hash_stripes(const unsigned char **p, const unsigned char *end)
{
    uint64_t v[4] = {XXH_1 + XXH_2, XXH_2, 0, (uint64_t)0 - XXH_1}, h;

    for (; end - *p >= 32; *p += 32) {
        for (int i = 0; i < 4; i++)
            v[i] = hash_round(v[i], hash_load(*p + (ptrdiff_t)i * 8, 8));
    }
    h = hash_turn(v[0], 1) + hash_turn(v[1], 7) + hash_turn(v[2], 12) + hash_turn(v[3], 18);
    for (int i = 0; i < 4; i++)
        h = (h ^ hash_round(0, v[i])) * XXH_1 + XXH_4;
    return h;
}

static uint64_t hash_bytes(const unsigned char *p, size_t len)
{
    const unsigned char *end = p + len;
    uint64_t h = len >= 32 ? hash_stripes(&p, end) : XXH_5;

    h += len;
    for (; end - p >= 8; p += 8)
        h = hash_turn(h ^ hash_round(0, hash_load(p, 8)), 27) * XXH_1 + XXH_4;
    for (; end - p >= 4; p += 4)
        h = hash_turn(h ^ (hash_load(p, 4) * XXH_1), 23) * XXH_2 + XXH_3;
    for (; p < end; p++)
        h = hash_turn(h ^ (*p * XXH_5), 11) * XXH_1;
    h = (h ^ (h >> 33)) * XXH_2;
    h = (h ^ (h >> 29)) * XXH_3;
    return h ^ (h >> 32);
}

/* Length in one byte, or 255 and three bytes. */
static void hash_put(struct buf *b, struct str s)
{
    if (s.len < 255) {
        buf_add_char(b, (char)(unsigned char)s.len);
    } else {
        buf_add_char(b, (char)255);
        for (int i = 0; i < 3; i++)
            buf_add_char(b, (char)(unsigned char)(s.len >> (8 * i)));
    }
    buf_add_str(b, s);
}

double eval_labels_ratio(const struct labels *l)
{
    struct buf b;
    double at;

    buf_init(&b, 16 * 1024 * 1024);
    for (size_t i = 0; i < l->count; i++) {
        hash_put(&b, l->items[i].name);
        hash_put(&b, l->items[i].value);
    }
    at = (double)hash_bytes((const unsigned char *)b.ptr, b.len) / 18446744073709551616.0;
    buf_fini(&b);
    return at;
}
