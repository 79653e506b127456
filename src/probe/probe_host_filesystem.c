/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host_filesystem.c: size and free space of each local file system.
 *
 * Threads: reads files only.
 */
#include "base/limits.h"
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_filesystem", NULL};

static void put(struct probe_rows *rows, const struct host_filesystem *x)
{
    probe_rows_add(rows, x->mountpoint);
    probe_rows_set(rows, "device", cell_str(str_of(x->device)));
    probe_rows_set(rows, "fstype", cell_str(str_of(x->type)));
    probe_rows_set(rows, "read_only", cell_i64(x->read_only));
    if (!x->measured) {
        return; /* not known is not zero */
    }
    probe_rows_set(rows, "size_bytes", cell_u64(x->size_bytes));
    probe_rows_set(rows, "free_bytes", cell_u64(x->free_bytes));
    probe_rows_set(rows, "available_bytes", cell_u64(x->available_bytes));
    if (x->inodes) { /* btrfs and vfat have no fixed number */
        probe_rows_set(rows, "inodes", cell_u64(x->inodes));
        probe_rows_set(rows, "inodes_free", cell_u64(x->inodes_free));
    }
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct probe_rows rows;
    size_t count;
    struct host_filesystem *list = arena_array(r->arena, LIMIT_HOST_ROWS, sizeof(*list));
    int64_t t_ms = probe_now_ms(r);
    if (!list) {
        return arena_check(r->arena, e);
    }
    if (host_read_filesystems(r->host_root, list, LIMIT_HOST_ROWS, &count, e) ||
        probe_rows_begin(r, &rows, "host_filesystem", t_ms, e)) {
        return e->code;
    }
    size_t kept = count < LIMIT_HOST_ROWS ? count : LIMIT_HOST_ROWS;
    for (size_t i = 0; i < kept; i++) {
        put(&rows, &list[i]);
    }
    return probe_rows_end(r, &rows, count - kept, e);
}

const struct probe probe_host_filesystem = {
    .name = "host_filesystem",
    .summary = "How full each local file system is.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 60000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/self/mountinfo, statvfs",
    .run = run,
};
