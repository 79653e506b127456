/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_runs_plan.c: estimates the size of each coding of a run and takes the smallest.
 *
 * Differences are modulo 2^64 throughout, so every coding is exact for every pattern of bits, and
 * only the size depends on what the values mean.
 */
#include "store/tsdb/codec/codec_runs_plan.h"

#include "base/varint.h"
#include "store/tsdb/codec/codec_bits.h"

#include <math.h>
#include <string.h>

#define LIST_MAX      32
#define PACK_LEAST    4
#define SPLIT_MIN     16
#define MEDIAN_OF     15
#define PATCH_BITS    12   /* of a patch beside its value */
#define PATCH_SHARE   16   /* at most n / this are patched */
#define SPLIT_GAIN    0.97 /* symbols cost time: they must save this much */
#define SPLIT_LEAST   3.0  /* bits; below, whole bits are as good */
#define SYMBOL_SPREAD 2    /* the mean deviation is 2^2 to 2^3 symbols */

static uint64_t size_of(uint64_t v) /* bits of a varint */
{
    return v == 0 ? 8 : 8 * ((bits_width(v) + 6) / 7);
}

static uint64_t size_of_signed(uint64_t v)
{
    return size_of(varint_zigzag((int64_t)v));
}

static void consider(struct codec_plan *best, const struct codec_plan *one)
{
    if (one->bits < best->bits) {
        *best = *one;
    }
}

/* --- values that stand still --- */

struct changes {
    size_t count, longest; /* the longest distance to the change before */
    int64_t min, max;      /* of the changes */
};

static struct changes find_changes(const uint64_t *x, size_t n)
{
    struct changes c = {0, 0, INT64_MAX, INT64_MIN};
    size_t last = 0;

    for (size_t i = 1; i < n; i++) {
        if (x[i] != x[i - 1]) {
            int64_t d = (int64_t)(x[i] - x[i - 1]);
            c.count++;
            c.longest = i - last > c.longest ? i - last : c.longest;
            c.min = d < c.min ? d : c.min;
            c.max = d > c.max ? d : c.max;
            last = i;
        }
    }
    return c;
}

static void plan_changes(const struct changes *c, size_t n, uint64_t base, struct codec_plan *best)
{
    struct codec_plan one = {.coding = CODEC_RUN_BITMAP,
                             .low = (uint64_t)c->min,
                             .width = bits_width((uint64_t)c->max - (uint64_t)c->min),
                             .changes = c->count};
    uint64_t fixed = base + size_of(c->count) + size_of_signed(one.low) + 8;

    one.bits = fixed + n - 1 + c->count * one.width;
    consider(best, &one);
    one.coding = CODEC_RUN_STEPS;
    one.gap_width = bits_width(c->longest - 1);
    one.bits = fixed + 8 + c->count * (one.gap_width + one.width);
    consider(best, &one);
}

/* --- differences --- */

size_t codec_plan_fields(const uint64_t *x, size_t n, unsigned order, uint64_t *fields)
{
    if (order == 0) {
        memcpy(fields, x, n * sizeof(*fields));
        return n;
    }
    for (size_t i = 1; i < n; i++) {
        fields[i - 1] = x[i] - x[i - 1];
    }
    n--;
    for (size_t i = 1; order == 2 && i < n; i++) {
        fields[i - 1] = x[i + 1] - 2 * x[i] + x[i - 1];
    }
    return order == 2 ? n - 1 : n;
}

static int64_t median_of(const uint64_t *v, size_t n)
{
    int64_t some[MEDIAN_OF] = {0};
    size_t count = n < MEDIAN_OF ? n : MEDIAN_OF;

    for (size_t i = 0; i < count; i++) {
        int64_t one = (int64_t)v[i * n / count];
        size_t at = i;
        for (; at > 0 && some[at - 1] > one; at--) {
            some[at] = some[at - 1];
        }
        some[at] = one;
    }
    return some[count / 2];
}

struct spread {
    uint64_t center;
    size_t widths[65]; /* how many distances from the centre take so many bits, zigzag */
    int64_t min, max;
    double sum, distance; /* of v - center, and without its sign */
};

static void measure(const uint64_t *v, size_t n, struct spread *s)
{
    memset(s, 0, sizeof(*s));
    s->center = (uint64_t)median_of(v, n);
    s->min = INT64_MAX;
    s->max = INT64_MIN;
    for (size_t i = 0; i < n; i++) {
        int64_t d = (int64_t)(v[i] - s->center);
        uint64_t z = varint_zigzag(d);
        s->widths[bits_width(z)]++;
        s->min = (int64_t)v[i] < s->min ? (int64_t)v[i] : s->min;
        s->max = (int64_t)v[i] > s->max ? (int64_t)v[i] : s->max;
        s->sum += (double)d;
        s->distance += (double)((z + 1) >> 1);
    }
}

/* The width at which fields and patches together are smallest; *patched: how many, *bits: all. */
static unsigned best_limit(const struct spread *s, size_t n, size_t *patched, uint64_t *bits)
{
    unsigned best = 64;
    size_t out = 0;
    uint64_t cost = 0;

    *patched = 0;
    *bits = n * 64;
    for (unsigned w = 64; out <= n / PATCH_SHARE; w--) {
        if (n * w + cost < *bits) {
            *bits = n * w + cost;
            *patched = out;
            best = w;
        }
        if (w == 0) {
            break;
        }
        out += s->widths[w];
        cost += s->widths[w] * (PATCH_BITS + 8 * ((w + 6) / 7));
    }
    return best;
}

