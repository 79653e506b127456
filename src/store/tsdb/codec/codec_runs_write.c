/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_runs_write.c: writes a column as runs: what the cells of a run are, then the shortest plan.
 *
 * A run is first made into integers: cells of the commonest kind are mapped one to one, cells of
 * another kind are listed aside and their places filled with a neighbour.
 * Invariant: what codec_runs_read.c makes of it is the same cells, bit for bit.
 */
#include "store/tsdb/codec/codec_runs.h"

#include "base/varint.h"
#include "store/tsdb/codec/codec_bits.h"
#include "store/tsdb/codec/codec_runs_plan.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define DECIMAL_SPAN   ((double)CODEC_RUN_SPAN)
#define DECIMAL_BITS   3.33 /* of one digit */
#define OTHER_BITS     96   /* of a cell that is listed aside */
#define OTHERS_SHARE   8    /* at most n / this doubles of a decimal run are no decimals */
#define FIELD_BYTES(n) (9 * (n) + 64) /* more than any coding of n integers takes */

const double codec_power10[CODEC_RUN_DECIMALS + 1] = {1,   1e1, 1e2, 1e3, 1e4,
                                                      1e5, 1e6, 1e7, 1e8, 1e9};

struct writing {
    struct codec_pieces *out;
    struct buf params, patches;
    struct bits_writer bits;
    uint64_t *x, *fields;
    unsigned char *null, *whole; /* marks: CELL_NULL by cell, CELL_I64 by value */
};

/* A run on its way. */
struct run {
    const unsigned char *tags;
    const uint64_t *bits;
    size_t n, value_count; /* cells; those that are not NULL */
    size_t counts[CELL_STR + 1];
    bool negative;
    enum codec_run_class class;
    unsigned decimals;
    size_t others;
};

/* --- what the cells are --- */

static bool decimal_of(double v, unsigned digits, int64_t *out)
{
    double scaled = v * codec_power10[digits];
    if (!(fabs(scaled) < DECIMAL_SPAN)) {
        return false;
    }
    *out = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
    return (double)*out / codec_power10[digits] == v && (*out != 0 || !signbit(v));
}

/* Least digits that make v an integer / 10^digits, one more than the most when there are none. */
static unsigned digits_of(double v, unsigned guess)
{
    int64_t unused = 0;
    if (decimal_of(v, guess, &unused) && guess > 0 && !decimal_of(v, guess - 1, &unused)) {
        return guess;
    }
    unsigned k = 0;
    while (k <= CODEC_RUN_DECIMALS && !decimal_of(v, k, &unused)) {
        k++;
    }
    return k;
}

/*
 * Digits for a run of doubles: more digits make every field longer, fewer leave more cells aside.
 * False when too many are no decimals at all.
 */
static bool choose_decimals(struct run *r)
{
    size_t by_digits[CODEC_RUN_DECIMALS + 2] = {0};
    size_t doubles = r->counts[CELL_F64];
    size_t bad = 0;
    unsigned guess = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (r->tags[i] == CELL_F64) {
            unsigned k = digits_of(bits_double(r->bits[i]), guess);
            by_digits[k]++;
            bad += k > CODEC_RUN_DECIMALS;
            guess = k > CODEC_RUN_DECIMALS ? guess : k;
            if (bad > doubles / OTHERS_SHARE) {
                return false;
            }
        }
    }
    double best = INFINITY;
    size_t aside = bad;
    for (unsigned k = CODEC_RUN_DECIMALS + 1; k-- > 0;) {
        double bits = (double)aside * OTHER_BITS + (double)(r->value_count) * k * DECIMAL_BITS;
        if (bits < best) {
            best = bits;
            r->decimals = k;
        }
        aside += by_digits[k];
    }
    return true;
}

