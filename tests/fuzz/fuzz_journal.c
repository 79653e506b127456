/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_journal.c: the slices of a journal row, each with its length before it, as replay and flush
 * read them. What can be read becomes a block, and that must say the same.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/tsdb/codec/block.h"

#define SLICES_MAX 64
#define ROWS_MAX   4096 /* of all slices: keeps one input fast */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->tag == b->tag &&
           (a->tag == CELL_NULL ||
            (a->tag == CELL_STR ? str_eq(a->str, b->str) : memcmp(&a->i64, &b->i64, 8) == 0));
}

static size_t row_of(const struct codec_slice *s, const struct codec_slice *in_block, size_t row)
{
    for (size_t i = 0; !s->fact && i < s->row_count; i++) {
        if (s->objects[i] == in_block->objects[row]) {
            return i;
        }
    }
    return row;
}

static bool each_once(const struct codec_column *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (columns[i].id == columns[j].id) {
                return false;
            }
        }
    }
    return true;
}

static const struct codec_column *column_of(const struct codec_slice *s, uint32_t id)
{
    for (size_t i = 0; i < s->column_count; i++) {
        if (s->columns[i].id == id) {
            return &s->columns[i];
        }
    }
    return NULL;
}

static void check_stream(const struct block_view *v, const struct block_packed *b,
                         const struct block_stream *stream, const struct codec_slice *slices,
                         struct arena *a)
{
    struct str part;
    struct str bytes;
    struct cell *cells = NULL;
    struct err e;

    assert(block_unpack_part(b->parts[stream->part], a, &part, &e) == ERR_OK);
    assert(block_stream_bytes(stream, part, &bytes, &e) == ERR_OK);
    assert(block_cells(v, bytes, a, &cells, &e) == ERR_OK);
    for (size_t s = 0; stream->kind == BLOCK_COLUMN && s < v->slice_count; s++) {
        const struct codec_column *c = column_of(&slices[s], stream->id);
        struct cell *want = NULL;
        if (!c || codec_get_column(c->stream, a, slices[s].row_count, &want, &e)) {
            continue;
        }
        for (size_t i = 0; i < slices[s].row_count; i++) {
            size_t row = row_of(&slices[s], &v->slices[s], i);
            assert(same_cell(&cells[v->row_start[s] + i], &want[row]));
        }
    }
}

static void build(const struct codec_slice *slices, size_t count, struct arena *a)
{
    struct arena scratch;
    struct block_packed packed;
    struct block_view v;
    struct err e;
    const struct block_input in = {.slices = slices, .count = count, .scratch = &scratch};

    arena_init(&scratch, "fuzz", 64 << 20);
    if (block_build(a, &in, &packed, &e) == ERR_OK) {
        assert(block_open(packed.head, a, &v, &e) == ERR_OK);
        assert(v.slice_count == count && v.fact == slices[0].fact);
        for (size_t s = 0; s < count; s++) {
            assert(v.slices[s].t_ms == slices[s].t_ms && v.slices[s].from_ms == slices[s].from_ms);
            assert(v.slices[s].row_count == slices[s].row_count);
            assert(v.slices[s].gone_count == slices[s].gone_count);
        }
        for (size_t i = 0; i < v.stream_count; i++) {
            check_stream(&v, &packed, &v.streams[i], slices, a);
        }
    }
    arena_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size);
    struct codec_slice slices[SLICES_MAX];
    struct arena a;
    struct err e;
    struct str one;
    size_t count = 0;
    size_t rows = 0;

    arena_init(&a, "fuzz", 64 << 20);
    while (rest.len && codec_take_bytes(&rest, &one)) {
        struct codec_slice peeked;
        struct codec_slice *s = &slices[count];
        enum err_code code = codec_get_slice(one, &a, s, &e);
        assert(code || codec_peek_slice(one, &peeked, &e) == ERR_OK);
        if (code == ERR_OK && count + 1 < SLICES_MAX && rows + s->row_count <= ROWS_MAX &&
            s->fact == slices[0].fact && each_once(s->columns, s->column_count)) {
            rows += s->row_count;
            count++;
        }
    }
    if (count) {
        build(slices, count, &a);
    }
    arena_fini(&a);
    return 0;
}
