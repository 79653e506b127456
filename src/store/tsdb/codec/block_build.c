/* SPDX-License-Identifier: PostgreSQL */
/*
 * block_build.c: turns slices of one group into a column-major block.
 *
 * Rows of an object relation are ordered by (object, slice), so that neighbours in a stream are the
 * same object a moment later; fact rows stay in slice order.
 * Threads: the flusher.
 */
#include "store/tsdb/codec/block.h"

#include "base/alloc.h"
#include "base/crc32c.h"
#include "base/pack.h"
#include "base/varint.h"

#include <stdlib.h>
#include <string.h>

#define PACK_LEVEL    1
#define PACK_SAVES    32 /* a packed piece is at least 1/32 shorter */
#define HEAD_PACK_MIN 200
#define TILE_SLICES   16

struct builder {
    struct arena *a;       /* the result and what lives as long as the build */
    struct arena *scratch; /* one column at a time */
    const struct block_input *in;
    const struct codec_slice *slices;
    size_t count;
    size_t rows, widest; /* of the block; of a slice */
    size_t object_count;
    uint64_t *objects;   /* sorted, distinct */
    size_t *row_start;   /* by slice */
    bool same;           /* every slice has the same rows */
    uint32_t *rank;      /* then: row of a slice -> place of its object in objects */
    uint32_t *place;     /* else: row (slice order) -> place in the streams; facts: NULL */
    uint32_t *slice_at;  /* place -> slice */
    uint32_t *run_start; /* first place of each object; object_count + 1 */
    struct codec_runs runs;
    struct codec_values values; /* of the column at hand, in place */
    struct codec_pieces pieces; /* of the streams of the open part */
    struct buf lengths;         /* of the pieces of each stream */
    struct buf directory;
    size_t stream_count;
    struct str *parts;
    size_t part_count;
};

/* A column by its id, and where it is in most slices. */
struct column_ref {
    enum block_kind kind;
    uint32_t id;
    size_t hint;
};

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool same_objects(const struct codec_slice *a, const struct codec_slice *b)
{
    return a->row_count == b->row_count &&
           memcmp(a->objects, b->objects, a->row_count * sizeof(*a->objects)) == 0;
}

/* Ids of every slice whose rows are not those of the slice before; then sorted, each once. */
static void collect_objects(struct builder *b)
{
    size_t n = 0;

    b->same = true;
    for (size_t s = 0; s < b->count; s++) {
        bool same = s > 0 && same_objects(&b->slices[s], &b->slices[s - 1]);
        n += same ? 0 : b->slices[s].row_count;
        b->same &= same || s == 0;
    }
    b->objects = arena_array(b->a, n, sizeof(*b->objects));
    if (!b->objects || n == 0) {
        return;
    }
    n = 0;
    for (size_t s = 0; s < b->count; s++) {
        const struct codec_slice *now = &b->slices[s];
        if (now->row_count && (s == 0 || !same_objects(now, now - 1))) {
            memcpy(b->objects + n, now->objects, now->row_count * sizeof(*b->objects));
            n += now->row_count;
        }
    }
    qsort(b->objects, n, sizeof(*b->objects), compare_ids);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++) {
        if (b->objects[i] != b->objects[kept - 1]) {
            b->objects[kept++] = b->objects[i];
        }
    }
    b->object_count = kept;
}

static uint32_t rank_of(const struct builder *b, uint64_t id)
{
    const uint64_t *at = bsearch(&id, b->objects, b->object_count, sizeof(*b->objects),
                                 compare_ids);
    return (uint32_t)(at - b->objects);
}

/* Every slice has the same rows: a place follows from the row and the slice. */
static void place_same(struct builder *b)
{
    b->rank = arena_array(b->a, b->widest, sizeof(*b->rank));
    for (size_t i = 0; b->rank && i < b->widest; i++) {
        b->rank[i] = rank_of(b, b->slices[0].objects[i]);
    }
    for (size_t o = 0; o <= b->object_count; o++) {
        b->run_start[o] = (uint32_t)(o * b->count);
    }
}

