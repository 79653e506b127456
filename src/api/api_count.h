/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_count.h: how many requests each route answered, with which status, and how long they took.
 *
 * Threads: any; every number is atomic.
 */
#ifndef API_API_COUNT_H
#define API_API_COUNT_H

#include <stdatomic.h>

#include "api/route.h"
#include "model/openmetrics.h"

struct api_count;

struct api_count *api_count_new(void);
void api_count_free(struct api_count *c); /* NULL allowed */
/* route NULL: nothing was found at the address. */
void api_count_add(struct api_count *c, const struct route *route, int status, int64_t took_us);
/* Begin (+1) and end (-1) of a request. */
void api_count_in_flight(struct api_count *c, int step);
/* Members of pushes whose name stood before in the same object: one of them counts. */
void api_count_duplicates(struct api_count *c, size_t members);
void api_count_write(struct api_count *c, struct openmetrics *m);

#endif
