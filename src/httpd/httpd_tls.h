/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_tls.h: the TLS session of a connection, in the form that CivetWeb asks for.
 *
 * It travels with the connection: the room shakes hands and decrypts request heads, a worker reads
 * what the room has decrypted (the early bytes) and goes on by itself.
 *
 * Owner:   the connection (vendor/civetweb/waiting-tls.patch), which ends it by its `close`: one
 *          close_notify that waits for nothing.
 * Threads: who has the connection.
 */
#ifndef HTTPD_HTTPD_TLS_H
#define HTTPD_HTTPD_TLS_H

#include "httpd/httpd.h"
#include "tls/tls.h"

struct mg_tls;

/* fd: the socket, not owned */
enum err_code httpd_tls_new(struct tls_config *config, int fd, struct mg_tls **out,
                            struct err *e) ERR_MUST_CHECK;
enum tls_step httpd_tls_shake(struct mg_tls *tls, struct err *e);
/*
 * Decrypt what has arrived until a request head is there, or as many bytes as a head may have.
 * Returns whether the other end may still say something.
 */
bool httpd_tls_fill(struct mg_tls *tls);
struct str httpd_tls_early(const struct mg_tls *tls);
/* End without a close_notify, so that the client sees a cut. */
void httpd_tls_abandon(struct mg_tls *tls);
void httpd_tls_peer(const struct mg_tls *tls, struct httpd_peer *out);

#endif
