/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_run.c: one run after the other, as integers.
 *
 * Arithmetic is modulo 2^64, so that no bytes can make it undefined. Passing over a run reads only
 * its parameters.
 * Invariants: (1) no byte outside the input is read; (2) what is written fits the longest run.
 */
#include "store/tsdb/codec/codec_run.h"

#include "base/varint.h"

#include <string.h>

/* --- small things --- */

static bool take_byte(struct str *in, unsigned *out)
{
    if (in->len == 0) {
        return false;
    }
    *out = (unsigned char)in->ptr[0];
    in->ptr++;
    in->len--;
    return true;
}

static bool take_count(struct str *in, size_t max, size_t *out)
{
    uint64_t v = 0;
    if (!varint_take(in, &v) || v > max) {
        return false;
    }
    *out = (size_t)v;
    return true;
}

static bool take_value(struct str *in, uint64_t *out)
{
    int64_t v = 0;
    bool ok = varint_take_signed(in, &v);
    *out = (uint64_t)v;
    return ok;
}

static bool take_width(struct str *in, unsigned *out)
{
    return take_byte(in, out) && *out <= 64;
}

static bool take_str(struct str *in, size_t len, struct str *out)
{
    if (in->len < len) {
        return false;
    }
    *out = str_make(in->ptr, len);
    in->ptr += len;
    in->len -= len;
    return true;
}

static bool take_fixed(struct str *in, uint64_t *out)
{
    struct str bytes;
    if (!take_str(in, 8, &bytes)) {
        return false;
    }
    *out = bits_load((const unsigned char *)bytes.ptr);
    return true;
}

/* --- marks and others --- */

static bool take_mark_bits(struct str *in, unsigned char *marks, size_t n, size_t *marked)
{
    struct str bits;
    if (!take_str(in, (n + 7) / 8, &bits)) {
        return false;
    }
    *marked = 0;
    for (size_t i = 0; i < n; i++) {
        marks[i] = (unsigned char)bits.ptr[i / 8] >> (i % 8) & 1;
        *marked += marks[i];
    }
    return true;
}

static bool take_marks(struct str *in, unsigned char *marks, size_t n, size_t *marked)
{
    size_t stretches = 0;
    size_t at = 0;
    unsigned char now = 0;

    if (!take_count(in, n + 1, &stretches)) {
        return false;
    }
    if (stretches == 0) {
        return take_mark_bits(in, marks, n, marked);
    }
    *marked = 0;
    for (size_t i = 0; i < stretches; i++, now ^= 1) {
        size_t len = n - at;
        if (i + 1 < stretches && !take_count(in, n - at, &len)) {
            return false;
        }
        memset(marks + at, now, len);
        *marked += now ? len : 0;
        at += len;
    }
    return true;
}

bool codec_reader_other(struct str *in, size_t next, size_t end, struct codec_other *out)
{
    size_t distance = 0;
    unsigned tag = 0;
    uint64_t v = 0;

    if (next >= end || !take_count(in, end - 1 - next, &distance) || !take_byte(in, &tag)) {
        return false;
    }
    out->at = next + distance;
    if (tag == CELL_I64) {
        out->cell.tag = CELL_I64;
        return varint_take_signed(in, &out->cell.i64);
    }
    if (tag == CELL_U64) {
        bool ok = varint_take(in, &v);
        out->cell = cell_u64(v);
        return ok;
    }
    bool ok = tag == CELL_F64 && take_fixed(in, &v);
    out->cell = cell_f64(bits_double(v));
    return ok;
}

/* Walk over the list; where it is, is kept for put_others. */
static bool take_others(struct codec_reader *r, struct codec_run *run)
{
    struct codec_other one;
    size_t next = 0;

    if (!take_count(&r->params, run->value_count, &run->other_count)) {
        return false;
    }
    run->others = r->params;
    for (size_t i = 0; i < run->other_count; i++) {
        if (!codec_reader_other(&r->params, next, run->value_count, &one)) {
            return false;
        }
        next = one.at + 1;
    }
    return true;
}

/* --- integers of each coding --- */

static bool take_bits(struct codec_reader *r, const struct codec_run *run, uint64_t *out, size_t n,
                      unsigned width)
{
    if (!bits_have(&r->bits, n, width)) {
        return false;
    }
    bits_take(&r->bits, run->skip ? NULL : out, n, width);
    return true;
}

/* Fields that were too wide for their place. */
static bool take_patches(struct codec_reader *r, const struct codec_run *run, uint64_t *fields,
                         size_t n, uint64_t low)
{
    size_t count = 0;
    size_t next = 0;

    if (!take_count(&r->params, n, &count)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t distance = 0;
        uint64_t v = 0;
        if (next >= n || !take_count(&r->params, n - 1 - next, &distance) ||
            !take_value(&r->params, &v)) {
            return false;
        }
        next += distance;
        if (!run->skip) {
            fields[next] = v - low;
        }
        next++;
    }
    return true;
}

