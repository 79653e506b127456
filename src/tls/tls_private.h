/* SPDX-License-Identifier: PostgreSQL */
/* tls_private.h: what tls_config.c and tls_session.c share. */
#ifndef TLS_TLS_PRIVATE_H
#define TLS_TLS_PRIVATE_H

#include <mbedtls/ssl.h>

#include "tls/tls.h"

/* Our source of random bytes in the form of the library. */
int tls_random(void *arg, unsigned char *out, size_t len);

const mbedtls_ssl_config *tls_config_library(const struct tls_config *c);
enum tls_side tls_config_side(const struct tls_config *c);
enum tls_peer tls_config_peer(const struct tls_config *c);
/* What the library's own check of a peer's certificate leaves out. */
enum err_code tls_config_judge(const struct tls_config *c, const mbedtls_x509_crt *leaf,
                               struct err *e) ERR_MUST_CHECK;

#endif
