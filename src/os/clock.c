/* SPDX-License-Identifier: PostgreSQL */
/* clock.c: the kernel's clocks behind a table. */
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

static int64_t clock_read_us(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#ifdef PGA_FAULTS

#define SHIFT_MAX_S   (400 * 86400 * (int64_t)100)
#define SHIFT_LOOK_US 20000

static void clock_read_shift(const char *path, _Atomic int64_t *shift_s)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    int64_t seconds;

    if (fd >= 0)
        (void)close(fd);
    if (len > 0 && num_parse_i64(str_trim(str_make(text, (size_t)len)), -SHIFT_MAX_S, SHIFT_MAX_S,
                                 &seconds, NULL) == ERR_OK)
        atomic_store(shift_s, seconds);
}

const char *clock_shift_file(void)
{
    return getenv("PGA_CLOCK");
}

static int64_t clock_shift_us(void)
{
    static _Atomic int64_t shift_s, looked_us;
    const char *path = clock_shift_file();
    int64_t now_us;

    if (path == NULL)
        return 0;
    now_us = clock_read_us(CLOCK_MONOTONIC);
    if (now_us - atomic_load(&looked_us) > SHIFT_LOOK_US) {
        atomic_store(&looked_us, now_us);
        clock_read_shift(path, &shift_s);
    }
    return atomic_load(&shift_s) * 1000000;
}

#else

const char *clock_shift_file(void)
{
    return NULL;
}

static int64_t clock_shift_us(void)
{
    return 0;
}

#endif

static int64_t clock_system_wall_us(void)
{
    return clock_read_us(CLOCK_REALTIME) + clock_shift_us();
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