/* Rank of the object of each row; then its place by counting. */
static void place_objects(struct builder *b)
{
    uint32_t *next = b->run_start;
    uint32_t *rank = arena_array(b->scratch, b->rows, sizeof(*rank));
    size_t row = 0;

    b->place = arena_array(b->a, b->rows, sizeof(*b->place));
    b->slice_at = arena_array(b->a, b->rows, sizeof(*b->slice_at));
    for (size_t s = 0; rank && s < b->count; s++) {
        const struct codec_slice *now = &b->slices[s];
        bool same = s > 0 && same_objects(now, now - 1);
        for (size_t i = 0; i < now->row_count; i++, row++) {
            rank[row] = same ? rank[row - now->row_count] : rank_of(b, now->objects[i]);
            next[rank[row] + 1]++;
        }
    }
    for (size_t o = 1; o <= b->object_count; o++) {
        next[o] += next[o - 1];
    }
    uint32_t *at = arena_array(b->scratch, b->object_count + 1, sizeof(*at));
    if (!rank || !at || !b->slice_at) {
        return;
    }
    memcpy(at, next, (b->object_count + 1) * sizeof(*at));
    row = 0;
    for (size_t s = 0; s < b->count; s++) {
        for (size_t i = 0; i < b->slices[s].row_count; i++, row++) {
            b->place[row] = at[rank[row]]++;
            b->slice_at[b->place[row]] = (uint32_t)s;
        }
    }
}

/* No id is in a slice twice: presence could not say so. */
static bool each_once(const struct builder *b)
{
    for (size_t o = 0; b->slice_at && o < b->object_count; o++) {
        for (size_t i = b->run_start[o] + 1; i < b->run_start[o + 1]; i++) {
            if (b->slice_at[i] <= b->slice_at[i - 1]) {
                return false;
            }
        }
    }
    return true;
}

/* Where the cell of a row of a slice goes in the streams. */
static size_t place_of(const struct builder *b, size_t slice, size_t row)
{
    if (b->rank) {
        return b->rank[row] * b->count + slice;
    }
    return b->place ? b->place[b->row_start[slice] + row] : b->row_start[slice] + row;
}

static enum err_code order_rows(struct builder *b, struct err *e)
{
    b->row_start = arena_array(b->a, b->count, sizeof(*b->row_start));
    for (size_t s = 1; b->row_start && s < b->count; s++) {
        b->row_start[s] = b->row_start[s - 1] + b->slices[s - 1].row_count;
    }
    if (b->slices[0].fact) {
        (void)codec_cut_runs(b->a, b->rows, &b->runs);
        return arena_check(b->a, e);
    }
    collect_objects(b);
    b->run_start = arena_array(b->a, b->object_count + 1, sizeof(*b->run_start));
    b->runs = (struct codec_runs){b->run_start, b->object_count};
    enum err_code code = arena_check(b->a, e);
    if (code) {
        return code;
    }
    /* an id that is in a slice twice has no row of its own */
    b->same &= b->object_count * b->count == b->rows;
    b->same ? place_same(b) : place_objects(b);
    code = arena_check(b->scratch, e);
    arena_reset(b->scratch);
    code = code ? code : arena_check(b->a, e);
    if (code == ERR_OK && !each_once(b)) {
        code = err_set(e, ERR_CORRUPT, "block: a slice has an object twice");
    }
    return code;
}

/* --- streams and parts --- */

static size_t open_bytes(const struct builder *b)
{
    return b->pieces.params.len + b->pieces.symbols.len + b->pieces.fields.len;
}

/* One piece of all streams: its length, then packed; or 0 and plain when that saves too little. */
static enum err_code put_piece(struct buf *out, struct buf *piece, struct err *e)
{
    struct buf packed;
    enum err_code code = ERR_OK;

