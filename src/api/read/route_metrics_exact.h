/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_metrics_exact.h: integers beyond 2^53 in last, min and max, which doubles cannot hold.
 *
 * The aggregation answers in doubles. Where the value of a bucket is an integer that a
 * double rounds, this reads it again and gives the integer.
 */
#ifndef API_READ_ROUTE_METRICS_EXACT_H
#define API_READ_ROUTE_METRICS_EXACT_H

#include "api/api_call.h"
#include "store/tsdb/read/aggregate.h"

/*
 * cells: series_count arrays of point_count cells, CELL_NULL where the double is right; *cells is
 * NULL when all are. Lives in the call's arena.
 */
enum err_code route_metrics_exact(struct api_call *call, const struct aggregate_spec *spec,
                                  const struct aggregate_result *result, struct cell ***cells,
                                  struct err *e) ERR_MUST_CHECK;

#endif
