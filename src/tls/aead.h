/* SPDX-License-Identifier: PostgreSQL */
/*
 * aead.h: sealing of small secrets with AES-256-GCM.
 *
 * A sealed field is version (1) | nonce (12, random) | ciphertext | tag (16). The associated data
 * names the place (table, row, column), so that a field moved elsewhere does not open.
 */
#ifndef TLS_AEAD_H
#define TLS_AEAD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define AEAD_KEY_BYTES      32
#define AEAD_OVERHEAD_BYTES (1 + 12 + 16)

/* Append the sealed form of `plain` to `out`. ERR_LIMIT when it does not fit. */
enum err_code aead_seal(const unsigned char key[AEAD_KEY_BYTES], struct str aad, struct str plain,
                        struct buf *out, struct err *e) ERR_MUST_CHECK;
/* Append the plain form to `out`. ERR_CORRUPT for another key, place or damaged bytes. */
enum err_code aead_open(const unsigned char key[AEAD_KEY_BYTES], struct str aad, struct str sealed,
                        struct buf *out, struct err *e) ERR_MUST_CHECK;

#endif
