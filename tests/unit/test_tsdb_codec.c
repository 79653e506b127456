/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_codec.c: every cell comes back bit for bit, and damaged bytes are refused, not
 * followed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "store/tsdb/codec/block.h"

static uint64_t seed = 88172645463325252ULL;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static struct cell edge_cell(unsigned kind)
{
    static const int64_t whole[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1LL << 53, (1LL << 53) + 1};
    static const double real[] = {0.0,
                                  -0.0,
                                  1.5,
                                  -0.001,
                                  1e300,
                                  5e-324,
                                  INFINITY,
                                  -INFINITY,
                                  0.1,
                                  1e15 + 0.5,
                                  9007199254740993.0};
    static const char *const text[] = {"", "a", "idle in transaction", "\xc3\xa9"};
    uint64_t bits = next_random();
    double any = 0;

    switch (kind % 6) {
    case 0:
        return cell_i64(whole[bits % 7]);
    case 1:
        return cell_u64(bits);
    case 2:
        return cell_f64(real[bits % 11]);
    case 3:
        memcpy(&any, &bits, sizeof(any)); /* NaN payloads too */
        return cell_f64(any);
    case 4:
        return cell_str(str_of(text[bits % 4]));
    default:
        return cell_f64((double)(int64_t)(bits % 2000000) / 1000);
    }
}

static void assert_cell(const struct cell *got, const struct cell *want)
{
    assert_int_equal(got->tag, want->tag);
    if (want->tag == CELL_STR) {
        assert_true(str_eq(got->str, want->str));
    } else if (want->tag != CELL_NULL) {
        assert_memory_equal(&got->i64, &want->i64, sizeof(got->i64));
    }
}

static void test_columns_come_back_bit_for_bit(void **state)
{
    struct arena a;
    (void)state;

    arena_init(&a, "test", 64 << 20);
    for (int round = 0; round < 3000; round++) {
        size_t n = next_random() % 70;
        unsigned kind = (unsigned)(next_random() % 8); /* 6, 7: mixed */
        struct cell cells[70];
        struct cell *back = NULL;
        struct buf out;
        struct err e = {0};
        buf_init(&out, 1 << 20);
        for (size_t i = 0; i < n; i++) {
            bool null = next_random() % 5 == 0 && round % 2;
            cells[i] = null ? (struct cell){.tag = CELL_NULL}
                            : edge_cell(kind < 6 ? kind : (unsigned)next_random());
        }
        codec_put_column(&out, &a, cells, n);
        assert_false(out.failed);
        if (codec_get_column(buf_view(&out), &a, n, &back, &e)) {
            fail_msg("round %d: %s", round, e.text);
        }
        for (size_t i = 0; i < n; i++) {
            assert_cell(&back[i], &cells[i]);
        }
        buf_fini(&out);
        arena_reset(&a);
    }
    arena_fini(&a);
}

#define SLICES 40
#define ROWS   12

/* Slices of one group; objects come and go when `sparse`. */
static void make_slices(struct arena *a, struct buf *bytes, struct codec_slice *out, bool fact)
{
    for (int s = 0; s < SLICES; s++) {
        size_t rows = next_random() % (ROWS + 1);
        struct codec_slice c = {.group = 7,
                                .t_ms = 1000000 + s * 10000 + (int64_t)(next_random() % 50),
                                .every_ms = 10000,
                                .flags = SLICE_COMPLETE,
                                .fact = fact,
                                .row_count = rows,
                                .column_count = 2};
        c.from_ms = c.t_ms - (int64_t)(next_random() % 3) * 5000;
        if (next_random() % 10 == 0) {
            c.flags = SLICE_FAILED;
            c.reason = STR("connection refused");
            c.row_count = rows = 0;
        }
        struct cell *cells = arena_array(a, 3 * ROWS, sizeof(*cells));
        struct codec_column *columns = arena_array(a, 3, sizeof(*columns));
        c.objects = arena_array(a, ROWS, sizeof(uint64_t));
        uint64_t id = 100;
        for (size_t i = 0; i < rows; i++) {
            id += 1 + next_random() % 3;
            c.objects[i] = id;
            cells[i] = edge_cell(0);
            cells[ROWS + i] = edge_cell((unsigned)next_random());
            cells[2 * ROWS + i] = edge_cell(4);
        }
        columns[0] = (struct codec_column){.id = 3, .cells = cells};
        columns[1] = (struct codec_column){.id = 9, .cells = cells + ROWS};
        columns[2] = (struct codec_column){.id = 0, .cells = cells + 2 * ROWS};
        c.columns = columns;
        c.keys = columns + 2;
        c.key_count = fact;
        uint64_t gone = 55;
        uint32_t reset = 0;
        c.gone = &gone;
        c.gone_count = !fact && s % 7 == 3;
        c.resets = &reset;
        c.reset_count = rows > 0 && s % 5 == 2;
        size_t at = bytes->len;
        codec_put_slice(bytes, a, &c);
        struct err e = {0};
        struct str copy = arena_str(a, str_make(bytes->ptr + at, bytes->len - at));
        if (codec_get_slice(copy, a, &out[s], &e)) {
            fail_msg("slice: %s", e.text);
        }
        assert_true(out[s].t_ms == c.t_ms && out[s].from_ms == c.from_ms);
        assert_int_equal(out[s].reset_count, c.reset_count);
    }
}

