/* SPDX-License-Identifier: PostgreSQL */
/*
 * block.c: reads a block: time axis, which object is in which slice, and single columns.
 *
 * Every count is checked against the bytes that are left or a constant before memory is taken, so
 * any bytes are safe to read.
 */
#include "store/tsdb/block.h"

#include "base/pack.h"
#include "base/varint.h"

#include <string.h>

/* A count of things; the arrays for them are bounded by `max`. */
static bool take_count(struct str *in, size_t max, size_t *out)
{
    uint64_t v = 0;
    if (!varint_take(in, &v) || v > max) {
        return false;
    }
    *out = (size_t)v;
    return true;
}

static bool take_axis(struct str *in, struct block_view *v)
{
    int64_t last = 0;
    int64_t step = 0;

    for (size_t s = 0; s < v->slice_count; s++) {
        int64_t d = 0;
        if (!varint_take_signed(in, &d)) {
            return false;
        }
        int64_t t = (int64_t)((uint64_t)last + (uint64_t)step + (uint64_t)d);
        step = s > 0 ? (int64_t)((uint64_t)t - (uint64_t)last) : 0;
        last = t;
        v->slices[s].t_ms = t;
        v->slices[s].group = v->group;
        v->slices[s].fact = v->fact;
    }
    for (size_t s = 0; s < v->slice_count; s++) {
        int64_t span = 0;
        if (!varint_take_signed(in, &span)) {
            return false;
        }
        v->slices[s].from_ms = (int64_t)((uint64_t)v->slices[s].t_ms - (uint64_t)span);
    }
    for (size_t s = 0; s < v->slice_count; s++) {
        if (!varint_take_signed(in, &v->slices[s].every_ms)) {
            return false;
        }
    }
    return true;
}

static bool take_flags(struct str *in, struct block_view *v)
{
    for (size_t s = 0; s < v->slice_count; s++) {
        if (in->len == 0) {
            return false;
        }
        v->slices[s].flags = (unsigned char)in->ptr[0];
        in->ptr++;
        in->len--;
        if (v->slices[s].flags & SLICE_FAILED && !codec_take_bytes(in, &v->slices[s].reason)) {
            return false;
        }
    }
    return true;
}

static bool take_row_counts(struct str *in, struct block_view *v)
{
    size_t total = 0;
    for (size_t s = 0; s < v->slice_count; s++) {
        size_t rows = 0;
        if (!take_count(in, v->row_total - total, &rows)) {
            return false;
        }
        v->row_start[s] = total;
        v->slices[s].row_count = rows;
        total += rows;
    }
    v->row_start[v->slice_count] = total;
    return total == v->row_total;
}

/* The runs of one object: marks the slice of each of its places. */
static bool take_runs(struct str *in, struct block_view *v, uint32_t *slice_at, size_t *place)
{
    size_t runs = 0;
    size_t slice = 0;

    if (!take_count(in, v->slice_count, &runs)) {
        return false;
    }
    for (size_t r = 0; r < runs; r++) {
        size_t gap = 0;
        size_t len = 0;
        if (!take_count(in, v->slice_count - slice, &gap) ||
            !take_count(in, v->slice_count - slice - gap, &len) || len > v->row_total - *place) {
            return false;
        }
        slice += gap;
        for (size_t i = 0; i < len; i++, slice++) {
            slice_at[(*place)++] = (uint32_t)slice;
            v->slices[slice].row_count++;
        }
    }
    return true;
}

