/* SPDX-License-Identifier: PostgreSQL */
/* route_newest.h: what the routes of the newest rows of a collector share. */
#ifndef API_READ_ROUTE_NEWEST_H
#define API_READ_ROUTE_NEWEST_H

#include "api/read/api_newest.h"

/* The constants of the kinds that are lists of relations. */
extern const struct route route_newest_bloat, route_newest_cache_hits, route_newest_connections,
    route_newest_extensions, route_newest_locks, route_newest_replication, route_newest_schema,
    route_newest_slots;

/* Parameters, and the targets of the collector in the path; ERR_NOT_FOUND. */
enum err_code route_newest_begin(struct api_newest *n, struct api_newest_page *page,
                                 struct store_target_page *targets, struct err *e) ERR_MUST_CHECK;

#endif
