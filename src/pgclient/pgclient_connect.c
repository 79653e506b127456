/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient_connect.c: from a configuration to a session that cannot hurt the server.
 *
 * What a link must prove when nothing is said of it is decided by pgclient_tls.c.
 * Name resolution is libpq's and is the one step that the deadline does not bound.
 * Threads: one connection belongs to one thread.
 */
#include "pgclient/pgclient_internal.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/net.h"

#define SOCKET_DIR           "/var/run/postgresql" /* as distributions have it; libpq says /tmp */
#define STATEMENT_TIMEOUT_MS 5000

void pgclient_parameter_set(struct pgclient_parameters *p, const char *key, const char *value)
{
    if (!value) {
        return;
    }
    for (int i = 0; i < p->count; i++) {
        if (strcmp(p->keys[i], key) == 0) {
            p->values[i] = value;
            return;
        }
    }
    if (p->count < PGCLIENT_OPTION_MAX - 1) {
        p->keys[p->count] = key;
        p->values[p->count++] = value;
    }
}

const char *pgclient_parameter_get(const struct pgclient_parameters *p, const char *key)
{
    for (int i = 0; i < p->count; i++) {
        if (strcmp(p->keys[i], key) == 0) {
            return p->values[i];
        }
    }
    return NULL;
}

/*
 * Keep what this process has to itself. To libpq an empty value means "unset, look elsewhere", so
 * that a password that is not given is refused by the kind of login that is allowed.
 */
static void close_ways(struct pgclient_parameters *p, const char *password)
{
    const char *mode = pgclient_parameter_get(p, "sslmode");

    pgclient_parameter_set(p, "passfile", "/dev/null");
    pgclient_parameter_set(p, "sslcertmode", "disable");
    pgclient_parameter_set(p, "gssencmode", "disable");
    if (!password || password[0] == '\0') {
        pgclient_parameter_set(p, "require_auth", "none");
    } else if (!mode || strcmp(mode, "verify-full") != 0) {
        pgclient_parameter_set(p, "require_auth", "!password");
    }
}

/*
 * What conninfo sets, overridden by the members of config. Values borrow from both. Options are
 * wiped by PQconninfoFree (vendor/libpq/wiped-options.patch).
 */
static enum err_code collect(const struct pgclient_config *config, PQconninfoOption **options,
                             struct pgclient_parameters *p, struct err *e)
{
    char *why = NULL;
    *options = PQconninfoParse(config->conninfo ? config->conninfo : "", &why);
    if (!*options) {
        /* libpq's text repeats parts of the string, which may hold a password: not shown */
        if (why) {
            explicit_bzero(why, strlen(why));
        }
        PQfreemem(why);
        return err_set(e, ERR_INVALID, "the dsn is no valid connection string");
    }
    for (const PQconninfoOption *o = *options; o->keyword; o++) {
        pgclient_parameter_set(p, o->keyword, o->val);
    }
    const struct {
        const char *key, *value;
    } over[] = {
        {"host", config->host},
        {"hostaddr", config->hostaddr},
        {"port", config->port},
        {"user", config->user},
        {"dbname", config->dbname},
        {"password", config->password},
        {"sslmode", config->sslmode},
        {"sslrootcert", config->sslrootcert},
        {"sslcert", config->sslcert},
        {"sslkey", config->sslkey},
        {"sslcrl", config->sslcrl},
        {"sslpassword", config->sslpassword},
        {"application_name", config->application_name ? config->application_name : "pga"},
    };
    for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
        pgclient_parameter_set(p, over[i].key, over[i].value);
    }
    return ERR_OK;
}

/* As libpq reads a value back: in quotes, with quotes and backslashes escaped. */
static void add_pair(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s%s='", out->len ? " " : "", key);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\') {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, *value);
    }
    buf_add_char(out, '\'');
}

enum err_code pgclient_split_password(const char *conninfo, struct buf *rest, struct buf *password,
                                      struct err *e)
{
    struct pgclient_config config = {.conninfo = conninfo};
    struct pgclient_parameters ignored = {0};
    PQconninfoOption *options = NULL;
    enum err_code code = collect(&config, &options, &ignored, e);
    if (code) {
        return code;
    }
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (o->val && strcmp(o->keyword, "password") == 0) {
            buf_add_c(password, o->val);
        } else if (o->val) {
            add_pair(rest, o->keyword, o->val);
        }
    }
    PQconninfoFree(options);
    code = buf_check(rest, e);
    return code ? code : buf_check(password, e);
}

