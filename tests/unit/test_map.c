/* SPDX-License-Identifier: PostgreSQL */
/* test_map.c: growth, replacement, removal, order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"

#define MANY 5000

static struct str key_of(int i, char *text, size_t size)
{
    (void)snprintf(text, size, "key %d", i);
    return str_of(text);
}

static void it_grows_and_keeps_the_order(void **state)
{
    static int values[MANY];
    struct map *m = map_new();
    char text[32];
    struct str key;
    void *value;
    size_t pos = 0;

    (void)state;
    assert_null(map_get(m, STR("nothing")));
    assert_null(map_remove(m, STR("nothing")));
    for (int i = 0; i < MANY; i++)
        assert_null(map_put(m, key_of(i, text, sizeof(text)), &values[i]));
    assert_int_equal(map_count(m), MANY);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(map_get(m, key_of(i, text, sizeof(text))), &values[i]);
    for (int i = 0; i < MANY; i++) {
        assert_true(map_next(m, &pos, &key, &value));
        assert_true(str_eq(key, key_of(i, text, sizeof(text))));
        assert_ptr_equal(value, &values[i]);
    }
    assert_false(map_next(m, &pos, &key, &value));
    map_free(m, NULL);
}

static void removal_and_reinsertion_for_a_long_time(void **state)
{
    static char present[MANY];
    struct map *m = map_new();
    unsigned random = 1;
    size_t count = 0, seen = 0, pos = 0;
    char text[32];
    struct str key;
    void *value;

    (void)state;
    memset(present, 0, sizeof(present));
    for (int step = 0; step < 200000; step++) {
        int i;

        random = random * 1103515245U + 12345U;
        i = (int)((random >> 16) % 500);
        key = key_of(i, text, sizeof(text));
        assert_int_equal(map_get(m, key) != NULL, present[i]);
        if (present[i])
            assert_non_null(map_remove(m, key));
        else
            assert_null(map_put(m, key, &present[i]));
        count += present[i] ? (size_t)-1 : 1;
        present[i] = !present[i];
    }
    assert_int_equal(map_count(m), count);
    while (map_next(m, &pos, &key, &value))
        seen++;
    assert_int_equal(seen, count);
    map_free(m, NULL);
}

static int freed;

static void count_free(void *value)
{
    freed++;
    alloc_free(value);
}

static void values_are_replaced_and_freed(void **state)
{
    struct map *m = map_new();
    void *old;

    (void)state;
    assert_null(map_put(m, STR(""), alloc_new(1)));
    assert_null(map_put(m, str_make("a\0b", 3), alloc_new(1)));
    assert_null(map_put(m, str_make("a\0c", 3), alloc_new(1)));
    old = map_put(m, STR(""), alloc_new(1));
    assert_non_null(old);
    alloc_free(old);
    assert_int_equal(map_count(m), 3);
    map_clear(m, count_free);
    assert_int_equal(freed, 3);
    assert_int_equal(map_count(m), 0);
    assert_null(map_put(m, STR("x"), alloc_new(1)));
    map_free(m, count_free);
    assert_int_equal(freed, 4);
    map_free(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_keeps_the_order),
        cmocka_unit_test(removal_and_reinsertion_for_a_long_time),
        cmocka_unit_test(values_are_replaced_and_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
