/* SPDX-License-Identifier: PostgreSQL */
/*
 * pq_tls.c: drives our libpq through TLS for tests/tool/pg_tls.py, many cases in one process.
 *
 * A line of the input is ACTION, CONNINFO and an argument, with tabs in between; the answer is one
 * line of name=value with tabs in between (control characters become blanks). Actions:
 *   login            connect and say what libpq says of the link
 *   query SQL        and the first value of the result
 *   cancel           a query that sleeps is cancelled over a connection of its own
 *   rows MB          so much text in rows, read without blocking; the sum of its bytes
 *   upload MB        COPY of so much without waiting for the socket, so that libpq's buffer grows
 *   idle             send a query, wait until the peer is gone, say how that is noticed
 * A connection is made as pgclient makes it: PQconnectPoll and poll(2), until a deadline.
 * Threads: one.
 */
#include <libpq-fe.h>

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LIMIT_S   60
#define CHUNK     4096
#define LINE_SIZE 8192

static time_t deadline;

static time_t now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

static bool wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    time_t left = deadline - now_s();

    return left > 0 && poll(&p, 1, (int)left * 1000) > 0;
}

static void put(const char *name, const char *value)
{
    printf("%s=", name);
    for (const char *p = value ? value : ""; *p; p++) {
        putchar((unsigned char)*p < ' ' ? ' ' : *p);
    }
    putchar('\t');
}

static void put_number(const char *name, long long value)
{
    printf("%s=%lld\t", name, value);
}

static PostgresPollingStatusType drive(PGconn *conn)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    if (PQstatus(conn) == CONNECTION_BAD) {
        return PGRES_POLLING_FAILED;
    }
    while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
        if (!wait_for(PQsocket(conn), step == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
            put("late", "1");
            return PGRES_POLLING_FAILED;
        }
        step = PQconnectPoll(conn);
    }
    return step;
}

static void put_link(PGconn *conn)
{
    const char *const *names = PQsslAttributeNames(conn);

    put_number("ssl", PQsslInUse(conn));
    for (size_t i = 0; names[i]; i++) {
        put(names[i], PQsslAttribute(conn, names[i]));
    }
    put_number("unknown", PQsslAttribute(conn, "no such thing") != NULL);
    put_number("openssl", PQgetssl(conn) != NULL || PQsslStruct(conn, "OpenSSL") != NULL);
    put_number("struct", PQsslStruct(conn, "Mbed TLS") != NULL);
    put_number("password_used", PQconnectionUsedPassword(conn));
}

