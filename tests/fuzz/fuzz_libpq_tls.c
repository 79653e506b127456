/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_libpq_tls.c: our libpq over TLS against a peer that does what the input says.
 *
 * The peer is in this process, at the other end of a loopback connection. The first byte of the
 * input says what it is:
 *   bits 0-1   0  raw: the rest is sent as it is, in answer to the request for TLS
 *              1  a server of TLS: the rest is what it says after the handshake
 *              2  a server of TLS whose bytes are changed on their way: (position, mask) pairs
 *              3  as 2, and AuthenticationOk and ReadyForQuery are said after the handshake
 *   bit 2      TLS 1.2 at most       bit 3   direct negotiation       bit 4   verify-full
 * In 0 and 1 the rest is pieces: a length of one byte, and so many bytes (0: the client goes
 * first).
 * Nothing waits: the loopback is there at once; when neither side moves the peer hangs up. Random
 * numbers are the same for each input, so that it does the same whenever it is tried.
 * Threads: one.
 */
#include <libpq-fe.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pem.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS     400 /* of both sides, for one input */
#define IDLE      4   /* steps without a byte before the peer hangs up */
#define ROOT_SIZE 2048

enum kind { RAW, SERVER, CHANGED, CHANGED_SERVER };

struct peer {
    enum kind kind;
    int fd;
    bool requested, over; /* the request for TLS has come; the handshake is done */
    const uint8_t *rest;
    size_t len, at;
    size_t sent; /* bytes of TLS so far, for changes */
    size_t moved;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config conf;
};

static mbedtls_pk_context key;
static mbedtls_x509_crt cert;
static char root[] = "/tmp/fuzz_libpq_tls.XXXXXX";
static int listener;
static unsigned port;
static const char *const PROTOCOLS[] = {"postgresql", NULL};

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen);
const char *__asan_default_options(void);

/* In place of the library's own source of entropy: its generator starts anew for each input. */
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
    (void)data;
    memset(output, 0x5a, len);
    *olen = len;
    return 0;
}

/* Arithmetic of keys allocates much: a long trace of each allocation takes a tenth of the time. */
const char *__asan_default_options(void)
{
    return "malloc_context_size=5";
}

static void start_random(void)
{
    mbedtls_psa_crypto_free();
    assert(psa_crypto_init() == PSA_SUCCESS);
}

static int random_bytes(void *unused, unsigned char *out, size_t len)
{
    (void)unused;
    return mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, out, len);
}

static void make_key(void)
{
    mbedtls_pk_init(&key);
    assert(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0);
    assert(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), random_bytes, NULL) ==
           0);
}

/* Signs itself and is of "localhost", so that verify-full gets to its end. */
static void make_cert(unsigned char pem[ROOT_SIZE])
{
    mbedtls_x509write_cert w;
    mbedtls_x509_san_list san = {
        .node = {.type = MBEDTLS_X509_SAN_DNS_NAME,
                 .san.unstructured_name = {.p = (unsigned char *)"localhost", .len = 9}}};

    mbedtls_x509write_crt_init(&w);
    mbedtls_x509write_crt_set_subject_key(&w, &key);
    mbedtls_x509write_crt_set_issuer_key(&w, &key);
    mbedtls_x509write_crt_set_md_alg(&w, MBEDTLS_MD_SHA256);
    assert(mbedtls_x509write_crt_set_subject_name(&w, "CN=localhost") == 0);
    assert(mbedtls_x509write_crt_set_issuer_name(&w, "CN=localhost") == 0);
    assert(mbedtls_x509write_crt_set_serial_raw(&w, (unsigned char *)"\1", 1) == 0);
    assert(mbedtls_x509write_crt_set_validity(&w, "20200101000000", "20991231235959") == 0);
    assert(mbedtls_x509write_crt_set_basic_constraints(&w, 1, 0) == 0);
    assert(mbedtls_x509write_crt_set_subject_alternative_name(&w, &san) == 0);
    assert(mbedtls_x509write_crt_pem(&w, pem, ROOT_SIZE, random_bytes, NULL) == 0);
    mbedtls_x509write_crt_free(&w);
    mbedtls_x509_crt_init(&cert);
    assert(mbedtls_x509_crt_parse(&cert, pem, strlen((char *)pem) + 1) == 0);
}

