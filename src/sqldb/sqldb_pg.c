/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_pg.c: the PostgreSQL dialect, over pgclient/.
 *
 * A connection runs one statement at a time, so the rows of a statement are streamed until another
 * one wants the connection; then the rest of them is read into memory, up to ROWS_MAX_BYTES.
 * A connection that was lost is opened again by the next call outside a transaction.
 * Invariants: (1) `streaming` is the only statement whose rows are still on the server's side;
 *             (2) cells given out stay until that statement's next step or end, whatever else runs;
 *             (3) a commit after a failed statement is an error, never a silent rollback.
 */
#include "sqldb/sqldb_backend.h"
#include "sqldb/sqldb_pg.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "pgclient/pgclient.h"

#include <stdio.h>
#include <string.h>

#define PARAMETERS_MAX   64
#define OPEN_TIMEOUT_MS  10000
#define CALL_TIMEOUT_MS  32000 /* a little more, so that the server speaks first */
#define STATEMENT_MS     30000
#define IDLE_IN_TX_MS    60000
#define BUSY_TIMEOUT_MS  5000
#define NAMES_MAX_BYTES  65536
#define ROWS_MAX_BYTES   ((size_t)64 * 1024 * 1024)
#define STREAM_MAX_BYTES ((size_t)1024 * 1024 * 1024)
#define TYPE_BYTEA       17

struct row {
    struct row *next;
    const struct str *cells;
};

struct statement {
    struct sqldb_stmt base; /* first */
    char *sql;
    char name[16];
    size_t parameters;
    struct arena names_memory;
    const struct str *names;
    size_t columns;
    struct arena memory; /* parameters, then rows */
    struct row *first, *last, *current;
    bool done;
    struct err late; /* what went wrong while another statement took the connection */
};

struct database {
    struct sqldb base; /* first */
    struct pgclient *conn;
    char *url; /* may hold a password: never shown */
    unsigned flags;
    int lock_timeout_ms;
    int64_t deadline_us; /* 0 = none */
    int64_t changes;
    unsigned statements;
    struct statement *streaming;
};

static struct database *database_of(const struct statement *s)
{
    return (struct database *)s->base.db;
}

/* --- connection --- */

static int64_t call_deadline(const struct database *d)
{
    int64_t limit_us = clock_mono_us() + CALL_TIMEOUT_MS * INT64_C(1000);
    return d->deadline_us != 0 && d->deadline_us < limit_us ? d->deadline_us : limit_us;
}

static enum err_code set_session(struct database *d, struct err *e)
{
    char text[640];

    (void)snprintf(text, sizeof(text),
                   "SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; "
                   "SET TimeZone = 'UTC'; SET DateStyle = ISO; SET bytea_output = hex; "
                   "SET extra_float_digits = 3; SET synchronous_commit = on; "
                   "SET statement_timeout = %d; SET lock_timeout = %d; "
                   "SET idle_in_transaction_session_timeout = %d; "
                   "SET default_transaction_read_only = %s",
                   STATEMENT_MS, d->lock_timeout_ms, IDLE_IN_TX_MS,
                   d->flags & SQLDB_READ_ONLY ? "on" : "off");
    return pgclient_exec(d->conn, text, call_deadline(d), e);
}

static enum err_code connect_now(struct database *d, struct err *e)
{
    const struct pgclient_config config = {.conninfo = d->url, .application_name = "pga"};
    int64_t limit_us = clock_mono_us() + OPEN_TIMEOUT_MS * INT64_C(1000);
    enum err_code code = pgclient_open(&config, limit_us, &d->conn, e);

    code = code ? code : set_session(d, e);
    if (code) {
        pgclient_close(d->conn);
        d->conn = NULL;
        return err_wrap(e, "postgresql");
    }
    return ERR_OK;
}

/* A lost connection is opened again, unless a transaction was lost with it. */
static enum err_code connected(struct database *d, struct err *e)
{
    if (pgclient_alive(d->conn)) {
        return ERR_OK;
    }
    if (d->base.in_transaction) {
        return err_set(e, ERR_UNREACHABLE, "postgresql: the connection was lost");
    }
    pgclient_close(d->conn);
    d->conn = NULL;
    return connect_now(d, e);
}

static void close_database(struct sqldb *db)
{
    struct database *d = (struct database *)db;

    pgclient_close(d->conn);
    if (d->url) {
        alloc_free_secret(d->url, strlen(d->url));
    }
    alloc_free(d);
}

/* --- rows --- */

static void forget_rows(struct statement *s)
{
    arena_reset(&s->memory);
    s->first = s->last = s->current = NULL;
}

