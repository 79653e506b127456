/* SPDX-License-Identifier: PostgreSQL */
/* maintenance.h: the thread that does, every few seconds, what no request waits for. */
#ifndef APP_SERVER_MAINTENANCE_H
#define APP_SERVER_MAINTENANCE_H

#include "api/api.h"
#include "store/store_seal.h"

struct maintenance;

/* What the thread does beside api_tick, each round until maintenance_quiet. */
struct maintenance_turn {
    void (*work)(void *arg);
    void *arg;
};

/* What is kept in order; borrowed until maintenance_stop. */
struct maintenance_of {
    struct api *api;
    struct store *store;
    struct store_seal_ctx *seal;
    struct maintenance_turn turn;
};
enum err_code maintenance_start(const struct maintenance_of *of, struct maintenance **out,
                                struct err *e) ERR_MUST_CHECK;
/* The turn is not taken any more, and none is under way. NULL allowed */
void maintenance_quiet(struct maintenance *m);
/* Runs the work once more and ends the thread; NULL allowed. */
void maintenance_stop(struct maintenance *m);

#endif
