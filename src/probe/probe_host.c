/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host.c: CPU, load and memory of the host the agent runs on.
 *
 * Threads: reads files only.
 */
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_cpu", "host_memory", NULL};

static struct cell seconds(uint64_t ticks, uint32_t hz)
{
    uint64_t hundredths = ticks * 100 / hz;
    return cell_f64((double)hundredths / 100);
}

static void set_times(struct probe_rows *row, const struct host_cpu *c)
{
    uint32_t hz = c->hz ? c->hz : 100;
    probe_rows_set(row, "user_s", seconds(c->user, hz));
    probe_rows_set(row, "nice_s", seconds(c->nice, hz));
    probe_rows_set(row, "system_s", seconds(c->sys, hz));
    probe_rows_set(row, "idle_s", seconds(c->idle, hz));
    probe_rows_set(row, "iowait_s", seconds(c->iowait, hz));
    probe_rows_set(row, "irq_s", seconds(c->irq, hz));
    probe_rows_set(row, "softirq_s", seconds(c->softirq, hz));
    probe_rows_set(row, "steal_s", seconds(c->steal, hz));
    probe_rows_set(row, "context_switches", cell_u64(c->context_switches));
    probe_rows_set(row, "forks", cell_u64(c->forks));
    probe_rows_set(row, "cpus", cell_i64(c->online));
    probe_rows_set(row, "procs_running", cell_i64(c->procs_running));
    probe_rows_set(row, "procs_blocked", cell_i64(c->procs_blocked));
}

static enum err_code read_cpu(struct probe_run *r, const struct host_limits *limits, int64_t t_ms,
                              struct err *e)
{
    struct probe_rows row;
    struct host_cpu cpu;
    struct host_load load;
    if (host_read_cpu(r->host_root, &cpu, e) || host_read_load(r->host_root, &load, e) ||
        probe_rows_begin(r, &row, "host_cpu", t_ms, e)) {
        return e->code;
    }
    probe_rows_add(&row, NULL);
    set_times(&row, &cpu);
    probe_rows_set(&row, "load1", cell_f64(load.load1));
    probe_rows_set(&row, "load5", cell_f64(load.load5));
    probe_rows_set(&row, "load15", cell_f64(load.load15));
    if (limits->has_cpu) {
        probe_rows_set(&row, "cpu_limit",
                       cell_f64((double)(int64_t)(limits->cpus * 1000 + 0.5) / 1000));
    }
    return probe_rows_end(r, &row, 0, e);
}

static enum err_code read_memory(struct probe_run *r, const struct host_limits *limits,
                                 int64_t t_ms, struct err *e)
{
    struct probe_rows row;
    struct host_memory m;
    if (host_read_memory(r->host_root, &m, e) ||
        probe_rows_begin(r, &row, "host_memory", t_ms, e)) {
        return e->code;
    }
    probe_rows_add(&row, NULL);
    probe_rows_set(&row, "total", cell_u64(m.total));
    probe_rows_set(&row, "free", cell_u64(m.free));
    if (m.has_available) {
        probe_rows_set(&row, "available", cell_u64(m.available));
    }
    probe_rows_set(&row, "buffers", cell_u64(m.buffers));
    probe_rows_set(&row, "cached", cell_u64(m.cached));
    probe_rows_set(&row, "slab", cell_u64(m.slab));
    probe_rows_set(&row, "swap_total", cell_u64(m.swap_total));
    probe_rows_set(&row, "swap_free", cell_u64(m.swap_free));
    probe_rows_set(&row, "dirty", cell_u64(m.dirty));
    probe_rows_set(&row, "writeback", cell_u64(m.writeback));
    probe_rows_set(&row, "huge_total", cell_u64(m.huge_total));
    probe_rows_set(&row, "huge_free", cell_u64(m.huge_free));
    if (limits->has_memory) {
        probe_rows_set(&row, "limit_bytes", cell_u64(limits->memory_bytes));
    }
    if (limits->memory_used_bytes) {
        probe_rows_set(&row, "used_bytes", cell_u64(limits->memory_used_bytes));
    }
    return probe_rows_end(r, &row, 0, e);
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct host_limits limits = {0};
    int64_t t_ms = probe_now_ms(r);
    /* Without control groups there is no limit; that is no failure. */
    if (host_read_limits(r->host_root, &limits, NULL)) {
        limits = (struct host_limits){0};
    }
    if (read_cpu(r, &limits, t_ms, e) || read_memory(r, &limits, t_ms, e)) {
        return e->code;
    }
    return ERR_OK;
}

const struct probe probe_host = {
    .name = "host",
    .summary = "CPU, load and memory of the host.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 10000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/stat, /proc/loadavg, /proc/meminfo, /sys/fs/cgroup",
    .run = run,
};
