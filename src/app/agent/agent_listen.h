/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_listen.h: `pga agent --listen`: what the agent reads, for Prometheus, on a port of its own.
 *
 * GET /metrics and /healthz, nothing else. Plain HTTP, so loopback addresses only.
 * Threads: those of the HTTP server; start and stop from the main thread.
 */
#ifndef APP_AGENT_AGENT_LISTEN_H
#define APP_AGENT_AGENT_LISTEN_H

#include "app/agent/agent_newest.h"
#include "app/agent/agent_sender.h"
#include "spool/spool.h"

struct agent_listen;

struct agent_listen_config {
    const char *address; /* "127.0.0.1:9187" */
    struct agent_newest *newest;
    struct spool *spool;
    struct agent_sender *sender; /* NULL = nothing is sent */
};

enum err_code agent_listen_start(const struct agent_listen_config *config,
                                 struct agent_listen **out, struct err *e) ERR_MUST_CHECK;
void agent_listen_stop(struct agent_listen *l); /* NULL allowed */

#endif
