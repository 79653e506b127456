/* SPDX-License-Identifier: PostgreSQL */
/*
 * pga_ssl.h: two facts of a session that Mbed TLS knows and has no accessor for.
 *
 * Threads: as the session itself, one at a time.
 */
#ifndef PGA_SSL_H
#define PGA_SSL_H

#include "mbedtls/ssl.h"

/* Whether the server has asked for a client certificate; only known while the handshake runs. */
int pga_ssl_client_auth(const mbedtls_ssl_context *ssl);

/* The description of the alert by which a call failed with MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE. */
int pga_ssl_last_alert(const mbedtls_ssl_context *ssl);

#endif
