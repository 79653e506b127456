/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_renewal.h: what an agent sends when its certificate has expired: a request for the next one,
 * signed with the key of the last.
 *
 * The form is a compact JWS (RFC 7515) with ES256, {"alg":"ES256","typ":"pga-renewal"} and nothing
 * else in its header, over {"certificate": PEM, "csr": PEM}. Whoever repeats it gets a certificate
 * for a key that only the agent has.
 */
#ifndef TLS_X509_RENEWAL_H
#define TLS_X509_RENEWAL_H

#include "tls/x509_key.h"

#define X509_RENEWAL_MAX (16 * 1024)

struct x509_renewal {
    struct str certificate, csr; /* in the arena */
    struct x509_facts facts;     /* of the certificate */
};

/* Append the text. */
enum err_code x509_renewal_write(struct x509_key *key, struct str certificate, struct str csr,
                                 struct buf *out, struct err *e) ERR_MUST_CHECK;
/*
 * Read a text whose signature is of the key of the certificate in it. Whether that one is ours is
 * for the caller to find out.
 * Errors: ERR_INVALID another form, ERR_DENIED wrong signature
 */
enum err_code x509_renewal_read(struct arena *a, struct str text, struct x509_renewal *out,
                                struct err *e) ERR_MUST_CHECK;

#endif
