/* SPDX-License-Identifier: PostgreSQL */
/* test_series.c: the order of labels, looking one up, what matchers say; the stale marker. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/series.h"

#define L(...)                                                                     \
    ((struct labels){sizeof((struct label[]){__VA_ARGS__}) / sizeof(struct label), \
                     (struct label[]){__VA_ARGS__}})
#define LABEL(n, v)            \
    {                          \
        {(n), sizeof(n) - 1},  \
        {                      \
            (v), sizeof(v) - 1 \
        }                      \
    }

static void labels_are_ordered_pair_by_pair(void **state)
{
    const struct labels rising[] = {
        {0, NULL},
        L(LABEL("a", "1")),
        L(LABEL("a", "1"), LABEL("b", "1")),
        L(LABEL("a", "1"), LABEL("b", "2")),
        L(LABEL("a", "1"), LABEL("c", "0")),
        L(LABEL("a", "10")),
        L(LABEL("a", "2")),
        L(LABEL("aa", "1")),
        L(LABEL("b", "0")),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rising) / sizeof(rising[0]); i++) {
        assert_int_equal(labels_compare(&rising[i], &rising[i]), 0);
        for (size_t k = 0; k < i; k++) {
            assert_true(labels_compare(&rising[k], &rising[i]) < 0);
            assert_true(labels_compare(&rising[i], &rising[k]) > 0);
        }
    }
}

static void a_label_is_found_or_empty(void **state)
{
    const struct labels l = L(LABEL("a", "1"), LABEL("bb", "2"), LABEL("c", "3"), LABEL("d", "4"));

    (void)state;
    assert_true(str_eq_c(labels_get(&l, STR("a")), "1"));
    assert_true(str_eq_c(labels_get(&l, STR("bb")), "2"));
    assert_true(str_eq_c(labels_get(&l, STR("d")), "4"));
    assert_int_equal(labels_get(&l, STR("b")).len, 0);
    assert_int_equal(labels_get(&l, STR("e")).len, 0);
    assert_int_equal(labels_get(&(struct labels){0, NULL}, STR("a")).len, 0);
}

static struct matcher matcher(struct arena *a, enum matcher_kind kind, const char *name,
                              const char *value)
{
    struct matcher m = {kind, str_of(name), str_of(value), NULL};
    struct err e;

    if (kind >= MATCHER_REGEX)
        assert_int_equal(regex_compile(a, m.value, &m.regex, &e), ERR_OK);
    return m;
}

static void all_matchers_have_to_match(void **state)
{
    const struct labels l = L(LABEL("a", "1"), LABEL("b", "xy"));
    struct arena arena, *a = &arena;
    struct matcher good[6], bad[6];

    (void)state;
    arena_init(a, "test", 1 << 20);
    good[0] = matcher(a, MATCHER_EQUAL, "a", "1");
    good[1] = matcher(a, MATCHER_EQUAL, "none", "");
    good[2] = matcher(a, MATCHER_NOT_EQUAL, "none", "x");
    good[3] = matcher(a, MATCHER_REGEX, "b", "x.?");
    good[4] = matcher(a, MATCHER_NOT_REGEX, "b", "x");
    good[5] = matcher(a, MATCHER_REGEX, "none", ".*");
    bad[0] = matcher(a, MATCHER_EQUAL, "a", "");
    bad[1] = matcher(a, MATCHER_EQUAL, "none", "1");
    bad[2] = matcher(a, MATCHER_NOT_EQUAL, "a", "1");
    bad[3] = matcher(a, MATCHER_REGEX, "b", "x");
    bad[4] = matcher(a, MATCHER_NOT_REGEX, "b", "x.?");
    bad[5] = matcher(a, MATCHER_REGEX, "none", ".+");
    assert_true(matchers_match(good, 6, &l));
    assert_true(matchers_match(NULL, 0, &l));
    for (int i = 0; i < 6; i++) {
        struct matcher saved = good[i];

        good[i] = bad[i];
        assert_false(matchers_match(good, 6, &l));
        good[i] = saved;
    }
    arena_fini(a);
}

static void the_stale_marker_is_one_nan(void **state)
{
    (void)state;
    assert_true(isnan(series_stale()));
    assert_true(series_is_stale(series_stale()));
    assert_false(series_is_stale(NAN));
    assert_false(series_is_stale(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_ordered_pair_by_pair),
        cmocka_unit_test(a_label_is_found_or_empty),
        cmocka_unit_test(all_matchers_have_to_match),
        cmocka_unit_test(the_stale_marker_is_one_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