/* NULL when there is no connection; the error has been put then. */
static PGconn *open_link(const char *conninfo)
{
    PGconn *conn = PQconnectStart(conninfo);

    if (drive(conn) == PGRES_POLLING_OK) {
        put_number("ok", 1);
        put_link(conn);
        return conn;
    }
    put_number("ok", 0);
    put_number("ssl", PQsslInUse(conn));
    put("error", PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

static void do_query(PGconn *conn, const char *sql)
{
    PGresult *res = PQexec(conn, sql);

    put("value", PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");
    put("error", PQresultErrorMessage(res));
    PQclear(res);
}

static bool send_cancel(PGconn *conn)
{
    PGcancelConn *cancel = PQcancelCreate(conn);
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    if (PQcancelStart(cancel)) {
        while (step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING) {
            short events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT;

            if (!wait_for(PQcancelSocket(cancel), events)) {
                break;
            }
            step = PQcancelPoll(cancel);
        }
    }
    if (step != PGRES_POLLING_OK) {
        put("cancel_error", PQcancelErrorMessage(cancel));
    }
    PQcancelFinish(cancel);
    return step == PGRES_POLLING_OK;
}

/* A request that comes before its query is forgotten by the server: it is sent again. */
static void do_cancel(PGconn *conn)
{
    struct pollfd p = {.fd = PQsocket(conn), .events = POLLIN};
    PGresult *res;
    bool good;

    PQsendQuery(conn, "select pg_sleep(60)");
    PQflush(conn);
    do {
        good = send_cancel(conn);
    } while (good && now_s() < deadline && poll(&p, 1, 500) == 0);
    put_number("cancelled", good);
    res = PQgetResult(conn);
    put("state", PQresultErrorField(res, PG_DIAG_SQLSTATE));
    PQclear(res);
}

/* Rows come in chunks and without blocking, as pgclient reads them. */
static void do_rows(PGconn *conn, long mb)
{
    char sql[200];
    uint64_t bytes = 0, sum = 0;
    PGresult *res;

    snprintf(sql, sizeof(sql),
             "select repeat(chr(65 + i %% 26), 10240) from generate_series(1, %ld) i", mb * 100);
    PQsetnonblocking(conn, 1);
    PQsendQuery(conn, sql);
    PQsetChunkedRowsMode(conn, 100);
    for (;;) {
        while (PQisBusy(conn)) {
            if (!wait_for(PQsocket(conn), POLLIN) || !PQconsumeInput(conn)) {
                put("error", PQerrorMessage(conn));
                return;
            }
        }
        res = PQgetResult(conn);
        if (!res) {
            break;
        }
        for (int i = 0; i < PQntuples(res); i++) {
            bytes += (uint64_t)PQgetlength(res, i, 0);
            sum += (unsigned char)PQgetvalue(res, i, 0)[PQgetlength(res, i, 0) - 1];
        }
        PQclear(res);
    }
    put_number("bytes", (long long)bytes);
    put_number("sum", (long long)sum);
}

/*
 * Rows of one long number each; nothing waits until all have been given to libpq. In the first half
 * each row is tried at once: when the socket is full, one row is offered first, then two, and so
 * on.
 */
static bool feed(PGconn *conn, long rows)
{
    char row[CHUNK];

    for (long i = 0; i < rows; i++) {
        int n = snprintf(row, sizeof(row), "%0*ld\n", CHUNK - 2, i);

        if (PQputCopyData(conn, row, n) != 1) {
            return false;
        }
        if (i < rows / 2 && PQflush(conn) < 0) {
            return false;
        }
    }
    return PQputCopyEnd(conn, NULL) == 1;
}

static bool flush_all(PGconn *conn)
{
    int rc;

    while ((rc = PQflush(conn)) == 1) {
        struct pollfd p = {.fd = PQsocket(conn), .events = POLLIN | POLLOUT};

        if (deadline <= now_s() || poll(&p, 1, 1000) < 0) {
            return false;
        }
        if ((p.revents & POLLIN) && !PQconsumeInput(conn)) {
            return false;
        }
    }
    return rc == 0;
}

static void do_upload(PGconn *conn, long mb)
{
    int small = 4096;
    bool good;

    setsockopt(PQsocket(conn), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    PQclear(PQexec(conn, "create temp table up (t text)"));
    PQclear(PQexec(conn, "copy up from stdin"));
    PQsetnonblocking(conn, 1);
    good = feed(conn, mb * 256) && flush_all(conn);
    PQsetnonblocking(conn, 0);
    for (PGresult *res = PQgetResult(conn); res; res = PQgetResult(conn)) {
        good = good && PQresultStatus(res) == PGRES_COMMAND_OK;
        PQclear(res);
    }
    put_number("uploaded", good);
    put("upload_error", good ? "" : PQerrorMessage(conn));
    do_query(conn,
             "select count(*) || ' ' || count(distinct t) || ' ' || coalesce(sum(t::numeric), 0)"
             " || ' ' || coalesce(min(length(t)), 0) from up");
}

/* The query tells the peer that the login has been read. */
static void do_idle(PGconn *conn)
{
    PQsendQuery(conn, "select 1");
    PQflush(conn);
    for (int i = 0; i < 100 && PQstatus(conn) == CONNECTION_OK; i++) {
        if (!wait_for(PQsocket(conn), POLLIN) || !PQconsumeInput(conn)) {
            break;
        }
    }
    put_number("gone", PQstatus(conn) == CONNECTION_BAD);
    put("error", PQerrorMessage(conn));
}

static void run(const char *action, const char *conninfo, const char *arg)
{
    PGconn *conn = open_link(conninfo);

    if (!conn) {
        return;
    }
    if (strcmp(action, "query") == 0) {
        do_query(conn, arg);
    } else if (strcmp(action, "cancel") == 0) {
        do_cancel(conn);
    } else if (strcmp(action, "rows") == 0) {
        do_rows(conn, strtol(arg, NULL, 10));
    } else if (strcmp(action, "upload") == 0) {
        do_upload(conn, strtol(arg, NULL, 10));
    } else if (strcmp(action, "idle") == 0) {
        do_idle(conn);
    }
    PQfinish(conn);
}

int main(void)
{
    char line[LINE_SIZE];

    while (fgets(line, sizeof(line), stdin)) {
        char *conninfo, *arg;

        line[strcspn(line, "\n")] = '\0';
        conninfo = strchr(line, '\t');
        if (!conninfo) {
            continue;
        }
        *conninfo++ = '\0';
        arg = strchr(conninfo, '\t');
        if (arg) {
            *arg++ = '\0';
        }
        deadline = now_s() + LIMIT_S;
        run(line, conninfo, arg ? arg : "");
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
