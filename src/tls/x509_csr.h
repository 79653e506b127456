/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_csr.h: certificate requests (PKCS #10).
 *
 * A request proves that its sender holds a key; nothing but the key is taken from it. Names,
 * extensions and attributes in it are neither read nor kept.
 */
#ifndef TLS_X509_CSR_H
#define TLS_X509_CSR_H

#include "tls/x509_key.h"

#define X509_CSR_MAX 4096 /* one of ours has 400 bytes as PEM; one of openssl with names 700 */

/* Append a request as PEM. Its subject is a fixed text. */
enum err_code x509_csr_make(struct x509_key *k, struct buf *pem, struct err *e) ERR_MUST_CHECK;
/*
 * The key of a request, PEM or DER.
 * Errors: ERR_INVALID no request, another kind of key or hash; ERR_DENIED the signature in it is
 *         not of the key in it; ERR_LIMIT over X509_CSR_MAX
 */
enum err_code x509_csr_read(struct str csr, struct x509_public *out, struct err *e) ERR_MUST_CHECK;

#endif