    buf_init(&packed, 2 * BLOCK_PART_MAX);
    if (piece->len) {
        code = pack_zstd(buf_view(piece), PACK_LEVEL, &packed, e);
    }
    bool shorter = packed.len + piece->len / PACK_SAVES < piece->len;
    varint_put(out, piece->len);
    varint_put(out, shorter ? packed.len : 0);
    buf_add_str(out, shorter ? buf_view(&packed) : buf_view(piece));
    buf_fini(&packed);
    buf_reset(piece);
    return code;
}

/* Fill in the four bytes at `at`: the checksum of what follows them. */
static void put_sum(struct buf *out, size_t at)
{
    uint32_t sum = crc32c(0, out->ptr + at + BLOCK_SUM_BYTES, out->len - at - BLOCK_SUM_BYTES);

    for (size_t i = 0; i < BLOCK_SUM_BYTES; i++) {
        out->ptr[at + i] = (char)(sum >> 8 * i);
    }
}

static enum err_code close_part(struct builder *b, struct err *e)
{
    struct buf out;

    if (b->lengths.len == 0) {
        return ERR_OK;
    }
    if (b->part_count == BLOCK_PARTS_MAX || open_bytes(b) > BLOCK_PART_MAX) {
        return err_set(e, ERR_LIMIT, "block: more than %d parts, or one over %d bytes",
                       BLOCK_PARTS_MAX, BLOCK_PART_MAX);
    }
    buf_init(&out, BLOCK_PART_MAX);
    buf_add(&out, BLOCK_CHECKED "\0\0\0\0", 2 + BLOCK_SUM_BYTES);
    codec_put_bytes(&out, buf_view(&b->lengths));
    enum err_code code = put_piece(&out, &b->pieces.params, e);
    code = code ? code : put_piece(&out, &b->pieces.symbols, e);
    code = code ? code : put_piece(&out, &b->pieces.fields, e);
    code = code ? code : buf_check(&out, e);
    if (code == ERR_OK) {
        put_sum(&out, 2);
        b->parts[b->part_count++] = arena_str(b->a, buf_view(&out));
        buf_reset(&b->lengths);
        code = arena_check(b->a, e);
    }
    buf_fini(&out);
    return code;
}

static const struct codec_column *column_of(const struct codec_slice *s, enum block_kind kind,
                                            uint32_t id, size_t hint)
{
    const struct codec_column *columns = kind == BLOCK_KEY ? s->keys : s->columns;
    size_t count = kind == BLOCK_KEY ? s->key_count : s->column_count;

    if (hint < count && columns[hint].id == id) {
        return &columns[hint];
    }
    for (size_t i = 0; i < count; i++) {
        if (columns[i].id == id) {
            return &columns[i];
        }
    }
    return NULL;
}

/* A column of a few slices, as cells. */
struct tile {
    const struct cell *cells[TILE_SLICES]; /* NULL: the slice has no such column */
    struct cell *read[TILE_SLICES];        /* room for those that are streams */
};

/* Cells of the column of one slice, in place i of the tile. */
static enum err_code load_cells(struct builder *b, struct tile *t, const struct column_ref *ref,
                                size_t slice, struct err *e)
{
    size_t i = slice % TILE_SLICES;
    const struct codec_slice *now = &b->slices[slice];
    const struct codec_column *c = column_of(now, ref->kind, ref->id, ref->hint);
    const struct block_ask ask = {slice, ref->kind, ref->id};

    t->cells[i] = c ? c->cells : NULL;
    if (!c || c->cells || now->row_count == 0) {
        return ERR_OK;
    }
    if (b->in->load) {
        return b->in->load(b->in->load_arg, &ask, &t->cells[i], e);
    }
    if (!t->read[i]) {
        t->read[i] = arena_array(b->scratch, b->widest, sizeof(struct cell));
    }
    t->cells[i] = t->read[i];
    return t->read[i] ? codec_fill_column(c->stream, b->scratch, now->row_count, t->read[i], e)
                      : arena_fail(b->scratch, e);
}

/* Where the cells of a column go: as values; or, with text among them, as cells. */
struct gathering {
    struct codec_values *values;
    struct cell *flat; /* NULL: as values */
    bool text;         /* and that did not work */
};

