/* SPDX-License-Identifier: PostgreSQL */
/* test_host_network.c: /proc/net/dev and /proc/pressure, odd kernels, broken lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/host.h"
#include "root_fixture.h"

#define NET_HEAD                                                                     \
    "Inter-|   Receive                                                |  Transmit\n" \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs\n"

static void interfaces_by_name(void **state)
{
    struct host_network n[4];

    (void)state;
    assert_int_equal(
        host_parse_net_dev(STR(NET_HEAD "    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n"
                                        "  eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                                        "  eth1: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
                                        "vethab12: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
                                        "eth0:1: 7 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"),
                           n, 4),
        3);
    assert_string_equal(n[0].name, "lo");
    assert_string_equal(n[1].name, "eth0"); /* no blank behind the colon */
    assert_int_equal(n[1].rx_bytes, 1);
    assert_int_equal(n[1].rx_packets, 2);
    assert_int_equal(n[1].rx_errors, 3);
    assert_int_equal(n[1].rx_dropped, 4);
    assert_int_equal(n[1].rx_fifo_errors, 5);
    assert_int_equal(n[1].rx_frame_errors, 6);
    assert_int_equal(n[1].multicast, 8);
    assert_int_equal(n[1].tx_bytes, 9);
    assert_int_equal(n[1].tx_packets, 10);
    assert_int_equal(n[1].tx_errors, 11);
    assert_int_equal(n[1].tx_dropped, 12);
    assert_int_equal(n[1].tx_fifo_errors, 13);
    assert_int_equal(n[1].collisions, 14);
    assert_int_equal(n[1].tx_carrier_errors, 15);
    assert_string_equal(n[2].name, "eth0:1"); /* an alias */
    assert_int_equal(n[2].rx_bytes, 7);
}

static void broken_interfaces_are_passed_over(void **state)
{
    struct host_network n[1];

    (void)state;
    assert_int_equal(host_parse_net_dev(STR(""), n, 1), 0);
    assert_int_equal(
        host_parse_net_dev(STR(NET_HEAD "eth0: 1 2 3\n: 1 2 3 4 5 6 7 8 9 1 1 1 1 1 1 1\n"
                                        "eth1 1 2 3\neth2: 1 2 3 4 5 6 7 8 9 1 1 1 x"),
                           n, 1),
        0);
}

static void pressure_of_several_kernels(void **state)
{
    struct host_pressure p;

    (void)state;
    assert_int_equal(host_parse_pressure(STR("some avg10=1.25 avg60=0.80 avg300=68.81 total=127\n"
                                             "full avg10=0.00 avg60=0.10 avg300=0.20 total=9\n"),
                                         &p, NULL),
                     ERR_OK);
    assert_true(p.some.known && p.full.known);
    assert_true(p.some.avg10 == 1.25 && p.some.avg60 == 0.8 && p.some.avg300 == 68.81);
    assert_int_equal(p.some.total_us, 127);
    assert_int_equal(p.full.total_us, 9);
    /* cpu before Linux 5.13 has only some, irq only full */
    assert_int_equal(
        host_parse_pressure(STR("some avg10=0.00 avg60=0.00 avg300=0.00 total=5"), &p, NULL),
        ERR_OK);
    assert_true(p.some.known && !p.full.known);
    assert_int_equal(
        host_parse_pressure(STR("full avg10=0.00 avg60=0.00 avg300=0.00 total=6\n"), &p, NULL),
        ERR_OK);
    assert_true(!p.some.known && p.full.known);
}

static void broken_pressure_is_refused(void **state)
{
    static const char *const BAD[] = {"",
                                      "some\n",
                                      "some avg10=x avg60=0 avg300=0 total=1\n",
                                      "some avg10=0 avg60=0 avg300=0\n",
                                      "some total=1 avg10=0 avg60=0 avg300=0\n",
                                      "much avg10=0 avg60=0 avg300=0 total=1\n"};
    struct host_pressure p;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        assert_int_equal(host_parse_pressure(str_of(BAD[i]), &p, &e), ERR_INVALID);
}

static void a_kernel_without_pressure_says_so(void **state)
{
    struct host_pressure p;
    struct err e;

    (void)state;
    assert_int_equal(host_read_pressure(root, "io", &p, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "psi=1"));
    root_put("/proc/pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n");
    assert_int_equal(host_read_pressure(root, "io", &p, &e), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interfaces_by_name),
        cmocka_unit_test(broken_interfaces_are_passed_over),
        cmocka_unit_test(pressure_of_several_kernels),
        cmocka_unit_test(broken_pressure_is_refused),
        cmocka_unit_test_setup_teardown(a_kernel_without_pressure_says_so, root_new, root_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
