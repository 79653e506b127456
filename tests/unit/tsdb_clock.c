/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_clock.c: a wall clock that a test sets; monotonic time goes on as it does.
 */
#include "tsdb_clock.h"

#include <stdatomic.h>
#include <stddef.h>

#include "os/clock.h"

static _Atomic int64_t wall_us;
static const struct clock_ops *real;

static int64_t read_wall(void)
{
    return atomic_load(&wall_us);
}

static int64_t read_mono(void)
{
    return real->mono_us();
}

static void sleep_until(int64_t mono_us)
{
    real->sleep_until_us(mono_us);
}

static const struct clock_ops set_by_hand = {read_wall, read_mono, sleep_until};

void tsdb_clock_take(int64_t wall_ms)
{
    tsdb_clock_set(wall_ms);
    real = clock_ops_set(NULL);
    (void)clock_ops_set(&set_by_hand);
}

void tsdb_clock_set(int64_t wall_ms)
{
    atomic_store(&wall_us, wall_ms * 1000);
}

void tsdb_clock_give_back(void)
{
    (void)clock_ops_set(NULL);
}
