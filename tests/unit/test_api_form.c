/* SPDX-License-Identifier: PostgreSQL */
/* test_api_form.c: who has the form of a collector, when one is learned, and when it goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_form.h"
#include "base/limits.h"
#include "os/clock.h"

#define COLLECTOR "11111111-1111-4111-8111-111111111111"

static struct api_forms *forms;
static int64_t now_us;

static int64_t mono(void)
{
    return now_us;
}

static const struct clock_ops fake = {.mono_us = mono, .wall_us = mono};

static int set_up(void **state)
{
    (void)state;
    now_us = INT64_C(1000000000);
    forms = api_forms_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)clock_ops_set(NULL);
    api_forms_free(forms);
    return 0;
}

static struct flatten_form *learn(void)
{
    static const char text[] =
        "{\"collector_id\":\"c\",\"metrics\":[{\"name\":\"n\",\"value\":1}]}";
    static const struct json_limits limits = {.max_bytes = 1 << 16, .max_depth = LIMIT_JSON_DEPTH};
    const struct flatten_spec spec = {.now_ms = 1};
    struct flatten_form *form;
    struct json_doc *doc;
    struct flatten flat;
    struct arena arena;

    arena_init(&arena, "form", 1 << 20);
    assert_int_equal(json_parse(str_of(text), &limits, &doc, NULL), ERR_OK);
    assert_int_equal(flatten_push(&arena, json_root(doc), &spec, &flat, NULL), ERR_OK);
    form = flatten_form_learn(str_of(text), &flat);
    assert_non_null(form);
    json_doc_free(doc);
    arena_fini(&arena);
    return form;
}

static void test_one_push_has_it_at_a_time(void **state)
{
    struct flatten_form *form = learn();
    bool learns;

    (void)state;
    assert_null(api_form_take(forms, COLLECTOR, &learns));
    assert_true(learns);
    api_form_give(forms, COLLECTOR, form, API_FORM_MISSED);
    assert_null(api_form_take(forms, "another", &learns));
    assert_ptr_equal(api_form_take(forms, COLLECTOR, &learns), form);
    assert_null(api_form_take(forms, COLLECTOR, &learns));
    api_form_give(forms, COLLECTOR, form, API_FORM_FITS);
    form = learn();
    api_form_give(forms, COLLECTOR, form,
                  API_FORM_MISSED); /* of the other push: the newer one stays */
    assert_ptr_equal(api_form_take(forms, COLLECTOR, &learns), form);
    flatten_form_free(form);
}

static void test_who_sends_something_else_each_time_is_learned_seldom(void **state)
{
    int learned = 0;
    bool learns;

    (void)state;
    for (int i = 0; i < 160; i++) {
        assert_null(api_form_take(forms, COLLECTOR, &learns));
        learned += learns;
        api_form_give(forms, COLLECTOR, NULL, API_FORM_MISSED);
    }
    assert_in_range(learned, 10, 20);
    api_form_give(forms, COLLECTOR, learn(), API_FORM_FITS);
    flatten_form_free(api_form_take(forms, COLLECTOR, &learns));
    assert_true(learns);
}

static void test_what_is_not_used_goes(void **state)
{
    bool learns;

    (void)state;
    (void)clock_ops_set(&fake);
    api_form_give(forms, COLLECTOR, learn(), API_FORM_MISSED);
    now_us += INT64_C(14) * 60 * 1000000;
    api_form_give(forms, "another", learn(), API_FORM_MISSED);
    api_forms_trim(forms);
    now_us += INT64_C(2) * 60 * 1000000;
    api_forms_trim(forms);
    assert_null(api_form_take(forms, COLLECTOR, &learns));
    struct flatten_form *other = api_form_take(forms, "another", &learns);
    assert_non_null(other);
    flatten_form_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_push_has_it_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_sends_something_else_each_time_is_learned_seldom,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_used_goes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
