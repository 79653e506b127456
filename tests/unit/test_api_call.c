/* SPDX-License-Identifier: PostgreSQL */
/* test_api_call.c: parameters of a request as the handlers read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/api_call.h"
#include "os/clock.h"

#define HOUR INT64_C(3600000)

/* A clock that is never twice the same. */
static int64_t wall_us;

static int64_t moving_wall_us(void)
{
    return wall_us += 1000;
}

static enum err_code range_of(const char *query, struct api_range *out)
{
    struct clock_ops moving = {.wall_us = moving_wall_us};
    const struct clock_ops *before;
    struct httpd_request req = {.query = str_of(query)};
    struct api_call call = {.req = &req};
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "test", 64 * 1024);
    req.arena = call.arena = &arena;
    wall_us = INT64_C(1800000000000000);
    before = clock_ops_set(NULL);
    moving.mono_us = before->mono_us;
    (void)clock_ops_set(&moving);
    rc = api_param_range(&call, out, NULL);
    (void)clock_ops_set(before);
    arena_fini(&arena);
    return rc;
}

static void both_ends_of_a_range_are_of_one_moment(void **state)
{
    struct api_range range;

    (void)state;
    assert_int_equal(range_of("from=-1h&to=now", &range), ERR_OK);
    assert_int_equal(range.to_ms - range.from_ms, HOUR);
    assert_int_equal(range_of("from=-2h&to=-1h", &range), ERR_OK);
    assert_int_equal(range.to_ms - range.from_ms, HOUR);
    assert_int_equal(range_of("from=-1h", &range), ERR_OK);
    assert_int_equal(range.to_ms - range.from_ms, HOUR);
    assert_int_equal(range_of("", &range), ERR_OK);
    assert_int_equal(range.to_ms - range.from_ms, HOUR);
}

static void a_range_has_to_go_forward(void **state)
{
    struct api_range range;

    (void)state;
    assert_int_equal(range_of("from=-1h&to=-1h", &range), ERR_INVALID);
    assert_int_equal(range_of("from=-1h&to=-2h", &range), ERR_INVALID);
    assert_int_equal(range_of("from=yesterday", &range), ERR_INVALID);
    assert_int_equal(range_of("to=-1parsec", &range), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_of_a_range_are_of_one_moment),
        cmocka_unit_test(a_range_has_to_go_forward),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