static bool host_is_local(const char *host)
{
    if (!host || host[0] == '\0' || host[0] == '/' || host[0] == '@') {
        return true;
    }
    return net_is_loopback(host);
}

/* All hosts of a comma-separated list are local. */
static bool hosts_are_local(const char *hosts)
{
    struct str rest = str_of(hosts);
    do {
        char one[256];
        struct str item = str_split(&rest, ',');
        if (item.len >= sizeof(one)) {
            return false;
        }
        snprintf(one, sizeof(one), "%.*s", STR_ARG(item));
        if (!host_is_local(one)) {
            return false;
        }
    } while (rest.ptr);
    return true;
}

static void put(char *out, size_t size, const char *value)
{
    snprintf(out, size, "%s", value ? value : "");
}

/* What of the conninfo itself does not belong into a file that others read or write. */
static void look_at_conninfo(const PQconninfoOption *options, const struct pgclient_config *config,
                             struct pgclient_place *place)
{
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (!o->val) {
            continue;
        }
        if (strcmp(o->keyword, "password") == 0) {
            place->has_password |= !config->password;
        } else if (strcmp(o->keyword, "sslpassword") == 0) {
            place->has_password |= !config->sslpassword;
        } else if (pgclient_tls_names_file(o->keyword, o->val)) {
            place->names_files = true;
        }
    }
}

static enum err_code prepare_parameters(const struct pgclient_config *config,
                                        PQconninfoOption **options, struct pgclient_parameters *p,
                                        struct pgclient_place *place, struct err *e)
{
    enum err_code code = collect(config, options, p, e);
    if (code) {
        return code;
    }
    const char *host = pgclient_parameter_get(p, "host");
    const char *addr = pgclient_parameter_get(p, "hostaddr");
    if (!host && !addr) {
        host = getenv("PGHOST");
        if (!host && access(SOCKET_DIR, X_OK) == 0) {
            host = SOCKET_DIR;
        }
        pgclient_parameter_set(p, "host", host);
    }
    memset(place, 0, sizeof(*place));
    const char *port = pgclient_parameter_get(p, "port");
    put(place->host, sizeof(place->host), host ? host : addr);
    put(place->port, sizeof(place->port), port ? port : getenv("PGPORT"));
    if (place->port[0] == '\0') {
        put(place->port, sizeof(place->port), "5432");
    }
    put(place->dbname, sizeof(place->dbname), pgclient_parameter_get(p, "dbname"));
    put(place->user, sizeof(place->user), pgclient_parameter_get(p, "user"));
    place->local = hosts_are_local(host) && hosts_are_local(addr);
    look_at_conninfo(*options, config, place);
    code = pgclient_tls_mode(p, place, e);
    if (!code && (config->flags & PGCLIENT_CLOSED)) {
        close_ways(p, config->password);
    }
    return code;
}

enum err_code pgclient_check(const struct pgclient_config *config, struct pgclient_place *place,
                             struct err *e)
{
    struct pgclient_place unused;
    struct pgclient_parameters p = {.count = 0};
    PQconninfoOption *options = NULL;
    enum err_code code = prepare_parameters(config, &options, &p, place ? place : &unused, e);
    PQconninfoFree(options);
    return code;
}

static void count_notice(void *arg, const PGresult *res)
{
    struct pgclient *c = arg;
    (void)res;
    c->notices++;
}

static enum err_code drive_connect(struct pgclient *c, int64_t deadline_us, struct err *e)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    if (PQstatus(c->conn) == CONNECTION_BAD) {
        return pgclient_fail_connect(PQerrorMessage(c->conn), e);
    }
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (pgclient_wait(PQsocket(c->conn), events, deadline_us, e)) {
            return err_wrap(e, "connect");
        }
        step = PQconnectPoll(c->conn);
    }
    if (step == PGRES_POLLING_OK) {
        return ERR_OK;
    }
    return pgclient_fail_connect(PQerrorMessage(c->conn), e);
}

static enum err_code start(struct pgclient *c, const struct pgclient_parameters *p,
                           int64_t deadline_us, struct err *e)
{
    c->conn = PQconnectStartParams(p->keys, p->values, 0);
    if (!c->conn) {
        return err_set(e, ERR_LIMIT, "out of memory for a connection");
    }
    PQsetErrorVerbosity(c->conn, PQERRORS_VERBOSE); /* so that the message carries the SQLSTATE */
    PQsetNoticeReceiver(c->conn, count_notice, c);
    enum err_code code = drive_connect(c, deadline_us, e);
    if (code) {
        return code;
    }
    if (PQsetnonblocking(c->conn, 1) != 0) {
        return err_set(e, ERR_UNREACHABLE, "the connection cannot be made non-blocking");
    }
    return ERR_OK;
}

