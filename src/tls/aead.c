/* SPDX-License-Identifier: PostgreSQL */
/*
 * aead.c: AES-256-GCM over Mbed TLS.
 *
 * Nonces are random: with 96 bits, 2^32 fields under one key keep the chance of a repeat below
 * 2^-32; we seal a few thousand.
 */
#include "tls/aead.h"

#include <mbedtls/gcm.h>

#include "os/entropy.h"
#include "tls/crypto.h"

#define VERSION     1
#define NONCE_BYTES 12
#define TAG_BYTES   16

static int gcm_start(mbedtls_gcm_context *gcm, const unsigned char *key)
{
    mbedtls_gcm_init(gcm);
    return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, 8 * AEAD_KEY_BYTES);
}

enum err_code aead_seal(const unsigned char key[AEAD_KEY_BYTES], struct str aad, struct str plain,
                        struct buf *out, struct err *e)
{
    mbedtls_gcm_context gcm;
    unsigned char *room = (unsigned char *)buf_room(out, AEAD_OVERHEAD_BYTES + plain.len);
    unsigned char *nonce, *text;
    int result;

    if (room == NULL)
        return buf_check(out, e);
    nonce = room + 1;
    text = nonce + NONCE_BYTES;
    room[0] = VERSION;
    entropy_fill(nonce, NONCE_BYTES);
    result = gcm_start(&gcm, key);
    if (result == 0)
        result = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, plain.len, nonce, NONCE_BYTES,
                                           (const unsigned char *)aad.ptr, aad.len,
                                           (const unsigned char *)plain.ptr, text, TAG_BYTES,
                                           text + plain.len);
    mbedtls_gcm_free(&gcm);
    if (result != 0)
        return err_set(e, ERR_BUG, "sealing failed (%d)", result);
    buf_grew(out, AEAD_OVERHEAD_BYTES + plain.len);
    return ERR_OK;
}

enum err_code aead_open(const unsigned char key[AEAD_KEY_BYTES], struct str aad, struct str sealed,
                        struct buf *out, struct err *e)
{
    const unsigned char *nonce = (const unsigned char *)sealed.ptr + 1;
    mbedtls_gcm_context gcm;
    unsigned char *room;
    size_t len;
    int result;

    if (sealed.len < AEAD_OVERHEAD_BYTES || sealed.ptr[0] != VERSION)
        return err_set(e, ERR_CORRUPT, "a sealed field has a wrong form");
    len = sealed.len - AEAD_OVERHEAD_BYTES;
    room = (unsigned char *)buf_room(out, len + 1);
    if (room == NULL)
        return buf_check(out, e);
    result = gcm_start(&gcm, key);
    if (result == 0)
        result = mbedtls_gcm_auth_decrypt(
            &gcm, len, nonce, NONCE_BYTES, (const unsigned char *)aad.ptr, aad.len,
            nonce + NONCE_BYTES + len, TAG_BYTES, nonce + NONCE_BYTES, room);
    mbedtls_gcm_free(&gcm);
    if (result != 0) {
        crypto_wipe(room, len);
        return err_set(e, ERR_CORRUPT, "a sealed field does not open with this key");
    }
    buf_grew(out, len);
    return ERR_OK;
}
