/* SPDX-License-Identifier: PostgreSQL */
/*
 * pga_ssl.c: reads two members of a session that are private to Mbed TLS.
 */
#include "ssl_misc.h"

#include "mbedtls/pga_ssl.h"

int pga_ssl_client_auth(const mbedtls_ssl_context *ssl)
{
    return ssl->handshake != NULL && ssl->handshake->client_auth != 0;
}

int pga_ssl_last_alert(const mbedtls_ssl_context *ssl)
{
    /* An alert is two bytes, level and description, at the start of the message. */
    return ssl->in_msg != NULL ? ssl->in_msg[1] : -1;
}
