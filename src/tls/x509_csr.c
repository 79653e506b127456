/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_csr.c: certificate requests over Mbed TLS.
 *
 * The parsed request keeps its signature in members that the library calls private; there is no
 * other way to check possession of the key with it. The version is pinned.
 */
#include "tls/x509_csr.h"

#include <mbedtls/x509_csr.h>

#include <string.h>

#include "base/alloc.h"
#include "tls/hash.h"
#include "tls/x509_internal.h"

enum err_code x509_csr_make(struct x509_key *k, struct buf *pem, struct err *e)
{
    unsigned char text[X509_CSR_MAX];
    mbedtls_x509write_csr csr;
    int result;

    mbedtls_x509write_csr_init(&csr);
    mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
    mbedtls_x509write_csr_set_key(&csr, &k->pk);
    result = mbedtls_x509write_csr_set_subject_name(&csr, "CN=pga agent");
    if (result == 0)
        result = mbedtls_x509write_csr_pem(&csr, text, sizeof(text), x509_key_random, NULL);
    mbedtls_x509write_csr_free(&csr);
    if (result != 0)
        return err_set(e, ERR_BUG, "a certificate request cannot be made (%d)", result);
    buf_add_c(pem, (const char *)text);
    return buf_check(pem, e);
}

static enum err_code check_possession(mbedtls_x509_csr *csr, struct err *e)
{
    const mbedtls_x509_buf *signature = &csr->MBEDTLS_PRIVATE(sig);
    unsigned char hash[HASH_BYTES];

    if (csr->MBEDTLS_PRIVATE(sig_pk) != MBEDTLS_PK_ECDSA ||
        csr->MBEDTLS_PRIVATE(sig_md) != MBEDTLS_MD_SHA256)
        return err_set(e, ERR_INVALID, "the request is not signed by ECDSA with SHA-256");
    hash_sha256(str_make(csr->cri.p, csr->cri.len), hash);
    if (mbedtls_pk_verify(&csr->pk, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature->p,
                          signature->len) != 0)
        return err_set(e, ERR_DENIED, "the request is not signed by its own key");
    return ERR_OK;
}

enum err_code x509_csr_read(struct str csr, struct x509_public *out, struct err *e)
{
    mbedtls_x509_csr parsed;
    struct buf copy;
    enum err_code rc;

    mbedtls_x509_csr_init(&parsed);
    buf_init(&copy, X509_CSR_MAX + 64);
    rc = x509_key_input(csr, X509_CSR_MAX, &copy, e);
    if (rc == ERR_OK &&
        mbedtls_x509_csr_parse(&parsed, (const unsigned char *)copy.ptr, copy.len) != 0)
        rc = err_set(e, ERR_INVALID, "this is no certificate request");
    if (rc == ERR_OK)
        rc = x509_key_to_public(&parsed.pk, out, e);
    if (rc == ERR_OK)
        rc = check_possession(&parsed, e);
    mbedtls_x509_csr_free(&parsed);
    buf_fini(&copy);
    return rc;
}
