/* SPDX-License-Identifier: PostgreSQL */
/*
 * block.c: reads a block: time axis, which object is in which slice, and single columns.
 *
 * Every count is checked against the bytes that are left or a constant before memory is taken, so
 * any bytes are safe to read.
 */
#include "store/tsdb/codec/block.h"

#include "base/crc32c.h"
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

/* Facts: rows of each slice; a stream is cut into runs of equal length. */
static bool take_row_counts(struct str *in, struct arena *a, struct block_view *v)
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
    return total == v->row_total && codec_cut_runs(a, v->row_total, &v->runs);
}

/* The spans of one object; all of them fit, as each takes two bytes or more. */
static bool take_spans(struct str *in, struct block_view *v, uint32_t *start, size_t *place,
                       size_t object)
{
    size_t count = 0;
    size_t slice = 0;
    size_t at = v->span_start[object];

    if (!take_count(in, v->slice_count, &count) || count > in->len / 2) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t gap = 0;
        size_t len = 0;
        if (!take_count(in, v->slice_count - slice, &gap) ||
            !take_count(in, v->slice_count - slice - gap, &len) || len > v->row_total - *place) {
            return false;
        }
        v->spans[at++] = (struct block_span){(uint32_t)(slice + gap), (uint32_t)len};
        slice += gap + len;
        *place += len;
    }
    v->span_start[object + 1] = (uint32_t)at;
    start[object + 1] = (uint32_t)*place;
    return true;
}

/* Every object is in every slice. */
static bool fill_spans(struct block_view *v, uint32_t *start)
{
    for (size_t o = 0; o < v->runs.count; o++) {
        v->spans[o] = (struct block_span){0, (uint32_t)v->slice_count};
        v->span_start[o + 1] = (uint32_t)(o + 1);
        start[o + 1] = (uint32_t)((o + 1) * v->slice_count);
    }
    return v->runs.count * v->slice_count == v->row_total;
}

/* Rows of each slice: `more` and `less` objects at it than at the one before. */
static bool count_rows(struct arena *a, struct block_view *v)
{
    uint32_t *more = arena_array(a, v->slice_count + 1, sizeof(*more));
    uint32_t *less = arena_array(a, v->slice_count + 1, sizeof(*less));
    size_t rows = 0;

    if (!more || !less) {
        return false;
    }
    for (size_t i = 0; i < v->span_start[v->runs.count]; i++) {
        more[v->spans[i].slice]++;
        less[v->spans[i].slice + v->spans[i].count]++;
    }
    for (size_t s = 0; s < v->slice_count; s++) {
        rows += more[s];
        rows -= less[s];
        v->slices[s].row_count = rows;
        v->row_start[s + 1] = v->row_start[s] + rows;
    }
    return true;
}

static bool take_objects(struct str *in, struct arena *a, struct block_view *v)
{
    size_t place = 0;
    size_t dense = 0;

    if ((v->version > 1 && !take_count(in, 1, &dense)) ||
        !take_count(in, v->row_total, &v->runs.count) || v->runs.count > in->len) {
        return false;
    }
    uint32_t *start = arena_array(a, v->runs.count + 1, sizeof(*start));
    v->objects = arena_array(a, v->runs.count, sizeof(*v->objects));
    v->span_start = arena_array(a, v->runs.count + 1, sizeof(*v->span_start));
    v->spans = arena_array(a, dense ? v->runs.count : in->len / 2, sizeof(*v->spans));
    v->runs.start = start;
    if (!v->spans || !codec_take_ids(in, v->objects, v->runs.count) ||
        (dense && !fill_spans(v, start))) {
        return false;
    }
    for (size_t o = 0; !dense && o < v->runs.count; o++) {
        if (!take_spans(in, v, start, &place, o)) {
            return false;
        }
    }
    return start[v->runs.count] == v->row_total && count_rows(a, v);
}

/* Every object is in every slice: one list of ids does for all. */
static bool sort_dense(struct arena *a, struct block_view *v)
{
    v->row_of = arena_array(a, v->row_total, sizeof(*v->row_of));
    for (size_t s = 0; s < v->slice_count; s++) {
        v->slices[s].objects = v->objects;
    }
    for (size_t o = 0; v->row_of && o < v->runs.count; o++) {
        for (size_t s = 0; s < v->slice_count; s++) {
            v->row_of[o * v->slice_count + s] = (uint32_t)(s * v->runs.count + o);
        }
    }
    return v->row_of != NULL;
}

