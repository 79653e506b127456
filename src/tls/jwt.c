/* SPDX-License-Identifier: PostgreSQL */
/*
 * jwt.c: HS256 tokens, written and read by pga alone.
 *
 * Order of checks: size, exact header (which fixes algorithm, type and key), signature, and only
 * then the JSON of the claims: bytes that nobody signed never reach the parser.
 */
#include "tls/jwt.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "tls/crypto.h"
#include "tls/hash.h"

#define ISSUER       "pga"
#define CONFIRMATION "cnf" /* RFC 7800, RFC 8705 3.1 */
#define THUMBPRINT   "x5t#S256"

static const struct {
    const char *type, *name, *session;
} audiences[] = {
    [JWT_PEOPLE] = {"pga-user+jwt", "pga-api", "sid"},
    [JWT_AGENTS] = {"pga-agent+jwt", "pga-ingest", "jti"},
};

void jwt_key_init(struct jwt_key *k, enum jwt_audience audience, const unsigned char *secret)
{
    unsigned char digest[HASH_BYTES];

    k->audience = audience;
    k->secret = secret;
    hash_hmac(str_make(secret, JWT_KEY_BYTES), STR("kid"), digest);
    text_hex(digest, (JWT_KID_SIZE - 1) / 2, k->kid);
}

void jwt_thumbprint(const unsigned char sha256[32], char out[JWT_ID_SIZE])
{
    struct buf text;

    buf_init(&text, JWT_ID_SIZE - 1);
    text_base64url(&text, sha256, 32);
    memcpy(out, text.ptr, text.len + 1);
    buf_fini(&text);
}

static void put_header(const struct jwt_key *k, struct buf *out)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "{\"alg\":\"HS256\",\"typ\":\"%s\",\"kid\":\"%s\"}",
                       audiences[k->audience].type, k->kid);

    text_base64url(out, text, (size_t)len);
}

static void put_claims(const struct jwt_key *k, const struct jwt_claims *claims, struct buf *out)
{
    struct json_writer w;
    struct buf json;

    buf_init(&json, JWT_TOKEN_MAX);
    json_writer_init(&w, &json);
    json_object_begin(&w);
    json_member_c(&w, "iss", ISSUER);
    json_member_c(&w, "aud", audiences[k->audience].name);
    json_member_c(&w, "sub", claims->subject);
    json_member_c(&w, audiences[k->audience].session, claims->session);
    if (claims->thumbprint[0] != '\0') {
        json_key(&w, CONFIRMATION);
        json_object_begin(&w);
        json_member_c(&w, THUMBPRINT, claims->thumbprint);
        json_object_end(&w);
    }
    json_member_i64(&w, "iat", claims->issued_s);
    json_member_i64(&w, "nbf", claims->issued_s);
    json_member_i64(&w, "exp", claims->expires_s);
    json_object_end(&w);
    text_base64url(out, json.ptr, json.len);
    buf_fini(&json);
}

static void put_signature(const struct jwt_key *k, struct str signed_part, struct buf *out)
{
    unsigned char mac[HASH_BYTES];

    hash_hmac(str_make(k->secret, JWT_KEY_BYTES), signed_part, mac);
    text_base64url(out, mac, sizeof(mac));
}

enum err_code jwt_sign(const struct jwt_key *k, const struct jwt_claims *claims, struct buf *out,
                       struct err *e)
{
    size_t start = out->len;
    struct buf tail;

    put_header(k, out);
    buf_add_char(out, '.');
    put_claims(k, claims, out);
    buf_init(&tail, 128);
    put_signature(k, str_make(out->ptr + start, out->len - start), &tail);
    buf_add_char(out, '.');
    buf_add_str(out, buf_view(&tail));
    buf_fini(&tail);
    return buf_check(out, e);
}

static enum err_code check_envelope(const struct jwt_key *k, struct str token, struct str *payload,
                                    struct err *e)
{
    struct str rest = token, header, body, signature;
    struct buf expected;
    bool header_ok, signature_ok = false;

