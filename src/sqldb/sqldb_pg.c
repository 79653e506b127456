/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_pg.c: the PostgreSQL dialect, over pgclient/.
 *
 * A connection runs one statement at a time, so the rows of a statement are streamed until another
 * one wants the connection; then the rest of them is read into memory, up to ROWS_MAX_BYTES.
 * A connection that was lost is opened again by the next call outside a transaction.
 * Behind a pooler every transaction may be in another session, and so may a statement outside of
 * one: settings go with each transaction, and a statement alone gets one of its own.
 * Invariants: (1) `streaming` is the only statement whose rows are still on the server's side;
 *             (2) cells given out stay until that statement's next step or end, whatever else runs;
 *             (3) a commit after a failed statement is an error, never a silent rollback.
 */
#include "sqldb/sqldb_backend.h"
#include "sqldb/sqldb_pg.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "os/clock.h"
#include "pgclient/pgclient.h"

#include <stdio.h>
#include <string.h>

#define PARAMETERS_MAX   64
#define OPEN_TIMEOUT_MS  10000
#define CALL_TIMEOUT_MS  32000 /* a little more, so that the server speaks first */
#define STATEMENT_MS     30000
#define IDLE_READING_MS  60000
#define IDLE_WRITING_MS  10000 /* a process that sleeps gives its locks up */
#define BUSY_TIMEOUT_MS  5000
#define SCRIPT_MAX_BYTES 8192

/* What the server knows since; its numbers of versions. */
#define VERSION_IDLE_TIMEOUT        140000
#define VERSION_TRANSACTION_TIMEOUT 170000

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
    bool selects; /* begins with SELECT: changes nothing */
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
    bool alone; /* behind a pooler: a statement runs in a transaction of its own */
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

/* As SET commands for the session, or behind a pooler for one transaction. */
static void put_settings(const struct database *d, struct buf *out)
{
    bool reads = (d->flags & SQLDB_READ_ONLY) != 0;
    bool pooled = pgclient_pooled(d->conn);
    int version = pgclient_version(d->conn);
    const char *set = pooled ? "SET LOCAL" : "SET";

    buf_printf(out,
               "%s client_encoding = 'UTF8'; %s standard_conforming_strings = on; "
               "%s TimeZone = 'UTC'; %s DateStyle = ISO; %s bytea_output = hex; "
               "%s extra_float_digits = 3; %s synchronous_commit = on; %s lock_timeout = %d; "
               "%s statement_timeout = %d; %s idle_in_transaction_session_timeout = %d; ",
               set, set, set, set, set, set, set, set, d->lock_timeout_ms, set, STATEMENT_MS, set,
               reads ? IDLE_READING_MS : IDLE_WRITING_MS);
    if (version >= VERSION_TRANSACTION_TIMEOUT) {
        buf_printf(out, "%s transaction_timeout = 0; ", set);
    }
    if (!pooled && version >= VERSION_IDLE_TIMEOUT) {
        buf_add_c(out, "SET idle_session_timeout = 0; ");
    }
    if (!pooled) {
        buf_printf(out, "SET default_transaction_read_only = %s; ", reads ? "on" : "off");
    }
}

/* What the administrator set for the role or the database does not count, but for the pooler. */
static enum err_code set_session(struct database *d, struct err *e)
{
    struct buf text;

    if (pgclient_pooled(d->conn)) {
        return ERR_OK;
    }
    buf_init(&text, SCRIPT_MAX_BYTES);
    put_settings(d, &text);
    enum err_code code = buf_check(&text, e);
    code = code ? code : pgclient_exec(d->conn, text.ptr, call_deadline(d), e);
    buf_fini(&text);
    return code;
}

static enum err_code connect_now(struct database *d, struct err *e)
{
    const struct pgclient_config config = {
        .conninfo = d->url, .application_name = "pga", .flags = PGCLIENT_FIND_POOLER};
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
    if (pgclient_alive(d->conn) && (d->base.in_transaction || !pgclient_hung_up(d->conn))) {
        return ERR_OK;
    }
    if (d->base.in_transaction) {
        return err_set(e, ERR_UNREACHABLE, "postgresql: the connection was lost");
    }
    pgclient_close(d->conn);
    d->conn = NULL;
    return connect_now(d, e);
}

/* --- a statement alone, behind a pooler --- */

static enum err_code begin_alone(struct database *d, struct err *e)
{
    struct buf text;

    if (!pgclient_pooled(d->conn) || d->base.in_transaction) {
        return ERR_OK;
    }
    buf_init(&text, SCRIPT_MAX_BYTES);
    buf_add_c(&text, d->flags & SQLDB_READ_ONLY ? "BEGIN READ ONLY; " : "BEGIN READ WRITE; ");
    put_settings(d, &text);
    enum err_code code = buf_check(&text, e);
    code = code ? code : pgclient_exec(d->conn, text.ptr, call_deadline(d), e);
    buf_fini(&text);
    d->alone = true;
    return code;
}

