/* SPDX-License-Identifier: PostgreSQL */
/*
 * tls_config.c: who we are and whom we believe; see tls.h.
 *
 * Everything is set before the first session is made of it and never after, as the library reads a
 * configuration without a lock.
 */
#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include <mbedtls/oid.h>

#include "base/alloc.h"
#include "os/entropy.h"
#include "tls/crypto.h"
#include "tls/tls_private.h"

/* The library sends a chain in one record, whose room is set at compile time. */
#define CHAIN_MAX (MBEDTLS_SSL_OUT_CONTENT_LEN - 256)

struct tls_config {
    atomic_uint refs;
    enum tls_side side;
    enum tls_peer peer;
    tls_verify *verify;
    void *verify_arg;
    mbedtls_ssl_config library;
    mbedtls_x509_crt chain, ca;
    mbedtls_pk_context key;
};

/* --- what is offered and taken --- */

static const int suites_1_3[] = {MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS1_3_AES_128_GCM_SHA256, 0};

static const int suites_1_2[] = {MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                                 MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                 MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                                 0};

static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* RSA is for servers' own certificates and those of other people's servers. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256, MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512, MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,       MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,       MBEDTLS_TLS1_3_SIG_NONE};

/* Certificates of agents, and of the authorities above them. */
static const mbedtls_x509_crt_profile agent_profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
                   MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) |
                      MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1),
    .rsa_min_bitlen = 0,
};

int tls_random(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    entropy_fill(out, len);
    return 0;
}

/* --- texts --- */

/* The library wants a NUL that counts; the copy is wiped, as it may be a key. */
static int parse(struct str pem, int (*take)(struct tls_config *, const unsigned char *, size_t),
                 struct tls_config *c)
{
    unsigned char *copy = alloc_new(pem.len + 1);
    int result;

    if (pem.len > 0)
        memcpy(copy, pem.ptr, pem.len);
    result = take(c, copy, pem.len + 1);
    crypto_wipe(copy, pem.len + 1);
    alloc_free(copy);
    return result;
}

static int take_chain(struct tls_config *c, const unsigned char *pem, size_t len)
{
    return mbedtls_x509_crt_parse(&c->chain, pem, len);
}

static int take_ca(struct tls_config *c, const unsigned char *pem, size_t len)
{
    return mbedtls_x509_crt_parse(&c->ca, pem, len);
}

static int take_key(struct tls_config *c, const unsigned char *pem, size_t len)
{
    return mbedtls_pk_parse_key(&c->key, pem, len, NULL, 0, tls_random, NULL);
}

/* As the handshake carries it. */
static size_t chain_bytes(const mbedtls_x509_crt *chain)
{
    size_t sum = 0;

    for (const mbedtls_x509_crt *crt = chain; crt != NULL; crt = crt->next)
        sum += crt->raw.len + 5;
    return sum;
}

static enum err_code read_own(struct tls_config *c, const struct tls_config_spec *spec,
                              struct err *e)
{
    if (spec->chain_pem.len == 0)
        return spec->side == TLS_CLIENT ? ERR_OK
                                        : err_set(e, ERR_INVALID, "a server needs a certificate");
    if (parse(spec->chain_pem, take_chain, c) != 0)
        return err_set(e, ERR_INVALID, "the certificate cannot be read: PEM is expected");
    if (chain_bytes(&c->chain) > CHAIN_MAX)
        return err_set(e, ERR_INVALID, "the certificate and its chain have more than %d bytes",
                       CHAIN_MAX);
    if (parse(spec->key_pem, take_key, c) != 0)
        return err_set(e, ERR_INVALID,
                       "the private key cannot be read: PEM without encryption is expected");
    if (mbedtls_pk_check_pair(&c->chain.pk, &c->key, tls_random, NULL) != 0)
        return err_set(e, ERR_INVALID, "the private key does not belong to the certificate");
    if (mbedtls_ssl_conf_own_cert(&c->library, &c->chain, &c->key) != 0)
        return err_set(e, ERR_BUG, "the certificate was not taken");
    return ERR_OK;
}

static enum err_code read_ca(struct tls_config *c, const struct tls_config_spec *spec,
                             struct err *e)
{
    if (spec->peer == TLS_PEER_UNKNOWN)
        return ERR_OK;
    if (spec->ca_pem.len == 0)
        return err_set(e, ERR_INVALID, "no certificate authority is given to check peers against");
    if (parse(spec->ca_pem, take_ca, c) != 0)
        return err_set(e, ERR_INVALID, "the certificate authority cannot be read: PEM is expected");
    mbedtls_ssl_conf_ca_chain(&c->library, &c->ca, NULL);
    return ERR_OK;
}

