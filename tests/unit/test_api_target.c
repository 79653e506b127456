/* SPDX-License-Identifier: PostgreSQL */
/* test_api_target.c: what the age of its readings says of a target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/fleet/api_target.h"

#define NOW  INT64_C(1800000000000)
#define HOUR INT64_C(3600000)

/* {age of the newest reading, clock} of each group. */
static void expect(const int64_t (*groups)[2], size_t count, const char *state, int64_t every_ms)
{
    struct tsdb_group list[8] = {{.has_last = false}};
    struct api_target_state out;

    for (size_t i = 0; i < count; i++) {
        list[i].has_last = true;
        list[i].last_t_ms = NOW - groups[i][0];
        list[i].last_every_ms = groups[i][1];
    }
    api_target_age(list, count, NOW, &out);
    assert_string_equal(out.state, state);
    assert_int_equal(out.every_ms, every_ms);
}
#define EXPECT(state, every, ...)                                             \
    do {                                                                      \
        static const int64_t groups[][2] = {__VA_ARGS__};                     \
        expect(groups, sizeof(groups) / sizeof(groups[0]), (state), (every)); \
    } while (0)

static void one_clock(void **state)
{
    (void)state;
    expect(NULL, 0, "new", 0);
    EXPECT("live", 10000, {25000, 10000});
    EXPECT("stale", 10000, {25001, 10000});
    EXPECT("stale", 10000, {65000, 10000});
    EXPECT("offline", 10000, {65001, 10000});
}

static void a_slow_clock_that_came_last_keeps_nothing_alive(void **state)
{
    (void)state;
    EXPECT("live", 10000, {9000, 10000}, {8000, HOUR});
    EXPECT("stale", 10000, {30000, 10000}, {29000, HOUR});
    EXPECT("offline", 10000, {80000, 10000}, {79000, HOUR}, {600000, 60000});
}

static void a_fast_clock_that_stopped_long_before_does_not_count(void **state)
{
    (void)state;
    EXPECT("live", 60000, {600000, 10000}, {70000, 60000}, {200000, HOUR});
}

static void loose_samples_have_no_clock(void **state)
{
    (void)state;
    EXPECT("live", 0, {4000, 0});
    EXPECT("live", 60000, {4000, 0}, {50000, 60000});
    EXPECT("offline", 0, {20000, 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_clock),
        cmocka_unit_test(a_slow_clock_that_came_last_keeps_nothing_alive),
        cmocka_unit_test(a_fast_clock_that_stopped_long_before_does_not_count),
        cmocka_unit_test(loose_samples_have_no_clock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
