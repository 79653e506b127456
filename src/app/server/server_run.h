/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_run.h: starting and stopping of everything the server is made of.
 *
 * Order of starting: lock of the state directory, control plane (migrated, with a copy before),
 * master key, time series (journal replayed), threads, listeners, setup code. Stopping goes the
 * other way: no new requests, those in work end, then the threads, then the files.
 */
#ifndef APP_SERVER_SERVER_RUN_H
#define APP_SERVER_SERVER_RUN_H

#include "app/server/server_config.h"

struct server;

enum err_code server_run_start(const struct server_config *config, struct server **out,
                               struct err *e) ERR_MUST_CHECK;
/*
 * Take from a configuration that was read again what can change while the server runs: TLS
 * certificates. On an error the old ones stay.
 */
enum err_code server_run_reload(struct server *s, const struct server_config *config,
                                struct err *e) ERR_MUST_CHECK;
void server_run_stop(struct server *s); /* NULL allowed */

#endif
