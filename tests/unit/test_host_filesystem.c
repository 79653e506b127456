/* SPDX-License-Identifier: PostgreSQL */
/* test_host_filesystem.c: mount tables; what could hang is never touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "os/host.h"
#include "root_fixture.h"

static void only_local_types_are_taken(void **state)
{
    struct host_filesystem f[8];

    (void)state;
    assert_int_equal(
        host_parse_mountinfo(
            STR("21 1 0:5 / /proc rw - proc proc rw\n22 1 0:6 / /sys rw shared:1 - sysfs sysfs rw\n"
                "23 1 0:7 / /cg rw - cgroup2 cg rw\n24 1 0:8 / /run rw - tmpfs tmpfs rw\n"
                "25 1 0:9 / /dev/shm rw,nosuid shared:4 - tmpfs tmpfs rw\n"
                "26 1 0:10 / /mnt/nas rw - nfs4 nas:/vol rw,hard\n"
                "27 1 0:11 / /mnt/win rw - cifs //win/share rw\n"
                "28 1 0:12 / /mnt/ssh rw - fuse.sshfs sshfs#h:/ rw\n"
                "29 1 0:13 / /net rw - autofs /etc/auto rw\n30 1 0:14 / /c rw - ceph x rw\n"
                "31 1 0:15 / /9 rw - 9p host rw\n32 1 7:3 / /snap/1 ro - squashfs /dev/loop3 ro\n"
                "33 1 0:16 / / rw - overlay overlay rw,lowerdir=/a\n"
                "34 1 0:17 / /var/lib/docker/x rw - overlay overlay rw\n"
                "35 1 253:1 / /var/lib/postgresql rw,noatime shared:7 master:2 - xfs "
                "/dev/mapper/vg-data rw,attr2\n"
                "36 1 0:18 / /tank rw,noatime - zfs tank/pg ro,xattr\n"),
            f, 8),
        4);
    assert_string_equal(f[0].mountpoint, "/dev/shm");
    assert_string_equal(f[1].mountpoint, "/");
    assert_string_equal(f[1].type, "overlay");
    assert_string_equal(f[2].device, "/dev/mapper/vg-data");
    assert_string_equal(f[2].mountpoint, "/var/lib/postgresql");
    assert_false(f[2].read_only);
    assert_true(f[3].read_only);
    assert_false(f[3].measured);
}

static void one_file_system_counts_once_at_the_shortest_place(void **state)
{
    struct host_filesystem f[8];

    (void)state;
    assert_int_equal(
        host_parse_mountinfo(STR("1 0 254:0 /x/resolv /etc/resolv.conf rw - ext4 /dev/vda rw\n"
                                 "2 0 254:0 / / ro,relatime - ext4 /dev/vda rw\n"
                                 "3 0 254:0 /x/hosts /etc/hosts rw - ext4 /dev/vda rw\n"
                                 "4 0 0:40 /@data /data rw - btrfs /dev/vdb rw,subvol=/@data\n"
                                 "5 0 0:40 /@home /homes rw - btrfs /dev/vdb rw,subvol=/@home\n"),
                             f, 8),
        2);
    assert_string_equal(f[0].mountpoint, "/");
    assert_false(f[0].read_only); /* in this place only, as systemd's ProtectSystem= makes it */
    assert_string_equal(f[1].mountpoint, "/data");
}

static void what_another_mount_hides_does_not_count(void **state)
{
    struct host_filesystem f[8];

    (void)state;
    assert_int_equal(host_parse_mountinfo(STR("1 0 8:1 / /home rw - ext4 /dev/sda1 rw\n"
                                              "2 0 8:2 / /data rw - ext4 /dev/sda2 rw\n"
                                              "3 0 8:3 / /data rw - xfs /dev/sda3 rw\n"
                                              "4 1 0:9 / /home ro - tmpfs tmpfs ro\n"),
                                          f, 8),
                     1);
    assert_string_equal(f[0].device, "/dev/sda3");
}

static void names_with_blanks_and_broken_lines(void **state)
{
    struct host_filesystem f[2];
    char text[1024];

    (void)state;
    assert_int_equal(host_parse_mountinfo(
                         STR("1 0 8:1 / /mnt/my\\040disk\\134x rw - ext4 /dev/sdb1 rw\n"
                             "2 0 8:2 / /bad\\9 rw - ext4 /dev/sdc1 rw\n\n/dev/sdd1\n"
                             "3 0 8:3 / relative rw - ext4 /dev/sde1 rw\n"
                             "4 0 8:4 / /none rw shared:1 ext4 /dev/sdf1 rw\n5 0 8:5 / /a - \n"),
                         f, 2),
                     2);
    assert_string_equal(f[0].mountpoint, "/mnt/my disk\\x");
    assert_string_equal(f[1].mountpoint, "/bad\\9");
    (void)snprintf(text, sizeof(text), "1 0 8:1 / /%0300d rw - ext4 /dev/sdb1 rw\n", 7);
    assert_int_equal(host_parse_mountinfo(str_of(text), f, 2), 0); /* longer than a key */
    assert_int_equal(host_parse_mountinfo(STR("1 0 8:1 / /a rw - ext4 a rw\n"
                                              "2 0 8:2 / /b rw - ext4 b rw\n"
                                              "3 0 8:3 / /c rw - ext4 c rw\n"),
                                          f, 2),
                     3); /* more than fit */
    assert_string_equal(f[1].mountpoint, "/b");
}

static void what_is_there_is_measured(void **state)
{
    struct host_filesystem f[4];
    size_t count;

    (void)state;
    root_put("/proc/self/mountinfo",
             "1 0 8:1 / /here rw - ext4 /dev/x1 rw\n2 0 8:2 / /gone rw - xfs /dev/x2 rw\n");
    root_put("/here/file", "x");
    assert_int_equal(host_read_filesystems(root, f, 4, &count, NULL), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(f[0].measured && f[0].size_bytes > 0);
    assert_true(f[0].free_bytes <= f[0].size_bytes && f[0].available_bytes <= f[0].free_bytes);
    assert_false(f[1].measured);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_local_types_are_taken),
        cmocka_unit_test(one_file_system_counts_once_at_the_shortest_place),
        cmocka_unit_test(what_another_mount_hides_does_not_count),
        cmocka_unit_test(names_with_blanks_and_broken_lines),
        cmocka_unit_test_setup_teardown(what_is_there_is_measured, root_new, root_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
