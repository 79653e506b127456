/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient.c: queries on one connection, bounded in time and bytes.
 *
 *     idle --begin--> busy --next...--> complete --end--> idle
 *                      |deadline, budget                  ^
 *                      +--> cancel on the server, drain --+--> broken when that fails
 *
 * Threads: one connection belongs to one thread.
 */
#include "pgclient/pgclient.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "pgclient/pgclient_internal.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"

#define SQL_MAX_BYTES (1024 * 1024)
#define UNASKED_MAX   8 /* messages and the end of the stream */

enum err_code pgclient_wait(int fd, short events, int64_t deadline_us, struct err *e)
{
    for (;;) {
        int64_t left_us = deadline_us - clock_mono_us();
        if (left_us <= 0) {
            return err_set(e, ERR_TIMEOUT, "no answer within the deadline");
        }
        int64_t left_ms = left_us / 1000 + 1;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
        if (n > 0) {
            return ERR_OK;
        }
    }
}

enum err_code pgclient_lost(struct pgclient *c, struct err *e)
{
    c->broken = true;
    struct str line = str_of(PQerrorMessage(c->conn));
    line = str_trim(str_split(&line, '\n'));
    return err_set(e, ERR_UNREACHABLE, "%.*s", STR_ARG(line));
}

static size_t bytes_waiting(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/*
 * Where the kernel's struct tcp_info has tcpi_bytes_received (Linux >= 4.1); C libraries lag
 * behind.
 */
#define TCP_INFO_RECEIVED 128

/* Bytes that a TCP connection has received so far, or 0 when it is none. */
static uint64_t bytes_received(int fd)
{
    unsigned char info[TCP_INFO_RECEIVED + sizeof(uint64_t)] = {0};
    socklen_t len = sizeof(info);
    uint64_t received = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) == 0 && len == sizeof(info)) {
        memcpy(&received, info + TCP_INFO_RECEIVED, sizeof(received));
    }
    return received;
}

/*
 * The bytes are counted as they come from the socket, because libpq gathers a whole message before
 * it shows it: one field of a gigabyte must end here. Exact on TCP; on a Unix socket, whose peer
 * is of this host, what arrives while we read is an estimate, and rows are counted again as they
 * are delivered.
 */
enum err_code pgclient_consume(struct pgclient *c, int64_t deadline_us, struct err *e)
{
    int fd = PQsocket(c->conn);
    if (fd < 0) {
        return pgclient_lost(c, e);
    }
    enum err_code code = pgclient_wait(fd, POLLIN, deadline_us, e);
    if (code) {
        return code;
    }
    size_t waiting = bytes_waiting(fd);
    uint64_t start = bytes_received(fd) - waiting;
    if (!PQconsumeInput(c->conn)) {
        return pgclient_lost(c, e);
    }
    uint64_t left = bytes_waiting(fd); /* first: more may arrive in between */
    uint64_t end = bytes_received(fd) - left;
    c->seen_bytes += end > start && start ? (size_t)(end - start) : waiting;
    if (c->max_bytes && c->seen_bytes > c->max_bytes) {
        return err_set(e, ERR_LIMIT, "the result is larger than %zu bytes", c->max_bytes);
    }
    return ERR_OK;
}

/* Reads meanwhile, as libpq asks for. */
enum err_code pgclient_flush(struct pgclient *c, struct err *e)
{
    for (;;) {
        int n = PQflush(c->conn);
        if (n == 0) {
            return ERR_OK;
        }
        if (n < 0) {
            return pgclient_lost(c, e);
        }
        enum err_code code = pgclient_wait(PQsocket(c->conn), POLLIN | POLLOUT, c->deadline_us, e);
        if (code) {
            return code;
        }
        if (bytes_waiting(PQsocket(c->conn)) && !PQconsumeInput(c->conn)) {
            return pgclient_lost(c, e);
        }
    }
}

