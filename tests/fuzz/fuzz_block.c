/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_block.c: bytes of a day file: two bytes of length, the head of a block, a part with its
 * streams.
 *
 * What the reader by slice and the reader by object take must be the same rows and numbers.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "store/tsdb/codec/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cells by slice against numbers by object. */
static void compare(const struct block_view *v, const struct cell *cells, const double *numbers)
{
    for (size_t i = 0; i < v->row_total; i++) {
        const struct cell *c = &cells[v->row_of ? v->row_of[i] : i];
        double number = numbers[i];
        double want = cell_to_f64(*c);
        if (c->tag == CELL_NULL || c->tag == CELL_STR) {
            assert(codec_is_absent(number));
        } else if (want != want) {
            assert(number != number && !codec_is_absent(number));
        } else {
            assert(memcmp(&number, &want, sizeof(want)) == 0);
        }
    }
}

static void read_stream(const struct block_view *v, const struct block_view *by_object,
                        const struct block_stream *s, struct str part, struct arena *a)
{
    struct str bytes;
    struct cell *cells = NULL;
    struct err e;
    double *numbers = arena_array(a, v->row_total, sizeof(*numbers));

    if (!numbers || block_stream_bytes(s, part, &bytes, &e)) {
        return;
    }
    enum err_code code = block_cells(v, bytes, a, &cells, &e);
    if (code == ERR_LIMIT) {
        return;
    }
    const struct block_numbers want = {0, v->runs.count, numbers, NULL};
    enum err_code same = block_get_numbers(by_object, bytes, &want, a, &e);
    if (code == ERR_OK && same == ERR_OK) {
        compare(v, cells, numbers);
    } else {
        /* streams of version 1 know no runs */
        assert(code || same == ERR_LIMIT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct block_view v;
    struct block_view by_object;
    struct str part;
    struct str plain;
    struct arena a;
    struct err e;
    size_t head_len = size > 2 ? (size_t)data[0] | (size_t)data[1] << 8 : 0;

    if (size <= 2 || head_len > size - 2) {
        return 0;
    }
    struct str head = str_make(data + 2, head_len);
    struct str rest = str_make(data + 2 + head_len, size - 2 - head_len);
    arena_init(&a, "fuzz", 64 << 20);
    if (block_open(head, &a, &v, &e) == ERR_OK &&
        block_plain_head(head, &a, &plain, &e) == ERR_OK &&
        block_open_by_object(plain, &a, &by_object, &e) == ERR_OK) {
        if (block_unpack_part(rest, &a, &part, &e)) {
            part = rest;
        }
        for (size_t i = 0; i < v.stream_count && !a.overflow; i++) {
            read_stream(&v, &by_object, &v.streams[i], part, &a);
        }
    }
    arena_fini(&a);
    return 0;
}
