/* SPDX-License-Identifier: PostgreSQL */
/*
 * watchdog.h: the sign of life that systemd waits for (WatchdogSec=).
 *
 * The main loop calls watchdog_beat in every round and wakes when the answer says so: a loop that
 * hangs sends nothing, and systemd restarts the service.
 */
#ifndef OS_WATCHDOG_H
#define OS_WATCHDOG_H

#include <stdint.h>

struct watchdog {
    int64_t every_us; /* 0 = nobody waits */
    int64_t due_us;   /* monotonic */
};

/* As $WATCHDOG_USEC and $WATCHDOG_PID say; a beat is sent twice in the time that systemd waits. */
void watchdog_init(struct watchdog *w);
/* Tell if it is time; when the next beat is due (monotonic), INT64_MAX if never. */
int64_t watchdog_beat(struct watchdog *w);

#endif