    header = str_split(&rest, '.');
    body = str_split(&rest, '.');
    signature = rest;
    buf_init(&expected, JWT_TOKEN_MAX);
    put_header(k, &expected);
    /* without both dots there is nothing behind the header that could be signed */
    header_ok = str_eq(header, buf_view(&expected)) && signature.ptr != NULL;
    if (header_ok) {
        buf_reset(&expected);
        put_signature(k, str_make(token.ptr, header.len + 1 + body.len), &expected);
        signature_ok = crypto_equal(signature, buf_view(&expected));
    }
    buf_fini(&expected);
    if (!header_ok)
        return err_set(e, ERR_DENIED, "the token is of another kind or key");
    if (!signature_ok)
        return err_set(e, ERR_DENIED, "the token's signature is wrong");
    *payload = body;
    return ERR_OK;
}

static bool copy_id(const struct json *n, char out[JWT_ID_SIZE])
{
    struct str s = json_str(n);

    if (s.len == 0 || s.len >= JWT_ID_SIZE)
        return false;
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return true;
}

static enum err_code read_claims(const struct jwt_key *k, const struct json *root,
                                 struct jwt_claims *out, struct err *e)
{
    if (!str_eq_c(json_str(json_get(root, "iss")), ISSUER) ||
        !str_eq_c(json_str(json_get(root, "aud")), audiences[k->audience].name))
        return err_set(e, ERR_DENIED, "the token is for somebody else");
    if (!copy_id(json_get(root, "sub"), out->subject) ||
        !copy_id(json_get(root, audiences[k->audience].session), out->session))
        return err_set(e, ERR_DENIED, "the token lacks a member");
    out->thumbprint[0] = '\0';
    if (json_get(root, CONFIRMATION) != NULL &&
        !copy_id(json_get(json_get(root, CONFIRMATION), THUMBPRINT), out->thumbprint))
        return err_set(e, ERR_DENIED, "the token is bound in a way that is not known");
    out->issued_s = json_i64(json_get(root, "iat"), INT64_MAX);
    out->expires_s = json_i64(json_get(root, "exp"), 0);
    return ERR_OK;
}

static enum err_code decode_claims(const struct jwt_key *k, struct str payload,
                                   struct jwt_claims *out, struct err *e)
{
    static const struct json_limits limits = {JWT_TOKEN_MAX, 2, true};
    struct json_doc *doc = NULL;
    struct buf json;
    enum err_code rc;

    buf_init(&json, JWT_TOKEN_MAX);
    rc = text_unbase64url(payload, &json, e);
    if (rc == ERR_OK)
        rc = json_parse(buf_view(&json), &limits, &doc, e);
    if (rc == ERR_OK)
        rc = read_claims(k, json_root(doc), out, e);
    else
        rc = err_set(e, ERR_DENIED, "the token's claims cannot be read");
    json_doc_free(doc);
    buf_fini(&json);
    return rc;
}

enum err_code jwt_verify(const struct jwt_key *k, struct str token, struct jwt_moment at,
                         struct jwt_claims *out, struct err *e)
{
    struct str payload;
    enum err_code rc;

    if (token.len == 0 || token.len > JWT_TOKEN_MAX)
        return err_set(e, ERR_DENIED, "the token has a wrong size");
    rc = check_envelope(k, token, &payload, e);
    if (rc != ERR_OK)
        return rc;
    rc = decode_claims(k, payload, out, e);
    if (rc != ERR_OK)
        return rc;
    if (out->issued_s > at.now_s + JWT_SKEW_S)
        return err_set(e, ERR_DENIED, "the token is not valid yet");
    if (out->expires_s + JWT_SKEW_S + at.grace_s < at.now_s)
        return err_set(e, ERR_DENIED, "the token has expired");
    return ERR_OK;
}