static void classify(struct run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        r->counts[r->tags[i]]++;
        r->negative |= r->tags[i] == CELL_I64 && (int64_t)r->bits[i] < 0;
    }
    size_t doubles = r->counts[CELL_F64];
    r->value_count = r->n - r->counts[CELL_NULL];
    if (r->value_count == 0) {
        r->class = CODEC_RUN_NULL;
    } else if (doubles == 0) {
        bool large = r->counts[CELL_U64] > 0 && !r->negative;
        r->class = large ? CODEC_RUN_U64 : CODEC_RUN_I64;
    } else if (choose_decimals(r)) {
        r->class = r->counts[CELL_I64] ? CODEC_RUN_NUM : CODEC_RUN_DEC;
    } else {
        r->class = doubles >= r->counts[CELL_I64] ? CODEC_RUN_F64 : CODEC_RUN_I64;
    }
}

/* The integer of a cell; false when it is not of the class. */
static bool integer_of(const struct run *r, size_t at, uint64_t *out)
{
    unsigned tag = r->tags[at];
    int64_t v = 0;

    *out = r->bits[at];
    switch (r->class) {
    case CODEC_RUN_NULL:
        return false;
    case CODEC_RUN_I64:
        return tag == CELL_I64;
    case CODEC_RUN_U64:
        return tag != CELL_F64;
    case CODEC_RUN_F64:
        return tag == CELL_F64;
    case CODEC_RUN_DEC:
    case CODEC_RUN_NUM:
        break;
    }
    if (tag == CELL_F64) {
        bool ok = decimal_of(bits_double(*out), r->decimals, &v);
        *out = (uint64_t)v;
        return ok;
    }
    double scaled = (double)(int64_t)*out * codec_power10[r->decimals];
    *out *= (uint64_t)codec_power10[r->decimals];
    return tag == CELL_I64 && fabs(scaled) < DECIMAL_SPAN;
}

static void put_fixed(struct buf *out, uint64_t v)
{
    unsigned char bytes[8];
    bits_store(bytes, v);
    buf_add(out, bytes, sizeof(bytes));
}

static void put_other(struct buf *out, size_t distance, unsigned tag, uint64_t bits)
{
    varint_put(out, distance);
    buf_add_char(out, (char)tag);
    if (tag == CELL_F64) {
        put_fixed(out, bits);
    } else if (tag == CELL_U64) {
        varint_put(out, bits);
    } else {
        varint_put_signed(out, (int64_t)bits);
    }
}

/* x, marks and the list of others of a run. */
static void collect(struct writing *w, struct run *r)
{
    size_t m = 0;
    size_t next = 0; /* the place after the last other one */
    size_t first = SIZE_MAX;

    buf_reset(&w->patches);
    for (size_t i = 0; i < r->n; i++) {
        w->null[i] = r->tags[i] == CELL_NULL;
        if (w->null[i]) {
            continue;
        }
        w->whole[m] = 0;
        if (integer_of(r, i, &w->x[m])) {
            first = first == SIZE_MAX ? m : first;
            w->whole[m] = r->tags[i] == CELL_I64;
        } else {
            put_other(&w->patches, m - next, r->tags[i], r->bits[i]);
            next = m + 1;
            r->others++;
            w->x[m] = first == SIZE_MAX ? 0 : w->x[m - 1];
        }
        m++;
    }
    for (size_t i = 0; first != SIZE_MAX && i < first; i++) {
        w->x[i] = w->x[first];
    }
}

/* --- writing --- */

/* Marks as lengths of stretches, the first one unmarked; or, after a 0, as bits. */
static void put_marks(struct buf *out, const unsigned char *marks, size_t n)
{
    size_t start = out->len;
    size_t turns = marks[0];
    size_t last = 0;

    for (size_t i = 1; i < n; i++) {
        turns += marks[i] != marks[i - 1];
    }
    varint_put(out, turns + 1);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 ? marks[0] : marks[i] != marks[i - 1]) {
            varint_put(out, i - last);
            last = i;
        }
    }
    size_t bytes = (n + 7) / 8;
    if (out->failed || out->len - start <= bytes + 1) {
        return;
    }
    buf_truncate(out, start);
    buf_add_char(out, 0);
    unsigned char *bits = (unsigned char *)buf_room(out, bytes);
    if (bits) {
        memset(bits, 0, bytes);
        for (size_t i = 0; i < n; i++) {
            bits[i / 8] |= (unsigned char)(marks[i] << (i % 8));
        }
        buf_grew(out, bytes);
    }
}