static void put_cell(struct gathering *to, size_t at, const struct cell *c)
{
    if (to->flat) {
        to->flat[at] = *c;
    } else {
        to->text |= !codec_set_value(to->values, at, c);
    }
}

/*
 * Cells of one column from every slice, put in place. Row by row through a few slices at a time:
 * what lies together in the stream is written together.
 */
static enum err_code gather_cells(struct builder *b, const struct column_ref *ref,
                                  struct gathering *to, struct err *e)
{
    const struct cell null = {.tag = CELL_NULL};
    struct tile t = {.cells = {NULL}};

    for (size_t s = 0; s < b->count && !to->text; s += TILE_SLICES) {
        size_t end = s + TILE_SLICES < b->count ? s + TILE_SLICES : b->count;
        size_t rows = 0;
        for (size_t i = s; i < end; i++) {
            enum err_code code = load_cells(b, &t, ref, i, e);
            if (code) {
                return code;
            }
            rows = b->slices[i].row_count > rows ? b->slices[i].row_count : rows;
        }
        for (size_t row = 0; row < rows; row++) {
            for (size_t i = s; i < end; i++) {
                const struct cell *cells = t.cells[i - s];
                if (row < b->slices[i].row_count) {
                    put_cell(to, place_of(b, i, row), cells ? &cells[row] : &null);
                }
            }
        }
    }
    return ERR_OK;
}

/* A column with text: as one stream of cells. */
static enum err_code put_text(struct builder *b, const struct column_ref *ref, struct err *e)
{
    struct gathering to = {.flat = arena_array(b->scratch, b->rows, sizeof(struct cell))};
    enum err_code code = to.flat ? gather_cells(b, ref, &to, e) : arena_fail(b->scratch, e);

    if (code == ERR_OK) {
        codec_put_column(&b->pieces.params, b->scratch, to.flat, b->rows);
    }
    return code;
}

static enum err_code put_column(struct builder *b, const struct column_ref *ref, struct err *e)
{
    struct gathering to = {.values = &b->values};
    enum err_code code = gather_cells(b, ref, &to, e);

    if (code == ERR_OK && to.text) { /* what was loaded stays in scratch: no reset here */
        return put_text(b, ref, e);
    }
    if (code == ERR_OK) {
        codec_put_runs(&b->pieces, b->scratch, &b->values, &b->runs);
    }
    return code;
}

static enum err_code add_stream(struct builder *b, const struct column_ref *ref, struct err *e)
{
    struct codec_pieces *p = &b->pieces;
    size_t before = open_bytes(b);
    size_t params = p->params.len;
    size_t symbols = p->symbols.len;
    size_t fields = p->fields.len;
    enum err_code code = put_column(b, ref, e);

    arena_reset(b->scratch);
    varint_put(&b->lengths, p->params.len - params);
    varint_put(&b->lengths, p->symbols.len - symbols);
    varint_put(&b->lengths, p->fields.len - fields);
    varint_put(&b->directory, ref->kind == BLOCK_KEY);
    varint_put(&b->directory, ref->id);
    varint_put(&b->directory, b->part_count);
    varint_put(&b->directory, before);
    varint_put(&b->directory, open_bytes(b) - before);
    b->stream_count++;
    code = code ? code : buf_check(&p->params, e);
    code = code ? code : buf_check(&p->symbols, e);
    code = code ? code : buf_check(&p->fields, e);
    return code == ERR_OK && open_bytes(b) >= BLOCK_PART_BYTES ? close_part(b, e) : code;
}

static bool seen_before(const struct builder *b, enum block_kind kind, size_t slice, uint32_t id)
{
    /* the common case: the slice before has the same columns */
    for (size_t s = slice; s > 0; s--) {
        if (column_of(&b->slices[s - 1], kind, id, 0)) {
            return true;
        }
    }
    return false;
}

