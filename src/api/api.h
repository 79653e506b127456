/* SPDX-License-Identifier: PostgreSQL */
/*
 * api.h: the HTTP API and the web interface over store and time series.
 *
 * api_handle is the handler of every listener: it finds the route, establishes who asks, checks
 * role, origin and size, and lets the route do its own work.
 * Threads: api_handle in any number of threads; api_tick in one; the rest before and after.
 */
#ifndef API_API_H
#define API_API_H

#include "api/api_rate.h"
#include "base/err.h"
#include "httpd/httpd.h"
#include "store/store.h"
#include "store/store_ca.h"
#include "store/store_seal.h"
#include "store/tsdb/tsdb.h"

struct api;
struct api_managed;

/* Who may read /metrics. */
enum api_metrics_access {
    API_METRICS_OFF,
    API_METRICS_LOOPBACK, /* this machine, and people who are signed in */
    API_METRICS_USER,
    API_METRICS_ANYONE,
};

struct api_config {
    struct store *store;
    struct tsdb *tsdb;
    struct store_seal_ctx *seal;
    const struct store_keys *keys; /* of `seal` */
    const struct store_ca *ca;
    /* Where agents push with their certificate; 0 = nowhere: their tokens are bound to none */
    unsigned agent_port;
    int64_t renewal_grace_s;          /* how long after its end a certificate is renewed; 0 = not */
    const char *store_dir, *key_file; /* what a backup is made of; NULL = no such files */
    int64_t check_interval_ms; /* how often collectors are expected to call; twice that: offline */
    /* Whether a text is a configuration that an agent could take; the agent's own table decides. */
    enum err_code (*check_config)(struct str text, struct err *e);
    /* Shows a new setup code to whoever runs the server. */
    void (*show_code)(void *arg, const char *code);
    void *arg;
    enum api_metrics_access metrics_access;
    size_t push_bytes; /* of a push, inflated; 0 = LIMIT_PUSH_INFLATED_BYTES */
    struct api_rate_limits rates;
    const struct api_managed *managed; /* api_managed.h; borrowed */
    /* Roles (1u << enum route_role) that may do nothing before they have a second factor. */
    unsigned totp_roles;
    bool bearer_push, open_ingest; /* doors, api_door.h */
};

struct api *api_new(const struct api_config *config);
void api_free(struct api *api); /* NULL allowed */
/* Make and show a setup code, when there is no account yet. */
enum err_code api_open_setup(struct api *api, struct err *e) ERR_MUST_CHECK;
/* Say which doors are open, in log and audit, and when no agent can deliver. */
enum err_code api_tell_doors(struct api *api, struct err *e) ERR_MUST_CHECK;
/* An httpd_handler; arg: the struct api. */
void api_handle(void *arg, struct httpd_request *r, struct httpd_response *w);
/* Write down what collectors delivered, forget old sessions. Every few seconds and at the end. */
enum err_code api_tick(struct api *api, struct err *e) ERR_MUST_CHECK;

#endif
