/* SPDX-License-Identifier: PostgreSQL */
/* test_host_cgroup.c: control groups of version 2, 1 and both, and none. */
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

static void version_two(void **state)
{
    struct host_cgroup c;

    (void)state;
    root_put("/proc/self/cgroup", "0::/pod/pg\n");
    root_put("/sys/fs/cgroup/pod/memory.max", "4096000\n");
    root_put("/sys/fs/cgroup/pod/pg/memory.max", "max\n");
    root_put("/sys/fs/cgroup/pod/pg/memory.current", "12345\n");
    root_put("/sys/fs/cgroup/pod/pg/memory.events", "low 0\nhigh 1\nmax 2\noom 3\noom_kill 4\n");
    root_put("/sys/fs/cgroup/pod/pg/cpu.max", "50000 100000\n");
    root_put("/sys/fs/cgroup/pod/pg/cpu.stat",
             "usage_usec 1000\nuser_usec 600\nsystem_usec 400\nnr_periods 10\nnr_throttled 3\n"
             "throttled_usec 777\nnr_bursts 0\n");
    root_put("/sys/fs/cgroup/pod/pg/pids.current", "17\n");
    root_put("/sys/fs/cgroup/pod/pg/pids.max", "max\n");
    root_put("/sys/fs/cgroup/pod/pg/io.stat",
             "8:16 rbytes=100 wbytes=200 rios=3 wios=4 dbytes=0 dios=0\n"
             "8:0 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n253:0 \n");
    assert_int_equal(host_read_cgroup(root, &c, NULL), ERR_OK);
    assert_int_equal(c.version, 2);
    assert_true(c.memory_current.has && c.memory_current.value == 12345);
    assert_true(c.memory_max.has && c.memory_max.value == 4096000); /* of the group above */
    assert_int_equal(c.memory_oom_kills.value, 4);
    assert_int_equal(c.cpu_usage_us.value, 1000);
    assert_int_equal(c.cpu_periods.value, 10);
    assert_int_equal(c.cpu_throttled.value, 3);
    assert_int_equal(c.cpu_throttled_us.value, 777);
    assert_true(c.cpu_max == 0.5);
    assert_int_equal(c.pids_current.value, 17);
    assert_false(c.pids_max.has);
    assert_int_equal(c.io_read_bytes.value, 101);
    assert_int_equal(c.io_written_bytes.value, 202);
    assert_int_equal(c.io_reads.value, 4);
    assert_int_equal(c.io_writes.value, 5);
}

static void version_one_in_a_container(void **state)
{
    struct host_cgroup c;

    (void)state;
    root_put("/proc/self/cgroup",
             "9:cpu,cpuacct:/docker/ab\n8:memory:/docker/ab\n7:pids:/docker/ab\n"
             "6:blkio:/docker/ab\n1:name=systemd:/docker/ab\n0::/\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
             "nr_periods 5\nnr_throttled 2\nthrottled_time 3000000\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", "5000000\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
    root_put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    root_put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "42\n");
    root_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root_put("/sys/fs/cgroup/memory/memory.oom_control",
             "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    root_put("/sys/fs/cgroup/pids/pids.current", "6\n");
    root_put("/sys/fs/cgroup/pids/pids.max", "100\n");
    root_put("/sys/fs/cgroup/blkio/blkio.throttle.io_service_bytes",
             "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:16 Read 1\n8:16 Write 2\nTotal 33\n");
    root_put("/sys/fs/cgroup/blkio/blkio.throttle.io_serviced",
             "8:0 Read 1\n8:0 Write 2\nTotal 3\n");
    assert_int_equal(host_read_cgroup(root, &c, NULL), ERR_OK);
    assert_int_equal(c.version, 1);
    assert_int_equal(c.memory_current.value, 42);
    assert_false(c.memory_max.has);
    assert_int_equal(c.memory_oom_kills.value, 1);
    assert_int_equal(c.cpu_usage_us.value, 5000);
    assert_int_equal(c.cpu_throttled_us.value, 3000);
    assert_int_equal(c.cpu_throttled.value, 2);
    assert_true(c.cpu_max == 2);
    assert_int_equal(c.pids_max.value, 100);
    assert_int_equal(c.io_read_bytes.value, 11);
    assert_int_equal(c.io_written_bytes.value, 22);
    assert_int_equal(c.io_writes.value, 2);
}

static void a_hybrid_is_version_one(void **state)
{
    struct host_cgroup c;

    (void)state;
    root_put("/proc/self/cgroup", "4:memory:/a\n0::/system.slice/x\n");
    root_put("/sys/fs/cgroup/unified/cgroup.procs", "1\n");
    root_put("/sys/fs/cgroup/memory/a/memory.usage_in_bytes", "7\n");
    assert_int_equal(host_read_cgroup(root, &c, NULL), ERR_OK);
    assert_int_equal(c.version, 1);
    assert_int_equal(c.memory_current.value, 7);
    assert_false(c.cpu_usage_us.has || c.io_reads.has);
}

static void none_and_broken_ones(void **state)
{
    struct host_cgroup c;
    struct host_count count = {0};

    (void)state;
    assert_int_equal(host_read_cgroup(root, &c, NULL), ERR_OK);
    assert_int_equal(c.version, 0);
    root_put("/proc/self/cgroup", "0::/\n");
    root_put("/sys/fs/cgroup/cpu.stat", "usage_usec many\nnr_periods\n\nnr_throttled -1\n");
    root_put("/sys/fs/cgroup/memory.current", "lots\n");
    root_put("/sys/fs/cgroup/io.stat", "8:0 rbytes= wbytes=x rios\n=1 =\n");
    assert_int_equal(host_read_cgroup(root, &c, NULL), ERR_OK);
    assert_int_equal(c.version, 2);
    assert_false(c.cpu_usage_us.has || c.cpu_throttled.has || c.memory_current.has);
    assert_false(c.io_read_bytes.has || c.io_written_bytes.has);
    host_parse_blkio(STR("8:0 Read 18446744073709551615\n8:1 Read 5\n8:2 Read\nRead 5\n"), &count,
                     &c.io_writes);
    assert_true(count.has && count.value == UINT64_MAX); /* no wrap */
}

static void this_machine_is_readable(void **state)
{
    struct host_cgroup c;

    (void)state;
    assert_int_equal(host_read_cgroup("", &c, NULL), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_is_readable),
        cmocka_unit_test_setup_teardown(version_two, root_new, root_drop),
        cmocka_unit_test_setup_teardown(version_one_in_a_container, root_new, root_drop),
        cmocka_unit_test_setup_teardown(a_hybrid_is_version_one, root_new, root_drop),
        cmocka_unit_test_setup_teardown(none_and_broken_ones, root_new, root_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
