/* SPDX-License-Identifier: PostgreSQL */
/* test_arena.c: caps, the sticky overflow flag, alignment, zeroing, reuse; alloc's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/arena.h"

static void blocks_are_aligned_zeroed_and_distinct(void **state)
{
    struct arena a;
    char *last = NULL;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (size_t size = 0; size < 300; size += 7) {
        char *block = arena_alloc(&a, size);

        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 16, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0x5A, size);
        assert_ptr_not_equal(block, last);
        last = block;
    }
    assert_int_equal(arena_check(&a, NULL), ERR_OK);
    arena_fini(&a);
}

static void overflow_is_sticky_until_reset(void **state)
{
    struct arena a;
    struct err e;

    (void)state;
    arena_init(&a, "small", 1024);
    assert_non_null(arena_alloc(&a, 1000));
    assert_null(arena_alloc(&a, 1000));
    assert_null(arena_alloc(&a, 1)); /* would fit, but somebody missed his block already */
    assert_null(arena_strndup(&a, "x", 1));
    assert_null(arena_str(&a, STR("x")).ptr);
    assert_int_equal(arena_check(&a, &e), ERR_LIMIT);
    assert_non_null(strstr(e.text, "small"));
    assert_non_null(strstr(e.text, "1024"));
    arena_reset(&a);
    assert_int_equal(arena_check(&a, &e), ERR_OK);
    assert_non_null(arena_alloc(&a, 1024));
    assert_true(a.used_bytes <= a.cap_bytes);
    arena_fini(&a);
}

static void sizes_that_wrap_around_overflow(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, "test", SIZE_MAX);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_true(a.overflow);
    arena_reset(&a);
    assert_null(arena_alloc(&a, SIZE_MAX - 4));
    arena_reset(&a);
    assert_null(arena_strndup(&a, "", SIZE_MAX));
    arena_fini(&a);
}

static void reset_gives_zeroed_memory_again(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (int round = 0; round < 3; round++) {
        char *big = arena_alloc(&a, 100000), *small = arena_alloc(&a, 100);

        assert_int_equal(big[99999], 0);
        assert_int_equal(small[0], 0);
        memset(big, 1, 100000);
        memset(small, 1, 100);
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    arena_fini(&a);
    arena_fini(&a); /* harmless */
}

static void text_is_copied_and_formatted(void **state)
{
    struct arena a;
    struct str s;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(arena_cstr(&a, STR("abc")), "abc");
    assert_string_equal(arena_cstr(&a, (struct str){NULL, 0}), "");
    s = arena_str(&a, STR("abc"));
    assert_int_equal(s.len, 3);
    arena_fini(&a);
}

static void reserved_memory_stays_over_resets(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    arena_reserve(&a, 100000);
    assert_int_equal(a.used_bytes, 0);
    char *first = arena_alloc(&a, 60000);
    char *second = arena_alloc(&a, 30000);
    /* of one chunk; a sanitizer keeps a gap between the two */
    assert_in_range(second - first, 60000, 70000);
    memset(first, 1, 60000);
    arena_reset(&a);
    arena_reserve(&a, 100000);
    assert_ptr_equal(arena_alloc(&a, 90000), first);
    assert_int_equal(first[0], 0);
    arena_fini(&a);
}

static int refusals;

static void *refuse(void *old, size_t size)
{
    (void)old;
    (void)size;
    refusals++;
    return NULL;
}

static void exhausted_memory_is_an_overflow(void **state)
{
    static const struct alloc_ops broken = {.resize = refuse, .release = free};
    const struct alloc_ops *old = alloc_ops_set(&broken);
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_null(arena_alloc(&a, 10));
    assert_null(alloc_try(NULL, 10));
    assert_int_equal(refusals, 2);
    assert_true(a.overflow);
    assert_ptr_equal(alloc_ops_set(NULL), &broken);
    (void)alloc_ops_set(old);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_zeroed_and_distinct),
        cmocka_unit_test(overflow_is_sticky_until_reset),
        cmocka_unit_test(sizes_that_wrap_around_overflow),
        cmocka_unit_test(reset_gives_zeroed_memory_again),
        cmocka_unit_test(text_is_copied_and_formatted),
        cmocka_unit_test(reserved_memory_stays_over_resets),
        cmocka_unit_test(exhausted_memory_is_an_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
