/* SPDX-License-Identifier: PostgreSQL */
/* test_api_rate.c: the buckets of clients, on a clock of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/api_rate.h"
#include "base/limits.h"

#define SECOND 1000000

static const struct api_rate_limits LIMITS = {
    .per_s = {[API_RATE_ADDRESS] = 2, [API_RATE_COLLECTOR] = 4}};

static int take_many(struct api_rate *r, const char *who, int times, int64_t at_us)
{
    int taken = 0;

    for (int i = 0; i < times; i++)
        taken += api_rate_take(r, API_RATE_ADDRESS, str_of(who), at_us) == 0;
    return taken;
}

static void a_bucket_holds_ten_seconds(void **state)
{
    struct api_rate *r = api_rate_new(&LIMITS);

    (void)state;
    assert_int_equal(take_many(r, "192.0.2.1", 100, SECOND), 20);
    assert_int_equal(api_rate_take(r, API_RATE_ADDRESS, STR("192.0.2.1"), SECOND), 500);
    assert_int_equal(take_many(r, "192.0.2.1", 100, 2 * SECOND), 2);
    assert_int_equal(take_many(r, "192.0.2.1", 100, 60 * (int64_t)SECOND), 20);
    api_rate_free(r);
}

static void clients_are_told_apart(void **state)
{
    struct api_rate *r = api_rate_new(&LIMITS);

    (void)state;
    assert_int_equal(take_many(r, "192.0.2.1", 100, SECOND), 20);
    assert_int_equal(take_many(r, "192.0.2.2", 100, SECOND), 20);
    assert_int_equal(take_many(r, "::ffff:192.0.2.1", 100, SECOND), 0); /* the first once more */
    assert_int_equal(take_many(r, "2001:db8::1", 100, SECOND), 20);
    assert_int_equal(take_many(r, "2001:db8::ffff:1", 100, SECOND), 0); /* the same /64 */
    assert_int_equal(take_many(r, "2001:db8:0:1::1", 100, SECOND), 20);
    assert_int_equal(api_rate_take(r, API_RATE_COLLECTOR, STR("192.0.2.1"), SECOND), 0);
    api_rate_free(r);
}

static void a_rate_of_nought_is_no_limit(void **state)
{
    struct api_rate *r = api_rate_new(&LIMITS);

    (void)state;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(api_rate_take(r, API_RATE_SESSION, STR("x"), SECOND), 0);
    api_rate_free(r);
}

/* What would need more places than there are shares one bucket, until others are full again. */
static void a_flood_of_addresses_shares_one(void **state)
{
    struct api_rate *r = api_rate_new(&LIMITS);
    char who[32];
    int taken = 0;

    (void)state;
    for (int i = 0; i < LIMIT_RATE_BUCKETS + 1000; i++) {
        snprintf(who, sizeof(who), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
        taken += api_rate_take(r, API_RATE_ADDRESS, str_of(who), SECOND) == 0;
    }
    assert_int_equal(taken, LIMIT_RATE_BUCKETS + 20);
    assert_int_equal(take_many(r, "192.0.2.1", 100, 60 * (int64_t)SECOND), 20);
    assert_int_equal(take_many(r, "192.0.2.2", 100, 60 * (int64_t)SECOND), 20);
    api_rate_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_ten_seconds),
        cmocka_unit_test(clients_are_told_apart),
        cmocka_unit_test(a_rate_of_nought_is_no_limit),
        cmocka_unit_test(a_flood_of_addresses_shares_one),
    };

    return cmocka_run_group_tests_name("api_rate", tests, NULL, NULL);
}
