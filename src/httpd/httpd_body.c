/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_body.c: reading of bodies: chunks to the letter, slow ones not for long.
 *
 * A worker is held while a body comes, so the time it gets is bounded: a start, and a second more
 * for each 64 KiB that arrived. While more than half of the workers wait for bodies the start is a
 * second: many slow senders cannot hold all workers, and a body that comes at once is not harmed.
 * (A small body of a known length holds none at all: httpd_room.c.)
 *
 * Chunks: a size is 1 to 8 hexadecimal digits and nothing else, and nothing follows the last one.
 * Extensions and trailers mean nothing here, and are where two readers come to differ.
 * Threads: the worker of the request; shared is the number of those that wait (atomic).
 */
#include <string.h>

#include "base/limits.h"
#include "httpd/httpd_private.h"
#include "os/clock.h"

#define READ_PIECE 65536
#define ROOM_MAX   ((size_t)1024 * 1024) /* made at once for a body of known length */
#define SLICE_MS   100
#define CHUNK_LINE 16 /* longer than any line of the framing may be */

struct body {
    struct httpd_request *r;
    int64_t start_us;
    size_t arrived; /* bytes, those of the framing included */
};

static void answer_expect(struct httpd_request *r)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    if (str_eq_nocase(httpd_header(r, "Expect"), STR("100-continue")))
        (void)mg_write(r->connection, go_on, sizeof(go_on) - 1);
}

/* --- time --- */

static bool is_crowded(const struct httpd *h)
{
    return atomic_load(&h->body_waiting) > h->config.threads / 2;
}

static bool is_late(const struct body *b)
{
    int64_t base_ms = is_crowded(b->r->server) ? LIMIT_HTTP_BODY_CROWDED_MS : LIMIT_HTTP_BODY_MS;
    int64_t earned_us = (int64_t)b->arrived * 1000000 / LIMIT_HTTP_BODY_BYTES_PER_S;

    return clock_mono_us() > b->start_us + base_ms * 1000 + earned_us;
}

/* Wait for more; what mg_read_raw says, 0 when the body's time is over. */
static int wait_for_more(struct body *b, char *to, size_t len)
{
    struct httpd *h = b->r->server;
    int got = 0;

    atomic_fetch_add(&h->body_waiting, 1);
    while (got == 0 && !is_late(b))
        got = mg_read_raw(b->r->connection, to, len, SLICE_MS);
    atomic_fetch_sub(&h->body_waiting, 1);
    return got;
}

/* At least one byte, at most `len`. */
static enum err_code read_some(struct body *b, char *to, size_t len, size_t *got, struct err *e)
{
    int n = mg_read_raw(b->r->connection, to, len, 0);

    if (n == 0)
        n = wait_for_more(b, to, len);
    if (n < 0)
        return err_set(e, ERR_UNREACHABLE, "the body did not come whole");
    b->arrived += (size_t)n;
    *got = (size_t)n;
    if (n > 0 && !is_late(b))
        return ERR_OK;
    atomic_fetch_add(&b->r->server->bodies_late, 1);
    return err_set(e, ERR_TIMEOUT, "the body came too slowly");
}

/* --- a body of known length, or one chunk --- */

static enum err_code read_exactly(struct body *b, struct buf *out, size_t left, struct err *e)
{
    size_t got;

    if (left > out->max - out->len)
        return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
    (void)buf_room(out, left < ROOM_MAX ? left : ROOM_MAX);
    for (; left > 0; left -= got) {
        size_t want = left < READ_PIECE ? left : READ_PIECE;
        char *to = buf_room(out, want);
        enum err_code rc;

        if (to == NULL)
            return buf_check(out, e);
        rc = read_some(b, to, want, &got, e);
        if (rc != ERR_OK)
            return rc;
        buf_grew(out, got);
    }
    return ERR_OK;
}

/* --- chunks --- */

/* A line of the framing, without its end; byte by byte, as nothing behind it may be taken. */
static enum err_code read_line(struct body *b, char *line, size_t *len, struct err *e)
{
    size_t got;

    for (*len = 0; *len < CHUNK_LINE; ++*len) {
        enum err_code rc = read_some(b, line + *len, 1, &got, e);

        if (rc != ERR_OK)
            return rc;
        if (line[*len] != '\n')
            continue;
        if (*len == 0 || line[*len - 1] != '\r')
            break;
        --*len;
        return ERR_OK;
    }
    return err_set(e, ERR_INVALID, "the body is not in chunks as it should be");
}

int64_t httpd_body_chunk_size(struct str line)
{
    int64_t size = 0;

    if (line.len == 0 || line.len > 8)
        return -1;
    for (size_t i = 0; i < line.len; i++) {
        int digit = httpd_hex_digit(line.ptr[i]);

        if (digit < 0)
            return -1;
        size = size * 16 + digit;
    }
    return size;
}

/* The size of the next chunk; behind the last one, whose size is 0, the end of the body. */
static enum err_code read_size(struct body *b, int64_t *size, struct err *e)
{
    char line[CHUNK_LINE];
    size_t len;
    enum err_code rc = read_line(b, line, &len, e);

    if (rc != ERR_OK)
        return rc;
    *size = httpd_body_chunk_size(str_make(line, len));
    if (*size < 0)
        return err_set(e, ERR_INVALID, "the size of a chunk is wrong");
    if (*size > 0)
        return ERR_OK;
    rc = read_line(b, line, &len, e);
    return rc == ERR_OK && len > 0 ? err_set(e, ERR_INVALID, "trailers are not taken") : rc;
}

static enum err_code read_chunks(struct body *b, struct buf *out, struct err *e)
{
    for (;;) {
        char line[CHUNK_LINE];
        int64_t size;
        size_t len;
        enum err_code rc = read_size(b, &size, e);

        if (rc == ERR_OK && size == 0) {
            mg_chunks_done(b->r->connection);
            return ERR_OK;
        }
        if (rc == ERR_OK)
            rc = read_exactly(b, out, (size_t)size, e);
        if (rc == ERR_OK)
            rc = read_line(b, line, &len, e);
        if (rc == ERR_OK && len > 0)
            rc = err_set(e, ERR_INVALID, "a chunk is longer than its size says");
        if (rc != ERR_OK)
            return rc;
    }
}

/* --- the whole --- */

enum err_code httpd_read_body(struct httpd_request *r, struct buf *out, struct err *e)
{
    struct body b = {.r = r, .start_us = clock_mono_us()};
    enum err_code rc;

    if (r->content_length > 0 && (uint64_t)r->content_length > out->max - out->len)
        return err_set(e, ERR_LIMIT, "the body is larger than %zu bytes", out->max);
    answer_expect(r);
    if (r->content_length < 0)
        rc = read_chunks(&b, out, e);
    else
        rc = read_exactly(&b, out, (size_t)r->content_length, e);
    r->body_done = rc == ERR_OK;
    return rc;
}
