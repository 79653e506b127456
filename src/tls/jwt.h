/* SPDX-License-Identifier: PostgreSQL */
/*
 * jwt.h: the two kinds of tokens that pga issues and verifies itself (RFC 7519, HS256 only).
 *
 * People and agents have separate keys, audiences and types, so that a token of one kind is never
 * taken for the other. The header must equal the one text that jwt_sign writes.
 */
#ifndef TLS_JWT_H
#define TLS_JWT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define JWT_KEY_BYTES 32
#define JWT_KID_SIZE  17
#define JWT_TOKEN_MAX 2048
#define JWT_ID_SIZE   48
#define JWT_SKEW_S    60

enum jwt_audience { JWT_PEOPLE, JWT_AGENTS };

struct jwt_key {
    enum jwt_audience audience;
    char kid[JWT_KID_SIZE];
    const unsigned char *secret; /* borrowed: key material stays where it is */
};

struct jwt_claims {
    char subject[JWT_ID_SIZE]; /* user id in decimal, or collector UUID */
    char session[JWT_ID_SIZE]; /* people: the session that must live; agents: the token's own id */
    /* agents: SHA-256 of the certificate that has to come with it (RFC 8705), base64url; or "" */
    char thumbprint[JWT_ID_SIZE];
    int64_t issued_s;
    int64_t expires_s;
};

/* The thumbprint of a certificate whose SHA-256 this is. */
void jwt_thumbprint(const unsigned char sha256[32], char out[JWT_ID_SIZE]);
/*
 * Name the key after its contents, so that a token of an older key is refused by its kid. secret:
 * JWT_KEY_BYTES, in place as long as the key is used.
 */
void jwt_key_init(struct jwt_key *k, enum jwt_audience audience, const unsigned char *secret);
/* Append the token to `out`. */
enum err_code jwt_sign(const struct jwt_key *k, const struct jwt_claims *claims, struct buf *out,
                       struct err *e) ERR_MUST_CHECK;
struct jwt_moment {
    int64_t now_s;
    int64_t grace_s; /* how long after its expiry a token is still taken; 0 but for a refresh */
};
/* Errors: ERR_DENIED, always; the text says why, for the log only. */
enum err_code jwt_verify(const struct jwt_key *k, struct str token, struct jwt_moment at,
                         struct jwt_claims *out, struct err *e) ERR_MUST_CHECK;

#endif
