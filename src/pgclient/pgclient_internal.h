/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient_internal.h: what the files of pgclient/ share. Not for other folders.
 */
#ifndef PGCLIENT_PGCLIENT_INTERNAL_H
#define PGCLIENT_PGCLIENT_INTERNAL_H

#include <libpq-fe.h>

#include "pgclient/pgclient.h"

#define PGCLIENT_PREPARED_MAX 64
#define PGCLIENT_OPTION_MAX   64
#define PGCLIENT_CHUNK_ROWS   200
#define PGCLIENT_CANCEL_MS    1000 /* to have a cancelled query come to rest */

/*
 * Invariants: (1) `busy` is true from a begin that succeeded to its end; (2) `result` is the chunk
 * that is being read, NULL between chunks; (3) once `broken` is set the connection is only good
 * for close;
 * (4) `row_cells` has room for the columns of `result`.
 */
struct pgclient {
    PGconn *conn;
    bool broken, busy, complete, pooled;
    unsigned flags;
    uint64_t notices;
    int64_t deadline_us;
    size_t max_bytes;
    size_t seen_bytes; /* from the socket, this query */
    size_t row_bytes;  /* in rows given out, this query */
    uint64_t affected;
    PGresult *result;
    int row;
    struct str *row_cells;
    size_t row_cells_cap;
    char *prepared[PGCLIENT_PREPARED_MAX];
    size_t prepared_count;
};

/* The keyword arrays of PQconnectStartParams. */
struct pgclient_parameters {
    const char *keys[PGCLIENT_OPTION_MAX];
    const char *values[PGCLIENT_OPTION_MAX];
    int count;
};

/* A NULL value changes nothing. Key and value are borrowed. */
void pgclient_parameter_set(struct pgclient_parameters *p, const char *key, const char *value);
const char *pgclient_parameter_get(const struct pgclient_parameters *p, const char *key);

/* pgclient_tls.c: what a link must prove, and what to write when it does not */

/* Decide sslmode where it was not written. ERR_INVALID when it is none of the six. */
enum err_code pgclient_tls_mode(struct pgclient_parameters *p, struct pgclient_place *place,
                                struct err *e) ERR_MUST_CHECK;
/* Refuse a mode that verifies when nothing says whom to trust: ERR_INVALID names the key. */
enum err_code pgclient_tls_roots(const struct pgclient_parameters *p,
                                 const struct pgclient_place *place, struct err *e) ERR_MUST_CHECK;
/* Add to the error of a failed connection which key would mend it. */
void pgclient_tls_explain(const struct pgclient_place *place, struct err *e);
/* Whether an option of a connection string makes libpq open a file of this host. */
bool pgclient_tls_names_file(const char *keyword, const char *value);

/* Wait until the socket is ready for `events` (poll(2)); ERR_TIMEOUT at the deadline. */
enum err_code pgclient_wait(int fd, short events, int64_t deadline_us,
                            struct err *e) ERR_MUST_CHECK;
/* Turn a failed result into an error. */
enum err_code pgclient_fail(const PGresult *res, struct err *e);
/* As above, for a connection attempt that failed, from its verbose message. */
enum err_code pgclient_fail_connect(const char *message, struct err *e);
/* The connection is lost or cannot be trusted any more. */
enum err_code pgclient_lost(struct pgclient *c, struct err *e);
enum err_code pgclient_classify(const char *sqlstate);
/* Send the session settings of a monitoring connection. */
enum err_code pgclient_guard_session(struct pgclient *c, int64_t timeout_ms, int64_t deadline_us,
                                     struct err *e) ERR_MUST_CHECK;
/*
 * Ask the server to stop the running query and read what comes; false = the connection is
 * useless.
 */
bool pgclient_cancel(struct pgclient *c);
/* Read from the socket once it has something, counting bytes against the budget. */
enum err_code pgclient_consume(struct pgclient *c, int64_t deadline_us,
                               struct err *e) ERR_MUST_CHECK;
/* Non-blocking flush of what we send, until the connection's deadline. */
enum err_code pgclient_flush(struct pgclient *c, struct err *e) ERR_MUST_CHECK;
/* The next result of the running command, or NULL in *out at its end. */
enum err_code pgclient_result(struct pgclient *c, PGresult **out, struct err *e) ERR_MUST_CHECK;
/* Read to the end of the running command; the first error of the server wins. */
enum err_code pgclient_drain(struct pgclient *c, struct err *e) ERR_MUST_CHECK;

#endif
