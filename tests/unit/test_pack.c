/* SPDX-License-Identifier: PostgreSQL */
/* test_pack.c: round trips, bombs, two members, cut and damaged input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "base/pack.h"

#define BIG ((size_t)1 << 20)

static void fill(struct buf *b, size_t len, unsigned seed)
{
    buf_init(b, len);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1103515245U + 12345U;
        buf_add_char(b, (char)('a' + (seed >> 24) % 8));
    }
}

static enum err_code pack_as(enum pack_kind kind, struct str in, struct buf *out, struct err *e)
{
    return kind == PACK_GZIP ? pack_gzip(in, 6, out, e) : pack_zstd(in, 3, out, e);
}

static void both_kinds_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 70000, 300000};
    static const enum pack_kind kinds[] = {PACK_GZIP, PACK_ZSTD};
    struct buf plain, packed, back;
    struct err e;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        fill(&plain, sizes[i / 2], (unsigned)i);
        buf_init(&packed, BIG);
        buf_init(&back, sizes[i / 2]); /* exactly enough */
        assert_int_equal(pack_as(kinds[i % 2], buf_view(&plain), &packed, &e), ERR_OK);
        assert_int_equal(pack_sniff(buf_view(&packed)), kinds[i % 2]);
        assert_int_equal(pack_unpack(buf_view(&packed), kinds[i % 2], &back, &e), ERR_OK);
        assert_true(str_eq(buf_view(&plain), buf_view(&back)));
        buf_fini(&plain);
        buf_fini(&packed);
        buf_fini(&back);
    }
}

static void plain_passes_within_the_maximum(void **state)
{
    struct buf out;
    struct err e;

    (void)state;
    assert_int_equal(pack_sniff(STR("{}")), PACK_PLAIN);
    assert_int_equal(pack_sniff((struct str){NULL, 0}), PACK_PLAIN);
    buf_init(&out, 3);
    assert_int_equal(pack_unpack(STR("abc"), PACK_PLAIN, &out, &e), ERR_OK);
    assert_int_equal(pack_unpack(STR("d"), PACK_PLAIN, &out, &e), ERR_LIMIT);
    buf_fini(&out);
}

static void bombs_end_at_the_maximum(void **state)
{
    static const enum pack_kind kinds[] = {PACK_GZIP, PACK_ZSTD};
    char *zeros = calloc(16, BIG);
    struct buf packed, out;
    struct err e;

    (void)state;
    for (int i = 0; i < 2; i++) {
        buf_init(&packed, BIG);
        buf_init(&out, BIG);
        assert_int_equal(pack_as(kinds[i], str_make(zeros, 16 * BIG), &packed, &e), ERR_OK);
        assert_true(packed.len < 20000);
        assert_int_equal(pack_unpack(buf_view(&packed), kinds[i], &out, &e), ERR_LIMIT);
        assert_int_equal(out.len, 0);
        if (kinds[i] == PACK_GZIP) { /* a trailer that lies about the length */
            memset(packed.ptr + packed.len - 4, 0, 4);
            packed.ptr[packed.len - 4] = 100;
            assert_int_equal(pack_unpack(buf_view(&packed), PACK_GZIP, &out, &e), ERR_INVALID);
            memset(packed.ptr + packed.len - 4, 0xFF, 4);
            assert_int_equal(pack_unpack(buf_view(&packed), PACK_GZIP, &out, &e), ERR_INVALID);
        }
        assert_true(out.cap <= BIG + 1);
        buf_fini(&packed);
        buf_fini(&out);
    }
    free(zeros);
}

/* A zstd frame that does not say how long its content is. */
static void pack_stream(struct str in, char *out, size_t size, size_t *len)
{
    ZSTD_CCtx *ctx = ZSTD_createCCtx();
    ZSTD_inBuffer from = {in.ptr, in.len, 0};
    ZSTD_outBuffer to = {out, size, 0};

    while (from.pos < from.size)
        (void)ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_flush);
    while (ZSTD_compressStream2(ctx, &to, &from, ZSTD_e_end) > 0)
        ;
    *len = to.pos;
    (void)ZSTD_freeCCtx(ctx);
}