static bool take_objects(struct str *in, struct arena *a, struct block_view *v)
{
    size_t count = 0;
    size_t place = 0;

    if (!take_count(in, v->row_total, &count) || count > in->len) {
        return false;
    }
    uint64_t *ids = arena_array(a, count, sizeof(*ids));
    size_t *ends = arena_array(a, count, sizeof(*ends));
    uint32_t *slice_at = arena_array(a, v->row_total, sizeof(*slice_at));
    uint64_t *by_row = arena_array(a, v->row_total, sizeof(*by_row));
    v->order = arena_array(a, v->row_total, sizeof(*v->order));
    if (!v->order || !codec_take_ids(in, ids, count)) {
        return false;
    }
    for (size_t o = 0; o < count; o++) {
        if (!take_runs(in, v, slice_at, &place)) {
            return false;
        }
        ends[o] = place;
    }
    if (place != v->row_total) {
        return false;
    }
    size_t *next = arena_array(a, v->slice_count, sizeof(*next));
    if (!next) {
        return false;
    }
    for (size_t s = 0; s < v->slice_count; s++) {
        v->row_start[s + 1] = v->row_start[s] + v->slices[s].row_count;
        v->slices[s].objects = by_row + v->row_start[s];
        next[s] = v->row_start[s];
    }
    for (size_t o = 0, i = 0; o < count; o++) {
        for (; i < ends[o]; i++) {
            size_t row = next[slice_at[i]]++;
            v->order[row] = (uint32_t)i;
            by_row[row] = ids[o];
        }
    }
    return true;
}

static bool take_gone(struct str *in, struct arena *a, struct block_view *v)
{
    for (;;) {
        size_t slice = 0;
        if (!take_count(in, v->slice_count, &slice)) {
            return false;
        }
        if (slice == 0) {
            return true;
        }
        struct codec_slice *s = &v->slices[slice - 1];
        if (!take_count(in, CODEC_ROWS_MAX, &s->gone_count) || s->gone_count > in->len) {
            return false;
        }
        s->gone = arena_array(a, s->gone_count, sizeof(*s->gone));
        if (!s->gone || !codec_take_ids(in, s->gone, s->gone_count)) {
            return false;
        }
    }
}

static bool spread_resets(struct arena *a, struct block_view *v, const unsigned char *marked)
{
    for (size_t s = 0; s < v->slice_count; s++) {
        struct codec_slice *now = &v->slices[s];
        size_t count = 0;
        for (size_t i = 0; i < now->row_count; i++) {
            size_t row = v->row_start[s] + i;
            count += marked[v->order ? v->order[row] : row];
        }
        if (count == 0) {
            continue;
        }
        now->resets = arena_array(a, count, sizeof(*now->resets));
        for (size_t i = 0; now->resets && i < now->row_count; i++) {
            size_t row = v->row_start[s] + i;
            if (marked[v->order ? v->order[row] : row]) {
                now->resets[now->reset_count++] = (uint32_t)i;
            }
        }
        if (!now->resets) {
            return false;
        }
    }
    return true;
}

static bool take_resets(struct str *in, struct arena *a, struct block_view *v)
{
    unsigned char *marked = NULL;
    for (;;) {
        size_t place = 0;
        if (!take_count(in, v->row_total, &place)) {
            return false;
        }
        if (place == 0) {
            return !marked || spread_resets(a, v, marked);
        }
        marked = marked ? marked : arena_alloc(a, v->row_total);
        if (!marked) {
            return false;
        }
        marked[place - 1] = 1;
    }
}

static bool take_directory(struct str *in, struct arena *a, struct block_view *v)
{
    if (!take_count(in, BLOCK_PARTS_MAX, &v->part_count) ||
        !take_count(in, 2 * CODEC_COLUMNS_MAX, &v->stream_count)) {
        return false;
    }
    v->streams = arena_array(a, v->stream_count, sizeof(*v->streams));
    for (size_t i = 0; v->streams && i < v->stream_count; i++) {
        struct block_stream *s = &v->streams[i];
        size_t kind = 0;
        size_t id = 0;
        size_t part = 0;
        size_t offset = 0;
        size_t len = 0;
        if (!take_count(in, 1, &kind) || !take_count(in, UINT32_MAX, &id) ||
            !take_count(in, BLOCK_PARTS_MAX, &part) || !take_count(in, BLOCK_PART_MAX, &offset) ||
            !take_count(in, BLOCK_PART_MAX, &len) || part >= v->part_count) {
            return false;
        }
        *s = (struct block_stream){kind ? BLOCK_KEY : BLOCK_COLUMN, (uint32_t)id, (uint32_t)part,
                                   (uint32_t)offset, (uint32_t)len};
    }
    return v->streams != NULL && in->len == 0;
}

