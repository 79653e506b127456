/* SPDX-License-Identifier: PostgreSQL */
/*
 * mod_mbedtls.inl: in place of CivetWeb's own TLS module.
 *
 * CivetWeb's can neither verify clients nor bound a handshake. Here a session comes finished, with
 * the connection (mg_rest_tls in civetweb.h), and is known only as a struct of functions: Mbed TLS
 * is neither included nor named beyond what civetweb.c calls these. Handshakes, deadlines and
 * certificates are src/httpd's, by way of src/tls.
 */
typedef struct mg_tls SSL;

typedef struct {
	int unused;
} SSL_CTX;

#define MBEDTLS_ERR_SSL_WANT_READ MG_TLS_AGAIN
#define MBEDTLS_ERR_SSL_WANT_WRITE MG_TLS_AGAIN
#define MBEDTLS_ERR_SSL_ASYNC_IN_PROGRESS MG_TLS_AGAIN

static int
mbed_sslctx_init(SSL_CTX *ctx, const char *certificate)
{
	(void)ctx;
	(void)certificate;
	return 0;
}

static void
mbed_sslctx_uninit(SSL_CTX *ctx)
{
	(void)ctx;
}

static int
mbedtls_ssl_get_bytes_avail(const SSL *ssl)
{
	return ssl->ops->pending(ssl);
}

static int
mbed_ssl_read(SSL *ssl, unsigned char *to, int len)
{
	return ssl->ops->read(ssl, to, len);
}

static int
mbed_ssl_write(SSL *ssl, const unsigned char *from, int len)
{
	return ssl->ops->write(ssl, from, len);
}

static void
mbed_ssl_close(SSL *ssl)
{
	ssl->ops->close(ssl);
}
