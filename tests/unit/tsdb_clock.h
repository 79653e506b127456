/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_clock.h: a wall clock that a test sets; monotonic time goes on as it does.
 */
#ifndef TSDB_CLOCK_H
#define TSDB_CLOCK_H

#include <stdint.h>

void tsdb_clock_take(int64_t wall_ms); /* from now on it is this time, until it is set */
void tsdb_clock_set(int64_t wall_ms);
void tsdb_clock_give_back(void);

#endif
