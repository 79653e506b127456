/* SPDX-License-Identifier: PostgreSQL */
/*
 * tls_session.c: one TLS connection; see tls.h.
 *
 * The library keeps a record that the transport did not take and, asked again, sends that record
 * and reports the length of the new call. `owed` is what the record holds, so that a caller whose
 * buffer has grown meanwhile is told the truth.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/error.h>

#include "base/alloc.h"
#include "tls/tls_private.h"

struct tls_session {
    mbedtls_ssl_context library;
    struct tls_config *config;
    struct tls_io io;
    size_t owed; /* bytes of a write that is under way */
    bool shaken, failed, judged;
    struct err why;
};

/* --- transport --- */

static int give(void *arg, const unsigned char *from, size_t len)
{
    struct tls_session *s = arg;
    ssize_t n = s->io.write(s->io.arg, from, len);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE
                                             : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int get(void *arg, unsigned char *to, size_t len)
{
    struct tls_session *s = arg;
    ssize_t n = s->io.read(s->io.arg, to, len);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_SSL_CONN_EOF;
}

static ssize_t socket_read(void *arg, void *to, size_t len)
{
    return recv((int)(intptr_t)arg, to, len, MSG_DONTWAIT);
}

static ssize_t socket_write(void *arg, const void *from, size_t len)
{
    return send((int)(intptr_t)arg, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct tls_io tls_io_of_socket(int fd)
{
    return (struct tls_io){.read = socket_read, .write = socket_write, .arg = (void *)(intptr_t)fd};
}

/* --- errors --- */

static void refuse(struct tls_session *s)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->library);
    char text[ERR_TEXT_MAX] = "";

    if (s->why.code != ERR_OK)
        return; /* tls_config_judge said it */
    if (mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) < 0)
        text[0] = '\0';
    for (char *p = text; *p != '\0'; p++)
        *p = *p == '\n' ? (p[1] == '\0' ? '\0' : ';') : *p;
    (void)err_set(&s->why, ERR_DENIED, "the peer's certificate is not taken: %s", text);
}

/* Whether the peer's certificate was looked at, and not taken. */
static bool is_refused(const struct tls_session *s)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&s->library);

    return !s->shaken && flags != 0 && flags != UINT32_MAX &&
           tls_config_peer(s->config) != TLS_PEER_UNKNOWN;
}

static enum tls_step fail(struct tls_session *s, int result)
{
    char text[128];

    s->failed = true;
    if (result == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE) {
        (void)err_set(&s->why, ERR_DENIED, "the peer showed no certificate");
    } else if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED || is_refused(s)) {
        refuse(s);
    } else if (result == MBEDTLS_ERR_SSL_CONN_EOF || result == 0) {
        (void)err_set(&s->why, ERR_UNREACHABLE, "the connection was cut");
    } else if (s->why.code == ERR_OK) {
        mbedtls_strerror(result, text, sizeof(text));
        (void)err_set(&s->why, ERR_INVALID, "TLS: %s", text);
    }
    return TLS_FAILED;
}

/* What the library says, as a step; results that ask for the same call again never come here. */
static enum tls_step step_of(struct tls_session *s, int result)
{
    if (result == MBEDTLS_ERR_SSL_WANT_READ)
        return TLS_WANT_READ;
    if (result == MBEDTLS_ERR_SSL_WANT_WRITE)
        return TLS_WANT_WRITE;
    if (result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return TLS_END;
    return fail(s, result);
}

/* A ticket came, which we do not keep. */
static bool is_again(int result)
{
    return result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
}

enum err_code tls_session_why(const struct tls_session *s, struct err *e)
{
    if (e != NULL)
        *e = s->why;
    return s->why.code;
}

/* --- life cycle --- */

static int judge(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    struct tls_session *s = arg;

    if (depth > 0 || *flags != 0)
        return 0;
    s->judged = true;
    if (tls_config_judge(s->config, crt, &s->why) != ERR_OK)
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}

enum err_code tls_session_new(struct tls_config *c, const struct tls_io *io, const char *name,
                              struct tls_session **out, struct err *e)
{
    struct tls_session *s = alloc_new(sizeof(*s));

