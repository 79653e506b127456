/* SPDX-License-Identifier: PostgreSQL */
/*
 * startup.h: what a service says when it cannot start, and what it tells systemd.
 */
#ifndef APP_STARTUP_H
#define APP_STARTUP_H

#include "base/err.h"

/* What to do about an error, as the end of a sentence with its ": "; "" when nothing is known. */
const char *startup_hint(const struct err *e);
/* Tell systemd that a reload begins; READY=1 ends it. */
void startup_notify_reload(void);

#endif
