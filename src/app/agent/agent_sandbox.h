/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sandbox.h: the sandbox of `pga agent`: which files and ports it needs.
 *
 * Threads: main thread; agent_sandbox_enter before any other is started.
 */
#ifndef APP_AGENT_AGENT_SANDBOX_H
#define APP_AGENT_AGENT_SANDBOX_H

#include "app/agent/agent.h"

/* After the folder of the state was made. Does nothing with sandbox = "off". */
enum err_code agent_sandbox_enter(struct arena *a, const struct agent_options *o,
                                  const struct agent_config *c, struct err *e) ERR_MUST_CHECK;
/* Warn of targets of a newer configuration that are at a port the sandbox does not let us reach. */
void agent_sandbox_check(const struct agent_config *c);
/* Log refused system calls that came since the last time. */
void agent_sandbox_tell(void);

#endif
