/* SPDX-License-Identifier: PostgreSQL */
/*
 * hash.c: digests over Mbed TLS.
 *
 * The software implementations cannot fail on valid arguments; a failure is our own bug and ends
 * the process, so that no caller has to invent what to do without a digest.
 */
#include "tls/hash.h"

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/sha256.h>

#include <assert.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/text.h"

static void must(int result)
{
    if (result != 0)
        abort();
}

static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)(s.ptr ? s.ptr : "");
}

void hash_sha256(struct str in, unsigned char out[HASH_BYTES])
{
    must(mbedtls_sha256(bytes_of(in), in.len, out, 0));
}

void hash_sha256_parts(const struct str *parts, size_t count, unsigned char out[HASH_BYTES])
{
    mbedtls_sha256_context ctx;

    mbedtls_sha256_init(&ctx);
    must(mbedtls_sha256_starts(&ctx, 0));
    for (size_t i = 0; i < count; i++)
        must(mbedtls_sha256_update(&ctx, bytes_of(parts[i]), parts[i].len));
    must(mbedtls_sha256_finish(&ctx, out));
    mbedtls_sha256_free(&ctx);
}

void hash_sha256_hex(struct str in, char out[HASH_HEX_SIZE])
{
    unsigned char digest[HASH_BYTES];

    hash_sha256(in, digest);
    text_hex(digest, sizeof(digest), out);
}

struct hash_run {
    mbedtls_sha256_context ctx;
};

struct hash_run *hash_run_new(void)
{
    struct hash_run *h = alloc_new(sizeof(*h));

    mbedtls_sha256_init(&h->ctx);
    must(mbedtls_sha256_starts(&h->ctx, 0));
    return h;
}

void hash_run_add(struct hash_run *h, struct str in)
{
    must(mbedtls_sha256_update(&h->ctx, bytes_of(in), in.len));
}

void hash_run_end(struct hash_run *h, unsigned char out[HASH_BYTES])
{
    if (h == NULL)
        return;
    if (out != NULL)
        must(mbedtls_sha256_finish(&h->ctx, out));
    mbedtls_sha256_free(&h->ctx);
    alloc_free(h);
}

static const mbedtls_md_info_t *sha256_info(void)
{
    const mbedtls_md_info_t *info = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);

    assert(info != NULL);
    return info;
}

void hash_hmac(struct str key, struct str in, unsigned char out[HASH_BYTES])
{
    must(mbedtls_md_hmac(sha256_info(), bytes_of(key), key.len, bytes_of(in), in.len, out));
}

void hash_hmac_sha1(struct str key, struct str in, unsigned char out[HASH_SHA1_BYTES])
{
    must(mbedtls_md_hmac(mbedtls_md_info_from_type(MBEDTLS_MD_SHA1), bytes_of(key), key.len,
                         bytes_of(in), in.len, out));
}

void hash_hkdf(const struct hash_hkdf_input *in, unsigned char *out, size_t len)
{
    assert(len <= HASH_HKDF_MAX);
    must(mbedtls_hkdf(sha256_info(), bytes_of(in->salt), in->salt.len, bytes_of(in->secret),
                      in->secret.len, bytes_of(in->info), in->info.len, out, len));
}
