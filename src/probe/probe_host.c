/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host.c: CPU, load and memory of the host the agent runs on.
 *
 * Threads: reads files only.
 */
#include "probe/probe.h"

#include "os/host.h"

static const char *const RELATIONS[] = {"host_cpu", "host_memory", NULL};

/* Sets cells by name, so that the catalogue's order does not matter. */
struct row {
    struct slice_builder sb;
    const struct relation *relation;
    bool unknown; /* a name that the catalogue lacks */
};

static void set(struct row *row, const char *name, struct cell value)
{
    int at = relation_find_column(row->relation, str_of(name));
    row->unknown = row->unknown || at < 0;
    if (at >= 0) {
        slice_build_cell(&row->sb, (size_t)at, value);
    }
}

static enum err_code begin(struct probe_run *r, struct row *row, const char *name, int64_t t_ms,
                           struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, name);
    if (!f) {
        return err_set(e, ERR_BUG, "the catalogue has no %s", name);
    }
    struct slice_times times = {t_ms, t_ms, r->every_ms};
    row->relation = &f->relation;
    row->unknown = false;
    slice_build_begin(&row->sb, r->arena, row->relation, &r->target, STR(""), &times);
    slice_build_row(&row->sb, NULL);
    return ERR_OK;
}

static enum err_code end(struct probe_run *r, struct row *row, struct err *e)
{
    struct slice *s;
    if (row->unknown) {
        return err_set(e, ERR_BUG, "a column is not in the catalogue");
    }
    if (slice_build_end(&row->sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, e)) {
        return e->code;
    }
    probe_emit(r, s);
    return ERR_OK;
}

static struct cell seconds(uint64_t ticks, uint32_t hz)
{
    uint64_t hundredths = ticks * 100 / hz;
    return cell_f64((double)hundredths / 100);
}

static void set_times(struct row *row, const struct host_cpu *c)
{
    uint32_t hz = c->hz ? c->hz : 100;
    set(row, "user_s", seconds(c->user, hz));
    set(row, "nice_s", seconds(c->nice, hz));
    set(row, "system_s", seconds(c->sys, hz));
    set(row, "idle_s", seconds(c->idle, hz));
    set(row, "iowait_s", seconds(c->iowait, hz));
    set(row, "irq_s", seconds(c->irq, hz));
    set(row, "softirq_s", seconds(c->softirq, hz));
    set(row, "steal_s", seconds(c->steal, hz));
    set(row, "context_switches", cell_u64(c->context_switches));
    set(row, "forks", cell_u64(c->forks));
    set(row, "cpus", cell_i64(c->online));
    set(row, "procs_running", cell_i64(c->procs_running));
    set(row, "procs_blocked", cell_i64(c->procs_blocked));
}

static enum err_code read_cpu(struct probe_run *r, const struct host_limits *limits, int64_t t_ms,
                              struct err *e)
{
    struct row row;
    struct host_cpu cpu;
    struct host_load load;
    if (host_read_cpu(r->host_root, &cpu, e) || host_read_load(r->host_root, &load, e) ||
        begin(r, &row, "host_cpu", t_ms, e)) {
        return e->code;
    }
    set_times(&row, &cpu);
    set(&row, "load1", cell_f64(load.load1));
    set(&row, "load5", cell_f64(load.load5));
    set(&row, "load15", cell_f64(load.load15));
    if (limits->has_cpu) {
        set(&row, "cpu_limit", cell_f64((double)(int64_t)(limits->cpus * 1000 + 0.5) / 1000));
    }
    return end(r, &row, e);
}

static enum err_code read_memory(struct probe_run *r, const struct host_limits *limits,
                                 int64_t t_ms, struct err *e)
{
    struct row row;
    struct host_memory m;
    if (host_read_memory(r->host_root, &m, e) || begin(r, &row, "host_memory", t_ms, e)) {
        return e->code;
    }
    set(&row, "total", cell_u64(m.total));
    set(&row, "free", cell_u64(m.free));
    if (m.has_available) {
        set(&row, "available", cell_u64(m.available));
    }
    set(&row, "buffers", cell_u64(m.buffers));
    set(&row, "cached", cell_u64(m.cached));
    set(&row, "slab", cell_u64(m.slab));
    set(&row, "swap_total", cell_u64(m.swap_total));
    set(&row, "swap_free", cell_u64(m.swap_free));
    set(&row, "dirty", cell_u64(m.dirty));
    set(&row, "writeback", cell_u64(m.writeback));
    set(&row, "huge_total", cell_u64(m.huge_total));
    set(&row, "huge_free", cell_u64(m.huge_free));
    if (limits->has_memory) {
        set(&row, "limit_bytes", cell_u64(limits->memory_bytes));
    }
    if (limits->memory_used_bytes) {
        set(&row, "used_bytes", cell_u64(limits->memory_used_bytes));
    }
    return end(r, &row, e);
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
