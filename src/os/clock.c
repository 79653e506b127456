/* SPDX-License-Identifier: PostgreSQL */
/* clock.c: the kernel's clocks behind a table. */
#include "os/clock.h"

#include <errno.h>
#include <time.h>

static int64_t clock_read_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t clock_system_wall_us(void)
{
    return clock_read_us(CLOCK_REALTIME);
}

static int64_t clock_system_mono_us(void)
{
    return clock_read_us(CLOCK_MONOTONIC);
}

static void clock_system_sleep_until_us(int64_t mono_us)
{
    struct timespec at = {(time_t)(mono_us / 1000000), (long)(mono_us % 1000000) * 1000};

    if (mono_us <= 0)
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static const struct clock_ops clock_system = {
    .wall_us = clock_system_wall_us,
    .mono_us = clock_system_mono_us,
    .sleep_until_us = clock_system_sleep_until_us,
};
static const struct clock_ops *clock_table = &clock_system;

const struct clock_ops *clock_ops_set(const struct clock_ops *ops)
{
    const struct clock_ops *old = clock_table;

    clock_table = ops ? ops : &clock_system;
    return old;
}

int64_t clock_wall_us(void)
{
    return clock_table->wall_us();
}

int64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

int64_t clock_mono_us(void)
{
    return clock_table->mono_us();
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

void clock_sleep_ms(int64_t ms)
{
    clock_table->sleep_until_us(clock_mono_us() + ms * 1000);
}

int64_t clock_thread_cpu_us(void)
{
    return clock_read_us(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_process_cpu_us(void)
{
    return clock_read_us(CLOCK_PROCESS_CPUTIME_ID);
}
