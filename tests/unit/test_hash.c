/* SPDX-License-Identifier: PostgreSQL */
/* test_hash.c: vectors of FIPS 180-4, RFC 4231 and RFC 5869. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "tls/hash.h"

static void assert_hex(const unsigned char *got, size_t len, const char *want)
{
    char hex[256];

    assert_true(2 * len < sizeof(hex));
    text_hex(got, len, hex);
    assert_string_equal(hex, want);
}

static void sha256_of_abc_and_of_nothing(void **state)
{
    unsigned char out[HASH_BYTES];
    char hex[HASH_HEX_SIZE];

    (void)state;
    hash_sha256(STR("abc"), out);
    assert_hex(out, sizeof(out),
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_hex((struct str){NULL, 0}, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void parts_hash_like_the_whole(void **state)
{
    const struct str parts[] = {STR("a"), {NULL, 0}, STR("b"), STR("c")};
    unsigned char whole[HASH_BYTES], out[HASH_BYTES];

    (void)state;
    hash_sha256(STR("abc"), whole);
    hash_sha256_parts(parts, 4, out);
    assert_memory_equal(out, whole, HASH_BYTES);
}

static void hmac_rfc4231_case_2_and_6(void **state)
{
    unsigned char out[HASH_BYTES], key[131];

    (void)state;
    hash_hmac(STR("Jefe"), STR("what do ya want for nothing?"), out);
    assert_hex(out, sizeof(out),
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = 0xaa;
    hash_hmac(str_make(key, sizeof(key)),
              STR("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    assert_hex(out, sizeof(out),
               "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void hkdf_rfc5869_case_1_and_3(void **state)
{
    unsigned char secret[22], salt[13], info[10], out[42];
    struct hash_hkdf_input in;

    (void)state;
    for (size_t i = 0; i < sizeof(secret); i++)
        secret[i] = 0x0b;
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (unsigned char)i;
    for (size_t i = 0; i < sizeof(info); i++)
        info[i] = (unsigned char)(0xf0 + i);
    in.secret = str_make(secret, sizeof(secret));
    in.salt = str_make(salt, sizeof(salt));
    in.info = str_make(info, sizeof(info));
    hash_hkdf(&in, out, sizeof(out));
    assert_hex(
        out, sizeof(out),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    in.salt = in.info = (struct str){NULL, 0};
    hash_hkdf(&in, out, sizeof(out));
    assert_hex(
        out, sizeof(out),
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_abc_and_of_nothing),
        cmocka_unit_test(parts_hash_like_the_whole),
        cmocka_unit_test(hmac_rfc4231_case_2_and_6),
        cmocka_unit_test(hkdf_rfc5869_case_1_and_3),
    };

    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
