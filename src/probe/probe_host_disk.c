/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host_disk.c: reads, writes and times of each block device.
 *
 * Threads: reads files only.
 */
#include "base/limits.h"
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_disk", NULL};

static void put(struct probe_rows *rows, const struct host_disk *x)
{
    probe_rows_add(rows, x->name);
    probe_rows_set(rows, "reads", cell_u64(x->reads));
    probe_rows_set(rows, "reads_merged", cell_u64(x->reads_merged));
    probe_rows_set(rows, "read_bytes", cell_u64(x->read_bytes));
    probe_rows_set(rows, "read_ms", cell_u64(x->read_ms));
    probe_rows_set(rows, "writes", cell_u64(x->writes));
    probe_rows_set(rows, "writes_merged", cell_u64(x->writes_merged));
    probe_rows_set(rows, "written_bytes", cell_u64(x->written_bytes));
    probe_rows_set(rows, "write_ms", cell_u64(x->write_ms));
    probe_rows_set(rows, "in_flight", cell_u64(x->in_flight));
    probe_rows_set(rows, "io_ms", cell_u64(x->io_ms));
    probe_rows_set(rows, "weighted_io_ms", cell_u64(x->weighted_io_ms));
    if (x->has_discards) {
        probe_rows_set(rows, "discards", cell_u64(x->discards));
        probe_rows_set(rows, "discards_merged", cell_u64(x->discards_merged));
        probe_rows_set(rows, "discarded_bytes", cell_u64(x->discarded_bytes));
        probe_rows_set(rows, "discard_ms", cell_u64(x->discard_ms));
    }
    if (x->has_flushes) {
        probe_rows_set(rows, "flushes", cell_u64(x->flushes));
        probe_rows_set(rows, "flush_ms", cell_u64(x->flush_ms));
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct probe_rows rows;
    size_t count;
    struct host_disk *list = arena_array(r->arena, LIMIT_HOST_ROWS, sizeof(*list));
    int64_t t_ms = probe_now_ms(r);
    if (!list) {
        return arena_check(r->arena, e);
    }
    if (host_read_disks(r->host_root, list, LIMIT_HOST_ROWS, &count, e) ||
        probe_rows_begin(r, &rows, "host_disk", t_ms, e)) {
        return e->code;
    }
    size_t kept = count < LIMIT_HOST_ROWS ? count : LIMIT_HOST_ROWS;
    for (size_t i = 0; i < kept; i++) {
        put(&rows, &list[i]);
    }
    return probe_rows_end(r, &rows, count - kept, e);
}

const struct probe probe_host_disk = {
    .name = "host_disk",
    .summary = "Reads and writes of each disk.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 10000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/diskstats, /sys/block",
    .run = run,
};
