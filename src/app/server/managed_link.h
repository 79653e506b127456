/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed_link.h: how the server connects to its managed instances, and what became of an attempt.
 *
 * Every connection goes the guarded way (os/net_dial.h): the name is resolved and judged, and libpq
 * gets the judged addresses beside the name, which is what a certificate is compared with. What
 * went wrong is told in our own words: a server that answers is not quoted.
 *
 * Owner:   the rules live as long as the server; they are immutable
 * Threads: any
 */
#ifndef APP_SERVER_MANAGED_LINK_H
#define APP_SERVER_MANAGED_LINK_H

#include "api/fleet/api_managed.h"
#include "app/server/server_config.h"
#include "os/net_dial.h"
#include "pgclient/pgclient.h"
#include "probe/probe.h"

#define MANAGED_STATE_SECRET "PA005" /* an error's sqlstate: the stored password does not open */

struct managed_rules {
    struct net_dial_policy policy;
    const char *ca_file; /* NULL = the system's */
};

enum managed_code {
    MANAGED_OK,
    MANAGED_HOST,     /* no host name or address that is taken */
    MANAGED_BLOCKED,  /* the address or the port is not allowed */
    MANAGED_DNS,      /* the name has no address */
    MANAGED_TCP,      /* nobody answers there */
    MANAGED_TLS,      /* no TLS as wanted */
    MANAGED_AUTH,     /* the login was refused */
    MANAGED_DATABASE, /* there is no such database */
    MANAGED_RIGHTS,   /* a right is missing: see fix */
    MANAGED_BUSY,     /* the server takes no connections now */
    MANAGED_PROTOCOL, /* what answers does not do so as PostgreSQL does */
    MANAGED_SECRET,   /* the stored password cannot be read */
    MANAGED_CODES
};

struct managed_verdict {
    enum managed_code code;
    char error[256]; /* "" = all is well */
    char fix[192];
    char version[24]; /* "" = not known */
};

/* What is connected to. Strings are borrowed. */
struct managed_place {
    const char *endpoint, *dbname, *username, *ssl_mode;
    uint16_t port;
};

/* Lives in `a`. ERR_INVALID names the key of server.toml. The caller sets policy.own. */
enum err_code managed_rules_read(struct arena *a, const struct server_config *config,
                                 struct managed_rules *out, struct err *e) ERR_MUST_CHECK;
/*
 * Resolve and judge the place, and say how to connect: *out borrows from `room`, in which a
 * password may stand already, and from `p`. The caller wipes `room`.
 * Errors: e->sqlstate is one of our own, for managed_verdict_of
 */
enum err_code managed_link_open(const struct managed_rules *rules, const struct managed_place *p,
                                struct buf *room, struct pgclient_config *out,
                                struct err *e) ERR_MUST_CHECK;
/* What an error of managed_link_open or pgclient_open means. */
void managed_verdict_of(const struct err *e, const struct managed_place *p,
                        struct managed_verdict *out);
/* The same of a connection that stands. */
void managed_verdict_of_server(const struct probe_server *server, const struct managed_place *p,
                               struct managed_verdict *out);
const char *managed_code_name(enum managed_code code);  /* "tcp" */
const char *managed_code_stage(enum managed_code code); /* as published; "" for MANAGED_OK */

/* Whether the place can be allowed at all; asks nobody. ERR_INVALID, ERR_DENIED. */
enum err_code managed_link_check(const struct managed_rules *rules, const struct managed_place *p,
                                 struct err *e) ERR_MUST_CHECK;
/* Try it, step by step. */
void managed_link_try(const struct managed_rules *rules, const struct catalogue *catalogue,
                      struct api_trial *t);

#endif
