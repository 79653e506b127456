/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec.c: column streams and slices as bytes.
 *
 * A column stream is one byte of type and flags, the parameters of the type, a bitmap of NULLs when
 * there are some, then the values that are not NULL. Integers are zigzag varints, of the value or
 * of the difference to the one before, whichever is shorter; no integer passes through a double.
 * Invariants: (1) decode(encode(x)) == x for each cell, bit for bit;
 *             (2) the decoder reads no byte outside its input and allocates at most what n allows.
 */
#include "store/tsdb/codec/codec.h"

#include "base/varint.h"

#include <math.h>
#include <string.h>

enum stream_type {
    TYPE_NULL,  /* every cell is NULL; nothing follows */
    TYPE_I64,   /* signed integers */
    TYPE_U64,   /* CELL_I64 >= 0 and CELL_U64 */
    TYPE_F64,   /* 8 bytes each, little endian */
    TYPE_DEC,   /* doubles that are an integer / 10^k; one byte k first */
    TYPE_TEXT,  /* dictionary, then indexes */
    TYPE_MIXED, /* one byte of tag before each value */
};

#define TYPE_MASK    0x0f
#define FLAG_NULLS   0x10
#define FLAG_DELTA   0x20
#define DECIMALS_MAX 6
#define DECIMAL_SPAN 9007199254740992.0 /* 2^53 */

static const double power10[DECIMALS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

/* --- raw varints: the buf's room is reserved once a column --- */

static unsigned char *put_raw(unsigned char *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (unsigned char)v;
    return p;
}

static size_t size_raw(uint64_t v)
{
    return v == 0 ? 1 : (size_t)(70 - __builtin_clzll(v)) / 7;
}

static bool take_raw(struct str *in, uint64_t *out)
{
    const unsigned char *p = (const unsigned char *)in->ptr;
    if (in->len > 0 && p[0] < 0x80) { /* the common case */
        *out = p[0];
        in->ptr++;
        in->len--;
        return true;
    }
    return varint_take(in, out);
}

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

static bool take_raw_bytes(struct str *in, size_t len, struct str *out)
{
    if (in->len < len) {
        return false;
    }
    *out = str_make(in->ptr, len);
    in->ptr += len;
    in->len -= len;
    return true;
}

void codec_put_bytes(struct buf *out, struct str bytes)
{
    varint_put(out, bytes.len);
    buf_add_str(out, bytes);
}

bool codec_take_bytes(struct str *in, struct str *bytes)
{
    uint64_t len = 0;
    return take_raw(in, &len) && len <= in->len && take_raw_bytes(in, (size_t)len, bytes);
}

void codec_put_ids(struct buf *out, const uint64_t *ids, size_t n)
{
    unsigned char *start = (unsigned char *)buf_room(out, n * VARINT_MAX);
    unsigned char *p = start;
    uint64_t last = 0;

    for (size_t i = 0; start && i < n; i++) {
        p = put_raw(p, varint_zigzag((int64_t)(ids[i] - last)));
        last = ids[i];
    }
    if (start) {
        buf_grew(out, (size_t)(p - start));
    }
}

bool codec_take_ids(struct str *in, uint64_t *ids, size_t n)
{
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t v = 0;
        if (!take_raw(in, &v)) {
            return false;
        }
        last += (uint64_t)varint_unzigzag(v);
        ids[i] = last;
    }
    return true;
}

/* --- choosing the type of a column --- */

struct shape {
    size_t counts[CELL_STR + 1];
    bool negative;
    int decimals; /* -1 = not decimal */
};

/* Digits after the point that make v an exact integer / 10^k, at least `least`; -1 = none. */
static int decimals_of(double v, int least)
{
    if (!(fabs(v) < DECIMAL_SPAN) || (v == 0 && signbit(v))) {
        return -1;
    }
    for (int k = least; k <= DECIMALS_MAX; k++) {
        double scaled = rint(v * power10[k]);
        if (fabs(scaled) < DECIMAL_SPAN && scaled / power10[k] == v) {
            return k;
        }
    }
    return -1;
}

static void look_at(struct shape *s, const struct cell *cells, size_t n)
{
    memset(s, 0, sizeof(*s));
    for (size_t i = 0; i < n; i++) {
        s->counts[cells[i].tag]++;
        if (cells[i].tag == CELL_I64) {
            s->negative |= cells[i].i64 < 0;
        } else if (cells[i].tag == CELL_F64 && s->decimals >= 0) {
            s->decimals = decimals_of(cells[i].f64, s->decimals);
        }
    }
}