    assert((tls_config_side(c) == TLS_CLIENT) == (name != NULL));
    s->config = tls_config_ref(c);
    s->io = *io;
    mbedtls_ssl_init(&s->library);
    if (mbedtls_ssl_setup(&s->library, tls_config_library(c)) != 0 ||
        (name != NULL && mbedtls_ssl_set_hostname(&s->library, name) != 0)) {
        tls_session_free(s);
        return err_set(e, ERR_LIMIT, "no memory for a TLS connection, or an impossible name");
    }
    mbedtls_ssl_set_verify(&s->library, judge, s);
    mbedtls_ssl_set_bio(&s->library, s, give, get, NULL);
    *out = s;
    return ERR_OK;
}

void tls_session_free(struct tls_session *s)
{
    if (s == NULL)
        return;
    mbedtls_ssl_free(&s->library);
    tls_config_unref(s->config);
    alloc_free(s);
}

/* --- handshake --- */

/* The library has said yes; look again at what must hold, whatever its options were. */
static enum tls_step confirm(struct tls_session *s)
{
    bool checked = tls_config_peer(s->config) != TLS_PEER_UNKNOWN;

    if (tls_config_side(s->config) == TLS_SERVER &&
        mbedtls_ssl_get_version_number(&s->library) != MBEDTLS_SSL_VERSION_TLS1_3)
        return fail(s, MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION);
    if (checked && mbedtls_ssl_get_peer_cert(&s->library) == NULL)
        return fail(s, MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE);
    if (checked && (!s->judged || mbedtls_ssl_get_verify_result(&s->library) != 0))
        return fail(s, MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
    s->shaken = true;
    return TLS_DONE;
}

enum tls_step tls_session_shake(struct tls_session *s)
{
    int result;

    assert(!s->shaken);
    if (s->failed)
        return TLS_FAILED;
    do
        result = mbedtls_ssl_handshake(&s->library);
    while (is_again(result));
    if (result == 0)
        return confirm(s);
    return step_of(s,
                   result == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ? MBEDTLS_ERR_SSL_CONN_EOF : result);
}

/* --- data --- */

enum tls_step tls_session_read(struct tls_session *s, void *to, size_t len, size_t *got)
{
    int result;

    assert(s->shaken && len > 0);
    *got = 0;
    if (s->failed)
        return TLS_FAILED;
    do
        result = mbedtls_ssl_read(&s->library, to, len);
    while (is_again(result));
    if (result <= 0)
        return step_of(s, result);
    *got = (size_t)result;
    return TLS_DONE;
}

enum tls_step tls_session_write(struct tls_session *s, const void *from, size_t len, size_t *put)
{
    int most = mbedtls_ssl_get_max_out_record_payload(&s->library), result;

    assert(s->shaken && len > 0 && len >= s->owed);
    *put = 0;
    if (s->failed)
        return TLS_FAILED;
    if (most > 0 && len > (size_t)most)
        len = (size_t)most;
    if (s->owed > 0)
        len = s->owed;
    do
        result = mbedtls_ssl_write(&s->library, from, len);
    while (is_again(result));
    s->owed = result == MBEDTLS_ERR_SSL_WANT_WRITE ? len : 0;
    if (result <= 0)
        return step_of(s, result);
    *put = (size_t)result;
    return TLS_DONE;
}

enum tls_step tls_session_end(struct tls_session *s)
{
    int result;

    if (s->failed || !s->shaken)
        return TLS_FAILED;
    result = mbedtls_ssl_close_notify(&s->library);
    return result == 0 ? TLS_DONE : step_of(s, result);
}

/* --- query --- */

size_t tls_session_pending(const struct tls_session *s)
{
    return mbedtls_ssl_get_bytes_avail(&s->library);
}

struct str tls_session_peer(const struct tls_session *s)
{
    const mbedtls_x509_crt *crt = s->shaken ? mbedtls_ssl_get_peer_cert(&s->library) : NULL;

    if (crt == NULL)
        return (struct str){NULL, 0};
    return str_make((const char *)crt->raw.p, crt->raw.len);
}

const char *tls_session_version(const struct tls_session *s)
{
    return mbedtls_ssl_get_version(&s->library);
}

const char *tls_session_suite(const struct tls_session *s)
{
    const char *name = mbedtls_ssl_get_ciphersuite(&s->library);

    return name != NULL ? name : "";
}
