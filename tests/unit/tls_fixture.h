/* SPDX-License-Identifier: PostgreSQL */
/*
 * tls_fixture.h: certificates made when a test runs, and two TLS ends joined by memory.
 */
#ifndef TLS_FIXTURE_H
#define TLS_FIXTURE_H

#include <mbedtls/pk.h>

#include <stdbool.h>

#include "tls/tls.h"

enum fixture_use { FIXTURE_ANY, FIXTURE_CLIENT, FIXTURE_SERVER };

struct fixture_want {
    const char *name;
    const char *from, *to; /* "YYYYMMDDhhmmss"; NULL = 2020 and 2099 */
    bool ca;
    enum fixture_use use;
    const char *dns; /* NULL = no alternative name */
    int version;     /* 0 = 3 */
};

struct fixture_cert {
    mbedtls_pk_context key;
    char name[64];
    char crt[4096], pem[1024]; /* certificate, private key */
};

/* issuer NULL: signed by itself */
void fixture_make(struct fixture_cert *out, const struct fixture_want *want,
                  const struct fixture_cert *issuer);
void fixture_free(struct fixture_cert *cert);

#define FIXTURE_PIPE 65536

/* One direction. */
struct fixture_pipe {
    char bytes[FIXTURE_PIPE];
    size_t put, got;
    size_t room;  /* bytes that may still be put before it is full */
    size_t piece; /* the most of one call; each such call is followed by one that says EAGAIN */
    bool pause, closed;
};

struct fixture_end {
    struct fixture_pipe *in, *out;
};

struct fixture_pair {
    struct fixture_pipe up, down;
    struct fixture_end client, server;
};

void fixture_pair_init(struct fixture_pair *pair, size_t piece);
struct tls_io fixture_io(struct fixture_end *end);
/* Both ends until both have a result. */
void fixture_shake(struct tls_session *client, struct tls_session *server, enum tls_step *c,
                   enum tls_step *s);

#endif
