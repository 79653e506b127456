/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_block.c: blocks of every version say what their slices said, by slice and by object.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/tsdb/codec/block.h"
#include "tsdb_samples.h"
#include "tsdb_v1_bytes.h"

#define ARENA_BYTES (64UL << 20)

static void assert_cell(const struct cell *got, const struct cell *want)
{
    assert_int_equal(got->tag, want->tag);
    if (want->tag == CELL_STR) {
        assert_true(str_eq(got->str, want->str));
    } else if (want->tag != CELL_NULL) {
        assert_memory_equal(&got->i64, &want->i64, sizeof(got->i64));
    }
}

static struct str load_stream(const struct block_view *v, const struct str *parts, struct arena *a,
                              unsigned id)
{
    const struct block_stream *s = block_find(v, BLOCK_COLUMN, id);
    struct str part;
    struct str bytes;
    struct err e = {0};

    assert_non_null(s);
    assert_int_equal(block_unpack_part(parts[s->part], a, &part, &e), ERR_OK);
    assert_int_equal(block_stream_bytes(s, part, &bytes, &e), ERR_OK);
    return bytes;
}

static void check_axis(const struct block_view *v, bool fact)
{
    assert_int_equal(v->group, 77);
    assert_int_equal(v->fact, fact);
    assert_int_equal(v->slice_count, SAMPLES_SLICES);
    for (unsigned s = 0; s < SAMPLES_SLICES; s++) {
        const struct codec_slice *c = &v->slices[s];
        assert_true(c->t_ms == 1700000000000 + s * 60000 && c->from_ms == c->t_ms - 60000);
        assert_int_equal(c->every_ms, 60000);
        assert_int_equal(c->flags, s == SAMPLES_FAILED ? SLICE_FAILED : SLICE_COMPLETE);
        assert_true(str_eq_c(c->reason, s == SAMPLES_FAILED ? "no route to host" : ""));
        assert_int_equal(c->gone_count, s == 3 && !fact);
        assert_true(c->gone_count == 0 || c->gone[0] == 99);
    }
}

/* Cells by slice; facts have no ids, but rows in the order of the objects. */
static void check_by_slice(struct str head, const struct str *parts, bool fact)
{
    struct block_view v;
    struct arena a;
    struct err e = {0};

    arena_init(&a, "test", ARENA_BYTES);
    assert_int_equal(block_open(head, &a, &v, &e), ERR_OK);
    check_axis(&v, fact);
    for (unsigned id = 1; id <= SAMPLES_COLUMNS; id++) {
        struct cell *cells = NULL;
        assert_int_equal(block_cells(&v, load_stream(&v, parts, &a, id), &a, &cells, &e), ERR_OK);
        for (unsigned s = 0; s < SAMPLES_SLICES; s++) {
            size_t row = v.row_start[s];
            assert_int_equal(v.slices[s].reset_count, s == 4);
            assert_true(s != 4 || v.slices[s].resets[0] == 1);
            for (unsigned o = 0; o < SAMPLES_OBJECTS; o++) {
                if (!samples_present(o, s)) {
                    continue;
                }
                struct cell want = samples_cell(id, o, s);
                assert_true(fact || v.slices[s].objects[row - v.row_start[s]] == o + 100);
                assert_cell(&cells[row++], &want);
            }
            assert_int_equal(row, v.row_start[s + 1]);
        }
    }
    arena_fini(&a);
}

static void check_number(double got, struct cell want)
{
    double v = cell_to_f64(want);

    if (want.tag == CELL_NULL || want.tag == CELL_STR) {
        assert_true(codec_is_absent(got));
    } else if (isnan(v)) {
        assert_true(isnan(got) && !codec_is_absent(got));
    } else {
        assert_memory_equal(&got, &v, sizeof(v));
    }
}