/* A value was found to be decimal with k digits; with more digits later, it must stay exact. */
static bool decimals_hold(const struct cell *cells, size_t n, int k)
{
    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag == CELL_F64 && decimals_of(cells[i].f64, k) != k) {
            return false;
        }
    }
    return true;
}

static enum stream_type choose(const struct shape *s, const struct cell *cells, size_t n)
{
    size_t full = n - s->counts[CELL_NULL];

    if (full == 0) {
        return TYPE_NULL;
    }
    if (s->counts[CELL_I64] == full) {
        return TYPE_I64;
    }
    if (s->counts[CELL_STR] == full) {
        return TYPE_TEXT;
    }
    if (s->counts[CELL_I64] + s->counts[CELL_U64] == full && !s->negative) {
        return TYPE_U64;
    }
    if (s->counts[CELL_F64] == full) {
        return s->decimals >= 0 && decimals_hold(cells, n, s->decimals) ? TYPE_DEC : TYPE_F64;
    }
    return TYPE_MIXED;
}

/* The integer that stands for a cell in TYPE_I64, TYPE_U64, TYPE_DEC. */
static uint64_t integer_of(const struct cell *c, enum stream_type type, int decimals)
{
    if (type == TYPE_DEC) {
        return (uint64_t)(int64_t)rint(c->f64 * power10[decimals]);
    }
    return c->tag == CELL_U64 ? c->u64 : (uint64_t)c->i64;
}

static uint64_t plain_of(uint64_t v, enum stream_type type)
{
    return type == TYPE_U64 ? v : varint_zigzag((int64_t)v);
}

static void put_nulls(struct buf *out, const struct cell *cells, size_t n)
{
    unsigned char *bits = (unsigned char *)buf_room(out, (n + 7) / 8);
    if (!bits) {
        return;
    }
    memset(bits, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag == CELL_NULL) {
            bits[i / 8] |= (unsigned char)(1u << (i % 8));
        }
    }
    buf_grew(out, (n + 7) / 8);
}

/* --- writing the values of each type --- */

struct integers {
    enum stream_type type;
    int decimals;
    bool delta;
};

/* Whether differences take fewer bytes than the values. */
static bool delta_is_shorter(const struct cell *cells, size_t n, const struct integers *how)
{
    size_t plain = 0;
    size_t delta = 0;
    uint64_t last = 0;

    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag != CELL_NULL) {
            uint64_t v = integer_of(&cells[i], how->type, how->decimals);
            plain += size_raw(plain_of(v, how->type));
            delta += size_raw(varint_zigzag((int64_t)(v - last)));
            last = v;
        }
    }
    return delta < plain;
}

static void put_integers(struct buf *out, const struct cell *cells, size_t n,
                         const struct integers *how)
{
    unsigned char *start = (unsigned char *)buf_room(out, n * VARINT_MAX);
    unsigned char *p = start;
    uint64_t last = 0;

    for (size_t i = 0; start && i < n; i++) {
        if (cells[i].tag != CELL_NULL) {
            uint64_t v = integer_of(&cells[i], how->type, how->decimals);
            p = put_raw(p,
                        how->delta ? varint_zigzag((int64_t)(v - last)) : plain_of(v, how->type));
            last = v;
        }
    }
    if (start) {
        buf_grew(out, (size_t)(p - start));
    }
}

static void put_double(struct buf *out, double v)
{
    uint64_t bits = 0;
    unsigned char bytes[8];

    memcpy(&bits, &v, sizeof(bits));
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(bits >> (8 * i));
    }
    buf_add(out, bytes, sizeof(bytes));
}

/* Dictionary by open addressing: slot -> index of the string + 1. */
struct dictionary {
    uint32_t *slots;
    size_t mask;
    struct str *strings;
    size_t count;
};

static uint32_t dictionary_add(struct dictionary *d, struct str s)
{
    size_t at = (size_t)str_hash(s) & d->mask;
    while (d->slots[at] != 0 && !str_eq(d->strings[d->slots[at] - 1], s)) {
        at = (at + 1) & d->mask;
    }
    if (d->slots[at] == 0) {
        d->strings[d->count] = s;
        d->slots[at] = (uint32_t)++d->count;
    }
    return d->slots[at] - 1;
}

