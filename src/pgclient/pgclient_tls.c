/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient_tls.c: what a link must prove when nothing is said of it, and what to write when it
 * fails.
 *
 * A Unix socket and the loopback default to sslmode=prefer, every other host to verify-full. A
 * weaker mode has to be written; an error says which key, and nothing steps down by itself.
 * TLS itself is libpq's (vendor/libpq).
 * Threads: no shared state.
 */
#include "pgclient/pgclient_internal.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const MODES[] = {"disable", "allow",     "prefer",
                                    "require", "verify-ca", "verify-full"};

static bool is_mode(const char *mode)
{
    for (size_t i = 0; i < sizeof(MODES) / sizeof(MODES[0]); i++) {
        if (strcmp(mode, MODES[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_set(const char *value)
{
    return value && value[0];
}

static const char *roots_of(const struct pgclient_parameters *p)
{
    const char *roots = pgclient_parameter_get(p, "sslrootcert");

    return is_set(roots) ? roots : getenv("PGSSLROOTCERT");
}

/* The roots of the system prove a name only together with that name: libpq wants verify-full. */
static const char *default_mode(const struct pgclient_parameters *p, bool local)
{
    const char *roots = roots_of(p);

    return local && !(roots && strcmp(roots, "system") == 0) ? "prefer" : "verify-full";
}

enum err_code pgclient_tls_mode(struct pgclient_parameters *p, struct pgclient_place *place,
                                struct err *e)
{
    const char *mode = pgclient_parameter_get(p, "sslmode");

    place->mode_given = is_set(mode);
    mode = place->mode_given ? mode : default_mode(p, place->local);
    if (!is_mode(mode)) {
        return err_set(e, ERR_INVALID,
                       "sslmode=%s is none of disable, allow, prefer, require, verify-ca, "
                       "verify-full",
                       mode);
    }
    snprintf(place->sslmode, sizeof(place->sslmode), "%s", mode);
    pgclient_parameter_set(p, "sslmode", place->sslmode);
    return ERR_OK;
}

/* The file that libpq reads when no other is named, in the home folder as libpq finds it. */
static bool has_usual_roots(void)
{
    char path[1024], room[4096];
    const char *home = getenv("HOME");
    struct passwd entry, *found = NULL;

    if (!is_set(home)) {
        (void)getpwuid_r(geteuid(), &entry, room, sizeof(room), &found);
        home = found ? found->pw_dir : NULL;
    }
    if (!is_set(home)) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/.postgresql/root.crt", home);
    return access(path, F_OK) == 0;
}

enum err_code pgclient_tls_roots(const struct pgclient_parameters *p,
                                 const struct pgclient_place *place, struct err *e)
{
    if (place->sslmode[0] != 'v' || is_set(roots_of(p)) || has_usual_roots()) {
        return ERR_OK;
    }
    if (place->mode_given) {
        return err_set(e, ERR_INVALID,
                       "sslmode=%s needs the certificate of the server's authority: write "
                       "sslrootcert=FILE, or sslrootcert=system",
                       place->sslmode);
    }
    return err_set(
        e, ERR_INVALID,
        "%.60s is not local, so the link must prove itself (sslmode=verify-full): write "
        "sslrootcert=FILE with its authority, or sslrootcert=system, or accept less with "
        "sslmode=require or prefer",
        place->host);
}

struct remedy {
    const char *sign; /* in libpq's message */
    bool defaulted;   /* only when the mode was ours: who has written it knows */
    const char *text;
};

static const struct remedy REMEDIES[] = {
    {"does not support SSL", true, "to accept a link without TLS write sslmode=prefer"},
    {"not signed by a trusted authority", false,
     "write sslrootcert=FILE with the certificate of its authority"},
    {"does not match host name", false,
     "write host=NAME as in the certificate, and hostaddr=ADDRESS"},
    {"get server's host name", false, "its certificate has no name: write sslmode=verify-ca"},
    {"certificate required", false, "write sslcert=FILE and sslkey=FILE"},
    {"requires a valid client certificate", false, "write sslcert=FILE and sslkey=FILE"},
};

/* The error's room is small: a long message is cut so that the remedy is seen. */
#define MESSAGE_MAX 160

void pgclient_tls_explain(const struct pgclient_place *place, struct err *e)
{
    struct err was;

    if (!e) {
        return;
    }
    was = *e;
    for (size_t i = 0; i < sizeof(REMEDIES) / sizeof(REMEDIES[0]); i++) {
        const struct remedy *r = &REMEDIES[i];

        if (strstr(was.text, r->sign) && !(r->defaulted && place->mode_given)) {
            (void)err_set(e, was.code, "%.*s; %s", MESSAGE_MAX, was.text, r->text);
            memcpy(e->sqlstate, was.sqlstate, sizeof(e->sqlstate));
            return;
        }
    }
}

bool pgclient_tls_names_file(const char *keyword, const char *value)
{
    static const char *const FILES[] = {"sslcert",   "sslkey",   "sslrootcert", "sslcrl",
                                        "sslcrldir", "passfile", "service"};

    if (strcmp(keyword, "sslrootcert") == 0 && strcmp(value, "system") == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        if (strcmp(keyword, FILES[i]) == 0) {
            return value[0] != '\0';
        }
    }
    return false;
}

void pgclient_link(const struct pgclient *c, char out[PGCLIENT_LINK_SIZE])
{
    const char *protocol = PQsslInUse(c->conn) ? PQsslAttribute(c->conn, "protocol") : NULL;

    snprintf(out, PGCLIENT_LINK_SIZE, "%s", protocol ? protocol : "");
}
