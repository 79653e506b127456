/* SPDX-License-Identifier: PostgreSQL */
/* tls_fixture.c: see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_fixture.h"

#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/x509_crt.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/entropy.h"

static int fill(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    entropy_fill(out, len);
    return 0;
}

static void make_key(struct fixture_cert *out)
{
    mbedtls_pk_init(&out->key);
    assert_int_equal(mbedtls_pk_setup(&out->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
    assert_int_equal(
        mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(out->key), fill, NULL), 0);
    assert_int_equal(
        mbedtls_pk_write_key_pem(&out->key, (unsigned char *)out->pem, sizeof(out->pem)), 0);
}

static void set_use(mbedtls_x509write_cert *w, enum fixture_use use)
{
    static char client[] = MBEDTLS_OID_CLIENT_AUTH, server[] = MBEDTLS_OID_SERVER_AUTH;
    mbedtls_asn1_sequence one = {.buf = {.tag = MBEDTLS_ASN1_OID}};

    if (use == FIXTURE_ANY)
        return;
    one.buf.p = (unsigned char *)(use == FIXTURE_CLIENT ? client : server);
    one.buf.len = strlen((char *)one.buf.p);
    assert_int_equal(mbedtls_x509write_crt_set_ext_key_usage(w, &one), 0);
}

static void set_name(mbedtls_x509write_cert *w, const char *dns)
{
    mbedtls_x509_san_list san = {.node = {.type = MBEDTLS_X509_SAN_DNS_NAME}};

    if (dns == NULL)
        return;
    san.node.san.unstructured_name.p = (unsigned char *)(uintptr_t)dns;
    san.node.san.unstructured_name.len = strlen(dns);
    assert_int_equal(mbedtls_x509write_crt_set_subject_alternative_name(w, &san), 0);
}

static void set_fields(mbedtls_x509write_cert *w, const struct fixture_want *want,
                       const struct fixture_cert *out, const struct fixture_cert *issuer)
{
    unsigned char serial[8];

    entropy_fill(serial, sizeof(serial));
    serial[0] = 1;
    mbedtls_x509write_crt_set_version(w, want->version == 1 ? MBEDTLS_X509_CRT_VERSION_1
                                                            : MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(w, MBEDTLS_MD_SHA256);
    assert_int_equal(mbedtls_x509write_crt_set_serial_raw(w, serial, sizeof(serial)), 0);
    assert_int_equal(mbedtls_x509write_crt_set_subject_name(w, out->name), 0);
    assert_int_equal(mbedtls_x509write_crt_set_issuer_name(w, issuer->name), 0);
    assert_int_equal(mbedtls_x509write_crt_set_validity(w,
                                                        want->from ? want->from : "20200101000000",
                                                        want->to ? want->to : "20990101000000"),
                     0);
}

void fixture_make(struct fixture_cert *out, const struct fixture_want *want,
                  const struct fixture_cert *issuer)
{
    mbedtls_x509write_cert w;

    memset(out, 0, sizeof(*out));
    make_key(out);
    snprintf(out->name, sizeof(out->name), "CN=%s", want->name);
    if (issuer == NULL)
        issuer = out;
    mbedtls_x509write_crt_init(&w);
    set_fields(&w, want, out, issuer);
    mbedtls_x509write_crt_set_subject_key(&w, &out->key);
    mbedtls_x509write_crt_set_issuer_key(&w, (mbedtls_pk_context *)(uintptr_t)&issuer->key);
    if (want->version != 1) {
        assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&w, want->ca, -1), 0);
        set_use(&w, want->use);
        set_name(&w, want->dns);
    }
    assert_int_equal(
        mbedtls_x509write_crt_pem(&w, (unsigned char *)out->crt, sizeof(out->crt), fill, NULL), 0);
    mbedtls_x509write_crt_free(&w);
}

void fixture_free(struct fixture_cert *cert)
{
    mbedtls_pk_free(&cert->key);
}

/* --- memory in place of a network --- */

static ssize_t pipe_read(void *arg, void *to, size_t len)
{
    struct fixture_pipe *p = ((struct fixture_end *)arg)->in;
    size_t have = p->put - p->got;

    errno = EAGAIN;
    if (have == 0)
        return p->closed ? 0 : -1;
    if (p->piece > 0) {
        p->pause = !p->pause;
        if (p->pause)
            return -1;
        len = len < p->piece ? len : p->piece;
    }
    len = len < have ? len : have;
    memcpy(to, p->bytes + p->got, len);
    p->got += len;
    return (ssize_t)len;
}

static ssize_t pipe_write(void *arg, const void *from, size_t len)
{
    struct fixture_pipe *p = ((struct fixture_end *)arg)->out;

    if (p->got == p->put)
        p->got = p->put = 0;
    len = len < p->room ? len : p->room;
    if (p->piece > 0 && len > p->piece)
        len = p->piece;
    errno = EAGAIN;
    if (len == 0)
        return -1;
    assert_true(len <= sizeof(p->bytes) - p->put);
    memcpy(p->bytes + p->put, from, len);
    p->put += len;
    p->room -= len;
    return (ssize_t)len;
}

void fixture_pair_init(struct fixture_pair *pair, size_t piece)
{
    memset(pair, 0, sizeof(*pair));
    pair->up.piece = pair->down.piece = piece;
    pair->up.room = pair->down.room = SIZE_MAX;
    pair->client = (struct fixture_end){.in = &pair->down, .out = &pair->up};
    pair->server = (struct fixture_end){.in = &pair->up, .out = &pair->down};
}

struct tls_io fixture_io(struct fixture_end *end)
{
    return (struct tls_io){.read = pipe_read, .write = pipe_write, .arg = end};
}

static bool is_over(enum tls_step step)
{
    return step == TLS_DONE || step == TLS_FAILED;
}

void fixture_shake(struct tls_session *client, struct tls_session *server, enum tls_step *c,
                   enum tls_step *s)
{
    *c = *s = TLS_WANT_READ;
    for (int i = 0; i < 100000 && !(is_over(*c) && is_over(*s)); i++) {
        if (!is_over(*c))
            *c = tls_session_shake(client);
        if (!is_over(*s))
            *s = tls_session_shake(server);
        if ((*c == TLS_FAILED || *s == TLS_FAILED) && i > 1000)
            return; /* the other end waits for an answer that does not come */
    }
}