/* Numbers by object, all and one object alone. */
static void check_by_object(struct str head, const struct str *parts)
{
    struct block_view v;
    struct arena a;
    struct str plain;
    struct err e = {0};

    arena_init(&a, "test", ARENA_BYTES);
    assert_int_equal(block_open_by_object(head, &a, &v, &e), ERR_OK);
    check_axis(&v, false);
    assert_int_equal(block_plain_head(head, &a, &plain, &e), ERR_OK);
    assert_int_equal(block_open_by_object(plain, &a, &v, &e), ERR_OK);
    check_axis(&v, false);
    assert_int_equal(v.runs.count, SAMPLES_OBJECTS);
    for (unsigned id = 1; id <= SAMPLES_COLUMNS; id++) {
        struct str bytes = load_stream(&v, parts, &a, id);
        double all[SAMPLES_SLICES * SAMPLES_OBJECTS];
        const struct block_numbers every = {0, v.runs.count, all, NULL};
        assert_int_equal(block_get_numbers(&v, bytes, &every, &a, &e), ERR_OK);
        for (unsigned o = 0; o < SAMPLES_OBJECTS; o++) {
            double one[SAMPLES_SLICES];
            double some[SAMPLES_SLICES * SAMPLES_OBJECTS] = {0};
            unsigned char wanted[SAMPLES_OBJECTS] = {0};
            const struct block_numbers alone = {0, v.runs.count, some, wanted};
            wanted[o] = 1;
            size_t at = v.runs.start[o];
            assert_int_equal(v.objects[o], o + 100);
            assert_int_equal(block_doubles(&v, bytes, o, o + 1, one, &a, &e), ERR_OK);
            assert_int_equal(block_get_numbers(&v, bytes, &alone, &a, &e), ERR_OK);
            assert_true(o == 0 || some[at - 1] == 0);
            for (uint32_t i = v.span_start[o]; i < v.span_start[o + 1]; i++) {
                for (unsigned s = 0; s < v.spans[i].count; s++, at++) {
                    unsigned slice = v.spans[i].slice + s;
                    assert_true(samples_present(o, slice));
                    check_number(all[at], samples_cell(id, o, slice));
                    check_number(one[at - v.runs.start[o]], samples_cell(id, o, slice));
                    check_number(some[at], samples_cell(id, o, slice));
                }
            }
            assert_int_equal(at, v.runs.start[o + 1]);
        }
    }
    assert_int_equal(v.reset_count, 1);
    arena_fini(&a);
}

#define BYTES(name) str_make(name, sizeof(name))

static void check_journal(struct str bytes, bool fact)
{
    struct arena a;
    struct err e = {0};

    arena_init(&a, "test", ARENA_BYTES);
    for (unsigned s = 0; s < SAMPLES_SLICES; s++) {
        struct codec_slice c;
        struct str one;
        assert_true(codec_take_bytes(&bytes, &one));
        assert_int_equal(codec_get_slice(one, &a, &c, &e), ERR_OK);
        assert_int_equal(c.column_count, SAMPLES_COLUMNS);
        assert_int_equal(c.fact, fact);
        for (unsigned id = 1; id <= SAMPLES_COLUMNS; id++) {
            struct cell *cells = NULL;
            size_t row = 0;
            assert_int_equal(
                codec_get_column(c.columns[id - 1].stream, &a, c.row_count, &cells, &e), ERR_OK);
            for (unsigned o = 0; o < SAMPLES_OBJECTS; o++) {
                struct cell want = samples_cell(id, o, s);
                if (samples_present(o, s)) {
                    assert_cell(&cells[row++], &want);
                }
            }
            assert_int_equal(row, c.row_count);
        }
    }
    assert_int_equal(bytes.len, 0);
    arena_fini(&a);
}

static void test_version_1_is_read(void **state)
{
    const struct str part = BYTES(v1_part);
    const struct str fact_part = BYTES(v1_fact_part);
    (void)state;

    assert_int_equal(v1_head[0], 1);
    check_by_slice(BYTES(v1_head), &part, false);
    check_by_object(BYTES(v1_head), &part);
    check_by_slice(BYTES(v1_fact_head), &fact_part, true);
    check_journal(BYTES(v1_slices), false);
    check_journal(BYTES(v1_fact_slices), true);
}

