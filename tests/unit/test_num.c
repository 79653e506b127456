/* SPDX-License-Identifier: PostgreSQL */
/* test_num.c: ranges, exactness, units, times. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"

static void integers_have_exact_ranges(void **state)
{
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1x",
                                      "0x10",
                                      "1.0",
                                      "1e3",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999"};
    int64_t i = 5;
    uint64_t u = 5;
    struct err e;

    (void)state;
    assert_int_equal(num_parse_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &i, &e),
                     ERR_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(num_parse_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &i, &e),
                     ERR_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(num_parse_i64(STR("007"), 0, 10, &i, &e), ERR_OK);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_int_equal(num_parse_i64(str_of(bad[k]), INT64_MIN, INT64_MAX, &i, &e), ERR_INVALID);
    assert_int_equal(i, 7); /* untouched on error */
    assert_int_equal(num_parse_i64(STR("11"), 0, 10, &i, &e), ERR_INVALID);
    assert_string_equal(e.text, "11 is not between 0 and 10");
    assert_int_equal(num_parse_u64(STR("18446744073709551615"), UINT64_MAX, &u, &e), ERR_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(num_parse_u64(STR("18446744073709551616"), UINT64_MAX, &u, &e), ERR_INVALID);
    assert_int_equal(num_parse_u64(STR("-1"), UINT64_MAX, &u, &e), ERR_INVALID);
    assert_int_equal(num_parse_u64(STR("256"), 255, &u, &e), ERR_INVALID);
    assert_int_equal(num_parse_u64((struct str){NULL, 0}, 1, &u, &e), ERR_INVALID);
}

static void doubles_are_decimal_and_finite(void **state)
{
    static const char *const bad[] = {"",    ".",  "-",  "e5",    "1e",  "0x1p3", "inf",
                                      "nan", " 1", "1 ", "1e999", "1,5", "1..2"};
    double d;

    (void)state;
    assert_int_equal(num_parse_f64(STR("-1.5e3"), &d, NULL), ERR_OK);
    assert_true(d == -1500);
    assert_int_equal(num_parse_f64(STR(".5"), &d, NULL), ERR_OK);
    assert_int_equal(num_parse_f64(STR("5."), &d, NULL), ERR_OK);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_int_equal(num_parse_f64(str_of(bad[k]), &d, NULL), ERR_INVALID);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"250ms", 250}, {"10s", 10000}, {"5m", 300000}, {"2h", 7200000}, {"1d", 86400000},
                {"30", 30000},  {"1.5s", 1500}, {"0.25", 250},  {"0", 0},        {"0.5h", 1800000}};
    static const char *const bad[] = {
        "",      "s",  "-1s", "1w", "1 s", "1.0001s", "1.5ms", "1s2", "99999999999999999d",
        "1..5s", "1.s"};
    int64_t ms;
    char text[32];

    (void)state;
    for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
        assert_int_equal(num_parse_duration_ms(str_of(good[k].text), &ms, NULL), ERR_OK);
        assert_int_equal(ms, good[k].ms);
        num_format_duration(ms, text, sizeof(text));
        assert_int_equal(num_parse_duration_ms(str_of(text), &ms, NULL), ERR_OK);
        assert_int_equal(ms, good[k].ms);
    }
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_int_equal(num_parse_duration_ms(str_of(bad[k]), &ms, NULL), ERR_INVALID);
    num_format_duration(90000, text, sizeof(text));
    assert_string_equal(text, "90s");
    num_format_duration(86400000, text, sizeof(text));
    assert_string_equal(text, "1d");
}

static void sizes(void **state)
{
    static const char *const bad[] = {"", "MB", "1PB", "-1", "1.5MB", "18446744073709551615kB"};
    uint64_t bytes;

    (void)state;
    assert_int_equal(num_parse_size_bytes(STR("512"), &bytes, NULL), ERR_OK);
    assert_int_equal(bytes, 512);
    assert_int_equal(num_parse_size_bytes(STR("64kB"), &bytes, NULL), ERR_OK);
    assert_int_equal(bytes, 65536);
    assert_int_equal(num_parse_size_bytes(STR("64KiB"), &bytes, NULL), ERR_OK);
    assert_int_equal(bytes, 65536);
    assert_int_equal(num_parse_size_bytes(STR("24 MB"), &bytes, NULL), ERR_OK);
    assert_int_equal(bytes, 24 << 20);
    assert_int_equal(num_parse_size_bytes(STR("1gb"), &bytes, NULL), ERR_OK);
    assert_int_equal(bytes, 1 << 30);
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_int_equal(num_parse_size_bytes(str_of(bad[k]), &bytes, NULL), ERR_INVALID);
}

