/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_internal.h: what the x509 files share: the library's types stay in here.
 */
#ifndef TLS_X509_INTERNAL_H
#define TLS_X509_INTERNAL_H

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "tls/x509_key.h"

struct x509_key {
    mbedtls_pk_context pk;
};

/* The library's form of a source of randomness; never fails. */
int x509_key_random(void *arg, unsigned char *out, size_t len);
/* Whether this is a public or private key on P-256. */
bool x509_key_is_p256(const mbedtls_pk_context *pk);
/* ERR_INVALID unless it is on P-256. */
enum err_code x509_key_to_public(const mbedtls_pk_context *pk, struct x509_public *out,
                                 struct err *e) ERR_MUST_CHECK;
enum err_code x509_key_of_public(const struct x509_public *key, mbedtls_pk_context *out,
                                 struct err *e) ERR_MUST_CHECK;
/*
 * The library wants PEM with its NUL and DER without: `copy` gets the bytes in the form that it
 * takes. ERR_LIMIT over `max`.
 */
enum err_code x509_key_input(struct str in, size_t max, struct buf *copy,
                             struct err *e) ERR_MUST_CHECK;
/* Parse one certificate into an initialised `out`. */
enum err_code x509_parse(struct str certificate, mbedtls_x509_crt *out,
                         struct err *e) ERR_MUST_CHECK;
/* Seconds since 1970; INT64_MIN for what is no time. */
int64_t x509_time(const mbedtls_x509_time *t);

#endif
