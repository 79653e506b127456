/* SPDX-License-Identifier: PostgreSQL */
/*
 * clock.h: the only source of time, behind a replaceable table.
 *
 * Wall time is for stamping, monotonic time for every deadline and duration; they never mix.
 * In test builds (PGA_FAULTS) the environment variable PGA_CLOCK may name a file with a number of
 * seconds by which the wall clock is ahead; it is looked at again all the time.
 * Threads: any. clock_ops_set only while no other thread runs (tests).
 */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stdint.h>

struct clock_ops {
    int64_t (*wall_us)(void); /* since 1970-01-01 UTC */
    int64_t (*mono_us)(void); /* CLOCK_MONOTONIC */
    void (*sleep_until_us)(int64_t mono_us);
};

const struct clock_ops *clock_ops_set(
    const struct clock_ops *ops); /* NULL = the system's; returns the old */
/* Of the shift (see above); NULL = there is none, as in every release build. */
const char *clock_shift_file(void);
int64_t clock_wall_us(void);
int64_t clock_wall_ms(void);
int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
void clock_sleep_ms(int64_t ms);
int64_t clock_thread_cpu_us(void);  /* CPU time of this thread */
int64_t clock_process_cpu_us(void); /* CPU time of this process */

#endif
