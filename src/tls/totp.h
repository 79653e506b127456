/* SPDX-License-Identifier: PostgreSQL */
/*
 * totp.h: codes that change with time (RFC 6238): SHA-1, 30 seconds, 6 digits, as every app knows.
 *
 * Threads: any; no shared state.
 */
#ifndef TLS_TOTP_H
#define TLS_TOTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define TOTP_SEED_BYTES 20
#define TOTP_SEED_TEXT  33 /* 32 signs of base32 and a NUL */
#define TOTP_DIGITS     6
#define TOTP_STEP_S     30

/* The code of a step (seconds since 1970 / TOTP_STEP_S), with its leading zeros. */
void totp_code(const unsigned char seed[TOTP_SEED_BYTES], int64_t step, char out[TOTP_DIGITS + 1]);
/*
 * The step, after last_step, of which this is the code, at most one away from now; 0 = of none. All
 * of them are compared, whichever fits.
 */
int64_t totp_match(const unsigned char seed[TOTP_SEED_BYTES], struct str code, int64_t now_s,
                   int64_t last_step);
/* Base32 (RFC 4648), as apps take it. */
void totp_seed_text(const unsigned char seed[TOTP_SEED_BYTES], char out[TOTP_SEED_TEXT]);

#endif