static void remove_root(void)
{
    unlink(root);
}

static void listen_somewhere(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);

    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 8) == 0);
    assert(getsockname(listener, (struct sockaddr *)&a, &size) == 0);
    port = ntohs(a.sin_port);
}

static void set_up_once(void)
{
    static bool done;
    unsigned char pem[ROOT_SIZE];
    int fd;

    if (done) {
        return;
    }
    done = true;
    assert(psa_crypto_init() == PSA_SUCCESS);
    make_key();
    make_cert(pem);
    fd = mkstemp(root);
    assert(fd >= 0 && write(fd, pem, strlen((char *)pem)) > 0);
    close(fd);
    atexit(remove_root);
    listen_somewhere();
    setenv("HOME", "/nonexistent", 1);
}

/* --- the peer --------------------------------------------------------------------------- */

/* Applies the input's changes to the part of the stream that goes out now. */
static void change(const struct peer *p, unsigned char *buf, size_t len)
{
    for (size_t i = 0; i + 2 < p->len; i += 3) {
        size_t at = (size_t)p->rest[i] << 8 | p->rest[i + 1];

        if (at >= p->sent && at < p->sent + len) {
            buf[at - p->sent] ^= p->rest[i + 2];
        }
    }
}

static int send_tls(void *arg, const unsigned char *buf, size_t len)
{
    struct peer *p = arg;
    unsigned char copy[20000];
    ssize_t n;

    if (len > sizeof(copy)) {
        len = sizeof(copy);
    }
    memcpy(copy, buf, len);
    if (p->kind != SERVER) {
        change(p, copy, len);
    }
    n = send(p->fd, copy, len, MSG_NOSIGNAL);
    if (n <= 0) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    p->sent += (size_t)n;
    p->moved += (size_t)n;
    return (int)n;
}

