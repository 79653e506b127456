/* SPDX-License-Identifier: PostgreSQL */
/* httpd_private.h: what the files of httpd/ share. */
#ifndef HTTPD_HTTPD_PRIVATE_H
#define HTTPD_HTTPD_PRIVATE_H

#include <civetweb.h>

#include <stdatomic.h>

#include "httpd/httpd.h"

struct httpd {
    struct httpd_config config;
    struct mg_context *context;
    struct httpd_room *room;
    atomic_bool draining;
    atomic_uint body_waiting; /* workers that wait for bytes of a body */
    atomic_ullong bodies_late;
};

/* Whether a head is well formed, byte by byte; the hook of vendor/civetweb/strict-head.patch. */
int httpd_gate_raw(const char *head, size_t len);
/* Whether the head may be taken. ERR_INVALID and ERR_DENIED (Host) name the reason. */
enum err_code httpd_gate_check(const struct httpd *h, const struct mg_request_info *info,
                               const struct httpd_listener *listener, struct err *e) ERR_MUST_CHECK;
/* Whether Host is the very address, as digits, that the client reached a listener of all by. */
bool httpd_gate_is_here(const struct httpd_request *r);
/* Browsers come back by TLS alone for a year. */
#define HTTPD_HSTS "max-age=31536000"

/* Find out who the client is behind trusted proxies: r->peer. ERR_INVALID: they say nonsense. */
enum err_code httpd_proxy_client(struct httpd_request *r, const struct mg_request_info *info,
                                 struct err *e) ERR_MUST_CHECK;
/* Take base_path off r->path; a proxy that has done so is right, too. */
void httpd_proxy_path(struct httpd_request *r);
/*
 * How many bytes of body the client announced, when the head is well formed, they are few, and the
 * client sends them unasked; else 0.
 */
size_t httpd_gate_small_body(const char *head, size_t len);
/* The value of a hexadecimal digit; -1 = none. */
int httpd_hex_digit(char c);
/* The size in a line of the framing of chunks; -1 = malformed. */
int64_t httpd_body_chunk_size(struct str line);
void httpd_response_init(struct httpd_response *w);
void httpd_response_fini(struct httpd_response *w);
/* Send the answer. `r` may be NULL when the request could not be read. */
void httpd_response_send(struct mg_connection *conn, const struct httpd_request *r,
                         struct httpd_response *w);
/* Fill a problem document for errors that no handler made. */
void httpd_response_problem(struct httpd_response *w, int status, const char *detail,
                            const char *id);
/* A whole answer to nobody's request: a problem, after which the connection ends. */
void httpd_response_bare(struct buf *out, int status, const char *detail);

#endif
