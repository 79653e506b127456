/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host_cgroup.c: what the control group of the agent uses: the container, when there is one.
 *
 * Threads: reads files only.
 */
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_cgroup", NULL};

static void set(struct probe_rows *rows, const char *column, struct host_count count)
{
    if (count.has) {
        probe_rows_set(rows, column, cell_u64(count.value));
    }
}

static void put(struct probe_rows *rows, const struct host_cgroup *x)
{
    probe_rows_add(rows, NULL);
    probe_rows_set(rows, "version", cell_i64(x->version));
    set(rows, "memory_current", x->memory_current);
    set(rows, "memory_max", x->memory_max);
    set(rows, "oom_kill", x->memory_oom_kills);
    set(rows, "cpu_usage_usec", x->cpu_usage_us);
    set(rows, "nr_periods", x->cpu_periods);
    set(rows, "nr_throttled", x->cpu_throttled);
    set(rows, "throttled_usec", x->cpu_throttled_us);
    set(rows, "pids_current", x->pids_current);
    set(rows, "pids_max", x->pids_max);
    set(rows, "io_rbytes", x->io_read_bytes);
    set(rows, "io_wbytes", x->io_written_bytes);
    set(rows, "io_rios", x->io_reads);
    set(rows, "io_wios", x->io_writes);
    if (x->cpu_max > 0) {
        probe_rows_set(rows, "cpu_max",
                       cell_f64((double)(int64_t)(x->cpu_max * 1000 + 0.5) / 1000));
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct probe_rows rows;
    struct host_cgroup cgroup;
    int64_t t_ms = probe_now_ms(r);
    if (host_read_cgroup(r->host_root, &cgroup, e)) {
        return e->code;
    }
    if (!cgroup.version) {
        return err_set(e, ERR_UNSUPPORTED, "no control group is to be seen in /sys/fs/cgroup");
    }
    if (probe_rows_begin(r, &rows, "host_cgroup", t_ms, e)) {
        return e->code;
    }
    put(&rows, &cgroup);
    return probe_rows_end(r, &rows, 0, e);
}

const struct probe probe_host_cgroup = {
    .name = "host_cgroup",
    .summary = "What the control group of the agent uses: its container, if it is in one.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 10000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/self/cgroup, /sys/fs/cgroup, versions 1 and 2",
    .run = run,
};
