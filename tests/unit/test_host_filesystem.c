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

static char root[64];

static void put(const char *name, const char *text)
{
    char path[512], *slash;

    (void)snprintf(path, sizeof(path), "%s%s", root, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    assert_int_equal(file_make_dirs(path, 0700, NULL), ERR_OK);
    *slash = '/';
    assert_int_equal(file_write_atomic(path, str_of(text), 0600, NULL), ERR_OK);
}

static int new_root(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/pga-test-host-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state)
{
    (void)state;
    return file_remove_tree(root, NULL) == ERR_OK ? 0 : -1;
}

static void only_local_types_are_taken(void **state)
{
    struct host_filesystem f[8];

    (void)state;
    assert_int_equal(
        host_parse_mounts(
            STR("proc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\ncgroup2 /cg cgroup2 rw\n"
                "tmpfs /run tmpfs rw 0 0\ntmpfs /dev/shm tmpfs rw,nosuid 0 0\n"
                "nas:/vol /mnt/nas nfs4 rw,hard 0 0\n//win/share /mnt/win cifs rw 0 0\n"
                "sshfs#h:/ /mnt/ssh fuse.sshfs rw 0 0\n/etc/auto /net autofs rw 0 0\n"
                "x /mnt/ceph ceph rw 0 0\nhost /mnt/9p 9p rw 0 0\n/dev/fuse /doc fuse.portal rw\n"
                "/dev/loop3 /snap/core/1 squashfs ro 0 0\noverlay / overlay rw 0 0\n"
                "overlay /var/lib/docker/x overlay rw 0 0\n"
                "/dev/mapper/vg-data /var/lib/postgresql xfs rw,noatime 0 0\n"
                "tank/pg /tank zfs ro,noatime 0 0\n"),
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

static void one_device_counts_once_at_the_shortest_place(void **state)
{
    struct host_filesystem f[8];

    (void)state;
    assert_int_equal(host_parse_mounts(STR("/dev/vda /etc/resolv.conf ext4 rw 0 0\n"
                                           "/dev/vda / ext4 rw 0 0\n"
                                           "/dev/vda /etc/hosts ext4 rw 0 0\n"
                                           "/dev/vdb /data ext4 rw 0 0\n"
                                           "/dev/vdc /data xfs rw 0 0\n"), /* hides vdb */
                                       f, 8),
                     2);
    assert_string_equal(f[0].mountpoint, "/");
    assert_string_equal(f[1].device, "/dev/vdc");
}

static void names_with_blanks_and_broken_lines(void **state)
{
    struct host_filesystem f[2];
    char text[1024];

    (void)state;
    assert_int_equal(host_parse_mounts(STR("/dev/sdb1 /mnt/my\\040disk\\134x ext4 rw 0 0\n"
                                           "/dev/sdc1 /bad\\9 ext4 rw 0 0\n\n/dev/sdd1\n"
                                           "/dev/sde1 relative ext4 rw 0 0\n"),
                                       f, 2),
                     2);
    assert_string_equal(f[0].mountpoint, "/mnt/my disk\\x");
    assert_string_equal(f[1].mountpoint, "/bad\\9");
    (void)snprintf(text, sizeof(text), "/dev/sdb1 /%0300d ext4 rw 0 0\n", 7);
    assert_int_equal(host_parse_mounts(str_of(text), f, 2), 0); /* longer than a key */
    assert_int_equal(host_parse_mounts(STR("/dev/a1 /a ext4 rw\n/dev/b1 /b ext4 rw\n"
                                           "/dev/c1 /c ext4 rw\n"),
                                       f, 2),
                     3); /* more than fit */
    assert_string_equal(f[1].mountpoint, "/b");
}

static void what_is_there_is_measured(void **state)
{
    struct host_filesystem f[4];
    size_t count;

    (void)state;
    put("/proc/self/mounts", "/dev/x1 /here ext4 rw 0 0\n/dev/x2 /gone xfs rw 0 0\n");
    put("/here/file", "x");
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
        cmocka_unit_test(one_device_counts_once_at_the_shortest_place),
        cmocka_unit_test(names_with_blanks_and_broken_lines),
        cmocka_unit_test_setup_teardown(what_is_there_is_measured, new_root, drop_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