static bool add_symbols(struct codec_reader *r, const struct codec_run *run, uint64_t *fields,
                        size_t n, unsigned low_width)
{
    struct str symbols;
    if (!take_str(&r->symbols, n, &symbols)) {
        return false;
    }
    const unsigned char *high = (const unsigned char *)symbols.ptr;
    for (size_t i = 0; !run->skip && i < n; i++) {
        fields[i] |= (uint64_t)high[i] << low_width;
    }
    return true;
}

/* The fields of an order of differences stand at x + order; turn them into values. */
static void add_up(uint64_t *x, size_t n, unsigned order, uint64_t low)
{
    if (order == 0) {
        for (size_t i = 0; i < n; i++) {
            x[i] += low;
        }
    } else if (order == 1) {
        uint64_t now = x[0];
        for (size_t i = 1; i < n; i++) {
            now += x[i] + low;
            x[i] = now;
        }
    } else {
        uint64_t step = x[1]; /* the first difference */
        uint64_t now = x[0] + step;
        x[1] = now;
        for (size_t i = 2; i < n; i++) {
            step += x[i] + low;
            now += step;
            x[i] = now;
        }
    }
}

static bool take_packed(struct codec_reader *r, const struct codec_run *run, unsigned order,
                        bool split)
{
    uint64_t first[2] = {0, 0};
    uint64_t low = 0;
    unsigned width = 0;

    if (run->value_count < order) {
        return false;
    }
    size_t n = run->value_count - order;
    for (unsigned i = 0; i < order; i++) {
        if (!take_value(&r->params, &first[i])) {
            return false;
        }
    }
    if (!take_value(&r->params, &low) || !take_width(&r->params, &width) || (split && width < 8)) {
        return false;
    }
    unsigned bits = split ? width - 8 : width;
    uint64_t *fields = r->x + order;
    if (!take_bits(r, run, fields, n, bits) || (split && !add_symbols(r, run, fields, n, bits)) ||
        (run->extras & CODEC_HAS_PATCHES && !take_patches(r, run, fields, n, low))) {
        return false;
    }
    if (!run->skip) {
        memcpy(r->x, first, order * sizeof(*first));
        add_up(r->x, run->value_count, order, low);
    }
    return true;
}

/* A bit for each value but the first: it adds the next change or nothing. */
static bool take_bitmap(struct codec_reader *r, const struct codec_run *run, size_t changes,
                        uint64_t low, unsigned width)
{
    struct bits_reader map = r->bits;
    uint64_t *x = r->x;
    size_t n = run->value_count - 1;
    size_t next = 0;
    uint64_t now = x[0];

    if (!bits_have(&map, n, 1)) {
        return false;
    }
    r->bits.pos += n;
    if (!take_bits(r, run, r->fields, changes, width)) {
        return false;
    }
    r->fields[changes] = 0;
    for (size_t at = 0; !run->skip && at < n;) {
        size_t count = n - at < BITS_WIDE ? n - at : BITS_WIDE;
        uint64_t bits = 0;
        bits_take(&map, &bits, 1, (unsigned)count);
        if ((size_t)__builtin_popcountll(bits) > changes - next) {
            return false;
        }
        for (size_t end = at + count; at < end; at++, bits >>= 1) {
            uint64_t changed = bits & 1;
            now += (r->fields[next] + low) & (0 - changed);
            next += changed;
            x[at + 1] = now;
        }
    }
    return run->skip || next == changes;
}

static void fill(uint64_t *x, size_t from, size_t to, uint64_t v)
{
    for (size_t i = from; i < to; i++) {
        x[i] = v;
    }
}

/* How far it is to each change, less one. */
static bool take_steps(struct codec_reader *r, const struct codec_run *run, size_t changes,
                       uint64_t low, unsigned width)
{
    unsigned gap_width = 0;
    uint64_t *x = r->x;
    uint64_t now = x[0];
    size_t at = 0;

    if (!take_width(&r->params, &gap_width)) {
        return false;
    }
    struct bits_reader gaps = r->bits;
    if (!bits_have(&gaps, changes, gap_width)) {
        return false;
    }
    r->bits.pos += changes * gap_width;
    if (!take_bits(r, run, r->fields, changes, width)) {
        return false;
    }
    for (size_t i = 0; !run->skip && i < changes; i++) {
        uint64_t gap = 0;
        bits_take(&gaps, &gap, 1, gap_width);
        if (gap >= run->value_count - 1 - at) {
            return false;
        }
        fill(x, at, at + (size_t)gap + 1, now);
        at += (size_t)gap + 1;
        now += r->fields[i] + low;
    }
    if (!run->skip) {
        fill(x, at, run->value_count, now);
    }
    return true;
}

static bool take_changes(struct codec_reader *r, const struct codec_run *run)
{
    uint64_t low = 0;
    unsigned width = 0;
    size_t changes = 0;

    if (run->value_count == 0 || !take_value(&r->params, &r->x[0]) ||
        !take_count(&r->params, run->value_count - 1, &changes) || !take_value(&r->params, &low) ||
        !take_width(&r->params, &width)) {
        return false;
    }
    return run->coding == CODEC_RUN_STEPS ? take_steps(r, run, changes, low, width)
                                          : take_bitmap(r, run, changes, low, width);
}

