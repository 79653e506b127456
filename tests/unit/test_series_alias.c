/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_series_alias.c: each name of an exporter is answered by a column that a probe of ours reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probe/catalogue.h"
#include "store/tsdb/series/series_alias.h"

static struct arena arena;
static struct catalogue catalogue;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, "catalogue", 64 << 20);
    assert_int_equal(catalogue_load(&arena, &catalogue, NULL), ERR_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static void the_table_is_sorted_and_each_name_is_found(void **state)
{
    (void)state;
    assert_true(series_alias_count > 100);
    for (size_t i = 0; i < series_alias_count; i++) {
        const struct series_alias *a = &series_alias_table[i];
        if (i > 0)
            assert_true(strcmp(series_alias_table[i - 1].name, a->name) < 0);
        assert_ptr_equal(series_alias_find(str_of(a->name)), a);
    }
    assert_null(series_alias_find(STR("pg_")));
    assert_null(series_alias_find(STR("zz")));
}

/* Column, and whether it is the total of one. */
static const struct relation_column *column_of(const struct series_alias *a, bool *total)
{
    const struct catalogue_file *f = catalogue_find(&catalogue, a->relation);
    struct str name = str_of(a->column);
    int at;

    if (!f)
        fail_msg("%s: no probe reads %s", a->name, a->relation);
    at = relation_find_column(&f->relation, name);
    *total = at < 0 && str_ends(name, STR("_total"));
    if (*total)
        at = relation_find_column(&f->relation, str_make(name.ptr, name.len - 6));
    if (at < 0)
        fail_msg("%s: %s has no column %s", a->name, a->relation, a->column);
    return &f->relation.columns[at];
}

static void check_labels(const struct series_alias *a, const struct relation_column *c)
{
    const struct relation *r = &catalogue_find(&catalogue, a->relation)->relation;
    struct str rest = str_of(a->labels), filter = str_of(a->filter), label, key;
    bool fixed;

    while (series_alias_next(&rest, &label, &key, &fixed)) {
        assert_true(label.len > 0 && key.len > 0);
        if (str_eq_c(key, SERIES_ALIAS_TEXT))
            assert_int_equal(c->kind, RELATION_TEXT);
        else if (!fixed && relation_find_key(r, key) < 0)
            fail_msg("%s: %.*s is no key", a->name, STR_ARG(key));
    }
    if (a->filter && relation_find_key(r, str_split(&filter, '=')) < 0)
        fail_msg("%s: the filter names no key", a->name);
}

static void each_name_is_answered_by_a_column_of_a_probe(void **state)
{
    (void)state;
    for (size_t i = 0; i < series_alias_count; i++) {
        const struct series_alias *a = &series_alias_table[i];
        bool total;
        const struct relation_column *c = column_of(a, &total);

        if (total && c->kind != RELATION_DELTA)
            fail_msg("%s: %s is no total", a->name, a->column);
        if (c->kind == RELATION_DELTA && !total)
            fail_msg("%s: a delta is no counter", a->name);
        if (strstr(a->name, "_seconds") && !str_eq_c(c->unit, "s"))
            assert_true(str_eq_c(c->unit, "ms") ? a->scale == 0.001 : a->scale == 1);
        else
            assert_true(a->scale == 1);
        check_labels(a, c);
        printf("# %s = %s.%s\n", a->name, a->relation, a->column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_sorted_and_each_name_is_found),
        cmocka_unit_test(each_name_is_answered_by_a_column_of_a_probe),
    };

    return cmocka_run_group_tests_name("series_alias", tests, set_up, tear_down);
}