static void keep_names(struct statement *s, struct pgclient *c)
{
    size_t count = pgclient_column_count(c);
    struct str *names = arena_array(&s->names_memory, count, sizeof(*names));

    for (size_t i = 0; names && i < count; i++) {
        names[i] = arena_str(&s->names_memory, str_of(pgclient_column_name(c, i)));
    }
    if (names && !s->names_memory.overflow) {
        s->names = names;
        s->columns = count;
    }
}

static enum err_code keep_row(struct statement *s, const struct pgclient_row *from, struct err *e)
{
    struct pgclient *c = database_of(s)->conn;
    struct row *row = arena_alloc(&s->memory, sizeof(*row));
    struct str *cells = arena_array(&s->memory, from->count, sizeof(*cells));

    if (!row || !cells) {
        return arena_fail(&s->memory, e);
    }
    for (size_t i = 0; i < from->count; i++) {
        if (from->cells[i].ptr) {
            cells[i] = pgclient_column_type(c, i) == TYPE_BYTEA
                           ? sqldb_pg_blob(&s->memory, from->cells[i])
                           : arena_str(&s->memory, from->cells[i]);
        }
    }
    row->cells = cells;
    if (s->last) {
        s->last->next = row;
    } else {
        s->first = row;
    }
    s->last = row;
    return arena_check(&s->memory, e);
}

/* The connection is free again; `*e` gets what comes to light only now. */
static enum err_code finish(struct database *d, struct err *e)
{
    uint64_t affected = 0;
    enum err_code code = pgclient_end(d->conn, &affected, e);

    d->changes = (int64_t)affected;
    d->streaming = NULL;
    return code ? sqldb_pg_error(e) : ERR_OK;
}

/* One more row of the streaming statement; at its end the connection is free. */
static enum err_code fetch(struct statement *s, struct err *e)
{
    struct database *d = database_of(s);
    struct pgclient_row row;
    struct err unused;
    enum err_code code = pgclient_next(d->conn, &row, e);

    if (code) {
        (void)finish(d, &unused);
        return sqldb_pg_error(e);
    }
    if (!s->names) {
        keep_names(s, d->conn);
    }
    if (row.count == 0) {
        return finish(d, e);
    }
    code = keep_row(s, &row, e);
    if (code) {
        (void)finish(d, &unused);
    }
    return code;
}

/* Read what the streaming statement still has, so that another one can run. */
static void make_room(struct database *d)
{
    struct statement *s = d->streaming;
    while (d->streaming) {
        (void)fetch(s, &s->late);
    }
}

static enum err_code step(struct sqldb_stmt *base, bool *row, struct err *e)
{
    struct statement *s = (struct statement *)base;
    struct row *next = s->current ? s->current->next : s->first;
    struct err unused;

    *row = false;
    if (!next && !s->done && database_of(s)->streaming == s) {
        forget_rows(s);
        enum err_code code = fetch(s, e ? e : &unused);
        if (code) {
            s->done = true;
            return code;
        }
        next = s->first;
    }
    if (s->done || !next) {
        s->done = true;
        s->current = NULL;
        return s->late.code ? err_set(e, s->late.code, "%s", s->late.text) : ERR_OK;
    }
    s->current = next;
    *row = true;
    return ERR_OK;
}

static void end(struct sqldb_stmt *base)
{
    struct statement *s = (struct statement *)base;
    struct err unused;

    if (database_of(s)->streaming == s) {
        (void)finish(database_of(s), &unused);
    }
    forget_rows(s);
    s->done = true;
}

/* --- statements --- */

static enum err_code prepare(struct sqldb *db, const char *sql, struct sqldb_stmt **out,
                             struct err *e)
{
    struct database *d = (struct database *)db;
    size_t parameters = sqldb_pg_parameters(sql);

    if (parameters > PARAMETERS_MAX) {
        return err_set(e, ERR_BUG, "%zu parameters", parameters);
    }
    struct statement *s = alloc_new(sizeof(*s));
    s->base.db = db;
    s->sql = alloc_strdup(sql);
    s->parameters = parameters;
    (void)snprintf(s->name, sizeof(s->name), "pga_%u", d->statements++ % 1000000);
    arena_init(&s->names_memory, "column names", NAMES_MAX_BYTES);
    arena_init(&s->memory, "result", ROWS_MAX_BYTES);
    *out = &s->base;
    return ERR_OK;
}

static void free_statement(struct sqldb_stmt *base)
{
    struct statement *s = (struct statement *)base;

    end(base);
    arena_fini(&s->memory);
    arena_fini(&s->names_memory);
    alloc_free(s->sql);
    alloc_free(s);
}

static enum err_code start(struct sqldb_stmt *base, struct sqldb_args args, struct err *caller)
{
    struct statement *s = (struct statement *)base;
    struct database *d = database_of(s);
    struct str params[PARAMETERS_MAX];
    struct err mine = {0};
    struct err *e = caller ? caller : &mine;

