/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_verify.c: chains of certificates (contract in x509.h).
 *
 * Of a bundle the self-issued certificates are trusted and the others may be links between a leaf
 * and them. What is trusted is decided by whoever keeps the bundle, or by x509_pin.
 */
#include <mbedtls/pem.h>

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "tls/hash.h"
#include "tls/x509_internal.h"

#define PEM_LINE 64

static const mbedtls_x509_crt_profile profile = {
    .allowed_mds = MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256),
    .allowed_pks = MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY),
    .allowed_curves = MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1),
    .rsa_min_bitlen = 0,
};

static bool is_self_issued(const mbedtls_x509_crt *crt)
{
    return str_eq(str_make(crt->subject_raw.p, crt->subject_raw.len),
                  str_make(crt->issuer_raw.p, crt->issuer_raw.len));
}

static enum err_code parse_bundle(struct str bundle, mbedtls_x509_crt *out, struct err *e)
{
    struct buf copy;
    enum err_code rc;

    buf_init(&copy, X509_BUNDLE_MAX + 64);
    rc = x509_key_input(bundle, X509_BUNDLE_MAX, &copy, e);
    if (rc == ERR_OK && mbedtls_x509_crt_parse(out, (const unsigned char *)copy.ptr, copy.len) != 0)
        rc = err_set(e, ERR_INVALID, "the bundle of authorities cannot be read");
    buf_fini(&copy);
    return rc;
}

/* links: those that are not trusted, behind the leaf. The bytes stay in `bundle`. */
static enum err_code split(const mbedtls_x509_crt *bundle, mbedtls_x509_crt *roots,
                           mbedtls_x509_crt *links, struct err *e)
{
    for (const mbedtls_x509_crt *at = bundle; at != NULL && at->raw.p != NULL; at = at->next) {
        mbedtls_x509_crt *to = is_self_issued(at) ? roots : links;

        if (mbedtls_x509_crt_parse_der_nocopy(to, at->raw.p, at->raw.len) != 0)
            return err_set(e, ERR_INVALID, "the bundle of authorities cannot be read");
    }
    return ERR_OK;
}

static int judge_time(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    const struct x509_check *check = arg;
    int64_t end = x509_time(&crt->valid_to);

    *flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    if (x509_time(&crt->valid_from) - (depth == 0 ? check->grace_s : 0) > check->now_s)
        *flags |= MBEDTLS_X509_BADCERT_FUTURE;
    if (end + (depth == 0 ? check->grace_s : 0) < check->now_s)
        *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    if (crt->version != 3)
        *flags |= MBEDTLS_X509_BADCERT_OTHER;
    return 0;
}

static enum err_code say_why(uint32_t flags, struct err *e)
{
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return err_set(e, ERR_DENIED, "the certificate is of another authority");
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return err_set(e, ERR_DENIED, "the certificate or its authority has expired");
    if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        return err_set(e, ERR_DENIED, "the certificate or its authority is not valid yet");
    return err_set(e, ERR_DENIED, "the certificate is of a wrong kind");
}

static enum err_code verify_chain(mbedtls_x509_crt *leaf, mbedtls_x509_crt *roots,
                                  const struct x509_check *check, struct err *e)
{
    uint32_t flags = 0;
    int result;

    if (roots->raw.p == NULL)
        return err_set(e, ERR_DENIED, "the bundle of authorities has no root");
    result = mbedtls_x509_crt_verify_with_profile(leaf, roots, NULL, &profile, NULL, &flags,
                                                  judge_time, (void *)(uintptr_t)check);
    if (flags != 0)
        return say_why(flags, e);
    if (result != 0)
        return err_set(e, ERR_DENIED, "the certificate cannot be verified (%d)", result);
    return ERR_OK;
}

static enum err_code check_use(const struct x509_check *check, struct err *e)
{
    struct x509_facts facts;
    struct arena arena;
    enum err_code rc;

    arena_init(&arena, "certificate", 4 * X509_CERTIFICATE_MAX);
    rc = x509_read(&arena, check->certificate, &facts, e);
    if (rc == ERR_OK &&
        (!(facts.uses & check->use) || (check->use != X509_ISSUES && (facts.uses & X509_IS_CA))))
        rc = err_set(e, ERR_DENIED, "the certificate is for another use");
    arena_fini(&arena);
    return rc;
}

