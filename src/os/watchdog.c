/* SPDX-License-Identifier: PostgreSQL */
/* watchdog.c: see the header. */
#include "os/watchdog.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/num.h"
#include "os/clock.h"
#include "os/net.h"

#define WATCHDOG_US_MAX (INT64_C(86400) * 1000000)

static int64_t watchdog_number(const char *name, int64_t max)
{
    const char *text = getenv(name);
    int64_t value = 0;

    if (!text || num_parse_i64(str_of(text), 1, max, &value, NULL) != ERR_OK)
        return 0;
    return value;
}

void watchdog_init(struct watchdog *w)
{
    int64_t pid = watchdog_number("WATCHDOG_PID", INT64_MAX);

    *w = (struct watchdog){0};
    if (!getenv("NOTIFY_SOCKET") || (pid && pid != (int64_t)getpid()))
        return;
    w->every_us = watchdog_number("WATCHDOG_USEC", WATCHDOG_US_MAX) / 2;
}

int64_t watchdog_beat(struct watchdog *w)
{
    int64_t now = clock_mono_us();

    if (w->every_us == 0)
        return INT64_MAX;
    if (now >= w->due_us) {
        net_notify("WATCHDOG=1");
        w->due_us = now + w->every_us;
    }
    return w->due_us;
}
