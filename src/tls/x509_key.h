/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_key.h: private keys on P-256, made from getrandom(2); their text form; signatures.
 *
 * Owner:   heap objects, wiped by x509_key_free.
 * Threads: a key is used by one thread at a time.
 */
#ifndef TLS_X509_KEY_H
#define TLS_X509_KEY_H

#include "tls/x509.h"

#define X509_KEY_PEM_MAX     1024
#define X509_SIGNATURE_BYTES 64 /* r and s, as ES256 has them (RFC 7518 3.4) */

struct x509_key;

enum err_code x509_key_make(struct x509_key **out, struct err *e) ERR_MUST_CHECK;
/* From PEM (SEC 1 or PKCS #8, not encrypted). ERR_INVALID unless it is a P-256 key. */
enum err_code x509_key_read(struct str pem, struct x509_key **out, struct err *e) ERR_MUST_CHECK;
void x509_key_free(struct x509_key *k); /* NULL allowed; wipes */
/* Append PEM (SEC 1). The caller wipes. */
enum err_code x509_key_write(const struct x509_key *k, struct buf *pem,
                             struct err *e) ERR_MUST_CHECK;
void x509_key_public(const struct x509_key *k, struct x509_public *out);
/* Whether the certificate is of this key. */
bool x509_key_fits(const struct x509_key *k, const struct x509_facts *certificate);
/* ECDSA with SHA-256 over the bytes. */
enum err_code x509_key_sign(struct x509_key *k, struct str bytes,
                            unsigned char out[X509_SIGNATURE_BYTES], struct err *e) ERR_MUST_CHECK;
/* ERR_DENIED when it is no signature of this key over these bytes. */
enum err_code x509_key_check(const struct x509_public *key, struct str bytes, struct str signature,
                             struct err *e) ERR_MUST_CHECK;

#endif
