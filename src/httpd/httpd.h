/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd.h: the HTTP server: listeners, strict requests, whole answers.
 *
 * Listeners are data. A connection waits without a thread (httpd_room.h) until a whole head has
 * come; the request then runs in a thread of the server with an arena of its own. The handler fills
 * the answer, which is sent when the handler returns. What no handler should see (a wrong Host, two
 * lengths, a huge head) is refused before.
 * Threads: httpd_start and httpd_stop from one thread; the handler runs in many at once.
 */
#ifndef HTTPD_HTTPD_H
#define HTTPD_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "os/net.h"
#include "os/net_address.h"

struct httpd;

/* Which routes a listener serves. */
enum httpd_class { HTTPD_API = 1, HTTPD_AGENT = 2 };

/* How a listener is secured. */
enum httpd_profile {
    HTTPD_PLAIN,          /* for loopback addresses alone */
    HTTPD_TLS,            /* TLS 1.3 */
    HTTPD_TLS_CLIENT_CERT /* and a client certificate: httpd_request.peer_certificate is present */
};

struct tls_config;

struct httpd_listener {
    struct net_endpoint at; /* host "::" means all addresses, of IPv4 as well */
    enum httpd_profile profile;
    unsigned classes;       /* enum httpd_class */
    struct tls_config *tls; /* of the TLS profiles; httpd takes a reference of its own */
};

/* Who the other end has proved to be by its certificate. */
struct httpd_peer {
    bool present;
    unsigned char sha256[32]; /* of der */
    struct str der;           /* its own certificate */
};

#define HTTPD_LISTENERS_MAX 16

#define HTTPD_ID_SIZE 17

struct httpd_request {
    struct arena *arena; /* lives until the answer was sent */
    struct str method;   /* "GET", never "HEAD": see is_head */
    bool is_head;
    struct str path;  /* as it came, still percent-encoded, without query */
    struct str query; /* as it came */
    char id[HTTPD_ID_SIZE];
    const char *peer; /* address of the client as text; see trusted */
    struct httpd_peer peer_certificate;
    const struct httpd_listener *listener;
    int64_t content_length; /* -1 = chunked, 0 = no body */
    int64_t start_mono_us;
    bool body_done; /* private */
    void *connection;
    struct httpd *server;
};

/* How the body of an answer goes out. */
enum httpd_stream_form {
    HTTPD_WHOLE,      /* when the handler returned */
    HTTPD_CHUNKED,    /* by httpd_stream */
    HTTPD_UNTIL_CLOSE /* the same, to a client that knows no chunks */
};

struct httpd_response {
    int status;
    const char *content_type;  /* NULL = no body */
    const char *cache_control; /* NULL = "no-store" */
    struct buf body;
    struct str fixed;     /* constant body in place of `body` when ptr is set */
    const char *encoding; /* of `fixed`; NULL = none */
    struct buf head;      /* further header lines; httpd_add_header */
    bool close;           /* end the connection after this answer */
    enum httpd_stream_form streamed;
    bool cut; /* what was streamed is not whole: the client shall see that */
};

/* Told of each handshake that failed; by a thread of the server, with the address. */
typedef void httpd_refused(void *arg, const char *peer, const struct err *why);

typedef void httpd_handler(void *arg, struct httpd_request *r, struct httpd_response *w);

struct httpd_config {
    const struct httpd_listener *listeners; /* borrowed until httpd_stop */
    size_t listener_count;
    const char *public_host;         /* a further name that Host may have; NULL = none */
    const char *base_path;           /* "/pga": addresses may begin with it; NULL = none */
    const struct net_range *trusted; /* proxies whose X-Forwarded-For is believed; borrowed */
    size_t trusted_count;
    unsigned threads;
    unsigned connections;             /* in all; over it see httpd_room.h */
    unsigned connections_per_address; /* an IPv6 address counts as its /64 */
    httpd_handler *handler;
    httpd_refused *refused; /* NULL = nobody is told */
    void *arg;
};

