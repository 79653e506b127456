/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_key.c: P-256 keys over Mbed TLS.
 *
 * Signing blinds with random bytes, so both making and using a key read getrandom(2).
 */
#include "tls/x509_key.h"

#include <mbedtls/asn1.h>
#include <mbedtls/ecp.h>
#include <mbedtls/psa_util.h>

#include <string.h>

#include "base/alloc.h"
#include "os/entropy.h"
#include "tls/crypto.h"
#include "tls/hash.h"
#include "tls/x509_internal.h"

#define CURVE_BITS 256
#define PEM_BEGIN  STR("-----BEGIN ")

int x509_key_random(void *arg, unsigned char *out, size_t len)
{
    (void)arg;
    entropy_fill(out, len);
    return 0;
}

bool x509_key_is_p256(const mbedtls_pk_context *pk)
{
    return mbedtls_pk_get_type(pk) == MBEDTLS_PK_ECKEY &&
           mbedtls_ecp_keypair_get_group_id(mbedtls_pk_ec(*pk)) == MBEDTLS_ECP_DP_SECP256R1;
}

static struct x509_key *new_key(void)
{
    struct x509_key *k = alloc_new(sizeof(*k));

    mbedtls_pk_init(&k->pk);
    return k;
}

enum err_code x509_key_make(struct x509_key **out, struct err *e)
{
    struct x509_key *k = new_key();
    int result = mbedtls_pk_setup(&k->pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));

    if (result == 0)
        result = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(k->pk),
                                     x509_key_random, NULL);
    if (result != 0) {
        x509_key_free(k);
        return err_set(e, ERR_BUG, "a key cannot be made (%d)", result);
    }
    *out = k;
    return ERR_OK;
}

enum err_code x509_key_input(struct str in, size_t max, struct buf *copy, struct err *e)
{
    size_t at;

    if (in.len == 0 || in.len > max)
        return err_set(e, in.len == 0 ? ERR_INVALID : ERR_LIMIT,
                       "a certificate, request or key has a wrong size");
    buf_add_str(copy, in);
    if (str_find(in, PEM_BEGIN, &at))
        buf_add_char(copy, '\0');
    return buf_check(copy, e);
}

enum err_code x509_key_read(struct str pem, struct x509_key **out, struct err *e)
{
    struct x509_key *k = new_key();
    struct buf copy;
    enum err_code rc;

    buf_init(&copy, X509_KEY_PEM_MAX + 64);
    rc = x509_key_input(pem, X509_KEY_PEM_MAX, &copy, e);
    if (rc == ERR_OK && (mbedtls_pk_parse_key(&k->pk, (const unsigned char *)copy.ptr, copy.len,
                                              NULL, 0, x509_key_random, NULL) != 0 ||
                         !x509_key_is_p256(&k->pk)))
        rc = err_set(e, ERR_INVALID, "this is no private key on P-256");
    crypto_wipe(copy.ptr, copy.len);
    buf_fini(&copy);
    if (rc == ERR_OK)
        *out = k;
    else
        x509_key_free(k);
    return rc;
}

void x509_key_free(struct x509_key *k)
{
    if (k == NULL)
        return;
    mbedtls_pk_free(&k->pk);
    alloc_free(k);
}

enum err_code x509_key_write(const struct x509_key *k, struct buf *pem, struct err *e)
{
    unsigned char text[X509_KEY_PEM_MAX];
    int result = mbedtls_pk_write_key_pem(&k->pk, text, sizeof(text));

    if (result == 0)
        buf_add_c(pem, (const char *)text);
    crypto_wipe(text, sizeof(text));
    if (result != 0)
        return err_set(e, ERR_BUG, "a key cannot be written (%d)", result);
    return buf_check(pem, e);
}

enum err_code x509_key_to_public(const mbedtls_pk_context *pk, struct x509_public *out,
                                 struct err *e)
{
    unsigned char der[2 * X509_PUBLIC_BYTES];
    int len;

    if (!x509_key_is_p256(pk))
        return err_set(e, ERR_INVALID, "the key is not on P-256");
    len = mbedtls_pk_write_pubkey_der(pk, der, sizeof(der));
    if (len != X509_PUBLIC_BYTES)
        return err_set(e, ERR_INVALID, "the key has a form that is not taken");
    memcpy(out->der, der + sizeof(der) - X509_PUBLIC_BYTES, X509_PUBLIC_BYTES);
    return ERR_OK;
}

enum err_code x509_key_of_public(const struct x509_public *key, mbedtls_pk_context *out,
                                 struct err *e)
{
    if (mbedtls_pk_parse_public_key(out, key->der, sizeof(key->der)) != 0 || !x509_key_is_p256(out))
        return err_set(e, ERR_INVALID, "this is no public key on P-256");
    return ERR_OK;
}

void x509_key_public(const struct x509_key *k, struct x509_public *out)
{
    struct err e;

    if (x509_key_to_public(&k->pk, out, &e) != ERR_OK)
        memset(out, 0, sizeof(*out)); /* cannot be: the key was made or read here */
}

bool x509_key_fits(const struct x509_key *k, const struct x509_facts *certificate)
{
    struct x509_public mine;

    x509_key_public(k, &mine);
    return memcmp(mine.der, certificate->key.der, sizeof(mine.der)) == 0;
}

enum err_code x509_key_sign(struct x509_key *k, struct str bytes,
                            unsigned char out[X509_SIGNATURE_BYTES], struct err *e)
{
    unsigned char hash[HASH_BYTES], der[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    size_t der_len = 0, raw_len = 0;
    int result;

    hash_sha256(bytes, hash);
    result = mbedtls_pk_sign(&k->pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), der, sizeof(der),
                             &der_len, x509_key_random, NULL);
    if (result == 0)
        result = mbedtls_ecdsa_der_to_raw(CURVE_BITS, der, der_len, out, X509_SIGNATURE_BYTES,
                                          &raw_len);
    if (result != 0 || raw_len != X509_SIGNATURE_BYTES)
        return err_set(e, ERR_BUG, "signing failed (%d)", result);
    return ERR_OK;
}

enum err_code x509_key_check(const struct x509_public *key, struct str bytes, struct str signature,
                             struct err *e)
{
    unsigned char hash[HASH_BYTES], der[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
    mbedtls_pk_context pk;
    size_t der_len = 0;
    enum err_code rc;

    if (signature.len != X509_SIGNATURE_BYTES ||
        mbedtls_ecdsa_raw_to_der(CURVE_BITS, (const unsigned char *)signature.ptr, signature.len,
                                 der, sizeof(der), &der_len) != 0)
        return err_set(e, ERR_DENIED, "the signature has a wrong form");
    hash_sha256(bytes, hash);
    mbedtls_pk_init(&pk);
    rc = x509_key_of_public(key, &pk, e);
    if (rc == ERR_OK &&
        mbedtls_pk_verify(&pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), der, der_len) != 0)
        rc = err_set(e, ERR_DENIED, "the signature is wrong");
    mbedtls_pk_free(&pk);
    return rc;
}
