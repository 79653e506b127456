/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_slice.c: a slice as bytes: one group at one instant, decodable on its own.
 *
 * version, what, flags, group, t, t - from_t, every_ms, [reason], rows, object ids or key columns,
 * value columns, [gone], [resets].
 */
#include "store/tsdb/codec/codec.h"

#include "base/limits.h"
#include "base/varint.h"

#include <string.h>

#define HAS_FACT   1u
#define HAS_GONE   2u
#define HAS_RESETS 4u
#define HAS_REASON 8u

static void put_streams(struct buf *out, struct arena *scratch, const struct codec_slice *s,
                        const struct codec_column *columns, size_t count)
{
    struct buf stream;

    varint_put(out, count);
    buf_init(&stream, out->max);
    for (size_t c = 0; c < count; c++) {
        buf_reset(&stream);
        codec_put_column(&stream, scratch, columns[c].cells, s->row_count);
        out->failed |= stream.failed;
        varint_put(out, columns[c].id);
        codec_put_bytes(out, buf_view(&stream));
    }
    buf_fini(&stream);
}

void codec_put_slice(struct buf *out, struct arena *scratch, const struct codec_slice *s)
{
    unsigned what = (s->fact ? HAS_FACT : 0) | (s->gone_count ? HAS_GONE : 0) |
                    (s->reset_count ? HAS_RESETS : 0) | (s->reason.len ? HAS_REASON : 0);

    buf_add_char(out, CODEC_SLICE_VERSION);
    buf_add_char(out, (char)what);
    buf_add_char(out, (char)s->flags);
    varint_put(out, s->group);
    varint_put_signed(out, s->t_ms);
    varint_put_signed(out, (int64_t)((uint64_t)s->t_ms - (uint64_t)s->from_ms));
    varint_put_signed(out, s->every_ms);
    if (s->reason.len) {
        codec_put_bytes(out, s->reason);
    }
    varint_put(out, s->row_count);
    if (s->fact) {
        put_streams(out, scratch, s, s->keys, s->key_count);
    } else {
        codec_put_ids(out, s->objects, s->row_count);
    }
    put_streams(out, scratch, s, s->columns, s->column_count);
    if (s->gone_count) {
        varint_put(out, s->gone_count);
        codec_put_ids(out, s->gone, s->gone_count);
    }
    if (s->reset_count) {
        varint_put(out, s->reset_count);
    }
    for (size_t i = 0; i < s->reset_count; i++) {
        varint_put(out, s->resets[i]);
    }
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

static bool take_head(struct str *in, struct codec_slice *s, unsigned *what)
{
    unsigned version = 0;
    int64_t span = 0;

    if (!take_byte(in, &version) || version != CODEC_SLICE_VERSION || !take_byte(in, what) ||
        !take_byte(in, &s->flags) || !varint_take(in, &s->group) ||
        !varint_take_signed(in, &s->t_ms) || !varint_take_signed(in, &span) ||
        !varint_take_signed(in, &s->every_ms)) {
        return false;
    }
    s->from_ms = (int64_t)((uint64_t)s->t_ms - (uint64_t)span);
    s->fact = (*what & HAS_FACT) != 0;
    return true;
}

/* A count of things that take at least `least` bytes each. */
static bool take_count(struct str *in, size_t max, size_t least, size_t *out)
{
    uint64_t v = 0;
    if (!varint_take(in, &v) || v > max || v * least > in->len) {
        return false;
    }
    *out = (size_t)v;
    return true;
}

static bool take_streams(struct str *in, struct arena *a, struct codec_column **out, size_t *count)
{
    if (!take_count(in, CODEC_COLUMNS_MAX, 2, count)) {
        return false;
    }
    struct codec_column *columns = arena_array(a, *count, sizeof(*columns));
    for (size_t c = 0; columns && c < *count; c++) {
        uint64_t id = 0;
        if (!varint_take(in, &id) || id > UINT32_MAX || !codec_take_bytes(in, &columns[c].stream)) {
            return false;
        }
        columns[c].id = (uint32_t)id;
    }
    *out = columns;
    return columns != NULL;
}

static bool take_objects(struct str *in, struct arena *a, struct codec_slice *s)
{
    if (s->row_count > in->len) {
        return false;
    }
    s->objects = arena_array(a, s->row_count, sizeof(*s->objects));
    return s->objects && codec_take_ids(in, s->objects, s->row_count);
}

static bool take_gone(struct str *in, struct arena *a, struct codec_slice *s)
{
    if (!take_count(in, CODEC_ROWS_MAX, 1, &s->gone_count)) {
        return false;
    }
    s->gone = arena_array(a, s->gone_count, sizeof(*s->gone));
    return s->gone && codec_take_ids(in, s->gone, s->gone_count);
}

static bool take_resets(struct str *in, struct arena *a, struct codec_slice *s)
{
    if (!take_count(in, s->row_count, 1, &s->reset_count)) {
        return false;
    }
    s->resets = arena_array(a, s->reset_count, sizeof(*s->resets));
    for (size_t i = 0; s->resets && i < s->reset_count; i++) {
        uint64_t row = 0;
        if (!varint_take(in, &row) || row >= s->row_count) {
            return false;
        }
        s->resets[i] = (uint32_t)row;
    }
    return s->resets != NULL;
}

static bool take_body(struct str *in, struct arena *a, struct codec_slice *s, unsigned what)
{
    uint64_t rows = 0;

    if (what & HAS_REASON && !codec_take_bytes(in, &s->reason)) {
        return false;
    }
    if (!varint_take(in, &rows) || rows > CODEC_ROWS_MAX) {
        return false;
    }
    s->row_count = (size_t)rows;
    bool named = s->fact ? take_streams(in, a, &s->keys, &s->key_count) : take_objects(in, a, s);
    if (!named || !take_streams(in, a, &s->columns, &s->column_count)) {
        return false;
    }
    return (!(what & HAS_GONE) || take_gone(in, a, s)) &&
           (!(what & HAS_RESETS) || take_resets(in, a, s));
}

enum err_code codec_get_slice(struct str in, struct arena *a, struct codec_slice *out,
                              struct err *e)
{
    struct codec_slice s;
    unsigned what = 0;

    memset(&s, 0, sizeof(s));
    if (!take_head(&in, &s, &what) || !take_body(&in, a, &s, what) || in.len != 0) {
        enum err_code code = arena_check(a, e);
        return code ? code : err_set(e, ERR_CORRUPT, "slice: damaged");
    }
    *out = s;
    return ERR_OK;
}

enum err_code codec_peek_slice(struct str in, struct codec_slice *out, struct err *e)
{
    unsigned what = 0;

    memset(out, 0, sizeof(*out));
    if (!take_head(&in, out, &what) ||
        (what & HAS_REASON && !codec_take_bytes(&in, &out->reason))) {
        return err_set(e, ERR_CORRUPT, "slice: damaged");
    }
    return ERR_OK;
}
