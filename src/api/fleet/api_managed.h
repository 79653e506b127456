/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_managed.h: managed instances as the routes see them; who runs the server connects.
 *
 * The guarded dialling, the connections and the readings are app/server's: api/ hands over what a
 * person named and gets a verdict in words of our own, never in those of the other side (security
 * S4).
 *
 * Owner:   the table and its arg live as long as the api; strings of a trial are borrowed for the
 *          call
 * Threads: any
 */
#ifndef API_FLEET_API_MANAGED_H
#define API_FLEET_API_MANAGED_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct api_call;

/* One attempt to connect, and how it went. */
struct api_trial {
    const char *endpoint, *dbname, *username, *ssl_mode;
    int64_t port, timeout_ms;
    struct str password; /* empty = none */
    /* out */
    bool connected;    /* PostgreSQL let us in */
    const char *code;  /* "ok", "host", "blocked", "dns", "tcp", "tls", "auth", "database" ... */
    const char *stage; /* as the published API has it; "" = all went well */
    char error[256];   /* "" = all went well */
    char fix[192];     /* SQL that would help; "" = none is known */
    char version[24];  /* of the server, made of its number */
};

struct api_managed {
    /* Whether what was named could be dialled, as far as that shows without asking anybody. */
    enum err_code (*check)(void *arg, const struct api_trial *t, struct err *e);
    void (*attempt)(void *arg, struct api_trial *t);
    void (*changed)(void *arg); /* an instance came, changed or went */
    void *arg;
};

/* Trials of all people within a minute; each person has five. */
#define API_TRIALS_MAX 64

struct api_trials {
    struct {
        int64_t account, mono_ms;
    } last[API_TRIALS_MAX];
    size_t next;
};

/* Count one trial of the caller. ERR_LIMIT: five within a minute, or all together too many. */
enum err_code api_managed_count(struct api_call *call, struct err *e) ERR_MUST_CHECK;

#endif