enum from { FROM_CELLS, FROM_STREAMS, FROM_LOADER };

/* Cells that live until another column is asked for, as those of a merge do. */
struct loader {
    struct arena arena;
    unsigned id;
    bool key, fact;
};

static enum err_code load(void *arg, const struct block_ask *ask, const struct cell **cells,
                          struct err *e)
{
    struct loader *l = arg;
    bool key = ask->kind == BLOCK_KEY;
    struct codec_slice s;
    (void)e;

    if (ask->id != l->id || key != l->key) {
        arena_reset(&l->arena);
        l->id = ask->id;
        l->key = key;
    }
    samples_slice(&l->arena, (unsigned)ask->slice, l->fact, &s);
    *cells = key ? s.keys[0].cells : s.columns[ask->id - 1].cells;
    return ERR_OK;
}

/* A block of the sample slices. */
static void build(struct arena *a, bool fact, enum from from, struct block_packed *out)
{
    struct loader loader = {.fact = fact};
    struct codec_slice slices[SAMPLES_SLICES];
    struct arena scratch;
    struct err e = {0};

    arena_init(&scratch, "test", ARENA_BYTES);
    for (unsigned s = 0; s < SAMPLES_SLICES; s++) {
        samples_slice(a, s, fact, &slices[s]);
        for (unsigned c = 0; from == FROM_LOADER && c < SAMPLES_COLUMNS; c++) {
            slices[s].columns[c].cells = NULL;
        }
        if (from == FROM_STREAMS) {
            struct buf bytes;
            buf_init(&bytes, 1 << 20);
            codec_put_slice(&bytes, a, &slices[s]);
            struct str kept = arena_str(a, buf_view(&bytes));
            assert_int_equal(codec_get_slice(kept, a, &slices[s], &e), ERR_OK);
            buf_fini(&bytes);
        }
    }
    arena_init(&loader.arena, "test", ARENA_BYTES);
    const struct block_input in = {.slices = slices,
                                   .count = SAMPLES_SLICES,
                                   .scratch = &scratch,
                                   .load = from == FROM_LOADER ? load : NULL,
                                   .load_arg = &loader};
    if (block_build(a, &in, out, &e)) {
        fail_msg("build: %s", e.text);
    }
    arena_fini(&loader.arena);
    arena_fini(&scratch);
}

static void test_version_3_is_written_and_read(void **state)
{
    struct block_packed b;
    struct arena a;
    (void)state;

    arena_init(&a, "test", ARENA_BYTES);
    for (enum from from = FROM_CELLS; from <= FROM_LOADER; from++) {
        build(&a, false, from, &b);
        assert_int_equal(b.head.ptr[0], BLOCK_VERSION);
        check_by_slice(b.head, b.parts, false);
        check_by_object(b.head, b.parts);
        build(&a, true, from, &b);
        check_by_slice(b.head, b.parts, true);
    }
    arena_fini(&a);
}

static struct str joined(struct arena *a, const char *before, size_t len, struct str rest)
{
    char *out = arena_alloc(a, len + rest.len);

    assert_non_null(out);
    memcpy(out, before, len);
    memcpy(out + len, rest.ptr, rest.len);
    return str_make(out, len + rest.len);
}

/* Version 2 is version 3 without checksums. */
static void test_version_2_is_read(void **state)
{
    struct block_packed b;
    struct arena a;
    struct str head;
    (void)state;

    arena_init(&a, "test", ARENA_BYTES);
    for (int fact = 0; fact < 2; fact++) {
        build(&a, fact, FROM_CELLS, &b);
        head = str_make(b.head.ptr + 1 + BLOCK_SUM_BYTES, b.head.len - 1 - BLOCK_SUM_BYTES);
        head = joined(&a, "\2", 1, head);
        for (size_t i = 0; i < b.part_count; i++) {
            struct str part = b.parts[i];
            part = str_make(part.ptr + 2 + BLOCK_SUM_BYTES, part.len - 2 - BLOCK_SUM_BYTES);
            b.parts[i] = joined(&a, "\0", 1, part);
        }
        check_by_slice(head, b.parts, fact);
    }
    arena_fini(&a);
}

