/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient.h: every byte to and from PostgreSQL goes through here; the only user of libpq.
 *
 * A `struct pgclient` is one connection. Nothing blocks beyond an absolute monotonic deadline:
 * libpq is driven non-blocking, and a query that passes its deadline is cancelled on the server.
 * Rows arrive in chunks; a query's result is bounded in bytes, so a hostile server cannot fill
 * memory. Notices are dropped and counted.
 *
 * Parameters and values travel as text; a NULL is a struct str whose ptr is NULL.
 *
 * Owner:   pgclient_open gives the connection to the caller, who ends it with pgclient_close
 * Threads: one connection belongs to one thread at a time
 */
#ifndef PGCLIENT_PGCLIENT_H
#define PGCLIENT_PGCLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct pgclient;

#define PGCLIENT_LINK_SIZE 16
#define PGCLIENT_MARKER    "/* pga */ " /* in front of every statement of a monitoring session */

enum pgclient_flag {
    PGCLIENT_MONITOR = 1,     /* the guarded session settings of a monitoring connection */
    PGCLIENT_NO_PREPARE = 2,  /* behind a pooler: named statements are not used */
    PGCLIENT_FIND_POOLER = 4, /* ask whether one is in between; if so, as PGCLIENT_NO_PREPARE */
    /*
     * For servers that a person names over the network (security S4): no password and no client key
     * of this process goes there, by file or environment; a password in clear text only to a server
     * whose name was verified.
     */
    PGCLIENT_CLOSED = 8,
};

/* Strings are borrowed for the call. */
struct pgclient_config {
    const char *conninfo; /* conninfo string or URI; NULL or "" = libpq's defaults */
    const char *host, *port, *user, *dbname; /* override conninfo; NULL = as there */
    const char *hostaddr; /* dialled in place of what host means, which is still verified */
    const char *password; /* overrides conninfo; NULL = as there */
    const char *sslmode;  /* overrides conninfo; NULL = as there */
    const char *sslrootcert, *sslcert, *sslkey, *sslcrl; /* files; as sslmode */
    const char *sslpassword;                             /* of the file sslkey; as sslmode */
    const char *application_name;                        /* NULL = "pga" */
    unsigned flags;                                      /* enum pgclient_flag */
    int64_t statement_timeout_ms;                        /* 0 = 5000; of monitoring sessions */
};

/* Where a connection goes, as far as conninfo says. */
struct pgclient_place {
    char host[256]; /* "" = Unix socket at libpq's usual place */
    char port[8];
    char dbname[64];
    char user[64];
    bool local;        /* Unix socket or loopback */
    bool has_password; /* conninfo carries one, or that of a key: it should be in a file */
    bool names_files;  /* conninfo names files of this host: keys, certificates, services */
    bool mode_given;   /* sslmode was written; else it is `prefer` or `verify-full` */
    char sslmode[16];
};

struct pgclient_query {
    const char *sql;  /* a monitoring session adds the marker comment */
    const char *name; /* prepared once per connection under this name; NULL = not prepared */
    const struct str *params;
    size_t param_count;
    size_t max_bytes;    /* of the whole result; 0 = LIMIT_RESULT_BYTES */
    int64_t deadline_us; /* monotonic, absolute */
};

/* One row; valid until the next call on the connection. */
struct pgclient_row {
    size_t count;
    const struct str *cells; /* NULL value: ptr == NULL */
};

/* A whole result in an arena: cells[row * column_count + column]. */
struct pgclient_result {
    size_t row_count, column_count;
    const struct str *names;
    const struct str *cells;
};

/* Life cycle */

/*
 * Check what can be checked without a connection: syntax, and that sslmode can be served here.
 * Errors: ERR_INVALID for bad syntax; ERR_UNSUPPORTED for an sslmode above prefer, and for a host
 *         that is not local while sslmode is not written.
 */
enum err_code pgclient_check(const struct pgclient_config *config, struct pgclient_place *place,
                             struct err *e) ERR_MUST_CHECK;
/*
 * Take the password out of a connection string or URI: `rest` gets the same as key='value' pairs
 * without it, `password` the password (empty when there was none).
 */