static bool take_head(struct str in, struct arena *a, struct block_view *v)
{
    if (in.len < 1) {
        return false;
    }
    v->fact = in.ptr[0] != 0;
    in.ptr++;
    in.len--;
    if (!varint_take(&in, &v->group) || !take_count(&in, CODEC_ROWS_MAX, &v->slice_count) ||
        !take_count(&in, CODEC_ROWS_MAX, &v->row_total) || v->slice_count > in.len) {
        return false;
    }
    v->slices = arena_array(a, v->slice_count, sizeof(*v->slices));
    v->row_start = arena_array(a, v->slice_count + 1, sizeof(*v->row_start));
    if (!v->slices || !v->row_start || !take_axis(&in, v) || !take_flags(&in, v)) {
        return false;
    }
    bool rows = v->fact ? take_row_counts(&in, v) : take_objects(&in, a, v);
    return rows && take_gone(&in, a, v) && take_resets(&in, a, v) && take_directory(&in, a, v);
}

static enum err_code unpack(struct str packed, size_t len, struct arena *a, struct str *out,
                            struct err *e)
{
    struct buf plain;

    buf_init(&plain, len);
    enum err_code code = pack_unpack(packed, PACK_ZSTD, &plain, e);
    if (code == ERR_OK && plain.len == len) {
        *out = arena_str(a, buf_view(&plain));
        code = arena_check(a, e);
    } else {
        code = err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    buf_fini(&plain);
    return code;
}

enum err_code block_open(struct str head, struct arena *a, struct block_view *out, struct err *e)
{
    size_t len = 0;
    enum err_code code = ERR_OK;

    memset(out, 0, sizeof(*out));
    if (head.len < 2 || head.ptr[0] != BLOCK_VERSION) {
        return err_set(e, ERR_CORRUPT, "block: unknown version");
    }
    head.ptr++;
    head.len--;
    if (!take_count(&head, BLOCK_PART_MAX, &len)) {
        return err_set(e, ERR_CORRUPT, "block: damaged head");
    }
    if (len) {
        code = unpack(head, len, a, &head, e);
    }
    if (code == ERR_OK && !take_head(head, a, out)) {
        code = arena_check(a, e);
        code = code ? code : err_set(e, ERR_CORRUPT, "block: damaged head");
    }
    return code;
}

enum err_code block_unpack_part(struct str packed, struct arena *a, struct str *out, struct err *e)
{
    size_t len = 0;
    if (!take_count(&packed, BLOCK_PART_MAX, &len)) {
        return err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    return unpack(packed, len, a, out, e);
}

const struct block_stream *block_find(const struct block_view *v, enum block_kind kind, uint32_t id)
{
    for (size_t i = 0; i < v->stream_count; i++) {
        if (v->streams[i].kind == kind && v->streams[i].id == id) {
            return &v->streams[i];
        }
    }
    return NULL;
}

enum err_code block_stream_bytes(const struct block_stream *s, struct str part, struct str *out,
                                 struct err *e)
{
    if (s->offset > part.len || s->len > part.len - s->offset) {
        return err_set(e, ERR_CORRUPT, "block: stream outside its part");
    }
    *out = str_make(part.ptr + s->offset, s->len);
    return ERR_OK;
}

enum err_code block_cells(const struct block_view *v, struct str bytes, struct arena *a,
                          struct cell **cells, struct err *e)
{
    struct cell *flat = NULL;
    enum err_code code = codec_get_column(bytes, a, v->row_total, &flat, e);

    if (code || !v->order) {
        *cells = flat;
        return code;
    }
    struct cell *by_slice = arena_array(a, v->row_total, sizeof(*by_slice));
    for (size_t i = 0; by_slice && i < v->row_total; i++) {
        by_slice[i] = flat[v->order[i]];
    }
    *cells = by_slice;
    return by_slice ? ERR_OK : arena_check(a, e);
}
