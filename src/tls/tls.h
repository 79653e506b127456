/* SPDX-License-Identifier: PostgreSQL */
/*
 * tls.h: TLS sessions over any non-blocking transport, and what they share.
 *
 * A configuration is who we are and whom we believe: immutable once made, so any number of sessions
 * in any threads use it. Each session holds a reference; a reload makes a new configuration and
 * lets go of the old one, which lives on as long as a session does.
 * A server speaks TLS 1.3 only; a client may be allowed 1.2 with ECDHE and AEAD. There are no
 * session tickets, no resumption and no early data; they are not compiled in.
 *
 * Threads: a configuration any, after it was made; a session one at a time. crypto_init comes
 *          first, and in the final process: a copy by fork would repeat random numbers.
 * Errors:  a step that fails says why by tls_session_why: ERR_DENIED the peer's certificate,
 *          ERR_UNREACHABLE the transport ended, ERR_INVALID the peer speaks otherwise.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/str.h"

struct tls_config;
struct tls_session;

enum tls_side { TLS_SERVER, TLS_CLIENT };

/* Which peers are taken. */
enum tls_peer {
    TLS_PEER_CHECKED, /* of a client, the usual: a server of that name, signed by `ca_pem` */
    TLS_PEER_UNKNOWN, /* no certificate is asked for; of a server, the usual */
    TLS_PEER_AGENT    /* of a server: a client certificate is required, an EC one (P-256, P-384) of
                         version 3 for clientAuth, not a CA's own, signed by `ca_pem` */
};

enum tls_floor { TLS_FLOOR_1_3, TLS_FLOOR_1_2 };

/*
 * Whether this peer is known: called in the handshake after its chain was found good, with its own
 * certificate (DER, borrowed). An error refuses it and becomes the reason.
 */
typedef enum err_code tls_verify(void *arg, struct str der, struct err *e);

struct tls_config_spec {
    enum tls_side side;
    enum tls_peer peer;
    enum tls_floor floor; /* of a client; a server's is 1.3 */
    struct str chain_pem; /* our certificate, then those between it and a root; empty = none */
    struct str key_pem;   /* its private key, not encrypted */
    struct str ca_pem;    /* roots that peers are checked against */
    tls_verify *verify;   /* NULL = none */
    void *verify_arg;     /* lives as long as the configuration */
};

/* --- Life cycle --- */

/*
 * Errors: ERR_INVALID: a text holds no certificate or no key, or the key is another certificate's;
 *         the error says which
 */
enum err_code tls_config_new(const struct tls_config_spec *spec, struct tls_config **out,
                             struct err *e) ERR_MUST_CHECK;
struct tls_config *tls_config_ref(struct tls_config *c);
void tls_config_unref(struct tls_config *c); /* NULL allowed */
/* Our own certificate, DER; empty when there is none. Borrowed from the configuration. */
struct str tls_config_certificate(const struct tls_config *c);

/*
 * For a client that another library makes: tighten what it made. No SHA-1, no RSA below 2048 bits.
 * library: the crypto library's own structure, as libcurl hands it out
 */
void tls_config_tighten(void *library);

/* How bytes travel. Both return how many, 0 = the other end closed, or -1 and an errno. */
struct tls_io {
    ssize_t (*read)(void *arg, void *to, size_t len); /* EAGAIN: nothing there now */
    ssize_t (*write)(void *arg, const void *from, size_t len);
    void *arg;
};

/*
 * io:   copied. tls_io_of_socket makes one for a socket, which is neither closed nor changed.
 * name: of a client, what the server's certificate must name (host or IP address); else NULL
 */
enum err_code tls_session_new(struct tls_config *c, const struct tls_io *io, const char *name,
                              struct tls_session **out, struct err *e) ERR_MUST_CHECK;
struct tls_io tls_io_of_socket(int fd);
void tls_session_free(struct tls_session *s); /* says nothing to the peer. NULL allowed */

/* --- Use --- */

enum tls_step {
    TLS_DONE,
    TLS_WANT_READ,  /* call again when the transport has bytes */
    TLS_WANT_WRITE, /* call again, with the same bytes, when it takes some */
    TLS_END,        /* the peer said that nothing more comes */
    TLS_FAILED      /* for good: tls_session_why */
};

/* As far as it goes without waiting. TLS_DONE: the peer is who it has to be. */
enum tls_step tls_session_shake(struct tls_session *s);
/* TLS_DONE with *got > 0. Needs a finished handshake, as the following. */
enum tls_step tls_session_read(struct tls_session *s, void *to, size_t len, size_t *got);
/*
 * TLS_DONE with *put > 0, which may be less than len. After TLS_WANT_WRITE the call is to be made
 * again with the same bytes, at least as many.
 */
enum tls_step tls_session_write(struct tls_session *s, const void *from, size_t len, size_t *put);
/* Say that nothing more comes. TLS_WANT_WRITE: the transport is full; the caller sets the bound. */
enum tls_step tls_session_end(struct tls_session *s);

/* --- Query --- */

/* Bytes that can be read without the transport, which is silent about them. */
size_t tls_session_pending(const struct tls_session *s);
/* The peer's own certificate, DER; empty when it showed none. Borrowed from the session. */
struct str tls_session_peer(const struct tls_session *s);
/* "TLSv1.3", and a cipher suite; for logs and tests. */
const char *tls_session_version(const struct tls_session *s);
const char *tls_session_suite(const struct tls_session *s);
/* Why a step failed; returns its code. */
enum err_code tls_session_why(const struct tls_session *s, struct err *e);

#endif