static void times_in_three_notations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"0", 0},
                {"1700000000", 1700000000000},
                {"1700000000.5", 1700000000500},
                {"1700000000123", 1700000000123},
                {"1970-01-01T00:00:00Z", 0},
                {"2023-11-14T22:13:20.123Z", 1700000000123},
                {"2023-11-14T23:13:20.123456+01:00", 1700000000123},
                {"2023-11-14 16:43:20-05:30", 1700000000000},
                {"2024-02-29T00:00:00z", 1709164800000},
                {"1969-12-31T23:59:59.999Z", -1},
                {"2016-12-31T23:59:60Z", 1483228800000}};
    static const char *const bad[] = {"",
                                      "now",
                                      "-5",
                                      "2023-11-14",
                                      "2023-11-14T22:13:20",
                                      "2023-02-29T00:00:00Z",
                                      "2023-13-01T00:00:00Z",
                                      "2023-11-14T24:00:00Z",
                                      "2023-11-14T22:60:00Z",
                                      "2023-11-14T22:13:20.Z",
                                      "2023-11-14T22:13:20+0100",
                                      "2023-11-14T22:13:20Zx",
                                      "1e30"};
    int64_t ms;

    (void)state;
    for (size_t k = 0; k < sizeof(good) / sizeof(good[0]); k++) {
        assert_int_equal(num_parse_time_ms(str_of(good[k].text), &ms, NULL), ERR_OK);
        assert_int_equal(ms, good[k].ms);
    }
    for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
        assert_int_equal(num_parse_time_ms(str_of(bad[k]), &ms, NULL), ERR_INVALID);
}

static void times_round_trip_over_centuries(void **state)
{
    char text[NUM_TIME_TEXT_MAX];
    int64_t back;

    (void)state;
    for (int64_t ms = -62167219200000; ms < 253402300800000; ms += 86399999 * INT64_C(997)) {
        num_format_time(ms, text);
        assert_int_equal(num_parse_time_ms(str_of(text), &back, NULL), ERR_OK);
        assert_true(back == ms);
    }
    num_format_time(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    num_format_time(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

/* By trying: how it was done once, and what the digits must be. */
static void try_digits(double value, char *out, size_t size)
{
    int digits = fabs(value) < 2.3e-308 ? 1 : 15; /* subnormal: fewer digits may do */

    for (; digits <= 17; digits++) {
        (void)snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

static void digits_are_those_that_trying_finds(void **state)
{
    static const double edges[] = {0.0,     -0.0,     5e-324,  2.2250738585072014e-308,
                                   1e15,    1e16,     1e21,    1.7976931348623157e308,
                                   1e-7,    1e-6,     0.1,     123456789012345680.0,
                                   1e9 + 1, 9.007e15, 1.5e300, 4.35};
    unsigned long long random = 1181783497276652981ULL;
    char text[40], tried[40];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double value = edges[i % 16];

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (i >= 16 && i % 3 == 0)
            value = (double)(int64_t)random / (double)(1 + (random >> 40));
        else if (i >= 16)
            memcpy(&value, &random, sizeof(value));
        if (!isfinite(value) || (fabs(value) < 1e-3 && value * 1e6 == trunc(value * 1e6)))
            continue;
        num_format_f64(value, text, sizeof(text));
        try_digits(value, tried, sizeof(tried));
        assert_string_equal(text, tried);
    }
}

static void doubles_print_short_and_read_back(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {{0, "0"},
                 {-0.0, "-0"},
                 {1, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {-0.25, "-0.25"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e15, "1e+15"},
                 {1e300, "1e+300"},
                 {5e-324, "5e-324"},
                 {123456.789, "123456.789"},
                 {1e-7, "1e-07"},
                 {0.000001, "0.000001"}};
    unsigned long long random = 88172645463325252ULL;
    char text[32];

    (void)state;
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        num_format_f64(known[k].value, text, sizeof(text));
        assert_string_equal(text, known[k].text);
    }
    for (int i = 0; i < 200000; i++) {
        double value;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (i % 2) {
            value = (double)(int64_t)(random >> 20) / (i % 3 ? 1e6 : 1e3);
        } else {
            memcpy(&value, &random, sizeof(value));
        }
        if (!isfinite(value))
            continue;
        num_format_f64(value, text, sizeof(text));
        assert_true(strtod(text, NULL) == value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_have_exact_ranges),
        cmocka_unit_test(doubles_are_decimal_and_finite),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(times_in_three_notations),
        cmocka_unit_test(times_round_trip_over_centuries),
        cmocka_unit_test(digits_are_those_that_trying_finds),
        cmocka_unit_test(doubles_print_short_and_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
