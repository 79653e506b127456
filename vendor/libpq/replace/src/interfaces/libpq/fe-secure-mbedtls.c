/* SPDX-License-Identifier: PostgreSQL */
/*
 * fe-secure-mbedtls.c: TLS of libpq over Mbed TLS; libpq's own back end needs OpenSSL.
 *
 * It is the set of functions that fe-secure.c calls (pgtls_*) and the accessors PQssl*. Names of a
 * certificate are compared by fe-secure-common.c, so by the same rules as everywhere; Mbed TLS
 * checks the chain and its uses alone.
 *
 * Bytes go out in two steps. Mbed TLS writes into `out` and never sees a full socket; flush_out
 * hands `out` to the socket. (mbedtls_ssl_write that met a full socket takes the next call for a
 * retry of the same bytes: called with more, or after an alert of its own was held up, it reports
 * bytes that it never encrypted. libpq does grow its buffer between calls.)
 * Nothing is read ahead: what PQsocket() shows is all there is, but for the rest of one record.
 *
 * Invariants: those of struct pgtls
 * Threads:    that of the connection; psa_crypto_init locks by itself
 */
#include "postgres_fe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <mbedtls/md.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/oid.h>
#include <mbedtls/pga_ssl.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include "libpq-fe.h"
#include "fe-auth.h"
#include "fe-secure-common.h"
#include "libpq-int.h"
#include "libpq/pqcomm.h"

#include "fe-secure-mbedtls.h"

#define OUT_MAX (256 * 1024) /* a flight of ours has some 20 kB; more is a peer's doing */
#define SAN_DNS 2            /* context tags of subjectAltName (RFC 5280) */
#define SAN_IP  7

static const char LIBRARY[] = "Mbed TLS";

/* P-256 first: PostgreSQL's default lets it alone, and another guess costs a round trip. */
static const uint16_t GROUPS[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE,
};

/* Forward secrecy and authenticated encryption only; CBC is compiled in for encrypted keys. */
static const int CIPHERS[] = {
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

static const char *ALPN[] = {PG_ALPN_PROTOCOL, NULL};

/* --- texts of errors ------------------------------------------------------------------- */

struct reason {
    uint32_t flag;
    const char *text;
};

/* The first that fits is told. */
static const struct reason REASONS[] = {
    {MBEDTLS_X509_BADCERT_REVOKED, "certificate revoked"},
    {MBEDTLS_X509_BADCERT_EXPIRED, "certificate has expired"},
    {MBEDTLS_X509_BADCERT_FUTURE, "certificate is not yet valid"},
    {MBEDTLS_X509_BADCRL_EXPIRED, "revocation list has expired"},
    {MBEDTLS_X509_BADCRL_FUTURE, "revocation list is not yet valid"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "certificate is not for servers"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "certificate's key is not for this use"},
    {MBEDTLS_X509_BADCERT_BAD_MD, "certificate is signed with a weak hash"},
    {MBEDTLS_X509_BADCERT_BAD_KEY, "certificate's key is too weak"},
    {MBEDTLS_X509_BADCERT_BAD_PK, "certificate's kind of key is not accepted"},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "certificate is not signed by a trusted authority"},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED, "no valid revocation list of the certificate's issuer"},
    {MBEDTLS_X509_BADCRL_BAD_MD, "revocation list is signed with a weak hash"},
    {MBEDTLS_X509_BADCRL_BAD_KEY, "revocation list's key is too weak"},
    {MBEDTLS_X509_BADCERT_MISSING, "the server sent no certificate"},
};

