/* SPDX-License-Identifier: PostgreSQL */
/* test_buf.c: the maximum, the sticky failure, termination; varints, which are written into one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/varint.h"

static void empty_is_terminated(void **state)
{
    struct buf b;
    size_t len = 1;
    char *taken;

    (void)state;
    buf_init(&b, 10);
    assert_string_equal(b.ptr, "");
    buf_add(&b, NULL, 0);
    buf_reset(&b);
    assert_int_equal(buf_view(&b).len, 0);
    taken = buf_take(&b, &len);
    assert_string_equal(taken, "");
    assert_int_equal(len, 0);
    alloc_free(taken);
    buf_fini(&b);
    buf_fini(&b);
}

static void the_maximum_is_exact_and_failure_sticks(void **state)
{
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 5);
    buf_add_c(&b, "12345");
    assert_int_equal(buf_check(&b, &e), ERR_OK);
    buf_add_char(&b, '6');
    assert_int_equal(buf_check(&b, &e), ERR_LIMIT);
    assert_string_equal(b.ptr, "12345");
    buf_truncate(&b, 2);
    buf_add_char(&b, '3'); /* still failed */
    assert_string_equal(b.ptr, "12");
    assert_null(buf_room(&b, 1));
    buf_reset(&b);
    buf_printf(&b, "%s", "abcde");
    assert_string_equal(b.ptr, "abcde");
    buf_reset(&b);
    buf_printf(&b, "%s", "abcdef");
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    buf_fini(&b);
}

static void many_appends_grow(void **state)
{
    struct buf b;
    size_t len;
    char *taken;

    (void)state;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%04d", i);
    assert_int_equal(b.len, 40000);
    assert_int_equal(strlen(b.ptr), 40000);
    assert_memory_equal(b.ptr + 4 * 1234, "1234", 4);
    taken = buf_take(&b, &len);
    assert_int_equal(len, 40000);
    assert_int_equal(b.len, 0);
    buf_add_c(&b, "again");
    assert_string_equal(b.ptr, "again");
    alloc_free(taken);
    buf_fini(&b);
}

static void room_can_be_filled_by_hand(void **state)
{
    struct buf b;
    char *to;

    (void)state;
    buf_init(&b, SIZE_MAX); /* no bound: must not wrap around */
    to = buf_room(&b, 100);
    assert_non_null(to);
    memset(to, 'x', 100);
    buf_grew(&b, 40);
    assert_int_equal(strlen(b.ptr), 40);
    assert_null(buf_room(&b, SIZE_MAX - 10));
    buf_fini(&b);
}

static void integers_are_exact(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, 0);
    buf_add_i64(&b, -1);
    assert_string_equal(b.ptr, "-9223372036854775808 9223372036854775807 18446744073709551615 0-1");
    buf_fini(&b);
}

static void varints_round_trip(void **state)
{
    static const int64_t values[] = {0,   1,   -1,  63,      64,        -64,
                                     -65, 127, 128, 1 << 20, INT64_MAX, INT64_MIN};
    struct buf b;
    struct str in;
    int64_t got;
    uint64_t big;

    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        varint_put_signed(&b, values[i]);
    varint_put(&b, UINT64_MAX);
    in = buf_view(&b);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_true(varint_take_signed(&in, &got));
        assert_true(got == values[i]);
    }
    assert_int_equal(in.len, 10);
    assert_true(varint_take(&in, &big));
    assert_true(big == UINT64_MAX);
    assert_int_equal(in.len, 0);
    assert_false(varint_take(&in, &big));
    buf_fini(&b);
}

static void broken_varints_are_refused_and_leave_the_input(void **state)
{
    static const char *const broken[] = {
        "\x80",
        "\xFF\xFF",
        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02", /* 65 bits */
        "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
        "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", /* eleven bytes */
    };
    uint64_t value = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        struct str in = str_of(broken[i]);

        assert_false(varint_take(&in, &value));
        assert_int_equal(in.len, strlen(broken[i]));
        assert_int_equal(value, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_terminated),
        cmocka_unit_test(the_maximum_is_exact_and_failure_sticks),
        cmocka_unit_test(many_appends_grow),
        cmocka_unit_test(room_can_be_filled_by_hand),
        cmocka_unit_test(integers_are_exact),
        cmocka_unit_test(varints_round_trip),
        cmocka_unit_test(broken_varints_are_refused_and_leave_the_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