static void frames_of_unknown_length_are_bounded_too(void **state)
{
    static char packed[300000];
    struct buf plain, out;
    struct err e;
    size_t len;

    (void)state;
    fill(&plain, 500000, 1);
    pack_stream(buf_view(&plain), packed, sizeof(packed), &len);
    assert_true(ZSTD_getFrameContentSize(packed, len) == ZSTD_CONTENTSIZE_UNKNOWN);
    buf_init(&out, 500000);
    assert_int_equal(pack_unpack(str_make(packed, len), PACK_ZSTD, &out, &e), ERR_OK);
    assert_true(str_eq(buf_view(&plain), buf_view(&out)));
    buf_fini(&out);
    buf_init(&out, 499999);
    assert_int_equal(pack_unpack(str_make(packed, len), PACK_ZSTD, &out, &e), ERR_LIMIT);
    buf_fini(&out);
    buf_init(&out, 500000);
    assert_int_equal(pack_unpack(str_make(packed, len - 5), PACK_ZSTD, &out, &e), ERR_INVALID);
    buf_fini(&out);
    buf_fini(&plain);
}

static void exactly_one_member(void **state)
{
    static const enum pack_kind kinds[] = {PACK_GZIP, PACK_ZSTD};
    struct buf packed, out;
    struct err e;

    (void)state;
    for (int i = 0; i < 2; i++) {
        size_t one;

        buf_init(&packed, BIG);
        buf_init(&out, BIG);
        assert_int_equal(pack_as(kinds[i], STR("first"), &packed, &e), ERR_OK);
        one = packed.len;
        assert_int_equal(pack_as(kinds[i], STR("other"), &packed, &e), ERR_OK);
        assert_int_equal(pack_unpack(buf_view(&packed), kinds[i], &out, &e), ERR_INVALID);
        buf_truncate(&packed, one);
        buf_add_char(&packed, '\0');
        assert_int_equal(pack_unpack(buf_view(&packed), kinds[i], &out, &e), ERR_INVALID);
        for (size_t cut = 0; cut < one; cut++)
            assert_int_equal(pack_unpack(str_make(packed.ptr, cut), kinds[i], &out, &e),
                             ERR_INVALID);
        buf_reset(&out);
        assert_int_equal(pack_unpack(str_make(packed.ptr, one), kinds[i], &out, &e), ERR_OK);
        assert_string_equal(out.ptr, "first");
        buf_fini(&packed);
        buf_fini(&out);
    }
}

static void flipped_bits_never_pass_gzip(void **state)
{
    struct buf plain, packed, out;
    struct err e;

    (void)state;
    fill(&plain, 2000, 5);
    buf_init(&packed, BIG);
    buf_init(&out, BIG);
    assert_int_equal(pack_gzip(buf_view(&plain), 6, &packed, &e), ERR_OK);
    for (size_t i = 10; i < packed.len; i++) { /* behind the header, whose time is free */
        packed.ptr[i] ^= 4;
        assert_int_not_equal(pack_unpack(buf_view(&packed), PACK_GZIP, &out, &e), ERR_OK);
        assert_int_equal(out.len, 0);
        packed.ptr[i] ^= 4;
    }
    buf_fini(&plain);
    buf_fini(&packed);
    buf_fini(&out);
}

static void packing_keeps_the_maximum(void **state)
{
    struct buf plain, out;
    struct err e;

    (void)state;
    fill(&plain, 10000, 5);
    buf_init(&out, 100);
    assert_int_equal(pack_gzip(buf_view(&plain), 6, &out, &e), ERR_LIMIT);
    assert_int_equal(pack_zstd(buf_view(&plain), 3, &out, &e), ERR_LIMIT);
    assert_int_equal(out.len, 0);
    buf_fini(&plain);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_round_trip),
        cmocka_unit_test(plain_passes_within_the_maximum),
        cmocka_unit_test(bombs_end_at_the_maximum),
        cmocka_unit_test(frames_of_unknown_length_are_bounded_too),
        cmocka_unit_test(exactly_one_member),
        cmocka_unit_test(flipped_bits_never_pass_gzip),
        cmocka_unit_test(packing_keeps_the_maximum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