/* Every single bit that is other than it was is noticed. */
static void test_each_flipped_bit_is_noticed(void **state)
{
    struct block_packed b;
    struct block_view v;
    struct arena a, scratch;
    struct str part;
    struct err e;
    (void)state;

    arena_init(&a, "test", ARENA_BYTES);
    arena_init(&scratch, "test", ARENA_BYTES);
    build(&a, false, FROM_CELLS, &b);
    for (size_t bit = 0; bit < 8 * b.head.len; bit++) {
        char *byte = (char *)b.head.ptr + bit / 8;
        *byte ^= (char)(1 << bit % 8);
        arena_reset(&scratch);
        assert_int_equal(block_open(b.head, &scratch, &v, &e), ERR_CORRUPT);
        *byte ^= (char)(1 << bit % 8);
    }
    assert_true(b.part_count > 0);
    for (size_t bit = 0; bit < 8 * b.parts[0].len; bit++) {
        char *byte = (char *)b.parts[0].ptr + bit / 8;
        *byte ^= (char)(1 << bit % 8);
        arena_reset(&scratch);
        assert_int_equal(block_unpack_part(b.parts[0], &scratch, &part, &e), ERR_CORRUPT);
        *byte ^= (char)(1 << bit % 8);
    }
    arena_fini(&scratch);
    arena_fini(&a);
}

/* Objects that are in every slice take no presence, slices without rows no columns. */
static void test_dense_and_empty_blocks(void **state)
{
    struct codec_slice slices[200] = {{.group = 0}};
    struct cell cells[3] = {cell_i64(1), cell_f64(2.5), cell_u64(UINT64_MAX)};
    struct codec_column column = {.id = 4, .cells = cells};
    uint64_t objects[3] = {9, 5, 7}; /* in no order */
    struct arena a;
    struct arena scratch;
    struct block_packed b;
    struct block_view v;
    struct err e = {0};
    (void)state;

    arena_init(&a, "test", ARENA_BYTES);
    arena_init(&scratch, "test", ARENA_BYTES);
    for (int s = 0; s < 200; s++) {
        slices[s] = (struct codec_slice){.t_ms = s,
                                         .from_ms = s,
                                         .row_count = 3,
                                         .objects = objects,
                                         .columns = &column,
                                         .column_count = 1};
    }
    const struct block_input in = {.slices = slices, .count = 200, .scratch = &scratch};
    assert_int_equal(block_build(&a, &in, &b, &e), ERR_OK);
    assert_true(b.head.len < 120 && b.part_count == 1 && b.parts[0].len < 60);
    assert_int_equal(block_open(b.head, &a, &v, &e), ERR_OK);
    assert_int_equal(v.row_total, 600);
    assert_int_equal(v.slices[150].objects[2], 9);
    struct cell *back = NULL;
    assert_int_equal(block_cells(&v, load_stream(&v, b.parts, &a, 4), &a, &back, &e), ERR_OK);
    assert_true(back[450].f64 == 2.5 && back[451].u64 == UINT64_MAX && back[452].i64 == 1);
    for (int s = 0; s < 200; s++) {
        slices[s].row_count = 0;
    }
    assert_int_equal(block_build(&a, &in, &b, &e), ERR_OK);
    assert_int_equal(block_open(b.head, &a, &v, &e), ERR_OK);
    assert_true(v.row_total == 0 && v.slice_count == 200 && b.part_count == 0);
    arena_fini(&scratch);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1_is_read),
        cmocka_unit_test(test_version_3_is_written_and_read),
        cmocka_unit_test(test_version_2_is_read),
        cmocka_unit_test(test_each_flipped_bit_is_noticed),
        cmocka_unit_test(test_dense_and_empty_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
