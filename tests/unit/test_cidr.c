/* SPDX-License-Identifier: PostgreSQL */
/* test_cidr.c: ranges of addresses, and that no way of writing one slips past them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/cidr.h"

static bool has(const char *range, const char *address)
{
    unsigned char bytes[CIDR_ADDRESS_BYTES];
    struct cidr c;
    struct err e;

    assert_int_equal(cidr_parse(str_of(range), &c, &e), ERR_OK);
    assert_true(cidr_parse_address(str_of(address), bytes));
    return cidr_has(&c, bytes);
}

static void a_range_has_its_addresses_alone(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.255.255"));
    assert_false(has("10.0.0.0/8", "11.0.0.0"));
    assert_true(has("192.168.4.0/23", "192.168.5.1"));
    assert_false(has("192.168.4.0/23", "192.168.6.0"));
    assert_true(has("127.0.0.9", "127.0.0.9"));
    assert_false(has("127.0.0.9", "127.0.0.8"));
    assert_true(has("fd00::/8", "fdff::1"));
    assert_false(has("fd00::/8", "fe00::1"));
    assert_true(has("0.0.0.0/0", "1.2.3.4"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
    assert_true(has("::/0", "1.2.3.4"));
}

static void an_address_is_one_in_both_forms(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
}

static void refuses_what_is_no_range(void **state)
{
    static const char *const bad[] = {
        "",
        "10",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "10.0.0.1/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "010.0.0.0/8",
        "10.0.0/8",
        "::1/129",
        "fd00::1/8",
        "[::1]",
        "::1%lo",
        "localhost",
        "10.0.0.0/8/8",
        "0x0a000000",
        "1.2.3.4.5",
    };
    struct cidr c;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(cidr_parse(str_of(bad[i]), &c, &e), ERR_INVALID);
    assert_int_equal(cidr_parse(STR("10.0.0.0\0/8"), &c, &e), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_range_has_its_addresses_alone),
        cmocka_unit_test(an_address_is_one_in_both_forms),
        cmocka_unit_test(refuses_what_is_no_range),
    };

    return cmocka_run_group_tests_name("cidr", tests, NULL, NULL);
}