enum err_code x509_verify(const struct x509_check *check, struct err *e)
{
    mbedtls_x509_crt bundle, roots, leaf;
    enum err_code rc;

    mbedtls_x509_crt_init(&bundle);
    mbedtls_x509_crt_init(&roots);
    mbedtls_x509_crt_init(&leaf);
    rc = x509_parse(check->certificate, &leaf, e);
    if (rc == ERR_OK)
        rc = check_use(check, e);
    if (rc == ERR_OK)
        rc = parse_bundle(check->bundle, &bundle, e);
    if (rc == ERR_OK)
        rc = split(&bundle, &roots, &leaf, e);
    if (rc == ERR_OK)
        rc = verify_chain(&leaf, &roots, check, e);
    mbedtls_x509_crt_free(&leaf);
    mbedtls_x509_crt_free(&roots);
    mbedtls_x509_crt_free(&bundle);
    return rc;
}

/* --- pinning --- */

static enum err_code put_pem(const mbedtls_x509_crt *crt, struct buf *out, struct err *e)
{
    unsigned char text[2 * X509_CERTIFICATE_MAX];
    size_t len = 0;

    if (crt->raw.len > X509_CERTIFICATE_MAX ||
        mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n",
                                 crt->raw.p, crt->raw.len, text, sizeof(text), &len) != 0 ||
        len == 0)
        return err_set(e, ERR_LIMIT, "a certificate of the bundle is too large");
    buf_add(out, text, len - 1); /* without its NUL */
    return buf_check(out, e);
}

static const mbedtls_x509_crt *find_root(const mbedtls_x509_crt *bundle, const char *fingerprint)
{
    char found[HASH_HEX_SIZE];

    for (const mbedtls_x509_crt *at = bundle; at != NULL && at->raw.p != NULL; at = at->next) {
        hash_sha256_hex(str_make(at->raw.p, at->raw.len), found);
        if (strcmp(found, fingerprint) == 0)
            return at;
    }
    return NULL;
}

/* The others that hang from the root; what does not is left out. */
static enum err_code put_others(const mbedtls_x509_crt *bundle, struct str root, int64_t now_s,
                                struct buf *out, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (const mbedtls_x509_crt *at = bundle; rc == ERR_OK && at != NULL; at = at->next) {
        struct x509_check check = {str_make(at->raw.p, at->raw.len), root, X509_ISSUES, now_s, 0};

        if (!is_self_issued(at) && x509_verify(&check, NULL) == ERR_OK)
            rc = put_pem(at, out, e);
    }
    return rc;
}

static enum err_code pin(const mbedtls_x509_crt *bundle, const mbedtls_x509_crt *root,
                         int64_t now_s, struct buf *out, struct err *e)
{
    struct buf pem;
    enum err_code rc;

    buf_init(&pem, 2 * X509_CERTIFICATE_MAX);
    rc = put_pem(root, &pem, e);
    if (rc == ERR_OK)
        rc = x509_verify(
            &(struct x509_check){buf_view(&pem), buf_view(&pem), X509_ISSUES, now_s, 0}, e);
    if (rc == ERR_OK)
        rc = put_others(bundle, buf_view(&pem), now_s, out, e);
    buf_add_str(out, buf_view(&pem));
    buf_fini(&pem);
    return rc == ERR_OK ? buf_check(out, e) : rc;
}

enum err_code x509_pin(struct str bundle, const char *fingerprint, int64_t now_s, struct buf *out,
                       struct err *e)
{
    const mbedtls_x509_crt *root;
    mbedtls_x509_crt parsed;
    enum err_code rc;

    mbedtls_x509_crt_init(&parsed);
    rc = parse_bundle(bundle, &parsed, e);
    if (rc == ERR_OK) {
        root = find_root(&parsed, fingerprint);
        rc = root == NULL || !is_self_issued(root)
                 ? err_set(e, ERR_DENIED, "no root certificate of the server has this fingerprint")
                 : pin(&parsed, root, now_s, out, e);
    }
    mbedtls_x509_crt_free(&parsed);
    return rc;
}