/* --- a peer's certificate --- */

static bool is_for_clients(const mbedtls_x509_crt *leaf)
{
    return mbedtls_x509_crt_has_ext_type(leaf, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) &&
           mbedtls_x509_crt_check_extended_key_usage(
               leaf, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) == 0;
}

enum err_code tls_config_judge(const struct tls_config *c, const mbedtls_x509_crt *leaf,
                               struct err *e)
{
    if (c->peer == TLS_PEER_AGENT) {
        if (leaf->version != 3)
            return err_set(e, ERR_DENIED, "the certificate is not of version 3");
        if (mbedtls_x509_crt_get_ca_istrue(leaf) == 1)
            return err_set(e, ERR_DENIED, "the certificate is an authority's own");
        if (!is_for_clients(leaf))
            return err_set(e, ERR_DENIED, "the certificate is not for clients (clientAuth)");
    }
    if (c->verify == NULL)
        return ERR_OK;
    return c->verify(c->verify_arg, str_make((const char *)leaf->raw.p, leaf->raw.len), e);
}

/* --- life cycle --- */

static void set_versions(struct tls_config *c, enum tls_floor floor)
{
    bool old = c->side == TLS_CLIENT && floor == TLS_FLOOR_1_2;

    mbedtls_ssl_conf_min_tls_version(&c->library,
                                     old ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_max_tls_version(&c->library, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(&c->library, old ? suites_1_2 : suites_1_3);
    mbedtls_ssl_conf_groups(&c->library, groups);
    mbedtls_ssl_conf_sig_algs(&c->library, signatures);
    mbedtls_ssl_conf_tls13_key_exchange_modes(&c->library,
                                              MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
    mbedtls_ssl_conf_rng(&c->library, tls_random, NULL);
}

static enum err_code set_up(struct tls_config *c, const struct tls_config_spec *spec, struct err *e)
{
    int side = spec->side == TLS_SERVER ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    enum err_code rc;

    if (mbedtls_ssl_config_defaults(&c->library, side, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return err_set(e, ERR_BUG, "TLS defaults");
    set_versions(c, spec->floor);
    mbedtls_ssl_conf_authmode(&c->library, spec->peer == TLS_PEER_UNKNOWN
                                               ? MBEDTLS_SSL_VERIFY_NONE
                                               : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (spec->peer == TLS_PEER_AGENT)
        mbedtls_ssl_conf_cert_profile(&c->library, &agent_profile);
    rc = read_own(c, spec, e);
    return rc == ERR_OK ? read_ca(c, spec, e) : rc;
}

static void config_free(struct tls_config *c)
{
    mbedtls_ssl_config_free(&c->library);
    mbedtls_x509_crt_free(&c->chain);
    mbedtls_x509_crt_free(&c->ca);
    mbedtls_pk_free(&c->key);
    alloc_free(c);
}

enum err_code tls_config_new(const struct tls_config_spec *spec, struct tls_config **out,
                             struct err *e)
{
    struct tls_config *c = alloc_new(sizeof(*c));
    enum err_code rc;

    assert(spec->side == TLS_SERVER ? spec->peer != TLS_PEER_CHECKED
                                    : spec->peer != TLS_PEER_AGENT);
    atomic_init(&c->refs, 1);
    c->side = spec->side;
    c->peer = spec->peer;
    c->verify = spec->verify;
    c->verify_arg = spec->verify_arg;
    mbedtls_ssl_config_init(&c->library);
    mbedtls_x509_crt_init(&c->chain);
    mbedtls_x509_crt_init(&c->ca);
    mbedtls_pk_init(&c->key);
    rc = set_up(c, spec, e);
    if (rc == ERR_OK)
        *out = c;
    else
        config_free(c);
    return rc;
}

struct tls_config *tls_config_ref(struct tls_config *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void tls_config_unref(struct tls_config *c)
{
    if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
        config_free(c);
}

struct str tls_config_certificate(const struct tls_config *c)
{
    return str_make((const char *)c->chain.raw.p, c->chain.raw.len);
}

void tls_config_tighten(void *library)
{
    mbedtls_ssl_conf_cert_profile(library, &mbedtls_x509_crt_profile_default);
    mbedtls_ssl_conf_groups(library, groups);
}

const mbedtls_ssl_config *tls_config_library(const struct tls_config *c)
{
    return &c->library;
}

enum tls_side tls_config_side(const struct tls_config *c)
{
    return c->side;
}

enum tls_peer tls_config_peer(const struct tls_config *c)
{
    return c->peer;
}
