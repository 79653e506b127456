/* SPDX-License-Identifier: PostgreSQL */
/* test_host.c: /proc texts of several kernels, odd ones, control groups of both versions. */
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

static void stat_of_a_modern_kernel(void **state)
{
    struct host_cpu cpu;

    (void)state;
    assert_int_equal(host_parse_stat(STR("cpu  10 20 30 40 50 60 70 80 90 100\n"
                                         "cpu0 1 2 3 4 5 6 7 8 9 10\n"
                                         "cpu1 1 2 3 4 5 6 7 8 9 10\n"
                                         "intr 12345 0 0 1\nctxt 777\nbtime 1700000000\n"
                                         "processes 555\nprocs_running 3\nprocs_blocked 1\n"
                                         "softirq 1 2 3\n"),
                                     &cpu, NULL),
                     ERR_OK);
    assert_int_equal(cpu.user, 10);
    assert_int_equal(cpu.sys, 30);
    assert_int_equal(cpu.idle, 40);
    assert_int_equal(cpu.iowait, 50);
    assert_int_equal(cpu.steal, 80);
    assert_int_equal(cpu.online, 2);
    assert_int_equal(cpu.context_switches, 777);
    assert_int_equal(cpu.boot_time_s, 1700000000);
    assert_int_equal(cpu.forks, 555);
    assert_int_equal(cpu.procs_running, 3);
    assert_int_equal(cpu.procs_blocked, 1);
    assert_int_equal(cpu.hz, 100);
}

static void stat_odd_forms(void **state)
{
    struct host_cpu cpu;
    struct err e;

    (void)state;
    assert_int_equal(host_parse_stat(STR("cpu 1 2 3 4"), &cpu, &e), ERR_OK); /* Linux 2.4 */
    assert_int_equal(cpu.idle, 4);
    assert_int_equal(cpu.iowait, 0);
    assert_int_equal(host_parse_stat(STR(""), &cpu, &e), ERR_INVALID);
    assert_int_equal(host_parse_stat((struct str){NULL, 0}, &cpu, &e), ERR_INVALID);
    assert_int_equal(host_parse_stat(STR("cpu 1 2 x\n"), &cpu, &e), ERR_INVALID);
    assert_int_equal(host_parse_stat(STR("cpu\ncpu0 1 2 3 4\n"), &cpu, &e), ERR_INVALID);
    assert_int_equal(cpu.idle, 4); /* untouched on error */
}

static void meminfo_forms(void **state)
{
    struct host_memory m;
    struct err e;

    (void)state;
    assert_int_equal(
        host_parse_meminfo(STR("MemTotal:       16314680 kB\nMemFree:          100 kB\n"
                               "MemAvailable:   8000000 kB\nBuffers: 1 kB\nCached: 2 kB\n"
                               "SwapCached: 99 kB\nSlab: 3 kB\nSwapTotal: 4 kB\nSwapFree: 5 kB\n"
                               "Dirty: 6 kB\nWriteback: 7 kB\nWritebackTmp: 98 kB\n"
                               "HugePages_Total:     10\nHugePages_Free:   4\n"
                               "Hugepagesize:       2048 kB\nDirectMap4k: x kB\nodd line\n"),
                           &m, &e),
        ERR_OK);
    assert_int_equal(m.total, UINT64_C(16314680) * 1024);
    assert_int_equal(m.cached, 2048);
    assert_int_equal(m.dirty, 6 * 1024);
    assert_int_equal(m.writeback, 7 * 1024);
    assert_int_equal(m.huge_total, UINT64_C(10) * 2048 * 1024);
    assert_int_equal(m.huge_free, UINT64_C(4) * 2048 * 1024);
    assert_true(m.has_available);
    assert_int_equal(host_parse_meminfo(STR("MemTotal: 5 kB"), &m, &e), ERR_OK); /* before 3.14 */
    assert_false(m.has_available);
    assert_int_equal(host_parse_meminfo(STR("MemFree: 5 kB\n"), &m, &e), ERR_INVALID);
    assert_int_equal(host_parse_meminfo(STR("MemTotal: 1 kB\nHugePages_Total: 9999999999999999\n"
                                            "Hugepagesize: 9999999999 kB\n"),
                                        &m, &e),
                     ERR_INVALID);
}

static void loadavg_forms(void **state)
{
    struct host_load load;
    struct err e;

    (void)state;
    assert_int_equal(host_parse_loadavg(STR("0.50 1.25 10.00 2/1234 5678\n"), &load, &e), ERR_OK);
    assert_true(load.load1 == 0.5 && load.load5 == 1.25 && load.load15 == 10);
    assert_int_equal(host_parse_loadavg(STR("0.50 1.25"), &load, &e), ERR_INVALID);
    assert_int_equal(host_parse_loadavg(STR("a b c"), &load, &e), ERR_INVALID);
}