static int receive_tls(void *arg, unsigned char *buf, size_t len)
{
    struct peer *p = arg;
    ssize_t n = recv(p->fd, buf, len, 0);

    if (n < 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    p->moved += (size_t)n;
    return (int)n;
}

/* The next piece of the input; false at its end. */
static bool next_piece(struct peer *p, const uint8_t **piece, size_t *len)
{
    if (p->at >= p->len) {
        return false;
    }
    *len = p->rest[p->at++];
    if (*len > p->len - p->at) {
        *len = p->len - p->at;
    }
    *piece = p->rest + p->at;
    p->at += *len;
    return true;
}

static bool say_pieces(struct peer *p)
{
    unsigned char ignored[4096];
    const uint8_t *piece;
    size_t len;

    if (p->kind == RAW) {
        (void)!recv(p->fd, ignored, sizeof(ignored), 0);
    } else {
        (void)mbedtls_ssl_read(&p->ssl, ignored, sizeof(ignored));
    }
    if (!next_piece(p, &piece, &len)) {
        return false;
    }
    p->moved++;
    if (len > 0 && p->kind == RAW) {
        (void)!send(p->fd, piece, len, MSG_NOSIGNAL);
    } else if (len > 0) {
        (void)mbedtls_ssl_write(&p->ssl, piece, len);
    }
    return true;
}

static void greet(struct peer *p)
{
    static const unsigned char READY[] = "R\0\0\0\x08\0\0\0\0Z\0\0\0\5I";

    if (p->kind == CHANGED_SERVER) {
        (void)mbedtls_ssl_write(&p->ssl, READY, sizeof(READY) - 1);
    }
}

/* One step; false when the peer has nothing more to do. */
static bool peer_step(struct peer *p)
{
    unsigned char request[8];
    int rc;

    if (!p->requested) {
        if (recv(p->fd, request, sizeof(request), 0) == sizeof(request)) {
            p->requested = true;
            p->moved += sizeof(request);
            (void)!(p->kind != RAW && send(p->fd, "S", 1, MSG_NOSIGNAL));
        }
        return true;
    }
    if (p->kind == RAW) {
        return say_pieces(p);
    }
    if (!p->over) {
        rc = mbedtls_ssl_handshake(&p->ssl);
        p->over = rc == 0;
        if (p->over) {
            greet(p);
        }
        return rc == 0 || rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return p->kind == SERVER ? say_pieces(p) : true;
}

static void peer_init(struct peer *p, const uint8_t *data, size_t len)
{
    *p = (struct peer){.kind = data[0] & 3, .fd = -1, .rest = data + 1, .len = len - 1};
    p->requested = data[0] & 8; /* direct: no request comes */
    mbedtls_ssl_init(&p->ssl);
    mbedtls_ssl_config_init(&p->conf);
    assert(mbedtls_ssl_config_defaults(&p->conf, MBEDTLS_SSL_IS_SERVER,
                                       MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT) == 0);
    mbedtls_ssl_conf_rng(&p->conf, random_bytes, NULL);
    assert(mbedtls_ssl_conf_own_cert(&p->conf, &cert, &key) == 0);
    assert(mbedtls_ssl_conf_alpn_protocols(&p->conf, (const char **)PROTOCOLS) == 0);
    if (data[0] & 4) {
        mbedtls_ssl_conf_max_tls_version(&p->conf, MBEDTLS_SSL_VERSION_TLS1_2);
    }
    assert(mbedtls_ssl_setup(&p->ssl, &p->conf) == 0);
    mbedtls_ssl_set_bio(&p->ssl, p, send_tls, receive_tls, NULL);
}

/* By a reset, so that no port is kept busy afterwards. */
static void hang_up(struct peer *p)
{
    struct linger at_once = {.l_onoff = 1};

    if (p->fd >= 0) {
        setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close(p->fd);
        p->fd = -1;
    }
}

static void peer_fini(struct peer *p)
{
    hang_up(p);
    mbedtls_ssl_free(&p->ssl);
    mbedtls_ssl_config_free(&p->conf);
}

/* --- the client ------------------------------------------------------------------------- */

/* One step of whatever comes next; false when the connection is done with. */
static bool client_step(PGconn *conn, PostgresPollingStatusType *step, bool *asked)
{
    if (*step != PGRES_POLLING_OK) {
        *step = PQconnectPoll(conn);
        return *step != PGRES_POLLING_FAILED;
    }
    if (!*asked) {
        *asked = true;
        PQsetnonblocking(conn, 1);
        return PQsendQuery(conn, "select 1") && PQflush(conn) >= 0;
    }
    if (!PQconsumeInput(conn)) {
        return false;
    }
    if (!PQisBusy(conn)) {
        PGresult *res = PQgetResult(conn);

        PQclear(res);
        return res != NULL;
    }
    return true;
}

static void look_at(PGconn *conn)
{
    const char *const *names = PQsslAttributeNames(conn);

    for (size_t i = 0; names[i]; i++) {
        (void)PQsslAttribute(conn, names[i]);
    }
    (void)strlen(PQerrorMessage(conn));
}

static void ignore_notice(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static void play(PGconn *conn, struct peer *p)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    bool asked = false, open = true;
    int idle = 0;

    for (int i = 0; i < STEPS && idle < IDLE; i++) {
        size_t before = p->moved;

        if (!client_step(conn, &step, &asked)) {
            break;
        }
        open = open && peer_step(p);
        idle = p->moved == before ? idle + 1 : 0;
    }
    look_at(conn);
    hang_up(p);
    for (int i = 0; i < IDLE && client_step(conn, &step, &asked); i++) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char conninfo[256];
    struct peer p;
    PGconn *conn;

    if (len < 1) {
        return 0;
    }
    set_up_once();
    start_random();
    peer_init(&p, data, len);
    snprintf(conninfo, sizeof(conninfo),
             "host=localhost hostaddr=127.0.0.1 port=%u user=x dbname=x password=x sslrootcert=%s "
             "sslmode=%s sslnegotiation=%s",
             port, data[0] & 16 ? root : "/nonexistent", data[0] & 16 ? "verify-full" : "require",
             data[0] & 8 ? "direct" : "postgres");
    conn = PQconnectStart(conninfo);
    p.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert(conn && p.fd >= 0);
    setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* else it does wait */
    PQsetNoticeProcessor(conn, ignore_notice, NULL);
    play(conn, &p);
    peer_fini(&p);
    PQfinish(conn);
    return 0;
}