enum err_code pgclient_split_password(const char *conninfo, struct buf *rest, struct buf *password,
                                      struct err *e) ERR_MUST_CHECK;
/*
 * Connect, and make the session safe for the server when flags has PGCLIENT_MONITOR.
 * Errors: as pgclient_check, ERR_UNREACHABLE, ERR_DENIED (login refused), ERR_NOT_FOUND (database),
 *         ERR_TIMEOUT.
 */
enum err_code pgclient_open(const struct pgclient_config *config, int64_t deadline_us,
                            struct pgclient **out, struct err *e) ERR_MUST_CHECK;
void pgclient_close(struct pgclient *c); /* NULL allowed */

/* Use */

/*
 * Start a query and step through its rows:
 *     pgclient_begin(); while (pgclient_next(c, &row, e) == ERR_OK && row.count) ...;
 * pgclient_end() pgclient_end must be called after every begin that succeeded; it discards what
 * was not read.
 * Errors: ERR_TIMEOUT (deadline, statement_timeout, lock_timeout), ERR_DENIED, ERR_NOT_FOUND
 *         (relation, column or function), ERR_UNSUPPORTED, ERR_CONFLICT (integrity,
 *         serialisation), ERR_INVALID, ERR_LIMIT (max_bytes), ERR_UNREACHABLE (the connection is
 *         gone); e->sqlstate is set when the server said so.
 */
enum err_code pgclient_begin(struct pgclient *c, const struct pgclient_query *q,
                             struct err *e) ERR_MUST_CHECK;
/* row->count == 0 says that there are no more rows. */
enum err_code pgclient_next(struct pgclient *c, struct pgclient_row *row,
                            struct err *e) ERR_MUST_CHECK;
/* Finish; *affected (NULL allowed) gets the row count of the command tag, 0 when it has none. */
enum err_code pgclient_end(struct pgclient *c, uint64_t *affected, struct err *e) ERR_MUST_CHECK;

/* The whole result, copied into `a`. */
enum err_code pgclient_query(struct pgclient *c, struct arena *a, const struct pgclient_query *q,
                             struct pgclient_result *out, struct err *e) ERR_MUST_CHECK;
/* One or more statements without parameters and without interest in rows. */
enum err_code pgclient_exec(struct pgclient *c, const char *sql, int64_t deadline_us,
                            struct err *e) ERR_MUST_CHECK;
/*
 * Feed a COPY ... FROM STDIN with all its rows, in the format that the statement names.
 * Errors: as pgclient_begin
 */
enum err_code pgclient_copy(struct pgclient *c, const char *sql, struct str rows,
                            int64_t deadline_us, struct err *e) ERR_MUST_CHECK;

/* Query */
bool pgclient_alive(const struct pgclient *c); /* false once the connection is lost */
/* Between queries: look, without waiting, whether the server has hung up meanwhile. */
bool pgclient_hung_up(struct pgclient *c);
enum pgclient_transaction {
    PGCLIENT_TRANSACTION_NONE,
    PGCLIENT_TRANSACTION_OPEN,
    PGCLIENT_TRANSACTION_FAILED, /* only a rollback is possible */
};
/* Between queries. */
enum pgclient_transaction pgclient_transaction_state(const struct pgclient *c);
int pgclient_version(const struct pgclient *c); /* 150018 */
int pgclient_backend_pid(const struct pgclient *c);
/* Whether a pooler was found: then nothing of a session lasts beyond a transaction. */
bool pgclient_pooled(const struct pgclient *c);
const char *pgclient_parameter(const struct pgclient *c, const char *name); /* NULL = unknown */
/* The protocol that protects the link, as "TLSv1.3"; "" when nothing does. */
void pgclient_link(const struct pgclient *c, char out[PGCLIENT_LINK_SIZE]);
uint64_t pgclient_notices(const struct pgclient *c);
size_t pgclient_column_count(const struct pgclient *c); /* of the current result */
const char *pgclient_column_name(const struct pgclient *c, size_t column);
uint32_t pgclient_column_type(const struct pgclient *c, size_t column); /* type oid */

#endif
