/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_catalog.c: what was added to the catalogue of names and could not be written is taken back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/tsdb/catalog.h"

static const struct uuid target = {{7}};

struct known {
    struct catalog *c;
    struct catalog_relation *relation;
    struct catalog_group *group;
};

static struct catalog_object *add_object(struct catalog *c, struct catalog_group *g, int number)
{
    struct catalog_object *o = NULL;
    struct err e;
    char name[16];

    (void)snprintf(name, sizeof(name), "object %d", number);
    assert_int_equal(catalog_add_object(c, g, str_of(name), &o, &e), ERR_OK);
    return o;
}

static bool knows_object(struct catalog *c, struct catalog_group *g, int number)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "object %d", number);
    return catalog_find_object(c, g, str_of(name)) != NULL;
}

/* A relation with a column, a group and ten objects that are written. */
static int set_up(void **state)
{
    static struct known k;
    struct catalog_column *col = NULL;
    struct err e;

    k = (struct known){.c = catalog_new()};
    assert_int_equal(catalog_add_relation(k.c, STR("old"), RELATION_OBJECT, &k.relation, &e),
                     ERR_OK);
    assert_int_equal(catalog_add_column(k.c, k.relation, STR("a"), &col, &e), ERR_OK);
    const struct catalog_group_key key = {.relation = k.relation, .target = target};
    assert_int_equal(catalog_add_group(k.c, &key, &k.group, &e), ERR_OK);
    for (int i = 0; i < 10; i++) {
        (void)add_object(k.c, k.group, i);
    }
    catalog_saved(k.c);
    *state = &k;
    return 0;
}

static int tear_down(void **state)
{
    const struct known *k = *state;
    catalog_free(k->c);
    return 0;
}

static void test_new_objects_go_and_the_old_ones_stay(void **state)
{
    struct known *k = *state;
    uint64_t generation = atomic_load(&k->c->generation);
    const struct catalog_object *held = NULL;

    for (int i = 10; i < 100; i++) { /* the group's table grows meanwhile */
        held = add_object(k->c, k->group, i);
    }
    uint64_t first = k->group->objects[10]->id;
    catalog_undo(k->c);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(knows_object(k->c, k->group, i), i < 10);
    }
    assert_int_equal(k->c->object_count, 10);
    assert_int_equal(k->c->new_object_count, 0);
    assert_false(k->c->ids_dirty);
    assert_true(atomic_load(&k->c->generation) > generation);
    assert_int_equal(held->len, strlen("object 99")); /* who holds one may still look at it */
    assert_int_equal(catalog_buried_count(k->c), 90);
    assert_int_equal(add_object(k->c, k->group, 50)->id, first); /* ids are given again */
    assert_true(knows_object(k->c, k->group, 50));
}

static void test_new_groups_and_relations_go(void **state)
{
    struct known *k = *state;
    struct catalog_relation *relation = NULL;
    struct catalog_group *groups[2] = {NULL, NULL};
    struct err e;

    assert_int_equal(catalog_add_relation(k->c, STR("new"), RELATION_FACT, &relation, &e), ERR_OK);
    const struct catalog_group_key keys[2] = {
        {.relation = relation, .target = target},
        {.relation = k->relation, .target = target, .scope = STR("db")}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(catalog_add_group(k->c, &keys[i], &groups[i], &e), ERR_OK);
        (void)add_object(k->c, groups[i], i);
        (void)add_object(k->c, k->group, 20 + i); /* by turns */
    }
    uint64_t id = groups[0]->id;
    catalog_undo(k->c);
    assert_null(catalog_find_relation(k->c, STR("new")));
    assert_null(catalog_find_group(k->c, &keys[1]));
    assert_null(catalog_group_by_id(k->c, id));
    assert_true(atomic_load(&groups[0]->dropped) && atomic_load(&groups[1]->dropped));
    assert_int_equal(k->c->group_count, 1);
    assert_int_equal(k->c->relation_count, 1);
    assert_int_equal(k->group->object_count, 10);
    assert_false(knows_object(k->c, k->group, 21));
    assert_int_equal(catalog_add_relation(k->c, STR("new"), RELATION_FACT, &relation, &e), ERR_OK);
    assert_int_equal(relation->id, 2);
    assert_int_equal(catalog_add_group(k->c, &keys[1], &groups[1], &e), ERR_OK);
    assert_int_equal(groups[1]->id, id);
}

static void test_descriptions_are_said_again(void **state)
{
    struct known *k = *state;
    struct relation_column columns[2] = {{.name = STR("a"), .help = STR("h")},
                                         {.name = STR("b"), .help = STR("h")}};
    const struct relation d = {.name = STR("old"),
                               .help = STR("h"),
                               .shape = RELATION_OBJECT,
                               .columns = columns,
                               .column_count = 2};
    struct err e;

    assert_int_equal(catalog_describe(k->c, &d, &e), ERR_OK);
    assert_true(catalog_knows(k->c, &d));
    catalog_undo(k->c);
    assert_false(catalog_knows(k->c, &d)); /* so that the next one is written */
    assert_non_null(catalog_find_column(k->c, k->relation, STR("a")));
    assert_null(catalog_find_column(k->c, k->relation, STR("b")));
    assert_int_equal(catalog_describe(k->c, &d, &e), ERR_OK);
    catalog_saved(k->c);
    catalog_undo(k->c); /* nothing is new: nothing goes */
    assert_true(catalog_knows(k->c, &d));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_new_objects_go_and_the_old_ones_stay),
        CASE(test_new_groups_and_relations_go),
        CASE(test_descriptions_are_said_again),
    };
    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
