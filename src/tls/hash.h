/* SPDX-License-Identifier: PostgreSQL */
/*
 * hash.h: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) and HKDF (RFC 5869).
 *
 * Needs no set-up; crypto_init need not have run.
 * Threads: any; no shared state.
 */
#ifndef TLS_HASH_H
#define TLS_HASH_H

#include <stddef.h>

#include "base/str.h"

#define HASH_BYTES    32
#define HASH_HEX_SIZE (2 * HASH_BYTES + 1)
#define HASH_HKDF_MAX ((size_t)255 * HASH_BYTES)

void hash_sha256(struct str in, unsigned char out[HASH_BYTES]);
/* Of the parts, one after the other. The caller frames them when their borders matter. */
void hash_sha256_parts(const struct str *parts, size_t count, unsigned char out[HASH_BYTES]);
/* As hash_sha256, written as 64 hexadecimal digits and a NUL. */
void hash_sha256_hex(struct str in, char out[HASH_HEX_SIZE]);

/* A digest of bytes that come in pieces. */
struct hash_run;
struct hash_run *hash_run_new(void);
void hash_run_add(struct hash_run *h, struct str in);
/* The digest of all that was added; frees. out NULL: frees only. h NULL allowed. */
void hash_run_end(struct hash_run *h, unsigned char out[HASH_BYTES]);

void hash_hmac(struct str key, struct str in, unsigned char out[HASH_BYTES]);
/* For totp.h alone: apps know nothing newer. */
#define HASH_SHA1_BYTES 20
void hash_hmac_sha1(struct str key, struct str in, unsigned char out[HASH_SHA1_BYTES]);

struct hash_hkdf_input {
    struct str secret;
    struct str salt; /* may be empty */
    struct str info; /* names the purpose */
};
/* Derive `len` bytes (at most HASH_HKDF_MAX). */
void hash_hkdf(const struct hash_hkdf_input *in, unsigned char *out, size_t len);

#endif
