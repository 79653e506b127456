/* SPDX-License-Identifier: PostgreSQL */
/* maintenance.h: the thread that does, every few seconds, what no request waits for. */
#ifndef APP_SERVER_MAINTENANCE_H
#define APP_SERVER_MAINTENANCE_H

#include "api/api.h"
#include "store/store_seal.h"

struct maintenance;

/* Both are borrowed until maintenance_stop. */
enum err_code maintenance_start(struct api *api, struct store_seal_ctx *seal,
                                struct maintenance **out, struct err *e) ERR_MUST_CHECK;
/* Runs the work once more and ends the thread; NULL allowed. */
void maintenance_stop(struct maintenance *m);

#endif
