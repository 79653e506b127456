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
