/* SPDX-License-Identifier: PostgreSQL */
/* totp.c: see the header. */
#include "tls/totp.h"

#include <stdio.h>

#include "tls/crypto.h"
#include "tls/hash.h"

#define MODULUS 1000000 /* 10 to the power of TOTP_DIGITS */

void totp_code(const unsigned char seed[TOTP_SEED_BYTES], int64_t step, char out[TOTP_DIGITS + 1])
{
    unsigned char counter[8], mac[HASH_SHA1_BYTES];
    uint32_t value = 0;
    size_t at;

    for (size_t i = 0; i < sizeof(counter); i++)
        counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    hash_hmac_sha1(str_make(seed, TOTP_SEED_BYTES), str_make(counter, sizeof(counter)), mac);
    at = mac[HASH_SHA1_BYTES - 1] & 0x0f; /* RFC 4226, 5.3 */
    for (size_t i = 0; i < 4; i++)
        value = value << 8 | mac[at + i];
    (void)snprintf(out, TOTP_DIGITS + 1, "%06u", (value & 0x7fffffff) % MODULUS);
    crypto_wipe(mac, sizeof(mac));
}

int64_t totp_match(const unsigned char seed[TOTP_SEED_BYTES], struct str code, int64_t now_s,
                   int64_t last_step)
{
    int64_t now = now_s / TOTP_STEP_S, found = 0;
    char want[TOTP_DIGITS + 1];

    for (int64_t step = now - 1; step <= now + 1; step++) {
        totp_code(seed, step, want);
        if (crypto_equal(code, str_of(want)) && step > last_step && found == 0)
            found = step;
    }
    crypto_wipe(want, sizeof(want));
    return found;
}

void totp_seed_text(const unsigned char seed[TOTP_SEED_BYTES], char out[TOTP_SEED_TEXT])
{
    static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint64_t bits = 0;
    int have = 0;
    size_t n = 0;

    for (size_t i = 0; i < TOTP_SEED_BYTES; i++) {
        bits = bits << 8 | seed[i];
        for (have += 8; have >= 5; have -= 5)
            out[n++] = signs[bits >> (have - 5) & 31];
    }
    out[n] = '\0';
}