static size_t row_of(const struct codec_slice *s, uint64_t object, size_t row)
{
    for (size_t i = 0; s->objects && !s->fact && i < s->row_count; i++) {
        if (s->objects[i] == object) {
            return i;
        }
    }
    return row;
}

static void compare_block(struct arena *a, const struct codec_slice *slices,
                          const struct block_packed *packed)
{
    struct block_view v;
    struct err e = {0};

    if (block_open(packed->head, a, &v, &e)) {
        fail_msg("block: %s", e.text);
    }
    assert_int_equal(v.slice_count, SLICES);
    for (uint32_t id = 3; id <= 9; id += 6) {
        const struct block_stream *stream = block_find(&v, BLOCK_COLUMN, id);
        struct str part;
        struct str bytes;
        struct cell *cells = NULL;
        assert_non_null(stream);
        assert_int_equal(block_unpack_part(packed->parts[stream->part], a, &part, &e), ERR_OK);
        assert_int_equal(block_stream_bytes(stream, part, &bytes, &e), ERR_OK);
        assert_int_equal(block_cells(&v, bytes, a, &cells, &e), ERR_OK);
        for (size_t s = 0; s < SLICES; s++) {
            const struct codec_slice *want = &slices[s];
            struct cell *col = NULL;
            assert_true(v.slices[s].t_ms == want->t_ms && v.slices[s].from_ms == want->from_ms);
            assert_int_equal(v.slices[s].flags, want->flags);
            assert_int_equal(v.slices[s].row_count, want->row_count);
            assert_int_equal(v.slices[s].gone_count, want->gone_count);
            assert_int_equal(v.slices[s].reset_count, want->reset_count);
            assert_int_equal(
                codec_get_column(want->columns[id == 9].stream, a, want->row_count, &col, &e),
                ERR_OK);
            for (size_t i = 0; i < want->row_count; i++) {
                size_t at = want->fact ? i : row_of(want, v.slices[s].objects[i], i);
                assert_cell(&cells[v.row_start[s] + i], &col[at]);
            }
        }
    }
}

static void test_blocks_hold_what_the_slices_held(void **state)
{
    struct arena a;
    struct arena scratch;
    (void)state;

    arena_init(&a, "test", 256 << 20);
    arena_init(&scratch, "test", 256 << 20);
    for (int round = 0; round < 60; round++) {
        struct codec_slice slices[SLICES];
        struct block_packed packed;
        struct buf bytes;
        struct err e = {0};
        buf_init(&bytes, 1 << 24);
        make_slices(&a, &bytes, slices, round % 3 == 2);
        const struct block_input in = {.slices = slices, .count = SLICES, .scratch = &scratch};
        if (block_build(&a, &in, &packed, &e)) {
            fail_msg("build: %s", e.text);
        }
        compare_block(&a, slices, &packed);
        buf_fini(&bytes);
        arena_reset(&a);
        arena_reset(&scratch);
    }
    arena_fini(&a);
    arena_fini(&scratch);
}

/* Bytes changed at random: any answer but a crash is right. */
static void test_damaged_bytes_never_crash(void **state)
{
    struct arena a;
    struct arena scratch;
    struct codec_slice slices[SLICES];
    struct block_packed packed;
    struct buf bytes;
    struct err e = {0};
    size_t refused = 0;
    (void)state;

    arena_init(&a, "test", 256 << 20);
    arena_init(&scratch, "test", 64 << 20);
    buf_init(&bytes, 1 << 24);
    make_slices(&a, &bytes, slices, false);
    const struct block_input in = {.slices = slices, .count = SLICES, .scratch = &scratch};
    assert_int_equal(block_build(&a, &in, &packed, &e), ERR_OK);
    buf_reset(&bytes);
    for (int round = 0; round < 20000; round++) {
        struct block_view v;
        struct codec_slice s;
        struct cell *cells = NULL;
        char copy[2048];
        size_t len = packed.head.len < sizeof(copy) ? packed.head.len : sizeof(copy);
        memcpy(copy, packed.head.ptr, len);
        for (uint64_t hits = 1 + next_random() % 4; hits > 0; hits--) {
            copy[next_random() % len] = (char)next_random();
        }
        len -= next_random() % 8 == 0 ? next_random() % len : 0;
        arena_reset(&scratch);
        refused += block_open(str_make(copy, len), &scratch, &v, &e) != ERR_OK;
        arena_reset(&scratch);
        refused += codec_get_slice(str_make(copy, len), &scratch, &s, &e) != ERR_OK;
        copy[0] = (char)(next_random() % 0x40);
        refused += codec_get_column(str_make(copy, len), &scratch, next_random() % 300, &cells,
                                    &e) != ERR_OK;
    }
    assert_true(refused > 30000);
    buf_fini(&bytes);
    arena_fini(&a);
    arena_fini(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_come_back_bit_for_bit),
        cmocka_unit_test(test_blocks_hold_what_the_slices_held),
        cmocka_unit_test(test_damaged_bytes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