static bool same_columns(const struct codec_slice *a, const struct codec_slice *b,
                         enum block_kind kind)
{
    const struct codec_column *x = kind == BLOCK_KEY ? a->keys : a->columns;
    const struct codec_column *y = kind == BLOCK_KEY ? b->keys : b->columns;
    size_t n = kind == BLOCK_KEY ? a->key_count : a->column_count;

    if (n != (kind == BLOCK_KEY ? b->key_count : b->column_count)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (x[i].id != y[i].id) {
            return false;
        }
    }
    return true;
}

static enum err_code add_streams(struct builder *b, enum block_kind kind, struct err *e)
{
    for (size_t s = 0; s < b->count; s++) {
        const struct codec_slice *now = &b->slices[s];
        if (s > 0 && same_columns(now, now - 1, kind)) {
            continue;
        }
        const struct codec_column *columns = kind == BLOCK_KEY ? now->keys : now->columns;
        size_t n = kind == BLOCK_KEY ? now->key_count : now->column_count;
        for (size_t c = 0; c < n; c++) {
            if (seen_before(b, kind, s, columns[c].id)) {
                continue;
            }
            const struct column_ref ref = {kind, columns[c].id, c};
            enum err_code code = add_stream(b, &ref, e);
            if (code) {
                return code;
            }
        }
    }
    return ERR_OK;
}

/* --- the head --- */

/* Times are anything here: differences are modulo 2^64, as the reader's are. */
static void put_axis(struct buf *out, const struct builder *b)
{
    uint64_t last = 0;
    uint64_t step = 0;

    for (size_t s = 0; s < b->count; s++) {
        uint64_t t = (uint64_t)b->slices[s].t_ms;
        varint_put_signed(out, (int64_t)(t - last - step));
        step = s > 0 ? t - last : 0;
        last = t;
    }
    for (size_t s = 0; s < b->count; s++) {
        const struct codec_slice *now = &b->slices[s];
        varint_put_signed(out, (int64_t)((uint64_t)now->t_ms - (uint64_t)now->from_ms));
    }
    for (size_t s = 0; s < b->count; s++) {
        varint_put_signed(out, b->slices[s].every_ms);
    }
    for (size_t s = 0; s < b->count; s++) {
        buf_add_char(out, (char)b->slices[s].flags);
        if (b->slices[s].flags & SLICE_FAILED) {
            codec_put_bytes(out, b->slices[s].reason);
        }
    }
}

/* The slices that one object is in, as runs: gap, length, gap, length ... */
static void put_presence(struct buf *out, const struct builder *b, size_t object)
{
    size_t from = b->run_start[object];
    size_t end = b->run_start[object + 1];
    size_t runs = 0;

    for (size_t i = from; i < end; i++) {
        runs += i == from || b->slice_at[i] != b->slice_at[i - 1] + 1;
    }
    varint_put(out, runs);
    size_t after = 0;
    for (size_t i = from; i < end;) {
        size_t first = i++;
        while (i < end && b->slice_at[i] == b->slice_at[i - 1] + 1) {
            i++;
        }
        varint_put(out, b->slice_at[first] - after);
        varint_put(out, i - first);
        after = b->slice_at[first] + (i - first);
    }
}

static void put_rows(struct buf *out, const struct builder *b)
{
    if (b->slices[0].fact) {
        for (size_t s = 0; s < b->count; s++) {
            varint_put(out, b->slices[s].row_count);
        }
        return;
    }
    varint_put(out, b->same);
    varint_put(out, b->object_count);
    codec_put_ids(out, b->objects, b->object_count);
    for (size_t o = 0; !b->same && o < b->object_count; o++) {
        put_presence(out, b, o);
    }
}

/* gone and resets: slice number + 1, count, the list; 0 ends. Resets name places in the streams. */
static void put_marks(struct buf *out, const struct builder *b)
{
    for (size_t s = 0; s < b->count; s++) {
        if (b->slices[s].gone_count) {
            varint_put(out, s + 1);
            varint_put(out, b->slices[s].gone_count);
            codec_put_ids(out, b->slices[s].gone, b->slices[s].gone_count);
        }
    }
    varint_put(out, 0);
    for (size_t s = 0; s < b->count; s++) {
        const struct codec_slice *now = &b->slices[s];
        for (size_t i = 0; i < now->reset_count; i++) {
            varint_put(out, place_of(b, s, now->resets[i]) + 1);
        }
    }
    varint_put(out, 0);
}