    if (args.count != s->parameters) {
        return err_set(e, ERR_BUG, "%zu parameters given, %zu wanted", args.count, s->parameters);
    }
    make_room(d);
    if (connected(d, e)) {
        return e->code;
    }
    forget_rows(s);
    s->done = false;
    err_clear(&s->late);
    for (size_t i = 0; i < args.count; i++) {
        params[i] = sqldb_pg_text(&s->memory, &args.values[i]);
    }
    const struct pgclient_query query = {.sql = s->sql,
                                         .name = s->name,
                                         .params = params,
                                         .param_count = args.count,
                                         .max_bytes = STREAM_MAX_BYTES,
                                         .deadline_us = call_deadline(d)};
    if (arena_check(&s->memory, e)) {
        return e->code;
    }
    if (pgclient_begin(d->conn, &query, e)) {
        return sqldb_pg_error(e);
    }
    forget_rows(s); /* pgclient has copied the parameters */
    d->streaming = s;
    return fetch(s, e);
}

static enum err_code script(struct sqldb *db, const char *sql, struct err *caller)
{
    struct database *d = (struct database *)db;
    struct err mine = {0};
    struct err *e = caller ? caller : &mine;

    make_room(d);
    if (connected(d, e)) {
        return e->code;
    }
    if (strcmp(sql, "COMMIT") == 0 &&
        pgclient_transaction_state(d->conn) == PGCLIENT_TRANSACTION_FAILED) {
        return err_set(e, ERR_CONFLICT, "postgresql: a statement of the transaction failed");
    }
    if (pgclient_exec(d->conn, sql, call_deadline(d), e) == ERR_OK) {
        return ERR_OK;
    }
    if (!db->in_transaction && pgclient_alive(d->conn) &&
        pgclient_transaction_state(d->conn) != PGCLIENT_TRANSACTION_NONE) {
        struct err unused;
        if (pgclient_exec(d->conn, "ROLLBACK", call_deadline(d), &unused)) {
            pgclient_close(d->conn); /* the next call opens a new one */
            d->conn = NULL;
        }
    }
    return sqldb_pg_error(e);
}

static enum err_code load(struct sqldb *db, const char *copy, struct str rows, struct err *caller)
{
    struct database *d = (struct database *)db;
    struct err mine = {0};
    struct err *e = caller ? caller : &mine;

    make_room(d);
    if (connected(d, e)) {
        return e->code;
    }
    return pgclient_copy(d->conn, copy, rows, call_deadline(d), e) ? sqldb_pg_error(e) : ERR_OK;
}

/* --- columns --- */

static int column(struct sqldb_stmt *base, const char *name)
{
    const struct statement *s = (const struct statement *)base;

    for (size_t i = 0; i < s->columns; i++) {
        if (str_eq_c(s->names[i], name)) {
            return (int)i;
        }
    }
    return -1;
}

static struct str cell(struct sqldb_stmt *base, int at)
{
    const struct statement *s = (const struct statement *)base;

    if (!s->current || at < 0 || (size_t)at >= s->columns) {
        return (struct str){NULL, 0};
    }
    return s->current->cells[at];
}

static bool is_null(struct sqldb_stmt *base, int at)
{
    return cell(base, at).ptr == NULL;
}

static int64_t get_i64(struct sqldb_stmt *base, int at)
{
    return sqldb_pg_i64(cell(base, at));
}

static double get_f64(struct sqldb_stmt *base, int at)
{
    return sqldb_pg_f64(cell(base, at));
}

static int64_t changes(const struct sqldb *db)
{
    return ((const struct database *)db)->changes;
}

static void set_deadline(struct sqldb *db, int64_t mono_us)
{
    ((struct database *)db)->deadline_us = mono_us;
}

static const struct sqldb_backend backend = {
    .dialect = SQLDB_PG,
    .close = close_database,
    .script = script,
    .prepare = prepare,
    .free_stmt = free_statement,
    .start = start,
    .step = step,
    .end = end,
    .column = column,
    .is_null = is_null,
    .get_i64 = get_i64,
    .get_f64 = get_f64,
    .get_text = cell,
    .get_blob = cell,
    .changes = changes,
    .load = load,
    .deadline = set_deadline,
};

enum err_code sqldb_pg_open(const char *url, const struct sqldb_options *options,
                            struct sqldb **out, struct err *caller)
{
    struct err mine = {0};
    struct err *e = caller ? caller : &mine;
    struct database *d = alloc_new(sizeof(*d));

    d->base.backend = &backend;
    d->url = alloc_strdup(url);
    d->flags = options->flags;
    d->lock_timeout_ms = options->busy_timeout_ms ? options->busy_timeout_ms : BUSY_TIMEOUT_MS;
    enum err_code code = connect_now(d, e);
    if (code) {
        close_database(&d->base);
        return code;
    }
    d->base.statements = map_new();
    *out = &d->base;
    return ERR_OK;
}
