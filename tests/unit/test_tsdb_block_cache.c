/* SPDX-License-Identifier: PostgreSQL */
/* test_tsdb_block_cache.c: what was put is found until newer things took its place. */
#include "store/tsdb/read/block_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CACHE_BYTES 65536

static struct block_cache_key key_of(uint64_t n)
{
    return (struct block_cache_key){.file = 1, .day = 20000, .group = 7, .lsn = 9, .block = n};
}

static void put(struct block_cache *c, uint64_t n, size_t len)
{
    char bytes[32768];
    const struct block_cache_key key = key_of(n);

    memset(bytes, (int)('a' + n % 26), sizeof(bytes));
    block_cache_put(c, &key, str_make(bytes, len));
}

/* Whether it is there; its bytes are looked at. */
static bool has(struct block_cache *c, uint64_t n, size_t len)
{
    const struct block_cache_key key = key_of(n);
    struct arena a;
    struct str got;

    arena_init(&a, "test", 1UL << 20);
    bool found = block_cache_get(c, &key, &a, &got);
    if (found) {
        assert_int_equal(got.len, len);
    }
    for (size_t i = 0; found && i < len; i++) {
        assert_int_equal(got.ptr[i], 'a' + n % 26);
    }
    arena_fini(&a);
    return found;
}

static void test_what_was_put_is_found(void **state)
{
    struct block_cache *c = block_cache_new(CACHE_BYTES);
    struct block_cache_key other = key_of(1);
    struct arena a;
    struct str got;

    (void)state;
    arena_init(&a, "test", 1UL << 20);
    assert_false(has(c, 1, 100));
    put(c, 1, 100);
    put(c, 2, 0);
    put(c, 1, 100);
    assert_true(has(c, 1, 100));
    assert_true(has(c, 2, 0));
    other.lsn++; /* an id that came again */
    assert_false(block_cache_get(c, &other, &a, &got));
    other = key_of(1);
    other.what = BLOCK_CACHE_HEAD;
    assert_false(block_cache_get(c, &other, &a, &got));
    arena_fini(&a);
    block_cache_free(c);
}

static void test_old_things_make_room(void **state)
{
    struct block_cache *c = block_cache_new(CACHE_BYTES);

    (void)state;
    for (uint64_t n = 0; n < 1000; n++) {
        put(c, n, (n * 37) % 3000);
        assert_true(has(c, n, (n * 37) % 3000));
    }
    assert_false(has(c, 0, 0));
    assert_false(has(c, 900, (900 * 37) % 3000));
    assert_true(has(c, 998, (998 * 37) % 3000));
    block_cache_free(c);
}

static void test_what_is_asked_for_stays(void **state)
{
    struct block_cache *c = block_cache_new(CACHE_BYTES);

    (void)state;
    put(c, 5, 1000);
    for (uint64_t n = 10; n < 500; n++) {
        put(c, n, 1500);
        assert_true(has(c, 5, 1000));
    }
    block_cache_free(c);
}

static void test_large_things_are_not_kept(void **state)
{
    struct block_cache *c = block_cache_new(CACHE_BYTES);

    (void)state;
    put(c, 1, 100);
    put(c, 2, CACHE_BYTES / 8 + 1);
    assert_true(has(c, 1, 100));
    assert_false(has(c, 2, 0));
    put(c, 3, CACHE_BYTES / 8);
    assert_true(has(c, 3, CACHE_BYTES / 8));
    block_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put_is_found),
        cmocka_unit_test(test_old_things_make_room),
        cmocka_unit_test(test_what_is_asked_for_stays),
        cmocka_unit_test(test_large_things_are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
