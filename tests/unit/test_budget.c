/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_budget.c: what is shed, in which order, and when it is tried again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe/budget.h"

enum { BEAT, LIGHT, HEAVY, SAMPLER, ITEMS };

#define LOOK_MS  (BUDGET_LOOK_US / 1000)
#define HOUR_US  3600000000LL
#define START_US 1000000LL

struct world {
    struct budget budget;
    struct budget_item items[ITEMS];
    struct budget_item *list[ITEMS];
    int64_t now_us;
};

static void init(struct world *w, double limit)
{
    memset(w, 0, sizeof(*w));
    w->budget.limit = limit;
    w->now_us = START_US;
    for (int i = 0; i < ITEMS; i++) {
        w->items[i].every_ms = 10000;
        w->list[i] = &w->items[i];
    }
    w->items[BEAT].class = BUDGET_NEVER;
    w->items[SAMPLER].class = BUDGET_LAST;
    assert_false(budget_look(&w->budget, w->list, ITEMS, w->now_us));
}

/* Let that many looks pass in which each probe costs its rate, unless it is shed. */
static int pass(struct world *w, const double rates[ITEMS], int looks)
{
    int changes = 0;

    for (; looks > 0; looks--) {
        for (int i = 0; i < ITEMS; i++) {
            if (!w->items[i].shed) {
                budget_spend(&w->items[i], rates[i] * LOOK_MS / 1000);
            }
        }
        w->now_us += BUDGET_LOOK_US;
        changes += budget_look(&w->budget, w->list, ITEMS, w->now_us);
    }
    return changes;
}

static void test_within_the_budget_nothing_is_shed(void **state)
{
    const double rates[ITEMS] = {0.1, 0.5, 3, 1};
    struct world w;

    (void)state;
    init(&w, 5);
    assert_int_equal(pass(&w, rates, 400), 0);
    double rate = budget_rate(w.list, ITEMS);
    assert_true(rate > 4.59 && rate < 4.61);
    assert_true(w.items[HEAVY].total_ms > 17999 && w.items[HEAVY].total_ms < 18001);
}

static void test_the_heaviest_goes_first_and_the_sampler_last(void **state)
{
    const double rates[ITEMS] = {0.1, 0.5, 3, 9};
    struct world w;

    (void)state;
    init(&w, 9.7); /* 12.6 are spent: without the heavy one it is 9.6 */
    assert_int_equal(pass(&w, rates, 100), 1);
    assert_true(w.items[HEAVY].shed);
    assert_false(w.items[LIGHT].shed || w.items[SAMPLER].shed || w.items[BEAT].shed);
    assert_true(w.items[HEAVY].rate > 2); /* what it cost is still known */

    init(&w, 9.05); /* the heartbeat and the sampler alone are more */
    (void)pass(&w, rates, 200);
    assert_true(w.items[HEAVY].shed && w.items[LIGHT].shed && w.items[SAMPLER].shed);

    init(&w, 0.01);
    (void)pass(&w, rates, 100);
    assert_false(w.items[BEAT].shed); /* never */
}

static void test_one_dear_run_is_not_a_reason(void **state)
{
    const double rates[ITEMS] = {0.1, 0.5, 0.5, 1};
    struct world w;

    (void)state;
    init(&w, 5);
    budget_spend(&w.items[HEAVY], 500); /* cold caches: 33 ms a second until the first look */
    assert_int_equal(pass(&w, rates, 100), 0);
}

static void test_it_is_tried_again_after_a_growing_pause(void **state)
{
    const double dear[ITEMS] = {0.1, 0.5, 30, 1};
    const double cheap[ITEMS] = {0.1, 0.5, 1, 1};
    struct world w;

    (void)state;
    init(&w, 5);
    while (!w.items[HEAVY].shed) {
        (void)pass(&w, dear, 1);
    }
    int64_t first = w.now_us;
    assert_int_equal(w.items[HEAVY].retry_us, first + HOUR_US);
    while (w.items[HEAVY].shed) {
        (void)pass(&w, dear, 1);
    }
    assert_true(w.now_us >= first + HOUR_US && w.now_us < first + HOUR_US + 2 * BUDGET_LOOK_US);
    while (!w.items[HEAVY].shed) {
        (void)pass(&w, dear, 1);
    }
    assert_int_equal(w.items[HEAVY].retry_us, w.now_us + 2 * HOUR_US);
    for (int i = 0; i < 10; i++) {
        w.now_us = w.items[HEAVY].retry_us;
        (void)budget_look(&w.budget, w.list, ITEMS, w.now_us);
        assert_false(w.items[HEAVY].shed);
        while (!w.items[HEAVY].shed) {
            (void)pass(&w, dear, 1);
        }
    }
    assert_int_equal(w.items[HEAVY].retry_us, w.now_us + 24 * HOUR_US);
    w.now_us = w.items[HEAVY].retry_us;
    (void)budget_look(&w.budget, w.list, ITEMS, w.now_us);
    assert_int_equal(pass(&w, cheap, 400), 0);
}

static void test_no_limit(void **state)
{
    const double rates[ITEMS] = {1000, 1000, 1000, 1000};
    struct world w;

    (void)state;
    init(&w, 0);
    assert_int_equal(pass(&w, rates, 50), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_within_the_budget_nothing_is_shed),
        cmocka_unit_test(test_the_heaviest_goes_first_and_the_sampler_last),
        cmocka_unit_test(test_one_dear_run_is_not_a_reason),
        cmocka_unit_test(test_it_is_tried_again_after_a_growing_pause),
        cmocka_unit_test(test_no_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