static void put_texts(struct buf *out, struct arena *scratch, const struct cell *cells, size_t n)
{
    struct dictionary d = {.mask = 7};
    while (d.mask < 2 * n) {
        d.mask = d.mask * 2 + 1;
    }
    d.slots = arena_array(scratch, d.mask + 1, sizeof(*d.slots));
    d.strings = arena_array(scratch, n, sizeof(*d.strings));
    uint32_t *index = arena_array(scratch, n, sizeof(*index));
    if (!index) {
        out->failed = true; /* the scratch arena has its own bound */
        return;
    }
    size_t full = 0;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag != CELL_NULL) {
            bool same = full > 0 && str_eq(d.strings[index[full - 1]], cells[i].str);
            index[full] = same ? index[full - 1] : dictionary_add(&d, cells[i].str);
            full++;
        }
    }
    varint_put(out, d.count);
    for (size_t i = 0; i < d.count; i++) {
        codec_put_bytes(out, d.strings[i]);
    }
    for (size_t i = 0; i < full; i++) {
        varint_put(out, index[i]);
    }
}

static void put_mixed(struct buf *out, const struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct cell *c = &cells[i];
        if (c->tag != CELL_NULL) {
            buf_add_char(out, (char)c->tag);
        }
        switch (c->tag) {
        case CELL_NULL:
            break;
        case CELL_I64:
            varint_put_signed(out, c->i64);
            break;
        case CELL_U64:
            varint_put(out, c->u64);
            break;
        case CELL_F64:
            put_double(out, c->f64);
            break;
        case CELL_STR:
            codec_put_bytes(out, c->str);
            break;
        }
    }
}

static void put_doubles(struct buf *out, const struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag != CELL_NULL) {
            put_double(out, cells[i].f64);
        }
    }
}

void codec_put_column(struct buf *out, struct arena *scratch, const struct cell *cells, size_t n)
{
    struct shape s;
    look_at(&s, cells, n);
    struct integers how = {choose(&s, cells, n), s.decimals, false};
    bool nulls = s.counts[CELL_NULL] > 0 && how.type != TYPE_NULL;
    bool integer = how.type == TYPE_I64 || how.type == TYPE_U64 || how.type == TYPE_DEC;

    how.delta = integer && delta_is_shorter(cells, n, &how);
    buf_add_char(out, (char)((unsigned)how.type | (nulls ? FLAG_NULLS : 0u) |
                             (how.delta ? FLAG_DELTA : 0u)));
    if (how.type == TYPE_DEC) {
        buf_add_char(out, (char)how.decimals);
    }
    if (nulls) {
        put_nulls(out, cells, n);
    }
    switch (how.type) {
    case TYPE_NULL:
        break;
    case TYPE_I64:
    case TYPE_U64:
    case TYPE_DEC:
        put_integers(out, cells, n, &how);
        break;
    case TYPE_F64:
        put_doubles(out, cells, n);
        break;
    case TYPE_TEXT:
        put_texts(out, scratch, cells, n);
        break;
    case TYPE_MIXED:
        put_mixed(out, cells, n);
        break;
    }
}

/* --- reading --- */

struct reading {
    struct str in;
    enum stream_type type;
    bool delta;
    int decimals;
    uint64_t last;
    size_t string_count;
    struct str *strings;
};

static bool take_double(struct str *in, double *out)
{
    struct str bytes;
    uint64_t bits = 0;
    if (!take_raw_bytes(in, 8, &bytes)) {
        return false;
    }
    for (int i = 7; i >= 0; i--) {
        bits = bits << 8 | (unsigned char)bytes.ptr[i];
    }
    memcpy(out, &bits, sizeof(bits));
    return true;
}

static bool take_integer(struct reading *r, struct cell *c)
{
    uint64_t v = 0;
    if (!take_raw(&r->in, &v)) {
        return false;
    }
    if (r->delta) {
        v = r->last + (uint64_t)varint_unzigzag(v);
        r->last = v;
    } else if (r->type != TYPE_U64) {
        v = (uint64_t)varint_unzigzag(v);
    }
    if (r->type == TYPE_DEC) {
        *c = cell_f64((double)(int64_t)v / power10[r->decimals]);
    } else {
        bool large = r->type == TYPE_U64 && v > INT64_MAX;
        *c = large ? (struct cell){.tag = CELL_U64, .u64 = v} : cell_i64((int64_t)v);
    }
    return true;
}

