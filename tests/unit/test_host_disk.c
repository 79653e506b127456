/* SPDX-License-Identifier: PostgreSQL */
/* test_host_disk.c: /proc/diskstats of several kernels, partitions, broken lines. */
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

static void disks_of_a_modern_kernel(void **state)
{
    struct host_disk d[4];

    (void)state;
    assert_int_equal(
        host_parse_diskstats(STR("   7       0 loop0 9 0 9 9 9 9 9 9 0 9 9 0 0 0 0 0 0\n"
                                 "   1       0 ram0 9 0 9 9 9 9 9 9 0 9 9 0 0 0 0 0 0\n"
                                 " 259       0 nvme0n1 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
                                 " 253       0 zram0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"),
                             d, 4),
        1);
    assert_string_equal(d[0].name, "nvme0n1");
    assert_int_equal(d[0].reads, 1);
    assert_int_equal(d[0].reads_merged, 2);
    assert_int_equal(d[0].read_bytes, 3 * 512);
    assert_int_equal(d[0].read_ms, 4);
    assert_int_equal(d[0].writes, 5);
    assert_int_equal(d[0].written_bytes, 7 * 512);
    assert_int_equal(d[0].write_ms, 8);
    assert_int_equal(d[0].in_flight, 9);
    assert_int_equal(d[0].io_ms, 10);
    assert_int_equal(d[0].weighted_io_ms, 11);
    assert_true(d[0].has_discards && d[0].has_flushes);
    assert_int_equal(d[0].discarded_bytes, 14 * 512);
    assert_int_equal(d[0].flushes, 16);
    assert_int_equal(d[0].flush_ms, 17);
}

static void disks_of_older_kernels(void **state)
{
    struct host_disk d[2];

    (void)state;
    assert_int_equal(host_parse_diskstats(STR("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"
                                              "8 16 sdb 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"),
                                          d, 2),
                     2);
    assert_false(d[0].has_discards || d[0].has_flushes);
    assert_true(d[1].has_discards);
    assert_false(d[1].has_flushes);
}

static void broken_lines_cost_only_themselves(void **state)
{
    struct host_disk d[1];
    char text[512];

    (void)state;
    assert_int_equal(host_parse_diskstats(STR(""), d, 1), 0);
    assert_int_equal(host_parse_diskstats(STR("8 1 sda1 4 5 6 7\n" /* Linux 2.6 */
                                              "\n8 0\nx y sdc 1 2 3 4 5 6 7 8 9 10 11\n"
                                              "8 0 sdd 1 2 3 4 5 six 7 8 9 10 11\n"
                                              "8 0 sde -1 2 3 4 5 6 7 8 9 10 11\n"
                                              "8 0 sdz 1 2 36893488147419103232 4 5 6 7 8 9 1 1"),
                                          d, 1),
                     0);
    (void)snprintf(text, sizeof(text), "8 0 %0200d 1 2 3 4 5 6 7 8 9 10 11\n", 7);
    assert_int_equal(host_parse_diskstats(str_of(text), d, 1), 0);
    assert_int_equal(host_parse_diskstats(STR("8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n"
                                              "8 16 sdb 2 2 3 4 5 6 7 8 9 10 11\n"),
                                          d, 1),
                     2); /* more than fit: counted, not written */
    assert_string_equal(d[0].name, "sda");
    assert_int_equal(
        host_parse_diskstats(STR("8 0 sda 1 2 18446744073709551615 4 5 6 7 8 9 10 11\n"), d, 1), 1);
    assert_true(d[0].read_bytes == UINT64_MAX); /* no wrap */
}

static void names_of_partitions(void **state)
{
    static const char *const PARTITIONS[] = {"sda1",      "sdaa12", "vda2",    "xvdb1",    "hda3",
                                             "nvme0n1p1", "md0p1",  "nbd12p3", "mmcblk0p2"};
    static const char *const WHOLE[] = {"sda",  "vdb",  "nvme0n1", "dm-0", "md127",
                                        "xvda", "nbd0", "mmcblk0", "sr0",  ""};

    (void)state;
    for (size_t i = 0; i < sizeof(PARTITIONS) / sizeof(PARTITIONS[0]); i++) {
        if (!host_is_partition_name(PARTITIONS[i]))
            fail_msg("%s is a partition", PARTITIONS[i]);
    }
    for (size_t i = 0; i < sizeof(WHOLE) / sizeof(WHOLE[0]); i++) {
        if (host_is_partition_name(WHOLE[i]))
            fail_msg("%s is a whole disk", WHOLE[i]);
    }
}

static const char TWO[] = "8 0 sda 1 2 3 4 5 6 7 8 9 10 11\n8 1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
                          "104 0 cciss/c0d0 1 2 3 4 5 6 7 8 9 10 11\n";

static void partitions_are_what_sys_block_does_not_list(void **state)
{
    struct host_disk d[4];
    size_t count;

    (void)state;
    root_put("/proc/diskstats", TWO);
    root_put("/sys/block/sda1/size", "1\n"); /* an odd name for a whole disk */
    root_put("/sys/block/cciss!c0d0/size", "1\n");
    assert_int_equal(host_read_disks(root, d, 4, &count, NULL), ERR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(d[0].name, "sda1");
    assert_string_equal(d[1].name, "cciss/c0d0");
}

static void without_sys_the_name_decides(void **state)
{
    struct host_disk d[4];
    size_t count;
    struct err e;

    (void)state;
    assert_int_equal(host_read_disks(root, d, 4, &count, &e), ERR_NOT_FOUND);
    root_put("/proc/diskstats", TWO);
    assert_int_equal(host_read_disks(root, d, 4, &count, NULL), ERR_OK);
    assert_int_equal(count, 2);
    assert_string_equal(d[0].name, "sda");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disks_of_a_modern_kernel),
        cmocka_unit_test(disks_of_older_kernels),
        cmocka_unit_test(broken_lines_cost_only_themselves),
        cmocka_unit_test(names_of_partitions),
        cmocka_unit_test_setup_teardown(partitions_are_what_sys_block_does_not_list, root_new,
                                        root_drop),
        cmocka_unit_test_setup_teardown(without_sys_the_name_decides, root_new, root_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