enum err_code pgclient_result(struct pgclient *c, PGresult **out, struct err *e)
{
    *out = NULL;
    while (PQisBusy(c->conn)) {
        enum err_code code = pgclient_consume(c, c->deadline_us, e);
        if (code) {
            return code;
        }
    }
    *out = PQgetResult(c->conn);
    if (!*out && PQstatus(c->conn) == CONNECTION_BAD) {
        return pgclient_lost(c, e);
    }
    return ERR_OK;
}

/* Drive a cancel request to its end; true when the server took it. */
static bool send_cancel(PGconn *conn, int64_t deadline_us)
{
    PGcancelConn *cancel = PQcancelCreate(conn);
    bool sent = false;
    if (cancel && PQcancelStart(cancel)) {
        PostgresPollingStatusType step = PGRES_POLLING_WRITING;
        while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
            short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;
            if (pgclient_wait(PQcancelSocket(cancel), events, deadline_us, NULL)) {
                break;
            }
            step = PQcancelPoll(cancel);
        }
        sent = step == PGRES_POLLING_OK;
    }
    PQcancelFinish(cancel);
    return sent;
}

bool pgclient_cancel(struct pgclient *c)
{
    PGresult *res = NULL;
    int64_t deadline_us = clock_mono_us() + PGCLIENT_CANCEL_MS * 1000;
    if (PQstatus(c->conn) != CONNECTION_OK || !send_cancel(c->conn, deadline_us)) {
        c->broken = true;
        return false;
    }
    /* What is still on its way may be as much again as what was read. */
    c->deadline_us = deadline_us;
    c->max_bytes += c->seen_bytes + LIMIT_RESULT_BYTES;
    do {
        PQclear(res);
        if (pgclient_result(c, &res, NULL)) {
            c->broken = true;
            return false;
        }
    } while (res);
    return true;
}

/* End a command that went wrong on our side: cancel when it still runs. Keeps the error. */
static enum err_code abandon(struct pgclient *c, struct err *e)
{
    PQclear(c->result);
    c->result = NULL;
    if (!c->broken) {
        (void)pgclient_cancel(c);
    }
    c->busy = false;
    return e ? e->code : ERR_BUG;
}

enum err_code pgclient_drain(struct pgclient *c, struct err *e)
{
    enum err_code failed = ERR_OK;
    PGresult *res = NULL;
    do {
        PQclear(res);
        struct err mine = {0};
        if (pgclient_result(c, &res, &mine)) {
            if (!failed && e) {
                *e = mine;
            }
            (void)abandon(c, &mine);
            return failed ? failed : mine.code;
        }
        if (!res) {
            break;
        }
        ExecStatusType status = PQresultStatus(res);
        if (!failed && (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE)) {
            failed = pgclient_fail(res, e);
        } else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
                   status == PGRES_COPY_BOTH) {
            c->broken = true;
            failed = err_set(e, ERR_UNSUPPORTED, "COPY is not used here");
            break;
        }
    } while (res);
    PQclear(res);
    return failed;
}