/* Fields within `limit` bits of the centre decide low and width; the others are patched. */
static void plan_patched(const uint64_t *v, size_t n, const struct spread *s, uint64_t fixed,
                         struct codec_plan *best)
{
    struct codec_plan one = {.coding = best->coding};
    size_t patched = 0;
    uint64_t bits = 0;
    int64_t min = INT64_MAX;
    int64_t max = INT64_MIN;
    unsigned limit = best_limit(s, n, &patched, &bits);

    if (patched == 0 || bits + fixed >= best->bits) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (bits_width(varint_zigzag((int64_t)(v[i] - s->center))) <= limit) {
            min = (int64_t)v[i] < min ? (int64_t)v[i] : min;
            max = (int64_t)v[i] > max ? (int64_t)v[i] : max;
        }
    }
    one.low = (uint64_t)min;
    one.width = bits_width((uint64_t)max - (uint64_t)min);
    for (size_t i = 0; i < n; i++) {
        one.patches += v[i] - one.low > bits_mask(one.width);
    }
    one.bits = bits - n * limit + n * one.width + fixed + size_of_signed(one.low) + 8;
    consider(best, &one);
}

/* Symbols are packed to about their entropy: that of a bell curve, by its mean deviation. */
static void plan_split(const uint64_t *v, size_t n, const struct spread *s, uint64_t fixed,
                       struct codec_plan *best)
{
    struct codec_plan one = {.coding = best->coding - CODEC_RUN_PACK0 + CODEC_RUN_SPLIT0};
    double mean = s->distance / (double)n;
    double each = n < SPLIT_MIN ? 0 : log2(5.3 * mean) + 0.1;

    if (!(each > SPLIT_LEAST) || mean > 1e15 ||
        (double)fixed + each * (double)n > SPLIT_GAIN * (double)best->bits) {
        return;
    }
    int scale = ilogb(mean) - SYMBOL_SPREAD;
    unsigned shift = scale > 0 ? (unsigned)scale : 0;
    one.low = s->center + (uint64_t)llround(s->sum / (double)n) - (UINT64_C(128) << shift);
    one.width = shift + 8;
    for (size_t i = 0; i < n; i++) {
        one.patches += v[i] - one.low > bits_mask(one.width);
    }
    one.bits = fixed + size_of_signed(one.low) + 8 + (uint64_t)(each * (double)n) +
               one.patches * (PATCH_BITS + 64);
    if (one.patches <= n / PATCH_SHARE) {
        consider(best, &one);
    }
}

static void plan_order(const uint64_t *x, size_t n, unsigned order, uint64_t *fields,
                       struct codec_plan *best)
{
    struct spread s;
    size_t count = codec_plan_fields(x, n, order, fields);
    uint64_t fixed = order > 0 ? size_of_signed(x[0]) : 0;

    fixed += order > 1 ? size_of_signed(x[1] - x[0]) : 0;
    measure(fields, count, &s);
    struct codec_plan one = {.coding = CODEC_RUN_PACK0 + order, .low = (uint64_t)s.min};
    one.width = bits_width((uint64_t)s.max - (uint64_t)s.min);
    one.bits = fixed + size_of_signed(one.low) + 8 + count * one.width;
    plan_patched(fields, count, &s, fixed, &one);
    struct codec_plan split = one;
    split.coding = CODEC_RUN_PACK0 + order;
    plan_split(fields, count, &s, fixed, &split);
    consider(best, &one);
    consider(best, &split);
}

/* Neighbours with the same sign, exponent and end: what lies between, as it is. */
static void plan_xor(const uint64_t *x, size_t n, struct codec_plan *best)
{
    struct codec_plan one = {.coding = CODEC_RUN_XOR};
    uint64_t any = 0;

    for (size_t i = 1; i < n; i++) {
        any |= x[i] ^ x[i - 1];
    }
    one.trailing = any ? (unsigned)__builtin_ctzll(any) : 0;
    one.width = bits_width(any >> one.trailing);
    one.bits = 64 + 16 + (n - 1) * one.width;
    consider(best, &one);
}

/* Without low and width, a few values are shorter one by one. */
static void plan_list(const uint64_t *x, size_t n, struct codec_plan *best)
{
    struct codec_plan one = {.coding = CODEC_RUN_LIST0};
    uint64_t differences = 0;

    for (size_t i = 0; i < n; i++) {
        one.bits += size_of_signed(x[i]);
        differences += size_of_signed(i ? x[i] - x[i - 1] : x[i]);
    }
    consider(best, &one);
    one.coding = CODEC_RUN_LIST1;
    one.bits = differences;
    consider(best, &one);
}

void codec_plan_run(const uint64_t *x, size_t n, enum codec_run_class class, uint64_t *fields,
                    struct codec_plan *out)
{
    struct changes c = find_changes(x, n);
    uint64_t base = size_of_signed(x[0]);

    *out = (struct codec_plan){.coding = CODEC_RUN_CONST, .bits = base};
    if (c.count == 0) {
        return;
    }
    out->bits = UINT64_MAX;
    if (n <= LIST_MAX) {
        plan_list(x, n, out);
    }
    plan_changes(&c, n, base, out);
    if (n < PACK_LEAST) { /* low and width cost more than they save */
        return;
    }
    plan_order(x, n, 1, fields, out);
    if (c.count < n / 8) { /* it stands still: other orders are no shorter */
        return;
    }
    plan_order(x, n, 0, fields, out);
    if (n > 2) {
        plan_order(x, n, 2, fields, out);
    }
    if (class == CODEC_RUN_F64) {
        plan_xor(x, n, out);
    }
}
