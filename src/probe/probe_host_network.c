/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_host_network.c: traffic of each network interface.
 *
 * Threads: reads files only.
 */
#include "base/limits.h"
#include "os/host.h"
#include "probe/probe_row.h"

static const char *const RELATIONS[] = {"host_network", NULL};

static void put(struct probe_rows *rows, const struct host_network *x)
{
    probe_rows_add(rows, x->name);
    probe_rows_set(rows, "rx_bytes", cell_u64(x->rx_bytes));
    probe_rows_set(rows, "rx_packets", cell_u64(x->rx_packets));
    probe_rows_set(rows, "rx_errors", cell_u64(x->rx_errors));
    probe_rows_set(rows, "rx_dropped", cell_u64(x->rx_dropped));
    probe_rows_set(rows, "rx_fifo_errors", cell_u64(x->rx_fifo_errors));
    probe_rows_set(rows, "rx_frame_errors", cell_u64(x->rx_frame_errors));
    probe_rows_set(rows, "multicast", cell_u64(x->multicast));
    probe_rows_set(rows, "tx_bytes", cell_u64(x->tx_bytes));
    probe_rows_set(rows, "tx_packets", cell_u64(x->tx_packets));
    probe_rows_set(rows, "tx_errors", cell_u64(x->tx_errors));
    probe_rows_set(rows, "tx_dropped", cell_u64(x->tx_dropped));
    probe_rows_set(rows, "tx_fifo_errors", cell_u64(x->tx_fifo_errors));
    probe_rows_set(rows, "collisions", cell_u64(x->collisions));
    probe_rows_set(rows, "tx_carrier_errors", cell_u64(x->tx_carrier_errors));
}

static enum err_code run(struct probe_run *r, struct err *e)
{
    struct probe_rows rows;
    size_t count;
    struct host_network *list = arena_array(r->arena, LIMIT_HOST_ROWS, sizeof(*list));
    int64_t t_ms = probe_now_ms(r);
    if (!list) {
        return arena_check(r->arena, e);
    }
    if (host_read_network(r->host_root, list, LIMIT_HOST_ROWS, &count, e) ||
        probe_rows_begin(r, &rows, "host_network", t_ms, e)) {
        return e->code;
    }
    size_t kept = count < LIMIT_HOST_ROWS ? count : LIMIT_HOST_ROWS;
    for (size_t i = 0; i < kept; i++) {
        put(&rows, &list[i]);
    }
    return probe_rows_end(r, &rows, count - kept, e);
}

const struct probe probe_host_network = {
    .name = "host_network",
    .summary = "Traffic and errors of each network interface.",
    .scope = CATALOGUE_HOST,
    .clock_ms = 10000,
    .timeout_ms = 1000,
    .privilege = "none",
    .relations = RELATIONS,
    .source = "/proc/net/dev",
    .run = run,
};