static bool take_mixed(struct reading *r, struct cell *c)
{
    unsigned tag = 0;
    uint64_t v = 0;

    if (!take_byte(&r->in, &tag)) {
        return false;
    }
    c->tag = (enum cell_tag)tag;
    switch (tag) {
    case CELL_I64:
        return varint_take_signed(&r->in, &c->i64);
    case CELL_U64:
        if (!varint_take(&r->in, &v)) {
            return false;
        }
        *c = cell_u64(v); /* of one that fits, CELL_I64 */
        return true;
    case CELL_F64:
        return take_double(&r->in, &c->f64);
    case CELL_STR:
        return codec_take_bytes(&r->in, &c->str);
    default:
        return false;
    }
}

static bool take_cell(struct reading *r, struct cell *c)
{
    uint64_t index = 0;
    switch (r->type) {
    case TYPE_NULL:
        return false;
    case TYPE_I64:
    case TYPE_U64:
    case TYPE_DEC:
        return take_integer(r, c);
    case TYPE_F64:
        c->tag = CELL_F64;
        return take_double(&r->in, &c->f64);
    case TYPE_TEXT:
        if (!take_raw(&r->in, &index) || index >= r->string_count) {
            return false;
        }
        *c = cell_str(r->strings[index]);
        return true;
    case TYPE_MIXED:
        return take_mixed(r, c);
    }
    return false;
}

static bool take_dictionary(struct reading *r, struct arena *a, size_t n)
{
    uint64_t count = 0;
    if (!take_raw(&r->in, &count) || count > n || count > r->in.len) {
        return false;
    }
    r->strings = arena_array(a, (size_t)count, sizeof(*r->strings));
    for (size_t i = 0; r->strings && i < count; i++) {
        if (!codec_take_bytes(&r->in, &r->strings[i])) {
            return false;
        }
    }
    r->string_count = r->strings ? (size_t)count : 0;
    return r->strings != NULL;
}

/* Type, parameters and bitmap: what stands before the values. */
static bool take_preface(struct reading *r, struct arena *a, size_t n, struct str *nulls)
{
    unsigned head = 0;
    unsigned decimals = 0;

    if (!take_byte(&r->in, &head) || (head & TYPE_MASK) > TYPE_MIXED) {
        return false;
    }
    r->type = (enum stream_type)(head & TYPE_MASK);
    r->delta = (head & FLAG_DELTA) != 0;
    if (r->type == TYPE_DEC && (!take_byte(&r->in, &decimals) || decimals > DECIMALS_MAX)) {
        return false;
    }
    r->decimals = (int)decimals;
    if (head & FLAG_NULLS && !take_raw_bytes(&r->in, (n + 7) / 8, nulls)) {
        return false;
    }
    return r->type != TYPE_TEXT || take_dictionary(r, a, n);
}

enum err_code codec_fill_column(struct str in, struct arena *a, size_t n, struct cell *cells,
                                struct err *e)
{
    struct reading r = {.in = in};
    struct str nulls = {NULL, 0};

    if (!take_preface(&r, a, n, &nulls)) {
        return err_set(e, ERR_CORRUPT, "column stream: bad preface");
    }
    for (size_t i = 0; i < n; i++) {
        bool null = nulls.len > 0 && ((unsigned char)nulls.ptr[i / 8] >> (i % 8) & 1);
        if (null || r.type == TYPE_NULL) {
            cells[i] = (struct cell){.tag = CELL_NULL};
        } else if (!take_cell(&r, &cells[i])) {
            return err_set(e, ERR_CORRUPT, "column stream: bad value %zu of %zu", i, n);
        }
    }
    if (r.in.len != 0) {
        return err_set(e, ERR_CORRUPT, "column stream: %zu bytes left over", r.in.len);
    }
    return ERR_OK;
}

enum err_code codec_get_column(struct str in, struct arena *a, size_t n, struct cell **cells,
                               struct err *e)
{
    struct cell *out = n > CODEC_CELLS_MAX ? NULL : arena_array(a, n, sizeof(*out));

    if (!out) {
        return n > CODEC_CELLS_MAX ? err_set(e, ERR_CORRUPT, "column stream: %zu cells", n)
                                   : arena_fail(a, e);
    }
    *cells = out;
    return codec_fill_column(in, a, n, out, e);
}