/* low, width, and of the fields the high 8 bits as symbols, the others as bits. */
static void put_packed(struct writing *w, const struct codec_plan *plan, unsigned order, size_t m)
{
    bool split = plan->coding >= CODEC_RUN_SPLIT0; /* else PACK */
    size_t count = codec_plan_fields(w->x, m, order, w->fields);
    unsigned low_width = split ? plan->width - 8 : plan->width;
    uint64_t low_mask = bits_mask(low_width);
    uint64_t mask = bits_mask(plan->width);
    unsigned char *symbols = (unsigned char *)buf_room(&w->out->symbols, split ? count : 0);
    size_t next = 0;

    assert(plan->width <= 64 && low_width <= (split ? 56 : 64));
    for (unsigned i = 0; i < order; i++) {
        varint_put_signed(&w->params, (int64_t)(i ? w->x[1] - w->x[0] : w->x[0]));
    }
    varint_put_signed(&w->params, (int64_t)plan->low);
    buf_add_char(&w->params, (char)plan->width);
    buf_reset(&w->patches);
    for (size_t i = 0; symbols && i < count; i++) {
        uint64_t v = w->fields[i] - plan->low;
        if (v > mask) {
            varint_put(&w->patches, i - next);
            varint_put_signed(&w->patches, (int64_t)w->fields[i]);
            next = i + 1;
            v = split ? UINT64_C(128) << low_width : 0;
        }
        if (split) {
            symbols[i] = (unsigned char)(v >> low_width);
        }
        bits_put(&w->bits, v & low_mask, low_width);
    }
    buf_grew(&w->out->symbols, symbols && split ? count : 0);
    if (plan->patches) {
        varint_put(&w->params, plan->patches);
        buf_add_str(&w->params, buf_view(&w->patches));
    }
}

static void put_changes(struct writing *w, const struct codec_plan *plan, size_t m)
{
    bool steps = plan->coding == CODEC_RUN_STEPS;
    size_t last = 0;

    varint_put_signed(&w->params, (int64_t)w->x[0]);
    varint_put(&w->params, plan->changes);
    varint_put_signed(&w->params, (int64_t)plan->low);
    buf_add_char(&w->params, (char)plan->width);
    if (steps) {
        buf_add_char(&w->params, (char)plan->gap_width);
    }
    for (size_t i = 1; i < m; i++) {
        bool changed = w->x[i] != w->x[i - 1];
        if (!steps) {
            bits_put(&w->bits, changed, 1);
        } else if (changed) {
            bits_put(&w->bits, i - last - 1, plan->gap_width);
            last = i;
        }
    }
    for (size_t i = 1; i < m; i++) {
        if (w->x[i] != w->x[i - 1]) {
            bits_put(&w->bits, w->x[i] - w->x[i - 1] - plan->low, plan->width);
        }
    }
}

static void put_xor(struct writing *w, const struct codec_plan *plan, size_t m)
{
    put_fixed(&w->params, w->x[0]);
    buf_add_char(&w->params, (char)plan->trailing);
    buf_add_char(&w->params, (char)plan->width);
    for (size_t i = 1; i < m; i++) {
        bits_put(&w->bits, (w->x[i] ^ w->x[i - 1]) >> plan->trailing, plan->width);
    }
}

static void put_list(struct writing *w, unsigned order, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        varint_put_signed(&w->params, (int64_t)(order && i ? w->x[i] - w->x[i - 1] : w->x[i]));
    }
}

static void put_values(struct writing *w, const struct codec_plan *plan, size_t m)
{
    unsigned char *start = (unsigned char *)buf_room(&w->out->fields, FIELD_BYTES(m));

    if (!start) {
        return;
    }
    w->bits.at = start;
    switch (plan->coding) {
    case CODEC_RUN_CONST:
        varint_put_signed(&w->params, (int64_t)w->x[0]);
        break;
    case CODEC_RUN_PACK0:
    case CODEC_RUN_PACK1:
    case CODEC_RUN_PACK2:
        put_packed(w, plan, plan->coding - CODEC_RUN_PACK0, m);
        break;
    case CODEC_RUN_SPLIT0:
    case CODEC_RUN_SPLIT1:
    case CODEC_RUN_SPLIT2:
        put_packed(w, plan, plan->coding - CODEC_RUN_SPLIT0, m);
        break;
    case CODEC_RUN_BITMAP:
    case CODEC_RUN_STEPS:
        put_changes(w, plan, m);
        break;
    case CODEC_RUN_XOR:
        put_xor(w, plan, m);
        break;
    case CODEC_RUN_LIST0:
    case CODEC_RUN_LIST1:
        put_list(w, plan->coding - CODEC_RUN_LIST0, m);
        break;
    }
    buf_grew(&w->out->fields, (size_t)(w->bits.at - start));
}

