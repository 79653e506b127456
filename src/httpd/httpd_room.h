/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_room.h: the room in which connections wait that have nothing to say.
 *
 * A worker is given to a connection only when a whole request head has arrived, and a small body
 * of announced length with it. So any number of idle browsers and agents, and of clients that drip,
 * hold no worker. Between an answer and the next head the connection is back here. Three bounds end
 * the waiting: LIMIT_HTTP_IDLE_MS without a byte (closed), LIMIT_HTTP_HEAD_MS after the first byte
 * of a request that is not whole (408), and the caps in all and per address: over a cap the
 * connection that has waited longest is closed in favour of the new one, unfinished requests first;
 * when none of them waits, the new one gets 503.
 *
 *     accept --> IDLE <--> PARTIAL --> WORKING --> (gone)      IDLE, PARTIAL --> LEAVING
 *                  ^___________________________|
 *
 * On a TLS listener the handshake comes before (httpd_room_shake.c), with a deadline and caps of
 * its own. Heads are decrypted here, into a buffer that the worker reads first. Bytes that are
 * decrypted already make no socket speak: a session that has some goes on with them in place of
 * resting.
 *
 * Owner:   the room owns every connection at rest; a worker owns it from mg_rest_resume until
 *          it rests again or is gone. httpd_room_free closes what is left.
 * Threads: one of its own looks at sockets and closes them, two shake hands; httpd_room_enter and
 *          _gone are called by CivetWeb's threads, httpd_room_set_tls by any. One lock, rank 60.
 */
#ifndef HTTPD_HTTPD_ROOM_H
#define HTTPD_HTTPD_ROOM_H

#include <stdint.h>

#include "base/err.h"
#include "httpd/httpd.h"

struct httpd_room;
struct mg_context;
struct mg_rest;

struct httpd_room_limits {
    unsigned connections; /* in all, those at work included */
    unsigned per_address; /* an IPv6 address counts as its /64 */
    int64_t idle_ms, head_ms, shake_ms;
    httpd_refused *refused; /* NULL = nobody is told of handshakes that fail */
    void *arg;
};

/* --- Life cycle --- */

enum err_code httpd_room_open(const struct httpd_room_limits *limits, struct httpd_room **out,
                              struct err *e) ERR_MUST_CHECK;
/* For new connections of that listener; the room takes a reference. */
void httpd_room_set_tls(struct httpd_room *room, size_t listener, struct tls_config *tls);
/* Close what waits of who showed this certificate; what is at work is answered first. */
void httpd_room_end_peer(struct httpd_room *room, const unsigned char sha256[32]);
/* What waits is closed at once; from now on nothing rests between two requests. */
void httpd_room_drain(struct httpd_room *room);
/* No connection gets a worker any more. Before mg_stop. NULL allowed, as below. */
void httpd_room_stop(struct httpd_room *room);
/* Close what is left. After mg_stop. */
void httpd_room_free(struct httpd_room *room);

/* --- Use: the callbacks of vendor/civetweb/waiting-connections.patch --- */

void httpd_room_enter(struct httpd_room *room, struct mg_context *context, struct mg_rest *rest);
void httpd_room_gone(struct httpd_room *room, struct mg_rest *rest);

/* --- Query --- */

void httpd_room_count(struct httpd_room *room, struct httpd_counts *out);

#endif
