/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_sandbox.h: the sandbox of `pga server`: which files and ports it needs.
 *
 * Threads: server_sandbox_enter before any thread is started; server_sandbox_tell by one.
 */
#ifndef APP_SERVER_SERVER_SANDBOX_H
#define APP_SERVER_SERVER_SANDBOX_H

#include "app/server/server_listen.h"

/*
 * After the folders of the state and of the store were made. Does nothing with sandbox = "off".
 * What else the configuration names after a reload has to be in the folders of now.
 */
enum err_code server_sandbox_enter(struct arena *a, const struct server_config *c,
                                   const struct server_listen *listen,
                                   struct err *e) ERR_MUST_CHECK;
/* Log refused system calls that came since the last time. */
void server_sandbox_tell(uint64_t *told);

#endif