/* Commit when nothing went wrong, else roll back: nothing stays open. */
static enum err_code end_alone(struct database *d, enum err_code code, struct err *e)
{
    struct err unused;

    if (!d->alone) {
        return code;
    }
    d->alone = false;
    if (code == ERR_OK) {
        code = pgclient_exec(d->conn, "COMMIT", call_deadline(d), e);
    } else if (pgclient_alive(d->conn) &&
               pgclient_exec(d->conn, "ROLLBACK", call_deadline(d), &unused)) {
        pgclient_close(d->conn); /* the next call opens a new one */
        d->conn = NULL;
    }
    return code;
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
    code = end_alone(d, code, e);
    return code ? sqldb_pg_error(e) : ERR_OK;
}

/* The same after an error, which stays what it is. */
static void give_up(struct database *d)
{
    struct err unused;
    enum err_code code = pgclient_end(d->conn, NULL, &unused);

    d->streaming = NULL;
    (void)end_alone(d, code ? code : ERR_CANCELLED, &unused);
}

/* One more row of the streaming statement; at its end the connection is free. */
static enum err_code fetch(struct statement *s, struct err *e)
{
    struct database *d = database_of(s);
    struct pgclient_row row;
    enum err_code code = pgclient_next(d->conn, &row, e);

    if (code) {
        give_up(d);
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
        give_up(d);
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

static bool is_select(const char *sql)
{
    struct str rest = str_trim(str_of(sql));

    while (str_starts(rest, STR("--"))) {
        (void)str_split(&rest, '\n');
        rest = str_trim(rest);
    }
    return str_starts(rest, STR("SELECT"));
}

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
    s->selects = is_select(sql);
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
    if (begin_alone(d, e) || pgclient_begin(d->conn, &query, e)) {
        (void)end_alone(d, e->code, e);
        return sqldb_pg_error(e);
    }
    forget_rows(s); /* pgclient has copied the parameters */
    d->streaming = s;
    enum err_code code = fetch(s, e);
    while (code == ERR_OK && d->streaming == s && d->alone && !s->selects) {
        code = fetch(s, e); /* whoever reads a row of what was written: it is committed */
    }
    return code;
}

/* After a script that failed nothing stays open. */
static void leave_open_transaction(struct database *d)
{
    struct err unused;

    if (!d->base.in_transaction && pgclient_alive(d->conn) &&
        pgclient_transaction_state(d->conn) != PGCLIENT_TRANSACTION_NONE &&
        pgclient_exec(d->conn, "ROLLBACK", call_deadline(d), &unused)) {
        pgclient_close(d->conn); /* the next call opens a new one */
        d->conn = NULL;
    }
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
    enum err_code code = begin_alone(d, e);
    code = code ? code : pgclient_exec(d->conn, sql, call_deadline(d), e);
    code = end_alone(d, code, e);
    if (code == ERR_OK) {
        return ERR_OK;
    }
    leave_open_transaction(d);
    return sqldb_pg_error(e);
}

/* The text of a BEGIN has a place for settings that a pooler forgets. */
static void put_begin(const struct database *d, const char *sql, struct buf *out)
{
    struct str rest = str_of(sql);
    size_t at = 0;

    if (str_find(rest, STR("{settings}"), &at)) {
        buf_add(out, rest.ptr, at);
        if (pgclient_pooled(d->conn)) {
            put_settings(d, out);
        }
        at += strlen("{settings}");
        rest = str_make(rest.ptr + at, rest.len - at);
    }
    buf_add_str(out, rest);
}

/* A connection that turns out to be lost is opened again: nothing was done on it yet. */
static enum err_code begin(struct sqldb *db, const char *sql, struct err *caller)
{
    struct database *d = (struct database *)db;
    struct err mine = {0};
    struct err *e = caller ? caller : &mine;
    struct buf text;
    enum err_code code = ERR_UNREACHABLE;

    make_room(d);
    for (int tries = 0; code && tries < 2 && !(tries && pgclient_alive(d->conn)); tries++) {
        if (connected(d, e)) {
            return e->code;
        }
        buf_init(&text, SCRIPT_MAX_BYTES);
        put_begin(d, sql, &text);
        code = buf_check(&text, e);
        code = code ? code : pgclient_exec(d->conn, text.ptr, call_deadline(d), e);
        buf_fini(&text);
    }
    if (code) {
        leave_open_transaction(d);
        return sqldb_pg_error(e);
    }
    return ERR_OK;
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
    enum err_code code = begin_alone(d, e);
    code = code ? code : pgclient_copy(d->conn, copy, rows, call_deadline(d), e);
    code = end_alone(d, code, e);
    return code ? sqldb_pg_error(e) : ERR_OK;
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
    .begin = begin,
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