static bool take_xor(struct codec_reader *r, const struct codec_run *run)
{
    unsigned trailing = 0;
    unsigned width = 0;
    uint64_t *x = r->x;

    if (run->value_count == 0 || !take_fixed(&r->params, &x[0]) ||
        !take_byte(&r->params, &trailing) || trailing > 63 || !take_width(&r->params, &width) ||
        !take_bits(r, run, x + 1, run->value_count - 1, width)) {
        return false;
    }
    for (size_t i = 1; !run->skip && i < run->value_count; i++) {
        x[i] = x[i - 1] ^ (x[i] << trailing);
    }
    return true;
}

static bool take_const(struct codec_reader *r, const struct codec_run *run)
{
    uint64_t v = 0;
    bool ok = take_value(&r->params, &v);

    fill(r->x, 0, ok && !run->skip ? run->value_count : 0, v);
    return ok;
}

static bool take_list(struct codec_reader *r, const struct codec_run *run, unsigned order)
{
    uint64_t now = 0;

    for (size_t i = 0; i < run->value_count; i++) {
        uint64_t v = 0;
        if (!take_value(&r->params, &v)) {
            return false;
        }
        now = order ? now + v : v;
        r->x[i] = now;
    }
    return true;
}

static bool take_values(struct codec_reader *r, const struct codec_run *run)
{
    switch (run->coding) {
    case CODEC_RUN_CONST:
        return take_const(r, run);
    case CODEC_RUN_PACK0:
    case CODEC_RUN_PACK1:
    case CODEC_RUN_PACK2:
        return take_packed(r, run, run->coding - CODEC_RUN_PACK0, false);
    case CODEC_RUN_SPLIT0:
    case CODEC_RUN_SPLIT1:
    case CODEC_RUN_SPLIT2:
        return take_packed(r, run, run->coding - CODEC_RUN_SPLIT0, true);
    case CODEC_RUN_BITMAP:
    case CODEC_RUN_STEPS:
        return take_changes(r, run);
    case CODEC_RUN_XOR:
        return take_xor(r, run);
    case CODEC_RUN_LIST0:
    case CODEC_RUN_LIST1:
        return take_list(r, run, run->coding - CODEC_RUN_LIST0);
    }
    return false;
}

/* One run: its values are in r->x, its marks in r->null and r->whole. */
bool codec_reader_run(struct codec_reader *r, unsigned kind, struct codec_run *run)
{
    size_t marked = 0;

    run->class = (enum codec_run_class)((kind & ~CODEC_RUN_EXTRAS) >> CODEC_RUN_SHIFT);
    run->coding = (enum codec_run_coding)(kind & CODEC_RUN_CODING);
    if (run->class == CODEC_RUN_NULL) {
        return kind == 0;
    }
    if (run->class > CODEC_RUN_NUM || run->coding > CODEC_RUN_LIST1 ||
        (kind & CODEC_RUN_EXTRAS && !take_byte(&r->params, &run->extras))) {
        return false;
    }
    run->value_count = run->n;
    if (run->extras & CODEC_HAS_NULLS && !take_marks(&r->params, r->null, run->n, &marked)) {
        return false;
    }
    run->value_count -= marked;
    if (run->extras & CODEC_HAS_OTHERS && !take_others(r, run)) {
        return false;
    }
    bool decimal = run->class == CODEC_RUN_DEC || run->class == CODEC_RUN_NUM;
    if (decimal && (!take_byte(&r->params, &run->decimals) || run->decimals > CODEC_RUN_DECIMALS)) {
        return false;
    }
    if (run->class == CODEC_RUN_NUM &&
        !take_marks(&r->params, r->whole, run->value_count, &marked)) {
        return false;
    }
    return take_values(r, run);
}

/* --- the stream --- */

bool codec_reader_init(struct codec_reader *r, struct str in, struct arena *a,
                       const struct codec_runs *runs)
{
    struct str kinds;
    size_t param_len = 0;
    size_t symbol_len = 0;
    unsigned type = 0;

    if (!take_byte(&in, &type) || !take_count(&in, in.len, &param_len) ||
        !take_count(&in, in.len, &symbol_len) || !take_str(&in, runs->count, &kinds) ||
        !take_str(&in, param_len, &r->params) || !take_str(&in, symbol_len, &r->symbols)) {
        return false;
    }
    r->kinds = (const unsigned char *)kinds.ptr;
    r->bits = (struct bits_reader){.ptr = (const unsigned char *)in.ptr, .len = in.len};
    for (size_t i = 0; i < runs->count; i++) {
        size_t len = runs->start[i + 1] - runs->start[i];
        r->longest = len > r->longest ? len : r->longest;
    }
    r->x = arena_array(a, r->longest + 1, sizeof(*r->x));
    r->fields = arena_array(a, r->longest + 1, sizeof(*r->fields));
    r->null = arena_array(a, r->longest + 1, 1);
    r->whole = arena_array(a, r->longest + 1, 1);
    return r->whole != NULL;
}

bool codec_reader_at_end(const struct codec_reader *r)
{
    return r->params.len == 0 && r->symbols.len == 0 && (r->bits.pos + 7) / 8 == r->bits.len;
}