static void this_machine_is_readable(void **state)
{
    struct host_cpu cpu;
    struct host_memory memory;
    struct host_load load;
    struct host_limits limits;
    struct err e;

    (void)state;
    assert_int_equal(host_read_cpu("", &cpu, &e), ERR_OK);
    assert_true(cpu.online > 0);
    assert_int_equal(host_read_memory("", &memory, &e), ERR_OK);
    assert_true(memory.total > memory.free);
    assert_int_equal(host_read_load("", &load, &e), ERR_OK);
    assert_int_equal(host_read_limits("", &limits, &e), ERR_OK);
}

static void names_come_from_the_root(void **state)
{
    char text[40];
    struct err e;

    (void)state;
    assert_int_equal(host_read_name(root, text, sizeof(text), &e), ERR_NOT_FOUND);
    root_put("/proc/sys/kernel/hostname", "db1\n");
    assert_int_equal(host_read_name(root, text, sizeof(text), &e), ERR_OK);
    assert_string_equal(text, "db1");
    assert_int_equal(host_read_name(root, text, 3, &e), ERR_INVALID);
    root_put("/proc/sys/kernel/random/boot_id", "7a1f4c2e-0000-4000-8000-000000000001\n");
    assert_int_equal(host_read_boot_id(root, text, sizeof(text), &e), ERR_OK);
    assert_int_equal(strlen(text), 36);
}

static void no_control_groups_no_limits(void **state)
{
    struct host_limits limits;

    (void)state;
    assert_int_equal(host_read_limits(root, &limits, NULL), ERR_OK);
    assert_false(limits.has_cpu || limits.has_memory);
}

static void version_two_takes_the_smallest_above(void **state)
{
    struct host_limits limits;

    (void)state;
    root_put("/proc/self/cgroup", "0::/system.slice/pg.service\n");
    root_put("/sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
    root_put("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
    root_put("/sys/fs/cgroup/system.slice/pg.service/memory.max", "max\n");
    root_put("/sys/fs/cgroup/system.slice/pg.service/memory.current", "4096\n");
    root_put("/sys/fs/cgroup/system.slice/pg.service/cpu.max", "150000 100000\n");
    assert_int_equal(host_read_limits(root, &limits, NULL), ERR_OK);
    assert_true(limits.has_memory && limits.has_cpu);
    assert_int_equal(limits.memory_bytes, 1 << 30);
    assert_true(limits.cpus == 1.5);
    assert_int_equal(limits.memory_used_bytes, 4096);
}

static void version_two_inside_a_container(void **state)
{
    struct host_limits limits;

    (void)state;
    root_put("/proc/self/cgroup", "0::/\n");
    root_put("/sys/fs/cgroup/memory.max", "2097152\n");
    root_put("/sys/fs/cgroup/memory.current", "100\n");
    root_put("/sys/fs/cgroup/cpu.max", "garbage\n");
    assert_int_equal(host_read_limits(root, &limits, NULL), ERR_OK);
    assert_int_equal(limits.memory_bytes, 2097152);
    assert_int_equal(limits.memory_used_bytes, 100);
    assert_false(limits.has_cpu);
}

static void version_one_with_a_path_that_is_not_mounted(void **state)
{
    struct host_limits limits;

    (void)state;
    root_put("/proc/self/cgroup", "12:cpu,cpuacct:/docker/abc\n5:memory:/docker/abc\n"
                                  "1:name=systemd:/docker/abc\n0::/system.slice/docker.service\n");
    root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n");
    root_put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "77\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(host_read_limits(root, &limits, NULL), ERR_OK);
    assert_int_equal(limits.memory_bytes, 536870912);
    assert_int_equal(limits.memory_used_bytes, 77);
    assert_true(limits.has_cpu && limits.cpus == 0.5);
}

static void version_one_without_limits(void **state)
{
    struct host_limits limits;

    (void)state;
    root_put("/proc/self/cgroup", "12:cpu,cpuacct:/\n5:memory:/\n\nodd\n7:::\n");
    root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_int_equal(host_read_limits(root, &limits, NULL), ERR_OK);
    assert_false(limits.has_cpu || limits.has_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stat_of_a_modern_kernel),
        cmocka_unit_test(stat_odd_forms),
        cmocka_unit_test(meminfo_forms),
        cmocka_unit_test(loadavg_forms),
        cmocka_unit_test(this_machine_is_readable),
        cmocka_unit_test_setup_teardown(names_come_from_the_root, root_new, root_drop),
        cmocka_unit_test_setup_teardown(no_control_groups_no_limits, root_new, root_drop),
        cmocka_unit_test_setup_teardown(version_two_takes_the_smallest_above, root_new, root_drop),
        cmocka_unit_test_setup_teardown(version_two_inside_a_container, root_new, root_drop),
        cmocka_unit_test_setup_teardown(version_one_with_a_path_that_is_not_mounted, root_new,
                                        root_drop),
        cmocka_unit_test_setup_teardown(version_one_without_limits, root_new, root_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
