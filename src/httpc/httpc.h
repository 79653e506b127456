/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpc.h: HTTP requests to other servers; the only user of libcurl.
 *
 * A client keeps its connection open between requests. Redirects are never followed, only http and
 * https URLs are taken, and plain http only to a loopback address: a token must not travel in clear
 * over a network. https is TLS 1.3, and the server is verified by the authorities that
 * httpc_set_tls named, never by those of the system.
 * Environment proxies are ignored: what a person configured is where bytes go.
 *
 * Owner:   one thread a client at a time; httpc_abort may be called by any thread.
 * Errors:  ERR_UNREACHABLE (name, connect, reset), ERR_TIMEOUT, ERR_LIMIT (answer too large),
 *          ERR_DENIED (the server's certificate),
 *          ERR_INVALID (URL), ERR_UNSUPPORTED (plain http beyond loopback, https while no authority
 *          is known), ERR_CANCELLED.
 *          Any answer that arrived, whatever its status, is ERR_OK.
 */
#ifndef HTTPC_HTTPC_H
#define HTTPC_HTTPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct httpc;

struct httpc_header {
    const char *name;
    const char *value; /* secrets allowed: never logged */
};

struct httpc_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const struct httpc_header *headers;
    size_t header_count;
    struct str body;    /* empty = none (a POST then has Content-Length: 0) */
    int64_t timeout_ms; /* for the whole exchange; > 0 */
    size_t max_answer_bytes;
    /*
     * Takes the body of a 200 piece by piece, whatever its size, in place of answer->body. An error
     * ends the exchange with it. NULL = none
     */
    enum err_code (*sink)(void *arg, struct str piece, struct err *e);
    void *sink_arg;
    int64_t stall_ms; /* ERR_TIMEOUT when no byte came for that long; 0 = timeout_ms alone */
    /*
     * The peer is not verified: for public bytes that the caller checks by what they are. Such a
     * request is refused (ERR_BUG) when it carries a header, a body, or the client's certificate.
     */
    bool unverified;
};

/* PEM; copied. */
struct httpc_tls {
    struct str ca;               /* whom to believe */
    struct str certificate, key; /* who we are; empty = nobody */
};

struct httpc_answer {
    int status;
    int64_t retry_after_s; /* -1 = not given */
    char content_type[64]; /* without parameters */
    char etag[64];         /* "" = not given, or longer */
    struct buf body;       /* after httpc_answer_init */
};

/* Once per process, before threads start; and at the end. */
enum err_code httpc_setup(struct err *e) ERR_MUST_CHECK;
void httpc_teardown(void);

struct httpc *httpc_new(void);
void httpc_free(struct httpc *c);
/* For connections from now on. */
void httpc_set_tls(struct httpc *c, const struct httpc_tls *tls);
void httpc_answer_init(struct httpc_answer *answer);
void httpc_answer_fini(struct httpc_answer *answer);
/* Perform one exchange. The answer is reset first. */
enum err_code httpc_perform(struct httpc *c, const struct httpc_request *request,
                            struct httpc_answer *answer, struct err *e) ERR_MUST_CHECK;
/* Make the exchange under way, and every later one, end with ERR_CANCELLED. */
void httpc_abort(struct httpc *c);
/* Whether pga would talk to this URL at all (https, or plain http to loopback). */
enum err_code httpc_check_url(const char *url, struct err *e) ERR_MUST_CHECK;

#endif
