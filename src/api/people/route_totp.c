/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_totp.c: the second factor of an account: into an app, in use, and away again.
 *
 * A seed and recovery codes are each shown in one answer, and nowhere else.
 */
#include "api/api_call.h"
#include "base/limits.h"
#include "store/store_totp.h"

static struct store_totp totp_of(const struct api_call *call, const struct store_actor *who)
{
    return (struct store_totp){call->api->config.store, call->api->config.seal, who,
                               call->who.session.user.id};
}

/* --- state --- */

static enum err_code state(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_totp t = totp_of(call, &who);
    struct store_totp_state s;
    struct json_writer *w;
    enum err_code rc = store_totp_state(&t, &s, e);

    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_bool(w, "in_use", s.in_use);
    json_member_i64(w, "recovery_codes_left", s.recovery_left);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_totp_state = {
    .method = "GET",
    .path = "/api/v1/auth/totp",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .in_person = true,
    .enrols = true,
    .classes = HTTPD_API,
    .handle = state,
    .summary = "Whether one's own account has a second factor.",
    .answer = "{in_use: bool, recovery_codes_left: int}",
};

/* --- begin --- */

/* As apps read it; user names may hold what has a meaning in an address. */
static void put_url(struct buf *out, const char *user, const char *seed)
{
    static const char hex[] = "0123456789ABCDEF";

    buf_add_c(out, "otpauth://totp/pga:");
    for (const char *c = user; *c != '\0'; c++) {
        unsigned char b = (unsigned char)*c;
        bool plain = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') ||
                     b == '-' || b == '.' || b == '_';

        if (!plain) {
            buf_add_char(out, '%');
            buf_add_char(out, hex[b >> 4]);
        }
        buf_add_char(out, plain ? *c : hex[b & 15]);
    }
    buf_add_c(out, "?secret=");
    buf_add_c(out, seed);
    buf_add_c(out, "&issuer=pga");
}

static enum err_code begin(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_totp t = totp_of(call, &who);
    unsigned char seed[TOTP_SEED_BYTES];
    char text[TOTP_SEED_TEXT];
    struct json_writer *w;
    struct buf url;
    enum err_code rc = store_totp_begin(&t, seed, e);

    if (rc != ERR_OK)
        return rc;
    buf_init(&url, 1024);
    totp_seed_text(seed, text);
    put_url(&url, call->who.session.user.username, text);
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "secret", text);
    json_member_str(w, "url", buf_view(&url));
    json_object_end(w);
    rc = buf_check(&url, e);
    crypto_wipe(seed, sizeof(seed));
    crypto_wipe(text, sizeof(text));
    crypto_wipe(url.ptr, url.len);
    buf_fini(&url);
    return rc;
}

const struct route route_totp_begin = {
    .method = "POST",
    .path = "/api/v1/auth/totp",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .step_up = true,
    .enrols = true,
    .classes = HTTPD_API,
    .handle = begin,
    .summary = "A new seed of a second factor, to be put into an app. It is not in use yet.",
    .answer = "{secret: text 'base32', url: text 'otpauth://..., for a QR code'}",
    .also = "409",
};

/* --- enable --- */

static enum err_code enable(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_totp t = totp_of(call, &who);
    struct store_totp_recovery made = {0};
    struct json_writer *w;
    struct str code;
    enum err_code rc = api_member_text(call, "code", (struct api_length){1, 32}, &code, e);

    if (rc == ERR_OK)
        rc = store_totp_enable(&t, code, &made, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_key(w, "recovery_codes");
    json_array_begin(w);
    for (size_t i = 0; i < STORE_TOTP_RECOVERIES; i++)
        json_put_c(w, made.codes[i]);
    json_array_end(w);
    json_object_end(w);
    crypto_wipe(&made, sizeof(made));
    return ERR_OK;
}

static const char *const enable_members[] = {
    "code text!: of the app that has the seed",
    NULL,
};

const struct route route_totp_enable = {
    .method = "POST",
    .path = "/api/v1/auth/totp/enable",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .step_up = true,
    .enrols = true,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = enable_members,
    .handle = enable,
    .summary = "Use the second factor from now on, as a code shows that an app has the seed.",
    .answer = "{recovery_codes: [text] 'ten, each opens once in place of a code'}",
    .also = "409",
};

/* --- disable --- */

static enum err_code disable(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_totp t = totp_of(call, &who);
    enum err_code rc = store_totp_disable(&t, e);

    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_totp_disable = {
    .method = "DELETE",
    .path = "/api/v1/auth/totp",
    .role = ROUTE_SIGNED_IN,
    .sight = ROUTE_SIGHT_APART,
    .step_up = true,
    .classes = HTTPD_API,
    .handle = disable,
    .summary = "Do without the second factor; its recovery codes are dead.",
};

static enum err_code reset(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_totp t = totp_of(call, &who);
    enum err_code rc = api_param_id(call, 0, &t.account, e);

    if (rc == ERR_OK)
        rc = store_totp_disable(&t, e);
    if (rc == ERR_OK)
        call->resp->status = 204;
    return rc;
}

const struct route route_totp_reset = {
    .method = "DELETE",
    .path = "/api/v1/users/{id}/totp",
    .role = ROUTE_OWNER,
    .sight = ROUTE_SIGHT_FLEET,
    .step_up = true,
    .classes = HTTPD_API,
    .handle = reset,
    .summary = "Take away somebody's second factor, when the device and the codes are lost.",
};
