/* SPDX-License-Identifier: PostgreSQL */
/*
 * crypto.h: start of the crypto library, comparing and wiping of secrets, random tokens.
 */
#ifndef TLS_CRYPTO_H
#define TLS_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/*
 * Start the library and make it choose its AES code once, while no other thread runs.
 * Call from main before the first thread; calling again does no harm.
 */
enum err_code crypto_init(struct err *e) ERR_MUST_CHECK;

/* Whether both are equal, in a time that depends on the lengths only. */
bool crypto_equal(struct str a, struct str b);
/* Overwrite; the compiler cannot leave it out. */
void crypto_wipe(void *ptr, size_t len);

#define CRYPTO_TOKEN_BYTES 32
#define CRYPTO_TOKEN_SIZE  44 /* 43 base64url characters of 256 random bits, and a NUL */
void crypto_random_token(char out[CRYPTO_TOKEN_SIZE]);

#endif
