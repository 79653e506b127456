/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_runs.c: a column stream in runs: a byte with their number, a byte with the length of each,
 * the stream.
 *
 * Numbers must be those of the cells, also when other runs are passed over; and the cells, written
 * again, must be read again.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/tsdb/codec/codec_runs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_cell(const struct cell *a, const struct cell *b)
{
    return a->tag == b->tag &&
           (a->tag == CELL_NULL ||
            (a->tag == CELL_STR ? str_eq(a->str, b->str) : memcmp(&a->i64, &b->i64, 8) == 0));
}

static void check_numbers(struct str in, struct arena *a, const struct codec_runs *runs,
                          const struct cell *cells)
{
    struct err e;

    for (size_t from = 0; from <= runs->count; from++) {
        size_t n = runs->start[runs->count] - runs->start[from];
        double *out = malloc(n * sizeof(*out) + 1); /* exactly: the sanitizer sees one beyond */
        const struct codec_doubles want = {runs, from, runs->count, out, NULL};
        assert(codec_get_doubles(in, a, &want, &e) == ERR_OK);
        for (size_t i = 0; i < n; i++) {
            const struct cell *c = &cells[runs->start[from] + i];
            double v = cell_to_f64(*c);
            bool none = c->tag == CELL_NULL || c->tag == CELL_STR;
            assert(codec_is_absent(out[i]) == none);
            assert(none || (v != v ? out[i] != out[i] : memcmp(&v, &out[i], 8) == 0));
        }
        free(out);
    }
}

static void write_again(struct arena *a, const struct codec_runs *runs, const struct cell *cells)
{
    size_t n = runs->start[runs->count];
    struct codec_pieces p;
    struct codec_values v = {arena_array(a, n, 1), arena_array(a, n, sizeof(uint64_t))};
    struct cell *back = NULL;
    struct err e;

    for (size_t i = 0; i < n; i++) {
        if (!codec_set_value(&v, i, &cells[i])) {
            return;
        }
    }
    buf_init(&p.params, 1 << 24);
    buf_init(&p.symbols, 1 << 24);
    buf_init(&p.fields, 1 << 24);
    codec_put_runs(&p, a, &v, runs);
    buf_add_str(&p.params, buf_view(&p.symbols));
    buf_add_str(&p.params, buf_view(&p.fields));
    assert(codec_get_runs(buf_view(&p.params), a, &(struct codec_cells){runs, NULL}, &back, &e) ==
           ERR_OK);
    for (size_t i = 0; i < n; i++) {
        assert(same_cell(&back[i], &cells[i]));
    }
    buf_fini(&p.params);
    buf_fini(&p.symbols);
    buf_fini(&p.fields);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t start[17] = {0};
    struct codec_runs runs = {start, size ? data[0] % 17 : 0};
    struct cell *cells = NULL;
    struct arena a;
    struct err e;

    if (size < 1 + runs.count) {
        return 0;
    }
    for (size_t i = 0; i < runs.count; i++) {
        start[i + 1] = start[i] + data[1 + i];
    }
    struct str in = str_make(data + 1 + runs.count, size - 1 - runs.count);
    arena_init(&a, "fuzz", 64 << 20);
    if (codec_get_runs(in, &a, &(struct codec_cells){&runs, NULL}, &cells, &e) == ERR_OK) {
        check_numbers(in, &a, &runs, cells);
        write_again(&a, &runs, cells);
    }
    arena_fini(&a);
    return 0;
}
