/* SPDX-License-Identifier: PostgreSQL */
/* route_query.h: top queries in the making, and their load from session history. */
#ifndef API_READ_ROUTE_QUERY_H
#define API_READ_ROUTE_QUERY_H

#include "api/fleet/api_target.h"
#include "store/tsdb/read/aggregate.h"

struct route_query_row {
    const struct str *keys; /* datname, usename, queryid, toplevel */
    const struct cell *cells;
    double load; /* mean active sessions; negative = no history */
    double waits[API_TARGET_WAIT_CLASSES];
    double rank;
};

struct route_query_top {
    struct api_call *call;
    struct uuid id;
    struct api_range range;
    struct str relation;
    size_t limit;
    struct aggregate_total *total;
    int sort, calls, exec_time; /* columns; -1 = none */
    bool sort_load, sort_mean;
    struct route_query_row *rows;
    size_t row_count;
    struct cell *all, *other;
    double rank_all;
};

/* Give the rows their load and waits. */
enum err_code route_query_add_load(struct route_query_top *q, struct err *e) ERR_MUST_CHECK;

#endif
