/* SPDX-License-Identifier: PostgreSQL */
/*
 * crypto.c: what belongs to the crypto library as a whole.
 *
 * Mbed TLS finds out on first use whether the CPU has AES instructions and writes that to a plain
 * variable; the use in crypto_init happens before threads exist, so later uses only read it.
 */
#include "tls/crypto.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "tls/aead.h"

static enum err_code warm_aes(struct err *e)
{
    static const unsigned char key[AEAD_KEY_BYTES];
    struct buf out;
    enum err_code rc;

    buf_init(&out, 256);
    rc = aead_seal(key, STR("warm"), STR("warm"), &out, e);
    buf_fini(&out);
    return rc;
}

/* By which certificates are valid or not: the clock that everything else goes by. */
static mbedtls_time_t library_time(mbedtls_time_t *out)
{
    mbedtls_time_t now = (mbedtls_time_t)(clock_wall_ms() / 1000);

    if (out != NULL)
        *out = now;
    return now;
}

enum err_code crypto_init(struct err *e)
{
    psa_status_t status = psa_crypto_init();

    mbedtls_platform_set_time(library_time);
    if (status != PSA_SUCCESS)
        return err_set(e, ERR_IO, "the crypto library does not start (%d)", (int)status);
    return warm_aes(e);
}

bool crypto_equal(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    return a.len == 0 || mbedtls_ct_memcmp(a.ptr, b.ptr, a.len) == 0;
}

void crypto_wipe(void *ptr, size_t len)
{
    if (ptr != NULL && len > 0)
        mbedtls_platform_zeroize(ptr, len);
}

void crypto_random_token(char out[CRYPTO_TOKEN_SIZE])
{
    unsigned char random[CRYPTO_TOKEN_BYTES];
    struct buf text;

    entropy_fill(random, sizeof(random));
    buf_init(&text, 256);
    text_base64url(&text, random, sizeof(random));
    assert(!text.failed && text.len == CRYPTO_TOKEN_SIZE - 1);
    memcpy(out, text.ptr, CRYPTO_TOKEN_SIZE);
    crypto_wipe(text.ptr, text.len);
    buf_fini(&text);
    crypto_wipe(random, sizeof(random));
}
