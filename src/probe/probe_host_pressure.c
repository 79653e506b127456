/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host_pressure.c: how long tasks were stalled for want of CPU, memory and I/O.
 *
 * Threads: reads files only.
 */
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_pressure", NULL};
static const char *const RESOURCES[] = {"cpu", "io", "irq", "memory"};

static void put(struct probe_rows *rows, const char *resource, const struct host_pressure *x)
{
    probe_rows_add(rows, resource);
    if (x->some.known) {
        probe_rows_set(rows, "some_avg10", cell_f64(x->some.avg10));
        probe_rows_set(rows, "some_avg60", cell_f64(x->some.avg60));
        probe_rows_set(rows, "some_avg300", cell_f64(x->some.avg300));
        probe_rows_set(rows, "some_total", cell_u64(x->some.total_us));
    }
    if (x->full.known) {
        probe_rows_set(rows, "full_avg10", cell_f64(x->full.avg10));
        probe_rows_set(rows, "full_avg60", cell_f64(x->full.avg60));
        probe_rows_set(rows, "full_avg300", cell_f64(x->full.avg300));
        probe_rows_set(rows, "full_total", cell_u64(x->full.total_us));
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct probe_rows rows;
    size_t found = 0;
    if (probe_rows_begin(r, &rows, "host_pressure", probe_now_ms(r), e)) {
        return e->code;
    }
    for (size_t i = 0; i < sizeof(RESOURCES) / sizeof(RESOURCES[0]); i++) {
        struct host_pressure pressure;
        /* irq came with Linux 6.1: one that is absent is no failure of the others */
        if (!host_read_pressure(r->host_root, RESOURCES[i], &pressure, e)) {
            put(&rows, RESOURCES[i], &pressure);
            found++;
        }
    }
    if (!found) {
        return e->code;
    }
    err_clear(e);
    return probe_rows_end(r, &rows, 0, e);
}

const struct probe probe_host_pressure = {
    .name = "host_pressure",
    .summary = "Pressure stall information: time lost for want of CPU, memory and I/O.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 10000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/pressure, Linux >= 4.20",
    .run = run,
};