static enum err_code put_head(struct builder *b, struct str *out, struct err *e)
{
    struct buf head;
    struct buf packed;

    buf_init(&head, BLOCK_PART_MAX);
    buf_init(&packed, BLOCK_PART_MAX);
    buf_add_char(&head, (char)b->slices[0].fact);
    varint_put(&head, b->slices[0].group);
    varint_put(&head, b->count);
    varint_put(&head, b->rows);
    put_axis(&head, b);
    put_rows(&head, b);
    put_marks(&head, b);
    varint_put(&head, b->part_count);
    varint_put(&head, b->stream_count);
    buf_add_str(&head, buf_view(&b->directory));

    bool small = head.len < HEAD_PACK_MIN;
    buf_add_char(&packed, BLOCK_VERSION);
    buf_add(&packed, "\0\0\0\0", BLOCK_SUM_BYTES);
    varint_put(&packed, small ? 0 : head.len);
    enum err_code code = buf_check(&head, e);
    if (code == ERR_OK && small) {
        buf_add_str(&packed, buf_view(&head));
        code = buf_check(&packed, e);
    } else if (code == ERR_OK) {
        code = pack_zstd(buf_view(&head), PACK_LEVEL, &packed, e);
    }
    if (code == ERR_OK) {
        put_sum(&packed, 1);
    }
    *out = arena_str(b->a, buf_view(&packed));
    buf_fini(&packed);
    buf_fini(&head);
    return code;
}

static enum err_code build(struct builder *b, struct err *e)
{
    enum err_code code = order_rows(b, e);

    b->values.tags = arena_array(b->a, b->rows, sizeof(*b->values.tags));
    b->values.bits = arena_array(b->a, b->rows, sizeof(*b->values.bits));
    code = code ? code : arena_check(b->a, e);
    if (code == ERR_OK && b->rows) {
        code = add_streams(b, BLOCK_KEY, e);
    }
    if (code == ERR_OK && b->rows) {
        code = add_streams(b, BLOCK_COLUMN, e);
    }
    return code == ERR_OK ? close_part(b, e) : code;
}

enum err_code block_build(struct arena *a, const struct block_input *in, struct block_packed *out,
                          struct err *e)
{
    struct builder b = {
        .a = a, .scratch = in->scratch, .in = in, .slices = in->slices, .count = in->count};

    for (size_t s = 0; s < in->count; s++) {
        b.rows += in->slices[s].row_count;
        b.widest = in->slices[s].row_count > b.widest ? in->slices[s].row_count : b.widest;
    }
    if (in->count == 0 || b.rows > BLOCK_ROWS_MAX) {
        return err_set(e, ERR_BUG, "block of %zu slices, %zu rows", in->count, b.rows);
    }
    buf_init(&b.pieces.params, BLOCK_PART_MAX);
    buf_init(&b.pieces.symbols, BLOCK_PART_MAX);
    buf_init(&b.pieces.fields, BLOCK_PART_MAX);
    buf_init(&b.lengths, BLOCK_PART_MAX);
    buf_init(&b.directory, BLOCK_PART_MAX);
    b.parts = arena_array(a, BLOCK_PARTS_MAX, sizeof(*b.parts));
    enum err_code code = build(&b, e);
    if (code == ERR_OK) {
        code = put_head(&b, &out->head, e);
    }
    out->parts = b.parts;
    out->part_count = b.part_count;
    buf_fini(&b.pieces.params);
    buf_fini(&b.pieces.symbols);
    buf_fini(&b.pieces.fields);
    buf_fini(&b.lengths);
    buf_fini(&b.directory);
    return code ? code : arena_check(a, e);
}