/* Objects of each slice, and which row a place in a stream is. */
static bool sort_by_slice(struct arena *a, struct block_view *v)
{
    if (v->runs.count * v->slice_count == v->row_total) {
        return sort_dense(a, v);
    }
    uint64_t *by_row = arena_array(a, v->row_total, sizeof(*by_row));
    size_t *next = arena_array(a, v->slice_count, sizeof(*next));

    v->row_of = arena_array(a, v->row_total, sizeof(*v->row_of));
    if (!v->row_of) {
        return false;
    }
    for (size_t s = 0; s < v->slice_count; s++) {
        v->slices[s].objects = by_row + v->row_start[s];
        next[s] = v->row_start[s];
    }
    for (size_t o = 0; o < v->runs.count; o++) {
        uint32_t place = v->runs.start[o];
        for (uint32_t i = v->span_start[o]; i < v->span_start[o + 1]; i++) {
            size_t end = v->spans[i].slice + v->spans[i].count;
            for (size_t s = v->spans[i].slice; s < end; s++) {
                by_row[next[s]] = v->objects[o];
                v->row_of[place++] = (uint32_t)next[s]++;
            }
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

/* Resets of each slice as row numbers. */
static bool spread_resets(struct arena *a, struct block_view *v)
{
    unsigned char *marked = arena_alloc(a, v->row_total);

    for (size_t i = 0; marked && i < v->reset_count; i++) {
        marked[v->row_of ? v->row_of[v->resets[i]] : v->resets[i]] = 1;
    }
    for (size_t s = 0; marked && s < v->slice_count; s++) {
        struct codec_slice *now = &v->slices[s];
        size_t count = 0;
        for (size_t row = v->row_start[s]; row < v->row_start[s + 1]; row++) {
            count += marked[row];
        }
        now->resets = arena_array(a, count, sizeof(*now->resets));
        for (size_t i = 0; now->resets && count && i < now->row_count; i++) {
            if (marked[v->row_start[s] + i]) {
                now->resets[now->reset_count++] = (uint32_t)i;
            }
        }
    }
    return !a->overflow;
}

static bool take_resets(struct str *in, struct arena *a, struct block_view *v)
{
    struct str ahead = *in;
    size_t count = 0;
    size_t place = 0;

    do {
        if (!take_count(&ahead, v->row_total, &place)) {
            return false;
        }
        count += place != 0;
    } while (place != 0);
    v->resets = arena_array(a, count, sizeof(*v->resets));
    for (size_t i = 0; v->resets && i <= count; i++) {
        if (!take_count(in, v->row_total, &place)) {
            return false;
        }
        if (place) {
            v->resets[v->reset_count++] = (uint32_t)(place - 1);
        }
    }
    return v->resets != NULL;
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
        !take_count(&in, BLOCK_ROWS_MAX, &v->row_total) || v->slice_count > in.len) {
        return false;
    }
    v->slices = arena_array(a, v->slice_count, sizeof(*v->slices));
    v->row_start = arena_array(a, v->slice_count + 1, sizeof(*v->row_start));
    if (!v->slices || !v->row_start || !take_axis(&in, v) || !take_flags(&in, v)) {
        return false;
    }
    bool rows = v->fact ? take_row_counts(&in, a, v) : take_objects(&in, a, v);
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

/* Take the checksum of what follows it off the front; false: it is another. */
static bool take_sum(struct str *in)
{
    uint32_t sum = 0;

    if (in->len < BLOCK_SUM_BYTES) {
        return false;
    }
    for (size_t i = 0; i < BLOCK_SUM_BYTES; i++) {
        sum |= (uint32_t)(unsigned char)in->ptr[i] << 8 * i;
    }
    in->ptr += BLOCK_SUM_BYTES;
    in->len -= BLOCK_SUM_BYTES;
    return crc32c(0, in->ptr, in->len) == sum;
}

/* Version and length of the unpacked head (0: it is plain), which `head` is without then. */
static enum err_code take_version(struct str *head, size_t *len, struct err *e)
{
    if (head->len < 2 || head->ptr[0] < 1 || head->ptr[0] > BLOCK_VERSION) {
        return err_set(e, ERR_CORRUPT, "block: unknown version");
    }
    bool checked = head->ptr[0] > 2;
    head->ptr++;
    head->len--;
    if ((checked && !take_sum(head)) || !take_count(head, BLOCK_PART_MAX, len)) {
        return err_set(e, ERR_CORRUPT, "block: damaged head");
    }
    return ERR_OK;
}

enum err_code block_plain_head(struct str head, struct arena *a, struct str *out, struct err *e)
{
    char version = head.len ? head.ptr[0] : '\0';
    struct str plain = head;
    size_t len = 0;
    enum err_code code = take_version(&plain, &len, e);

    if (code == ERR_OK && len) {
        code = unpack(plain, len, a, &plain, e);
    }
    char *copy = code ? NULL : arena_alloc(a, plain.len + 2);
    if (code || !copy) {
        return code ? code : arena_fail(a, e);
    }
    copy[0] = version > 2 ? 2 : version; /* it was checked */
    copy[1] = 0;
    if (plain.len) {
        memcpy(copy + 2, plain.ptr, plain.len);
    }
    *out = str_make(copy, plain.len + 2);
    return ERR_OK;
}

enum err_code block_open_by_object(struct str head, struct arena *a, struct block_view *out,
                                   struct err *e)
{
    unsigned version = head.len ? (unsigned char)head.ptr[0] : 0;
    size_t len = 0;

    memset(out, 0, sizeof(*out));
    out->version = version;
    enum err_code code = take_version(&head, &len, e);
    if (code == ERR_OK && len) {
        code = unpack(head, len, a, &head, e);
    }
    if (code == ERR_OK && !take_head(head, a, out)) {
        code = arena_check(a, e);
        code = code ? code : err_set(e, ERR_CORRUPT, "block: damaged head");
    }
    return code;
}

enum err_code block_open(struct str head, struct arena *a, struct block_view *out, struct err *e)
{
    enum err_code code = block_open_by_object(head, a, out, e);

    if (code == ERR_OK &&
        ((!out->fact && !sort_by_slice(a, out)) || (out->reset_count && !spread_resets(a, out)))) {
        code = arena_fail(a, e);
    }
    return code;
}

/* --- parts --- */

/* One piece of all streams of a part: its length, the packed one (0: plain), the bytes. */
static enum err_code take_piece(struct str *in, struct arena *a, struct str *out, struct err *e)
{
    size_t len = 0;
    size_t packed = 0;

    if (!take_count(in, BLOCK_PART_MAX, &len) || !take_count(in, in->len, &packed) ||
        (packed ? packed : len) > in->len) {
        return err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    *out = str_make(in->ptr, packed ? packed : len);
    in->ptr += out->len;
    in->len -= out->len;
    return packed ? unpack(*out, len, a, out, e) : ERR_OK;
}

/* Join the pieces of each stream; `lengths` has one for each piece. */
static bool join(struct str lengths, struct str pieces[CODEC_PIECES], char *to)
{
    for (size_t i = 0; lengths.len; i = (i + 1) % CODEC_PIECES) {
        struct str *from = &pieces[i];
        size_t len = 0;
        if (!take_count(&lengths, from->len, &len)) {
            return false;
        }
        if (len) {
            memcpy(to, from->ptr, len);
        }
        to += len;
        from->ptr += len;
        from->len -= len;
    }
    return pieces[0].len == 0 && pieces[1].len == 0 && pieces[2].len == 0;
}

/* Versions 2 and 3: the pieces of all streams, each packed by itself. */
static enum err_code unpack_pieces(struct str in, struct arena *a, struct str *out, struct err *e)
{
    struct str lengths;
    struct str pieces[CODEC_PIECES];
    size_t total = 0;

    if (!codec_take_bytes(&in, &lengths)) {
        return err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    for (int i = 0; i < CODEC_PIECES; i++) {
        enum err_code code = take_piece(&in, a, &pieces[i], e);
        if (code) {
            return code;
        }
        total += pieces[i].len;
    }
    char *joined = arena_alloc(a, total);
    if (!joined) {
        return arena_fail(a, e);
    }
    if (!join(lengths, pieces, joined) || in.len) {
        return err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    *out = str_make(joined, total);
    return ERR_OK;
}

enum err_code block_unpack_part(struct str packed, struct arena *a, struct str *out, struct err *e)
{
    size_t len = 0;

    if (packed.len > 2 && memcmp(packed.ptr, BLOCK_CHECKED, 2) == 0) {
        packed.ptr += 2;
        packed.len -= 2;
        if (!take_sum(&packed)) {
            return err_set(e, ERR_CORRUPT, "block: damaged part");
        }
        return unpack_pieces(packed, a, out, e);
    }
    if (!take_count(&packed, BLOCK_PART_MAX, &len)) {
        return err_set(e, ERR_CORRUPT, "block: damaged part");
    }
    return len ? unpack(packed, len, a, out, e) : unpack_pieces(packed, a, out, e);
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

    if (v->version > 1) {
        const struct codec_cells want = {&v->runs, v->row_of};
        return codec_get_runs(bytes, a, &want, cells, e);
    }
    enum err_code code = codec_get_column(bytes, a, v->row_total, &flat, e);
    if (code || !v->row_of) {
        *cells = flat;
        return code;
    }
    *cells = codec_move_cells(a, flat, v->row_of, v->row_total);
    return *cells ? ERR_OK : arena_fail(a, e);
}

enum err_code block_get_numbers(const struct block_view *v, struct str bytes,
                                const struct block_numbers *want, struct arena *scratch,
                                struct err *e)
{
    const struct codec_doubles runs = {&v->runs, want->from, want->to, want->out, want->wanted};
    return codec_get_doubles(bytes, scratch, &runs, e);
}

enum err_code block_doubles(const struct block_view *v, struct str bytes, size_t from, size_t to,
                            double *out, struct arena *scratch, struct err *e)
{
    const struct block_numbers want = {from, to, out, NULL};
    return block_get_numbers(v, bytes, &want, scratch, e);
}
