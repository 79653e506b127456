/* SPDX-License-Identifier: PostgreSQL */
/* test_jwt.c: tokens are taken only unchanged, in time, and for their own audience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/text.h"
#include "tls/hash.h"
#include "tls/jwt.h"

#define NOW 1790000000

static struct jwt_key people, agents;
static struct jwt_claims claims = {"42", "sess-1", "", NOW, NOW + 900};

static int setup(void **state)
{
    static const unsigned char secret[JWT_KEY_BYTES] = {7};

    (void)state;
    jwt_key_init(&people, JWT_PEOPLE, secret);
    jwt_key_init(&agents, JWT_AGENTS, secret);
    return 0;
}

static struct buf token_of(const struct jwt_key *k)
{
    struct buf out;
    struct err e;

    buf_init(&out, JWT_TOKEN_MAX);
    assert_int_equal(jwt_sign(k, &claims, &out, &e), ERR_OK);
    return out;
}

static void gives_back_the_claims(void **state)
{
    struct buf t = token_of(&people);
    struct jwt_claims got;
    struct err e;

    (void)state;
    assert_int_equal(jwt_verify(&people, buf_view(&t), (struct jwt_moment){NOW + 5, 0}, &got, &e),
                     ERR_OK);
    assert_string_equal(got.subject, "42");
    assert_string_equal(got.session, "sess-1");
    assert_int_equal(got.expires_s, NOW + 900);
    buf_fini(&t);
}

static void is_bound_to_a_certificate(void **state)
{
    static const unsigned char sha256[32] = {0xfb, 0xff};
    struct jwt_claims got;
    struct buf t;
    struct err e;

    (void)state;
    jwt_thumbprint(sha256, claims.thumbprint);
    assert_string_equal(claims.thumbprint, "-_8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    t = token_of(&agents);
    claims.thumbprint[0] = '\0';
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW, 0}, &got, &e),
                     ERR_OK);
    assert_string_equal(got.thumbprint, "-_8AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    buf_fini(&t);
    t = token_of(&agents);
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW, 0}, &got, &e),
                     ERR_OK);
    assert_string_equal(got.thumbprint, "");
    buf_fini(&t);
}

static void refuses_the_other_audience(void **state)
{
    struct buf t = token_of(&people);
    struct jwt_claims got;
    struct err e;

    (void)state;
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW, 0}, &got, &e),
                     ERR_DENIED);
    buf_fini(&t);
}

static void refuses_any_changed_byte(void **state)
{
    struct buf t = token_of(&agents);
    struct jwt_claims got;
    struct err e;

    (void)state;
    for (size_t i = 0; i < t.len; i++) {
        char old = t.ptr[i];

        t.ptr[i] = old == 'A' ? 'B' : 'A';
        assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW, 0}, &got, &e),
                         ERR_DENIED);
        t.ptr[i] = old;
    }
    assert_int_equal(
        jwt_verify(&agents, str_make(t.ptr, t.len - 1), (struct jwt_moment){NOW, 0}, &got, &e),
        ERR_DENIED);
    assert_int_equal(jwt_verify(&agents, STR(""), (struct jwt_moment){NOW, 0}, &got, &e),
                     ERR_DENIED);
    assert_int_equal(jwt_verify(&agents, STR(".."), (struct jwt_moment){NOW, 0}, &got, &e),
                     ERR_DENIED);
    buf_fini(&t);
}

static void refuses_algorithm_none(void **state)
{
    /* {"alg":"none"} . {} . */
    struct jwt_claims got;
    struct err e;

    (void)state;
    assert_int_equal(
        jwt_verify(&agents, STR("eyJhbGciOiJub25lIn0.e30."), (struct jwt_moment){NOW, 0}, &got, &e),
        ERR_DENIED);
}

/* Nothing behind the end of a token is looked at, wherever it ends (the sanitizer watches). */
static void refuses_what_is_cut_short(void **state)
{
    struct buf good = token_of(&people);
    struct jwt_claims got;
    struct err e;

    (void)state;
    for (size_t len = 0; len < good.len; len++) {
        char *cut = alloc_new(len + (len == 0));

        memcpy(cut, good.ptr, len);
        assert_int_equal(
            jwt_verify(&people, str_make(cut, len), (struct jwt_moment){NOW, 0}, &got, &e),
            ERR_DENIED);
        alloc_free(cut);
    }
    buf_fini(&good);
}

/* U7 and security 5.3: headers that other verifiers fell for, each with a right signature. */
static void refuses_forged_headers(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS512\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"RS256\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"typ\":\"pga-agent+jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"typ\":\"pga-user+jwt\",\"kid\":\"../../etc/passwd\"}",
        "{\"alg\":\"HS256\",\"typ\":\"pga-user+jwt\"}",
        "{\"alg\":\"HS256\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\",\"jku\":\"https://x.example\"}",
        "{\"alg\":\"HS256\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\",\"crit\":[\"exp\"]}",
        "{\"typ\":\"pga-user+jwt\",\"alg\":\"HS256\",\"kid\":\"%s\"}",
        "{ \"alg\":\"HS256\",\"typ\":\"pga-user+jwt\",\"kid\":\"%s\"}",
    };
    struct buf good = token_of(&people);
    struct str rest = buf_view(&good), payload;
    struct jwt_claims got;
    struct err e;

    (void)state;
    (void)str_split(&rest, '.');
    payload = str_split(&rest, '.');
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct buf forged, header;
        unsigned char mac[HASH_BYTES];

        buf_init(&header, 512);
        buf_init(&forged, JWT_TOKEN_MAX);
        struct str before = str_of(headers[i]);
        size_t at = 0;
        if (str_find(before, STR("%s"), &at)) {
            buf_add(&header, before.ptr, at);
            buf_add_c(&header, people.kid);
            buf_add_c(&header, before.ptr + at + 2);
        } else {
            buf_add_str(&header, before);
        }
        text_base64url(&forged, header.ptr, header.len);
        buf_add_char(&forged, '.');
        buf_add_str(&forged, payload);
        hash_hmac(str_make(people.secret, JWT_KEY_BYTES), buf_view(&forged), mac);
        buf_add_char(&forged, '.');
        text_base64url(&forged, mac, sizeof(mac));
        if (jwt_verify(&people, buf_view(&forged), (struct jwt_moment){NOW, 0}, &got, &e) !=
            ERR_DENIED)
            fail_msg("%s is taken", headers[i]);
        buf_fini(&forged);
        buf_fini(&header);
    }
    buf_fini(&good);
}

static void time_bounds(void **state)
{
    struct buf t = token_of(&agents);
    struct jwt_claims got;
    struct err e;

    (void)state;
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW - 59, 0}, &got, &e),
                     ERR_OK);
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW - 61, 0}, &got, &e),
                     ERR_DENIED);
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW + 960, 0}, &got, &e),
                     ERR_OK);
    assert_int_equal(jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW + 961, 0}, &got, &e),
                     ERR_DENIED);
    assert_int_equal(
        jwt_verify(&agents, buf_view(&t), (struct jwt_moment){NOW + 961, 3600}, &got, &e), ERR_OK);
    buf_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_the_claims),      cmocka_unit_test(is_bound_to_a_certificate),
        cmocka_unit_test(refuses_the_other_audience), cmocka_unit_test(refuses_any_changed_byte),
        cmocka_unit_test(refuses_algorithm_none),     cmocka_unit_test(time_bounds),
        cmocka_unit_test(refuses_forged_headers),     cmocka_unit_test(refuses_what_is_cut_short),
    };

    return cmocka_run_group_tests_name("jwt", tests, setup, NULL);
}