/* A pooler gives a process number of its own, that of the backend is another one. */
static enum err_code find_pooler(struct pgclient *c, int64_t deadline_us, struct err *e)
{
    const struct pgclient_query q = {.sql = "SELECT pg_catalog.pg_backend_pid()",
                                     .deadline_us = deadline_us};
    struct pgclient_row row;
    int64_t pid = 0;
    enum err_code code = pgclient_begin(c, &q, e);

    if (code) {
        return code;
    }
    code = pgclient_next(c, &row, e);
    if (code == ERR_OK && row.count == 1 && row.cells[0].ptr) {
        code = num_parse_i64(row.cells[0], 0, INT32_MAX, &pid, e);
    }
    enum err_code ended = pgclient_end(c, NULL, code ? NULL : e);
    code = code ? code : ended;
    c->pooled = code == ERR_OK && pid != pgclient_backend_pid(c);
    c->flags |= c->pooled ? PGCLIENT_NO_PREPARE : 0;
    return code;
}

enum err_code pgclient_open(const struct pgclient_config *config, int64_t deadline_us,
                            struct pgclient **out, struct err *e)
{
    struct pgclient_place place;
    struct pgclient_parameters p = {.count = 0};
    PQconninfoOption *options = NULL;
    struct pgclient *c = alloc_new(sizeof(*c));
    c->flags = config->flags;
    int64_t timeout_ms = config->statement_timeout_ms ? config->statement_timeout_ms
                                                      : STATEMENT_TIMEOUT_MS;
    enum err_code code = prepare_parameters(config, &options, &p, &place, e);
    if (!code) {
        code = pgclient_tls_roots(&p, &place, e);
    }
    if (!code) {
        code = start(c, &p, deadline_us, e);
        if (code) {
            pgclient_tls_explain(&place, e);
        }
    }
    if (!code && (config->flags & PGCLIENT_FIND_POOLER)) {
        code = find_pooler(c, deadline_us, e);
    }
    if (!code && (config->flags & PGCLIENT_MONITOR)) {
        code = pgclient_guard_session(c, timeout_ms, deadline_us, e);
    }
    PQconninfoFree(options);
    if (code) {
        pgclient_close(c);
        return code;
    }
    *out = c;
    return ERR_OK;
}

void pgclient_close(struct pgclient *c)
{
    if (!c) {
        return;
    }
    PQclear(c->result);
    PQfinish(c->conn);
    for (size_t i = 0; i < c->prepared_count; i++) {
        alloc_free(c->prepared[i]);
    }
    alloc_free(c->row_cells);
    alloc_free(c);
}

/* Settings that every version knows; one round trip. */
static const char SETTINGS[] =
    "SET lock_timeout = 100; SET idle_in_transaction_session_timeout = 10000; "
    "SET default_transaction_read_only = on; "
    "SET max_parallel_workers_per_gather = 0; "
    "SET search_path = pg_catalog; SET bytea_output = hex; "
    "SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 1; "
    "SET client_encoding = 'UTF8'";

/*
 * Our own statements stay out of the slow-query log, where the role may say so. A superuser may;
 * asking first keeps an error out of the server's log.
 */
static const char QUIET[] =
    "SELECT set_config('log_min_duration_statement', '-1', false) FROM pg_catalog.pg_roles"
    " WHERE rolname = current_user AND rolsuper";

enum err_code pgclient_guard_session(struct pgclient *c, int64_t timeout_ms, int64_t deadline_us,
                                     struct err *e)
{
    char sql[1024];
    int version = pgclient_version(c);
    snprintf(sql, sizeof(sql), "%s; SET statement_timeout = %lld%s%s", SETTINGS,
             (long long)timeout_ms, version >= 110000 ? "; SET jit = off" : "",
             version >= 150000 ? "; SET stats_fetch_consistency = none" : "");
    if (pgclient_exec(c, sql, deadline_us, e)) {
        return err_wrap(e, "session settings");
    }
    if (pgclient_exec(c, QUIET, deadline_us, e)) {
        return err_wrap(e, "session settings");
    }
    return ERR_OK;
}
