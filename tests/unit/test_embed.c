/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_embed.c: the tables of embedded files are sorted, terminated and searchable.
 *
 * Threads: one.
 */
#include "base/embed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct embed_file sample[] = {
    {.name = "a.sql", .data = (const unsigned char *)"1", .len = 1},
    {.name = "b.sql", .data = (const unsigned char *)"22", .len = 2},
    {.name = "c.sql", .data = (const unsigned char *)"333", .len = 3},
};

static void finds_a_file_by_its_whole_name(void **state)
{
    (void)state;
    assert_ptr_equal(embed_find(sample, 3, "a.sql"), &sample[0]);
    assert_ptr_equal(embed_find(sample, 3, "c.sql"), &sample[2]);
    assert_null(embed_find(sample, 3, "b"));
    assert_null(embed_find(sample, 3, "d.sql"));
    assert_null(embed_find(sample, 0, "a.sql"));
}

static void check_table(const struct embed_file *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(table[i].data[table[i].len], 0);
        assert_ptr_equal(embed_find(table, count, table[i].name), &table[i]);
        if (i > 0)
            assert_true(strcmp(table[i - 1].name, table[i].name) < 0);
    }
}

static void every_table_is_sorted_and_terminated(void **state)
{
    (void)state;
    check_table(embed_catalogue, embed_catalogue_count);
    check_table(embed_migration, embed_migration_count);
    check_table(embed_licence, embed_licence_count);
    check_table(embed_sql, embed_sql_count);
    check_table(embed_web, embed_web_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_is_sorted_and_terminated),
        cmocka_unit_test(finds_a_file_by_its_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