static bool is_prepared(const struct pgclient *c, const char *name)
{
    for (size_t i = 0; i < c->prepared_count; i++) {
        if (strcmp(c->prepared[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum err_code prepare(struct pgclient *c, const char *name, const char *sql, struct err *e)
{
    if (is_prepared(c, name)) {
        return ERR_OK;
    }
    if (!PQsendPrepare(c->conn, name, sql, 0, NULL)) {
        return pgclient_lost(c, e);
    }
    if (pgclient_flush(c, e)) {
        return abandon(c, e);
    }
    enum err_code code = pgclient_drain(c, e);
    if (code) {
        return code;
    }
    c->prepared[c->prepared_count++] = alloc_strdup(name);
    return ERR_OK;
}

#define PARAM_MAX 64

/* libpq wants NUL-terminated values: copies in one buffer. */
static enum err_code param_values(const struct pgclient_query *q, struct buf *text,
                                  const char *values[PARAM_MAX], struct err *e)
{
    size_t at[PARAM_MAX];
    if (q->param_count > PARAM_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d parameters", PARAM_MAX);
    }
    for (size_t i = 0; i < q->param_count; i++) {
        struct str p = q->params[i];
        if (p.len && memchr(p.ptr, '\0', p.len)) {
            return err_set(e, ERR_INVALID, "parameter %zu holds a NUL byte", i + 1);
        }
        at[i] = text->len;
        buf_add_str(text, p);
        buf_add_char(text, '\0');
    }
    if (buf_check(text, e)) {
        return e ? e->code : ERR_LIMIT;
    }
    for (size_t i = 0; i < q->param_count; i++) {
        values[i] = q->params[i].ptr ? text->ptr + at[i] : NULL;
    }
    return ERR_OK;
}

static enum err_code send_query(struct pgclient *c, const struct pgclient_query *q, const char *sql,
                                struct err *e)
{
    const char *values[PARAM_MAX];
    struct buf text;
    int sent = 0;
    bool named = q->name && !(c->flags & PGCLIENT_NO_PREPARE);
    buf_init(&text, LIMIT_PUSH_INFLATED_BYTES);
    enum err_code code = param_values(q, &text, values, e);
    if (!code && named && (is_prepared(c, q->name) || c->prepared_count < PGCLIENT_PREPARED_MAX)) {
        code = prepare(c, q->name, sql, e);
        sent = code ? 0
                    : PQsendQueryPrepared(c->conn, q->name, (int)q->param_count, values, NULL, NULL,
                                          0);
    } else if (!code) {
        sent = PQsendQueryParams(c->conn, sql, (int)q->param_count, NULL, values, NULL, NULL, 0);
    }
    buf_fini(&text);
    if (!code && !sent) {
        code = pgclient_lost(c, e);
    }
    return code;
}

enum err_code pgclient_begin(struct pgclient *c, const struct pgclient_query *q, struct err *e)
{
    struct err mine;
    struct buf sql;
    e = e ? e : &mine;
    if (c->broken || c->busy) {
        return err_set(e, c->broken ? ERR_UNREACHABLE : ERR_BUG, "the connection is not usable");
    }
    c->deadline_us = q->deadline_us;
    c->max_bytes = q->max_bytes ? q->max_bytes : LIMIT_RESULT_BYTES;
    c->seen_bytes = 0;
    c->row_bytes = 0;
    c->affected = 0;
    c->complete = false;
    c->row = 0;
    buf_init(&sql, SQL_MAX_BYTES);
    buf_add_c(&sql, c->flags & PGCLIENT_MONITOR ? PGCLIENT_MARKER : "");
    buf_add_c(&sql, q->sql);
    enum err_code code = buf_check(&sql, e);
    code = code ? code : send_query(c, q, sql.ptr, e);
    buf_fini(&sql);
    if (code) {
        return code;
    }
    c->busy = true;
    if (!PQsetChunkedRowsMode(c->conn, PGCLIENT_CHUNK_ROWS)) {
        err_set(e, ERR_BUG, "chunked rows are refused");
        return abandon(c, e);
    }
    return pgclient_flush(c, e) ? abandon(c, e) : ERR_OK;
}

static void view_row(struct pgclient *c, struct pgclient_row *row)
{
    size_t count = (size_t)PQnfields(c->result);
    if (count > c->row_cells_cap) {
        c->row_cells = alloc_resize(c->row_cells, count * sizeof(*c->row_cells));
        c->row_cells_cap = count;
    }
    for (size_t i = 0; i < count; i++) {
        int column = (int)i;
        c->row_cells[i] = (struct str){NULL, 0};
        if (!PQgetisnull(c->result, c->row, column)) {
            c->row_cells[i] = str_make(PQgetvalue(c->result, c->row, column),
                                       (size_t)PQgetlength(c->result, c->row, column));
            c->row_bytes += c->row_cells[i].len;
        }
    }
    c->row++;
    row->count = count;
    row->cells = c->row_cells;
}

static void keep_affected(struct pgclient *c, PGresult *res)
{
    const char *tuples = PQcmdTuples(res);
    uint64_t n = 0;
    if (tuples[0] && !num_parse_u64(str_of(tuples), UINT64_MAX, &n, NULL)) {
        c->affected = n;
    }
}

/* Fetch the next chunk; c->complete at the end. The final, empty result keeps the column names. */
static enum err_code next_chunk(struct pgclient *c, struct err *e)
{
    PGresult *res;
    if (pgclient_result(c, &res, e)) {
        return abandon(c, e);
    }
    if (!res) {
        c->complete = true;
        return ERR_OK;
    }
    PQclear(c->result);
    c->result = res;
    c->row = 0;
    switch ((int)PQresultStatus(res)) {
    case PGRES_TUPLES_CHUNK:
    case PGRES_SINGLE_TUPLE:
        return ERR_OK;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        keep_affected(c, res);
        return ERR_OK;
    case PGRES_FATAL_ERROR: {
        enum err_code code = pgclient_fail(res, e);
        if (pgclient_drain(c, NULL) && PQstatus(c->conn) == CONNECTION_BAD) {
            c->broken = true;
        }
        c->busy = false;
        c->complete = true;
        return code;
    }
    default:
        err_set(e, ERR_UNSUPPORTED, "the server answered with an unexpected kind of result");
        c->broken = true;
        return abandon(c, e);
    }
}

enum err_code pgclient_next(struct pgclient *c, struct pgclient_row *row, struct err *e)
{
    struct err mine = {0};
    e = e ? e : &mine;
    *row = (struct pgclient_row){0, NULL};
    while (c->busy && !c->complete) {
        if (c->result && c->row < PQntuples(c->result)) {
            if (clock_mono_us() > c->deadline_us) {
                err_set(e, ERR_TIMEOUT, "no answer within the deadline");
                return abandon(c, e);
            }
            view_row(c, row);
            if (c->row_bytes > c->max_bytes) {
                err_set(e, ERR_LIMIT, "the result is larger than %zu bytes", c->max_bytes);
                return abandon(c, e);
            }
            return ERR_OK;
        }
        enum err_code code = next_chunk(c, e);
        if (code) {
            return code;
        }
    }
    return ERR_OK;
}

enum err_code pgclient_end(struct pgclient *c, uint64_t *affected, struct err *e)
{
    enum err_code code = ERR_OK;
    struct pgclient_row row;
    struct err mine = {0};
    do {
        code = pgclient_next(c, &row, e ? e : &mine);
    } while (!code && row.count);
    if (affected) {
        *affected = c->affected;
    }
    PQclear(c->result);
    c->result = NULL;
    c->busy = false;
    return code;
}

/* Rows gather in a growing array, then move to the arena, whose blocks do not grow. */
struct gather {
    struct str *cells;
    size_t count, cap;
};

static void gather_row(struct gather *g, struct arena *a, const struct pgclient_row *row)
{
    if (g->count + row->count > g->cap) {
        g->cap = (g->count + row->count) * 2;
        g->cells = alloc_resize(g->cells, g->cap * sizeof(*g->cells));
    }
    for (size_t i = 0; i < row->count; i++) {
        struct str cell = row->cells[i];
        g->cells[g->count++] = cell.ptr ? arena_str(a, cell) : cell;
    }
}

static void keep_names(struct pgclient *c, struct arena *a, struct pgclient_result *out)
{
    out->column_count = pgclient_column_count(c);
    struct str *names = arena_array(a, out->column_count, sizeof(*names));
    for (size_t i = 0; names && i < out->column_count; i++) {
        names[i] = arena_str(a, str_of(pgclient_column_name(c, i)));
    }
    out->names = names;
}

enum err_code pgclient_query(struct pgclient *c, struct arena *a, const struct pgclient_query *q,
                             struct pgclient_result *out, struct err *e)
{
    struct gather g = {NULL, 0, 0};
    struct pgclient_row row;
    struct err mine = {0};
    e = e ? e : &mine;
    memset(out, 0, sizeof(*out));
    enum err_code code = pgclient_begin(c, q, e);
    if (code) {
        return code;
    }
    while (!(code = pgclient_next(c, &row, e)) && row.count) {
        gather_row(&g, a, &row);
        out->row_count++;
    }
    keep_names(c, a, out);
    enum err_code ended = pgclient_end(c, NULL, code ? NULL : e);
    code = code ? code : ended;
    struct str *cells = arena_array(a, g.count, sizeof(*cells));
    if (cells && g.count) {
        memcpy(cells, g.cells, g.count * sizeof(*cells));
    }
    out->cells = cells;
    alloc_free(g.cells);
    return code ? code : arena_check(a, e);
}

enum err_code pgclient_exec(struct pgclient *c, const char *sql, int64_t deadline_us, struct err *e)
{
    struct err mine = {0};
    struct buf text;
    e = e ? e : &mine;
    if (c->broken || c->busy) {
        return err_set(e, c->broken ? ERR_UNREACHABLE : ERR_BUG, "the connection is not usable");
    }
    c->deadline_us = deadline_us;
    c->max_bytes = LIMIT_RESULT_BYTES;
    c->seen_bytes = 0;
    buf_init(&text, SQL_MAX_BYTES);
    buf_add_c(&text, c->flags & PGCLIENT_MONITOR ? PGCLIENT_MARKER : "");
    buf_add_c(&text, sql);
    enum err_code code = buf_check(&text, e);
    if (!code && !PQsendQuery(c->conn, text.ptr)) {
        code = pgclient_lost(c, e);
    }
    buf_fini(&text);
    if (code) {
        return code;
    }
    return pgclient_flush(c, e) ? abandon(c, e) : pgclient_drain(c, e);
}

bool pgclient_alive(const struct pgclient *c)
{
    return c && !c->broken && PQstatus(c->conn) == CONNECTION_OK;
}

enum pgclient_transaction pgclient_transaction_state(const struct pgclient *c)
{
    PGTransactionStatusType state = PQtransactionStatus(c->conn);
    if (state == PQTRANS_INERROR) {
        return PGCLIENT_TRANSACTION_FAILED;
    }
    return state == PQTRANS_INTRANS ? PGCLIENT_TRANSACTION_OPEN : PGCLIENT_TRANSACTION_NONE;
}

bool pgclient_pooled(const struct pgclient *c)
{
    return c->pooled;
}

/* What came unasked is read: a notice why, then the end of the stream. */
bool pgclient_hung_up(struct pgclient *c)
{
    struct pollfd p = {.fd = PQsocket(c->conn), .events = POLLIN};

    for (int i = 0; i < UNASKED_MAX && pgclient_alive(c) && !c->busy; i++) {
        if (poll(&p, 1, 0) <= 0) {
            return false;
        }
        if (!PQconsumeInput(c->conn)) {
            c->broken = true;
            break;
        }
        (void)PQisBusy(c->conn); /* takes the messages in */
    }
    return !pgclient_alive(c);
}

int pgclient_version(const struct pgclient *c)
{
    return PQserverVersion(c->conn);
}

int pgclient_backend_pid(const struct pgclient *c)
{
    return PQbackendPID(c->conn);
}

const char *pgclient_parameter(const struct pgclient *c, const char *name)
{
    return PQparameterStatus(c->conn, name);
}

uint64_t pgclient_notices(const struct pgclient *c)
{
    return c->notices;
}

size_t pgclient_column_count(const struct pgclient *c)
{
    return c->result ? (size_t)PQnfields(c->result) : 0;
}

const char *pgclient_column_name(const struct pgclient *c, size_t column)
{
    const char *name = c->result ? PQfname(c->result, (int)column) : NULL;
    return name ? name : "";
}

uint32_t pgclient_column_type(const struct pgclient *c, size_t column)
{
    return c->result ? (uint32_t)PQftype(c->result, (int)column) : 0;
}
