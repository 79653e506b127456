/* SPDX-License-Identifier: PostgreSQL */
/* api_device.c: see the header. */
#include "api/people/api_device.h"

#include "api/people/api_session.h"
#include "os/entropy.h"
#include "tls/hash.h"

#define NONCE_BYTES 16
#define NONCE_HEX   ((size_t)(2 * NONCE_BYTES))
#define COOKIE_LEN  (NONCE_HEX + 2 * HASH_BYTES)
#define LIFE_S      (180 * 24 * 3600)

static const char *cookie_name(const struct httpd_request *r)
{
    return api_is_secure(r) ? "__Host-pga-device" : "pga_device";
}

static void sign(const struct api_call *call, const struct store_user *user, struct str nonce,
                 char out[HASH_HEX_SIZE])
{
    unsigned char mac[HASH_BYTES];
    const char *text = arena_printf(call->arena, "device|%lld|%.*s|%s", (long long)user->id,
                                    STR_ARG(nonce), user->password_hash);

    hash_hmac(str_make(call->api->config.keys->forms, STORE_KEY_BYTES), str_of(text), mac);
    text_hex(mac, sizeof(mac), out);
}

/* The number of a browser that this account knows; empty for any other. */
static struct str known(struct api_call *call, const struct store_user *user)
{
    struct str cookie = httpd_cookie(call->req, cookie_name(call->req));
    struct str nonce = str_make(cookie.ptr, NONCE_HEX);
    char want[HASH_HEX_SIZE];

    if (cookie.len != COOKIE_LEN || user->password_hash == NULL)
        return STR("");
    sign(call, user, nonce, want);
    if (!crypto_equal(str_make(cookie.ptr + NONCE_HEX, 2 * HASH_BYTES), str_of(want)))
        return STR("");
    return nonce;
}

const char *api_device_from(struct api_call *call, const struct store_user *user)
{
    struct str nonce = user != NULL ? known(call, user) : STR("");
    const char *from = nonce.len > 0 ? arena_printf(call->arena, "device:%.*s", STR_ARG(nonce))
                                     : NULL;

    return from != NULL ? from : call->req->peer;
}

void api_device_remember(struct api_call *call, const struct store_user *user)
{
    unsigned char random[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1], mac[HASH_HEX_SIZE];

    if (user->password_hash == NULL || known(call, user).len > 0)
        return;
    entropy_fill(random, sizeof(random));
    text_hex(random, sizeof(random), nonce);
    sign(call, user, str_of(nonce), mac);
    api_cookie_set(call, &(struct api_cookie){
                             .name = cookie_name(call->req),
                             .value = arena_printf(call->arena, "%s%s", nonce, mac),
                             .life_s = LIFE_S,
                         });
}
