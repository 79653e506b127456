/* SPDX-License-Identifier: PostgreSQL */
/* test_aead.c: sealed fields open only with their key, in their place, unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "tls/aead.h"
#include "tls/crypto.h"

static unsigned char key[AEAD_KEY_BYTES] = {1, 2, 3};

static void seals_and_opens(void **state)
{
    struct buf sealed, plain;
    struct err e;

    (void)state;
    buf_init(&sealed, 1024);
    buf_init(&plain, 1024);
    assert_int_equal(aead_seal(key, STR("user|1"), STR("secret words"), &sealed, &e), ERR_OK);
    assert_int_equal(sealed.len, 12 + AEAD_OVERHEAD_BYTES);
    assert_int_equal(aead_open(key, STR("user|1"), buf_view(&sealed), &plain, &e), ERR_OK);
    assert_string_equal(plain.ptr, "secret words");
    buf_fini(&sealed);
    buf_fini(&plain);
}

static void refuses_other_place_key_and_bytes(void **state)
{
    unsigned char other[AEAD_KEY_BYTES] = {9};
    struct buf sealed, plain;
    struct err e;

    (void)state;
    buf_init(&sealed, 1024);
    buf_init(&plain, 1024);
    assert_int_equal(aead_seal(key, STR("user|1"), STR("x"), &sealed, &e), ERR_OK);
    assert_int_equal(aead_open(key, STR("user|2"), buf_view(&sealed), &plain, &e), ERR_CORRUPT);
    assert_int_equal(aead_open(other, STR("user|1"), buf_view(&sealed), &plain, &e), ERR_CORRUPT);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.ptr[i] ^= 1;
        assert_int_equal(aead_open(key, STR("user|1"), buf_view(&sealed), &plain, &e), ERR_CORRUPT);
        sealed.ptr[i] ^= 1;
    }
    assert_int_equal(aead_open(key, STR("user|1"), STR("short"), &plain, &e), ERR_CORRUPT);
    assert_int_equal(plain.len, 0);
    buf_fini(&sealed);
    buf_fini(&plain);
}

/* The AES-256-GCM test case 16 of McGrew and Viega, in our field format. */
static void opens_the_published_vector(void **state)
{
    static const char fixed[] = "01cafebabefacedbaddecaf888"
                                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                "76fc6ece0f4e1768cddf8853bb2d551b";
    unsigned char k[32], aad[20], sealed[1 + 12 + 60 + 16];
    struct buf plain;
    struct err e;
    char hex[2 * 60 + 1];

    (void)state;
    assert_true(text_unhex(STR("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"),
                           k, sizeof(k)));
    assert_true(text_unhex(STR("feedfacedeadbeeffeedfacedeadbeefabaddad2"), aad, sizeof(aad)));
    assert_true(text_unhex(str_of(fixed), sealed, sizeof(sealed)));
    buf_init(&plain, 1024);
    assert_int_equal(
        aead_open(k, str_make(aad, sizeof(aad)), str_make(sealed, sizeof(sealed)), &plain, &e),
        ERR_OK);
    text_hex(plain.ptr, plain.len, hex);
    assert_string_equal(hex, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    buf_fini(&plain);
}

static void constant_time_compare(void **state)
{
    char token[CRYPTO_TOKEN_SIZE], second[CRYPTO_TOKEN_SIZE];
    struct err e;

    (void)state;
    assert_int_equal(crypto_init(&e), ERR_OK);
    assert_int_equal(crypto_init(&e), ERR_OK);
    assert_true(crypto_equal(STR("abc"), STR("abc")));
    assert_false(crypto_equal(STR("abc"), STR("abd")));
    assert_false(crypto_equal(STR("abc"), STR("abcd")));
    crypto_random_token(token);
    crypto_random_token(second);
    assert_int_equal(strlen(token), CRYPTO_TOKEN_SIZE - 1);
    assert_string_not_equal(token, second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seals_and_opens),
        cmocka_unit_test(refuses_other_place_key_and_bytes),
        cmocka_unit_test(opens_the_published_vector),
        cmocka_unit_test(constant_time_compare),
    };

    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
