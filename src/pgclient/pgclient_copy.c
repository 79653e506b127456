/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgclient_copy.c: rows to the server by COPY FROM STDIN.
 *
 * A failure on our side breaks the connection: the server then stores nothing of it.
 */
#include "pgclient/pgclient_internal.h"

#define PIECE_BYTES (256 * 1024)

/* The server says that it wants the rows, or what is wrong with the statement. */
static enum err_code start(struct pgclient *c, const char *sql, struct err *e)
{
    PGresult *res = NULL;

    if (!PQsendQuery(c->conn, sql)) {
        return pgclient_lost(c, e);
    }
    enum err_code code = pgclient_flush(c, e);
    code = code ? code : pgclient_result(c, &res, e);
    if (code == ERR_OK && PQresultStatus(res) != PGRES_COPY_IN) {
        code = PQresultStatus(res) == PGRES_FATAL_ERROR
                   ? pgclient_fail(res, e)
                   : err_set(e, ERR_BUG, "the statement is no COPY FROM STDIN");
        struct err unused;
        if (pgclient_drain(c, &unused) && PQstatus(c->conn) == CONNECTION_BAD) {
            c->broken = true;
        }
    } else if (code) {
        c->broken = true;
    }
    PQclear(res);
    return code;
}

static enum err_code send_rows(struct pgclient *c, struct str rows, struct err *e)
{
    enum err_code code = ERR_OK;

    while (code == ERR_OK && rows.len) {
        size_t len = rows.len < PIECE_BYTES ? rows.len : PIECE_BYTES;
        int taken = PQputCopyData(c->conn, rows.ptr, (int)len);
        if (taken < 0) {
            return pgclient_lost(c, e);
        }
        if (taken) {
            rows = str_make(rows.ptr + len, rows.len - len);
        }
        code = pgclient_flush(c, e);
    }
    return code;
}

static enum err_code finish(struct pgclient *c, struct err *e)
{
    int done = 0;

    while ((done = PQputCopyEnd(c->conn, NULL)) == 0) {
        enum err_code code = pgclient_flush(c, e);
        if (code) {
            return code;
        }
    }
    if (done < 0) {
        return pgclient_lost(c, e);
    }
    enum err_code code = pgclient_flush(c, e);
    return code ? code : pgclient_drain(c, e);
}

enum err_code pgclient_copy(struct pgclient *c, const char *sql, struct str rows,
                            int64_t deadline_us, struct err *e)
{
    struct err mine = {0};

    e = e ? e : &mine;
    if (c->broken || c->busy) {
        return err_set(e, c->broken ? ERR_UNREACHABLE : ERR_BUG, "the connection is not usable");
    }
    c->deadline_us = deadline_us;
    c->max_bytes = 0;
    c->seen_bytes = 0;
    enum err_code code = start(c, sql, e);
    if (code) {
        return code;
    }
    code = send_rows(c, rows, e);
    if (code) {
        c->broken = true;
        return code;
    }
    code = finish(c, e);
    if (code && PQstatus(c->conn) == CONNECTION_BAD) {
        c->broken = true;
    }
    return code;
}
