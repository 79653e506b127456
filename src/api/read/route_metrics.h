/* SPDX-License-Identifier: PostgreSQL */
/* route_metrics.h: what other routes with a time axis share with the metrics route. */
#ifndef API_READ_ROUTE_METRICS_H
#define API_READ_ROUTE_METRICS_H

#include "api/fleet/api_target.h"
#include "store/tsdb/read/aggregate.h"

struct route_metrics_span {
    const struct uuid *target;
    struct str relation;
    const struct api_range *range;
};
/* The step asked for, or one that gives about 300 points and is a multiple of the clock. */
enum err_code route_metrics_step(struct api_call *call, const struct route_metrics_span *span,
                                 int64_t *step_ms, struct err *e) ERR_MUST_CHECK;
void route_metrics_put_times(struct json_writer *w, const int64_t *times, size_t count);

#endif