/* Returns the description of the run. */
static unsigned put_run(struct writing *w, const struct codec_values *v, size_t from, size_t n)
{
    struct run r = {.tags = v->tags + from, .bits = v->bits + from, .n = n};
    struct codec_plan plan;

    classify(&r);
    if (r.class == CODEC_RUN_NULL) {
        return 0;
    }
    collect(w, &r);
    codec_plan_run(w->x, r.value_count, r.class, w->fields, &plan);
    unsigned extras = (r.value_count < n ? CODEC_HAS_NULLS : 0) |
                      (r.others ? CODEC_HAS_OTHERS : 0) | (plan.patches ? CODEC_HAS_PATCHES : 0);
    if (extras) {
        buf_add_char(&w->params, (char)extras);
    }
    if (extras & CODEC_HAS_NULLS) {
        put_marks(&w->params, w->null, n);
    }
    if (extras & CODEC_HAS_OTHERS) {
        varint_put(&w->params, r.others);
        buf_add_str(&w->params, buf_view(&w->patches));
    }
    if (r.class == CODEC_RUN_DEC || r.class == CODEC_RUN_NUM) {
        buf_add_char(&w->params, (char)r.decimals);
    }
    if (r.class == CODEC_RUN_NUM) {
        put_marks(&w->params, w->whole, r.value_count);
    }
    put_values(w, &plan, r.value_count);
    return (unsigned)plan.coding | (unsigned)r.class << CODEC_RUN_SHIFT |
           (extras ? CODEC_RUN_EXTRAS : 0);
}

static bool begin(struct writing *w, struct arena *scratch, const struct codec_runs *runs)
{
    size_t longest = 1;

    for (size_t i = 0; i < runs->count; i++) {
        size_t len = runs->start[i + 1] - runs->start[i];
        longest = len > longest ? len : longest;
    }
    w->x = arena_array(scratch, longest, sizeof(*w->x));
    w->fields = arena_array(scratch, longest, sizeof(*w->fields));
    w->null = arena_array(scratch, longest, 1);
    w->whole = arena_array(scratch, longest, 1);
    return w->whole != NULL;
}

static void end_fields(struct writing *w)
{
    unsigned char *start = (unsigned char *)buf_room(&w->out->fields, sizeof(uint64_t));

    if (start) {
        w->bits.at = start;
        bits_flush(&w->bits);
        buf_grew(&w->out->fields, (size_t)(w->bits.at - start));
    }
}

void codec_put_runs(struct codec_pieces *out, struct arena *scratch,
                    const struct codec_values *values, const struct codec_runs *runs)
{
    struct writing w = {.out = out};
    size_t symbols = out->symbols.len;

    unsigned char *kinds = arena_array(scratch, runs->count, 1);
    if (!begin(&w, scratch, runs) || !kinds) {
        out->params.failed = true; /* the scratch arena has its own bound */
        return;
    }
    buf_init(&w.params, out->params.max);
    buf_init(&w.patches, out->params.max);
    for (size_t i = 0; i < runs->count; i++) {
        kinds[i] = (unsigned char)put_run(&w, values, runs->start[i],
                                          runs->start[i + 1] - runs->start[i]);
    }
    end_fields(&w);
    buf_add_char(&out->params, CODEC_RUNS_TYPE);
    varint_put(&out->params, w.params.len);
    varint_put(&out->params, out->symbols.len - symbols);
    buf_add(&out->params, kinds, runs->count);
    buf_add_str(&out->params, buf_view(&w.params));
    out->params.failed |= w.params.failed || w.patches.failed;
    buf_fini(&w.params);
    buf_fini(&w.patches);
}
