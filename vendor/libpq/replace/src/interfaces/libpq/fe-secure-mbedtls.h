/* SPDX-License-Identifier: PostgreSQL */
/*
 * fe-secure-mbedtls.h: what the two files of libpq's TLS over Mbed TLS share.
 *
 * fe-secure-mbedtls.c is the session: handshake, bytes, names, attributes, and the functions that
 * libpq calls. fe-secure-mbedtls-files.c reads what a session needs from files: trusted
 * certificates, revocation lists, the client's own certificate and key.
 *
 * Owner:   conn->ssl holds one struct pgtls from the first step of a handshake to pgtls_close
 * Threads: that of the connection; nothing is shared between connections
 */
#ifndef FE_SECURE_MBEDTLS_H
#define FE_SECURE_MBEDTLS_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

/* What was read from files; only the handshake needs it. */
struct pgtls_files {
    mbedtls_x509_crt roots;
    mbedtls_x509_crl crls;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    bool have_roots; /* so the server is checked */
    bool have_crls;  /* so each certificate of its chain needs a list */
    bool have_cert;
};

/*
 * Invariants: (1) out[out_sent .. out_len) are bytes that Mbed TLS has made and the socket has not
 * taken; (2) owed > 0 says that the caller's next `owed` bytes are already in out, and that it has
 * not been told so; (3) new bytes of the caller are encrypted only while owed == 0.
 */
struct pgtls {
    PGconn *conn;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
    struct pgtls_files files;
    uint32_t flags; /* what was wrong with the server's chain, MBEDTLS_X509_BADCERT_... */
    bool top_seen;  /* the first certificate of the chain was looked at */
    bool told;      /* the socket layer has already written an error message */
    unsigned char *out;
    size_t out_len, out_sent, out_cap;
    size_t owed;
    char cipher[64]; /* for PQsslAttribute */
    char key_bits[12];
};

void pgtls_files_init(struct pgtls_files *files);
void pgtls_files_free(struct pgtls_files *files);

/* Reads all files that the connection's parameters name; false with a message in the connection. */
bool pgtls_files_load(PGconn *conn, struct pgtls_files *files);

/* Randomness for Mbed TLS: getrandom(2). */
int pgtls_random(void *unused, unsigned char *out, size_t len);

/* The text of an error of Mbed TLS. */
const char *pgtls_error(int code, char *buf, size_t size);

#endif