/* Connections, now and since the start. */
struct httpd_counts {
    unsigned open, working;      /* working: a request has come whole and is not answered */
    uint64_t displaced;          /* closed in favour of a new one, at a cap */
    uint64_t refused;            /* new ones answered 503, at a cap */
    uint64_t expired;            /* idle, or slow with a request or handshake, for too long */
    unsigned handshakes;         /* begun and not finished */
    uint64_t shaken, unshaken;   /* handshakes that were finished, and that failed */
    uint64_t handshakes_dropped; /* in favour of a new one, at a cap */
    uint64_t late;               /* bodies that came too slowly while a worker read them */
};

/* --- Life cycle --- */

/* Whether every listener may and can be opened now; errors as httpd_start. */
enum err_code httpd_check(const struct httpd_config *config, struct err *e) ERR_MUST_CHECK;
/*
 * Errors: ERR_CONFLICT "port in use", ERR_DENIED, ERR_UNSUPPORTED for a plain listener on an
 * address that is not loopback, ERR_LIMIT for too many listeners.
 */
enum err_code httpd_start(const struct httpd_config *config, struct httpd **out,
                          struct err *e) ERR_MUST_CHECK;
/*
 * Connections without a request are closed, new requests get 503; returns when those in work were
 * answered, or at mono_us.
 */
void httpd_drain(struct httpd *h, int64_t mono_us);
void httpd_stop(struct httpd *h); /* NULL allowed */
/*
 * New connections of that listener, one of a TLS profile, get this configuration (a reference is
 * taken); those that are there keep theirs. Any thread.
 */
void httpd_set_tls(struct httpd *h, size_t listener, struct tls_config *tls);
/*
 * Close the connections without a request of who showed this certificate; those at work are
 * answered first. Any thread.
 */
void httpd_end_peer(struct httpd *h, const unsigned char sha256[32]);
void httpd_count(const struct httpd *h, struct httpd_counts *out);

/* --- Request --- */

/* The value of the first header of that name; empty when absent. */
struct str httpd_header(const struct httpd_request *r, const char *name);
/* A decoded query parameter (first of that name). *found tells absent from empty. */
enum err_code httpd_query(const struct httpd_request *r, const char *name, struct str *out,
                          bool *found, struct err *e) ERR_MUST_CHECK;
struct httpd_param {
    struct str name, value;
};
/* All query parameters, decoded, in the arena. ERR_INVALID for a bad escape, ERR_LIMIT. */
enum err_code httpd_params(const struct httpd_request *r, struct httpd_param **out, size_t *count,
                           struct err *e) ERR_MUST_CHECK;
/*
 * Parameters of a form in the body (application/x-www-form-urlencoded) come before those of the
 * address; afterwards httpd_query and httpd_params know both. `form` must live as long as `r`.
 */
enum err_code httpd_take_form(struct httpd_request *r, struct str form,
                              struct err *e) ERR_MUST_CHECK;
/* Whether the client has gone while its request is in work. */
bool httpd_is_gone(const struct httpd_request *r);
/* Percent-decode into the arena; ERR_INVALID for a bad escape, a NUL or bad UTF-8. */
enum err_code httpd_decode(struct arena *a, struct str s, struct str *out,
                           struct err *e) ERR_MUST_CHECK;
/* The value of a cookie; empty when absent. */
struct str httpd_cookie(const struct httpd_request *r, const char *name);
/* The same in the text of a Cookie header: the first of that name. */
struct str httpd_cookie_in(struct str header, const char *name);
/*
 * Read the whole body, at most out->max bytes. `Expect: 100-continue` is answered first.
 * Errors: ERR_LIMIT too large (known lengths: before anything is read), ERR_TIMEOUT too slow,
 *         ERR_INVALID broken chunks, ERR_UNREACHABLE the client went away
 */
enum err_code httpd_read_body(struct httpd_request *r, struct buf *out,
                              struct err *e) ERR_MUST_CHECK;

/* --- Answer --- */

/*
 * Send a part of an answer that is too large for memory; the first call sends status and headers.
 * An answer that cannot be ended gets `cut`.
 * Errors: ERR_UNREACHABLE the client went away, or takes nothing
 */
enum err_code httpd_stream(struct httpd_request *r, struct httpd_response *w, struct str part,
                           struct err *e) ERR_MUST_CHECK;
void httpd_add_header(struct httpd_response *w, const char *name, const char *value);
/* Whether If-None-Match names this entity tag (with its quotes). */
bool httpd_matches_etag(const struct httpd_request *r, const char *etag);
const char *httpd_status_text(int status);

#endif