static const struct {
    int code;
    const char *name;
} ALERTS[] = {
    {10, "unexpected message"},
    {20, "bad record mac"},
    {22, "record overflow"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown ca"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {109, "missing extension"},
    {112, "unrecognized name"},
    {116, "certificate required"},
    {120, "no application protocol"},
};

static const char *alert_name(int code)
{
    for (size_t i = 0; i < lengthof(ALERTS); i++) {
        if (ALERTS[i].code == code)
            return ALERTS[i].name;
    }
    return "unknown alert";
}

static const char *flags_text(uint32_t flags)
{
    for (size_t i = 0; i < lengthof(REASONS); i++) {
        if (flags & REASONS[i].flag)
            return REASONS[i].text;
    }
    return "certificate not accepted";
}

/* What was wrong with the chain, or with what the certificate is for, which is looked at later. */
static uint32_t verify_flags(const struct pgtls *t)
{
    uint32_t result = mbedtls_ssl_get_verify_result(&t->ssl);

    return t->flags | (result == UINT32_MAX ? 0 : result);
}

/* Says in the connection why a call of Mbed TLS failed, unless the socket layer has done so. */
static void tell(struct pgtls *t, int rc)
{
    char why[128];

    if (t->told)
        return;
    if (rc == 0 || rc == MBEDTLS_ERR_SSL_CONN_EOF)
        libpq_append_conn_error(t->conn, "SSL SYSCALL error: EOF detected");
    else if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        libpq_append_conn_error(t->conn, "SSL connection has been closed unexpectedly");
    else if (rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
        libpq_append_conn_error(t->conn, "SSL error: the server sent alert \"%s\"",
                                alert_name(pga_ssl_last_alert(&t->ssl)));
    else if (t->files.have_roots && verify_flags(t) != 0)
        libpq_append_conn_error(t->conn, "SSL error: certificate verify failed: %s",
                                flags_text(verify_flags(t)));
    else
        libpq_append_conn_error(t->conn, "SSL error: %s", pgtls_error(rc, why, sizeof(why)));
}

/* --- bytes ------------------------------------------------------------------------------- */

static bool is_would_block(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* What Mbed TLS sends is kept; see the head of this file. */
static int keep_out(void *arg, const unsigned char *buf, size_t len)
{
    struct pgtls *t = arg;

    if (len > OUT_MAX - t->out_len)
        return MBEDTLS_ERR_NET_SEND_FAILED;
    if (t->out_len + len > t->out_cap) {
        size_t cap = Max(t->out_len + len, t->out_cap * 2);
        unsigned char *grown = realloc(t->out, cap);

        if (grown == NULL)
            return MBEDTLS_ERR_SSL_ALLOC_FAILED;
        t->out = grown;
        t->out_cap = cap;
    }
    memcpy(t->out + t->out_len, buf, len);
    t->out_len += len;
    return (int)len;
}

/*
 * Hands to the socket what it takes; true when nothing is left. A socket that is broken takes
 * everything: libpq notes the failure and tells it when the server has been read to its end.
 */
static bool flush_out(struct pgtls *t)
{
    while (t->out_sent < t->out_len) {
        ssize_t n = pqsecure_raw_write(t->conn, t->out + t->out_sent, t->out_len - t->out_sent);

        if (n <= 0)
            return false;
        t->out_sent += (size_t)n;
    }
    t->out_sent = t->out_len = 0;
    return true;
}

static int take_in(void *arg, unsigned char *buf, size_t len)
{
    struct pgtls *t = arg;
    ssize_t n = pqsecure_raw_read(t->conn, buf, len);

    if (n > 0)
        t->conn->ssl_handshake_started = true;
    if (n >= 0)
        return (int)n;
    if (is_would_block(SOCK_ERRNO))
        return MBEDTLS_ERR_SSL_WANT_READ;
    t->told = true;
    return MBEDTLS_ERR_NET_RECV_FAILED;
}

ssize_t pgtls_read(PGconn *conn, void *ptr, size_t len)
{
    struct pgtls *t = conn->ssl;
    int n;

    (void)flush_out(t);
    do
        n = mbedtls_ssl_read(&t->ssl, ptr, Min(len, INT_MAX));
    while (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
    (void)flush_out(t); /* an answer to what was read, as an alert */
    if (n > 0 || n == MBEDTLS_ERR_SSL_WANT_READ) {
        SOCK_ERRNO_SET(0);
        return n > 0 ? n : 0;
    }
    tell(t, n);
    SOCK_ERRNO_SET(ECONNRESET);
    return -1;
}

ssize_t pgtls_bytes_pending(PGconn *conn)
{
    struct pgtls *t = conn->ssl;

    return (ssize_t)mbedtls_ssl_get_bytes_avail(&t->ssl);
}

/* Encrypts some of the caller's bytes into `out`; false with a message. */
static bool encrypt(struct pgtls *t, const unsigned char *ptr, size_t len)
{
    int n = mbedtls_ssl_write(&t->ssl, ptr, len);

    if (n <= 0) {
        tell(t, n);
        return false;
    }
    t->owed = (size_t)n;
    return true;
}

/*
 * The caller offers the bytes that were not taken again, perhaps with more behind them: those it is
 * owed a word about are in `out` already.
 */
ssize_t pgtls_write(PGconn *conn, const void *ptr, size_t len)
{
    struct pgtls *t = conn->ssl;
    size_t done = 0;

    Assert(len >= t->owed);
    while (flush_out(t) && done < len) {
        if (t->owed > 0) {
            done += t->owed;
            t->owed = 0;
        } else if (!encrypt(t, (const unsigned char *)ptr + done, len - done)) {
            SOCK_ERRNO_SET(ECONNRESET);
            return -1;
        }
    }
    SOCK_ERRNO_SET(0);
    return (ssize_t)Min(done, len);
}

/* --- the chain of the server ------------------------------------------------------------- */

static bool same_bytes(const mbedtls_x509_buf *a, const mbedtls_x509_buf *b)
{
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static bool has_crl(const struct pgtls_files *files, const mbedtls_x509_crt *crt)
{
    for (const mbedtls_x509_crl *crl = &files->crls; crl != NULL; crl = crl->next) {
        if (crl->raw.p != NULL && same_bytes(&crl->issuer_raw, &crt->issuer_raw))
            return true;
    }
    return false;
}

/*
 * Called from the top of the chain down to the server's certificate. As in OpenSSL's libpq the chain
 * ends in a certificate that signs itself, and once there are revocation lists each certificate
 * needs one. Names are compared later, by libpq.
 */
static int check_certificate(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct pgtls *t = arg;

    (void)depth;
    *flags &= ~(uint32_t)MBEDTLS_X509_BADCERT_CN_MISMATCH;
    if (!t->top_seen && !same_bytes(&crt->issuer_raw, &crt->subject_raw))
        *flags |= MBEDTLS_X509_BADCERT_NOT_TRUSTED;
    t->top_seen = true;
    if (t->files.have_crls && !has_crl(&t->files, crt))
        *flags |= MBEDTLS_X509_BADCRL_NOT_TRUSTED;
    t->flags |= *flags;
    return 0;
}

/* --- setting up a session ---------------------------------------------------------------- */

/* 0 when the version is none of ours; an empty text leaves `usual`. */
static mbedtls_ssl_protocol_version version_of(const char *text, mbedtls_ssl_protocol_version usual)
{
    if (text == NULL || text[0] == '\0')
        return usual;
    if (pg_strcasecmp(text, "TLSv1.2") == 0)
        return MBEDTLS_SSL_VERSION_TLS1_2;
    if (pg_strcasecmp(text, "TLSv1.3") == 0)
        return MBEDTLS_SSL_VERSION_TLS1_3;
    return MBEDTLS_SSL_VERSION_UNKNOWN;
}

static bool set_versions(PGconn *conn, struct pgtls *t)
{
    mbedtls_ssl_protocol_version low, high;

    low = version_of(conn->ssl_min_protocol_version, MBEDTLS_SSL_VERSION_TLS1_2);
    high = version_of(conn->ssl_max_protocol_version, MBEDTLS_SSL_VERSION_TLS1_3);
    if (low == MBEDTLS_SSL_VERSION_UNKNOWN) /* TLSv1, TLSv1.1: what we have is no less */
        low = MBEDTLS_SSL_VERSION_TLS1_2;
    if (high == MBEDTLS_SSL_VERSION_UNKNOWN) {
        libpq_append_conn_error(conn, "invalid value \"%s\" for maximum SSL protocol version",
                                conn->ssl_max_protocol_version);
        return false;
    }
    mbedtls_ssl_conf_min_tls_version(&t->conf, low);
    mbedtls_ssl_conf_max_tls_version(&t->conf, high);
    return true;
}

/* Literal addresses are not sent as names (RFC 6066). */
static const char *name_to_send(const PGconn *conn)
{
    const char *host = conn->connhost[conn->whichhost].host;

    if (conn->sslsni == NULL || conn->sslsni[0] != '1' || host == NULL || host[0] == '\0')
        return NULL;
    if (strspn(host, "0123456789.") == strlen(host) || strchr(host, ':') != NULL)
        return NULL;
    return host;
}

static int configure(struct pgtls *t)
{
    int rc = mbedtls_ssl_config_defaults(&t->conf, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

    if (rc == 0)
        rc = mbedtls_ssl_conf_alpn_protocols(&t->conf, ALPN);
    if (rc == 0 && t->files.have_cert)
        rc = mbedtls_ssl_conf_own_cert(&t->conf, &t->files.cert, &t->files.key);
    if (rc != 0)
        return rc;
    mbedtls_ssl_conf_rng(&t->conf, pgtls_random, NULL);
    mbedtls_ssl_conf_ciphersuites(&t->conf, CIPHERS);
    mbedtls_ssl_conf_groups(&t->conf, GROUPS);
    mbedtls_ssl_conf_authmode(&t->conf, t->files.have_roots ? MBEDTLS_SSL_VERIFY_REQUIRED
                                                            : MBEDTLS_SSL_VERIFY_NONE);
    if (t->files.have_roots) {
        mbedtls_ssl_conf_ca_chain(&t->conf, &t->files.roots,
                                  t->files.have_crls ? &t->files.crls : NULL);
        mbedtls_ssl_conf_verify(&t->conf, check_certificate, t);
    }
    return 0;
}

/* The name is set in every case: without it Mbed TLS takes a check of the chain alone for a slip. */
static int set_up(PGconn *conn, struct pgtls *t)
{
    int rc = mbedtls_ssl_setup(&t->ssl, &t->conf);

    if (rc == 0)
        rc = mbedtls_ssl_set_hostname(&t->ssl, name_to_send(conn));
    mbedtls_ssl_set_bio(&t->ssl, t, keep_out, take_in, NULL);
    return rc;
}

static bool open_session(PGconn *conn)
{
    char why[128];
    int rc;
    struct pgtls *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        libpq_append_conn_error(conn, "out of memory");
        return false;
    }
    t->conn = conn;
    mbedtls_ssl_init(&t->ssl);
    mbedtls_ssl_config_init(&t->conf);
    pgtls_files_init(&t->files);
    conn->ssl = t;
    conn->ssl_in_use = true;
    if (!pgtls_files_load(conn, &t->files))
        return false;
    rc = configure(t);
    if (rc == 0 && !set_versions(conn, t))
        return false;
    if (rc == 0)
        rc = set_up(conn, t);
    if (rc != 0)
        libpq_append_conn_error(conn, "could not establish SSL connection: %s",
                                pgtls_error(rc, why, sizeof(why)));
    return rc == 0;
}

/* --- the handshake ------------------------------------------------------------------------ */

static void hint_versions(struct pgtls *t, int rc)
{
    PGconn *conn = t->conn;

    if (rc != MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION &&
        !(rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE &&
          pga_ssl_last_alert(&t->ssl) == MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION))
        return;
    libpq_append_conn_error(
        conn,
        "This may indicate that the server does not support any SSL protocol "
        "version between %s and %s.",
        conn->ssl_min_protocol_version ? conn->ssl_min_protocol_version : "TLSv1.2",
        conn->ssl_max_protocol_version ? conn->ssl_max_protocol_version : "TLSv1.3");
}

/* Direct negotiation needs the server's word that it speaks PostgreSQL (ALPACA). */
static bool alpn_is_right(PGconn *conn, const struct pgtls *t)
{
    const char *selected = mbedtls_ssl_get_alpn_protocol(&t->ssl);

    if (conn->current_enc_method != ENC_SSL || conn->sslnegotiation[0] != 'd')
        return true;
    if (selected == NULL) {
        libpq_append_conn_error(conn, "direct SSL connection was established without ALPN protocol "
                                      "negotiation extension");
        return false;
    }
    if (strcmp(selected, PG_ALPN_PROTOCOL) != 0) {
        libpq_append_conn_error(conn,
                                "SSL connection was established with unexpected ALPN protocol");
        return false;
    }
    return true;
}

/* Neither the key nor the trusted certificates are needed from here on. */
static void drop_files(struct pgtls *t)
{
    mbedtls_ssl_conf_ca_chain(&t->conf, NULL, NULL);
    (void)mbedtls_ssl_conf_own_cert(&t->conf, NULL, NULL);
    pgtls_files_free(&t->files);
}

static bool finish(PGconn *conn, struct pgtls *t)
{
    if (!alpn_is_right(conn, t))
        return false;
    if (mbedtls_ssl_get_peer_cert(&t->ssl) == NULL) {
        libpq_append_conn_error(conn, "certificate could not be obtained");
        return false;
    }
    if (!pq_verify_peer_name_matches_certificate(conn))
        return false;
    drop_files(t);
    return true;
}

/* Goes as far as the socket allows. */
static PostgresPollingStatusType shake(PGconn *conn, struct pgtls *t)
{
    int rc = 0;

    while (rc == 0 && !mbedtls_ssl_is_handshake_over(&t->ssl)) {
        rc = mbedtls_ssl_handshake_step(&t->ssl);
        if (pga_ssl_client_auth(&t->ssl)) {
            conn->ssl_cert_requested = true;
            conn->ssl_cert_sent = t->files.have_cert;
        }
    }
    if (!flush_out(t) && (rc == 0 || rc == MBEDTLS_ERR_SSL_WANT_READ))
        return PGRES_POLLING_WRITING;
    if (rc == 0)
        return finish(conn, t) ? PGRES_POLLING_OK : PGRES_POLLING_FAILED;
    if (rc == MBEDTLS_ERR_SSL_WANT_READ)
        return PGRES_POLLING_READING;
    tell(t, rc);
    hint_versions(t, rc);
    return PGRES_POLLING_FAILED;
}

PostgresPollingStatusType pgtls_open_client(PGconn *conn)
{
    PostgresPollingStatusType step = PGRES_POLLING_FAILED;

    if (conn->ssl != NULL || open_session(conn))
        step = shake(conn, conn->ssl);
    if (step == PGRES_POLLING_FAILED)
        pgtls_close(conn);
    return step;
}

void pgtls_close(PGconn *conn)
{
    struct pgtls *t = conn->ssl;

    if (t == NULL)
        return;
    if (mbedtls_ssl_is_handshake_over(&t->ssl) && t->owed == 0 &&
        mbedtls_ssl_close_notify(&t->ssl) == 0)
        (void)flush_out(t);
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->conf);
    pgtls_files_free(&t->files);
    free(t->out);
    free(t);
    conn->ssl = NULL;
    conn->ssl_in_use = false;
    conn->ssl_handshake_started = false;
}

/* --- the library as a whole ---------------------------------------------------------------- */

void pgtls_init_library(bool do_ssl, int do_crypto)
{
    (void)do_ssl;
    (void)do_crypto;
}

int pgtls_init(PGconn *conn, bool do_ssl, bool do_crypto)
{
    (void)do_crypto;
    if (!do_ssl || psa_crypto_init() == PSA_SUCCESS)
        return 0;
    libpq_append_conn_error(conn, "the crypto library does not start");
    return -1;
}

/* --- what the certificate says --------------------------------------------------------------- */

/* The hash of the signature, but SHA-256 in place of MD5 and SHA-1 (RFC 5929, 4.1). */
char *pgtls_get_peer_certificate_hash(PGconn *conn, size_t *len)
{
    struct pgtls *t = conn->ssl;
    const mbedtls_x509_crt *peer = t != NULL ? mbedtls_ssl_get_peer_cert(&t->ssl) : NULL;
    const mbedtls_md_info_t *md;
    unsigned char *hash;

    *len = 0;
    if (peer == NULL)
        return NULL;
    md = mbedtls_md_info_from_type(peer->MBEDTLS_PRIVATE(sig_md));
    if (md == NULL || mbedtls_md_get_type(md) == MBEDTLS_MD_MD5 ||
        mbedtls_md_get_type(md) == MBEDTLS_MD_SHA1)
        md = md != NULL ? mbedtls_md_info_from_type(MBEDTLS_MD_SHA256) : NULL;
    hash = md != NULL ? malloc(mbedtls_md_get_size(md)) : NULL;
    if (hash == NULL || mbedtls_md(md, peer->raw.p, peer->raw.len, hash) != 0) {
        libpq_append_conn_error(conn, "could not generate peer certificate hash");
        free(hash);
        return NULL;
    }
    *len = mbedtls_md_get_size(md);
    return (char *)hash;
}

static bool is_address(const char *host)
{
    struct in_addr four;
    struct in6_addr six;

    return inet_aton(host, &four) != 0 || inet_pton(AF_INET6, host, &six) == 1;
}

/* The first name that was looked at is told when none fits. */
static void keep_first(char **first_name, char *name)
{
    if (*first_name == NULL)
        *first_name = name;
    else
        free(name);
}

/* One subjectAltName; 1 fits, 0 does not, -1 error, as in fe-secure-common.c. */
static int match_san(PGconn *conn, const mbedtls_x509_buf *san, int *examined, char **first_name)
{
    char *name = NULL;
    int type = san->tag & MBEDTLS_ASN1_TAG_VALUE_MASK;
    int rc;

    if (type != SAN_DNS && type != SAN_IP)
        return 0;
    (*examined)++;
    if (type == SAN_DNS)
        rc = pq_verify_peer_name_matches_certificate_name(conn, (const char *)san->p, san->len,
                                                          &name);
    else
        rc = pq_verify_peer_name_matches_certificate_ip(conn, san->p, san->len, &name);
    keep_first(first_name, name);
    return rc;
}

static int match_common_name(PGconn *conn, const mbedtls_x509_crt *peer, int *examined,
                             char **first_name)
{
    const mbedtls_asn1_named_data *cn = mbedtls_asn1_find_named_data(
        &peer->subject, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN));
    char *name = NULL;
    int rc;

    if (cn == NULL)
        return 0;
    (*examined)++;
    rc = pq_verify_peer_name_matches_certificate_name(conn, (const char *)cn->val.p, cn->val.len,
                                                      &name);
    keep_first(first_name, name);
    return rc;
}

/* The common name counts only when there is no subjectAltName of the host's own kind. */
int pgtls_verify_peer_name_matches_certificate_guts(PGconn *conn, int *names_examined,
                                                    char **first_name)
{
    struct pgtls *t = conn->ssl;
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&t->ssl);
    int kind = is_address(conn->connhost[conn->whichhost].host) ? SAN_IP : SAN_DNS;
    bool check_cn = true;

    for (const mbedtls_x509_sequence *san = &peer->subject_alt_names; san != NULL;
         san = san->next) {
        int rc;

        if (san->buf.p == NULL)
            continue;
        if ((san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == kind)
            check_cn = false;
        rc = match_san(conn, &san->buf, names_examined, first_name);
        if (rc != 0)
            return rc;
    }
    return check_cn ? match_common_name(conn, peer, names_examined, first_name) : 0;
}

/* --- accessors -------------------------------------------------------------------------------- */

/* The name is for OpenSSL's callers, who would take what it gives for theirs. */
void *PQgetssl(PGconn *conn)
{
    (void)conn;
    return NULL;
}

void *PQsslStruct(PGconn *conn, const char *struct_name)
{
    struct pgtls *t = conn != NULL ? conn->ssl : NULL;

    return t != NULL && strcmp(struct_name, LIBRARY) == 0 ? &t->ssl : NULL;
}

const char *const *PQsslAttributeNames(PGconn *conn)
{
    static const char *const names[] = {"library",  "key_bits", "cipher", "compression",
                                        "protocol", "alpn",     NULL};
    static const char *const none[] = {NULL};

    return conn == NULL || conn->ssl != NULL ? names : none;
}

/* IANA's name: Mbed TLS writes TLS1-3-AES-256-GCM-SHA384 and TLS-ECDHE-RSA-WITH-... */
static const char *cipher_name(struct pgtls *t)
{
    const char *own = mbedtls_ssl_get_ciphersuite(&t->ssl);

    if (own == NULL)
        return NULL;
    snprintf(t->cipher, sizeof(t->cipher), "TLS%s", own + (strncmp(own, "TLS1-3", 6) == 0 ? 6 : 3));
    for (char *p = t->cipher; *p != '\0'; p++) {
        if (*p == '-')
            *p = '_';
    }
    return t->cipher;
}

static const char *key_bits(struct pgtls *t)
{
    const mbedtls_ssl_ciphersuite_t *suite = mbedtls_ssl_ciphersuite_from_id(
        mbedtls_ssl_get_ciphersuite_id_from_ssl(&t->ssl));

    snprintf(t->key_bits, sizeof(t->key_bits), "%d",
             suite != NULL ? (int)mbedtls_ssl_ciphersuite_get_cipher_key_bitlen(suite) : 0);
    return t->key_bits;
}

const char *PQsslAttribute(PGconn *conn, const char *attribute_name)
{
    struct pgtls *t = conn != NULL ? conn->ssl : NULL;
    const char *alpn;

    if (conn == NULL)
        return strcmp(attribute_name, "library") == 0 ? LIBRARY : NULL;
    if (t == NULL)
        return NULL;
    if (strcmp(attribute_name, "library") == 0)
        return LIBRARY;
    if (strcmp(attribute_name, "key_bits") == 0)
        return key_bits(t);
    if (strcmp(attribute_name, "cipher") == 0)
        return cipher_name(t);
    if (strcmp(attribute_name, "compression") == 0)
        return "off";
    if (strcmp(attribute_name, "protocol") == 0)
        return mbedtls_ssl_get_version(&t->ssl);
    if (strcmp(attribute_name, "alpn") == 0)
        return (alpn = mbedtls_ssl_get_alpn_protocol(&t->ssl)) != NULL ? alpn : "";
    return NULL;
}
