/* SPDX-License-Identifier: PostgreSQL */
/*
 * sig.h: signals become bytes in a pipe; handlers do nothing else.
 *
 * Call sig_setup once in the main thread before any thread starts.
 */
#ifndef OS_SIG_H
#define OS_SIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum sig_event {
    SIG_EVENT_NONE,
    SIG_EVENT_STOP,
    SIG_EVENT_RELOAD,
    SIG_EVENT_REOPEN,
    SIG_EVENT_CHILD
};

/* TERM and INT mean stop, HUP reload, USR1 reopen the log, CHLD child; PIPE is ignored. */
enum err_code sig_setup(struct err *e) ERR_MUST_CHECK;
/* Wait until mono_us (absolute) for the next event. */
enum sig_event sig_wait(int64_t mono_us);
int sig_fd(void);        /* for poll; readable when an event waits */
bool sig_stopping(void); /* a stop was seen */
void sig_stop(void);     /* as if SIGTERM had come; any thread */
void sig_reload(void);   /* as if SIGHUP had come; any thread */

#endif
