/* SPDX-License-Identifier: PostgreSQL */
/* test_password.c: hashing and checking of passwords. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <argon2.h>
#include <cmocka.h>

#include "tls/password.h"

static void right_password_matches(void **state)
{
    char hash[PASSWORD_HASH_SIZE], second[PASSWORD_HASH_SIZE];
    struct err e;
    bool matches;

    (void)state;
    assert_int_equal(password_hash(STR("correct horse battery"), hash, &e), ERR_OK);
    assert_int_equal(password_hash(STR("correct horse battery"), second, &e), ERR_OK);
    assert_string_not_equal(hash, second);
    assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
    assert_int_equal(password_verify(hash, STR("correct horse battery"), &matches, &e), ERR_OK);
    assert_true(matches);
    assert_int_equal(password_verify(hash, STR("correct horse batterx"), &matches, &e), ERR_OK);
    assert_false(matches);
}

static void unknown_user_never_matches(void **state)
{
    struct err e;
    bool matches = true;

    (void)state;
    assert_int_equal(password_verify(NULL, STR("anything at all"), &matches, &e), ERR_OK);
    assert_false(matches);
}

static void damaged_hash_is_an_error(void **state)
{
    struct err e;
    bool matches = true;

    (void)state;
    assert_int_equal(password_verify("$argon2id$nonsense", STR("x"), &matches, &e), ERR_CORRUPT);
    assert_false(matches);
}

static void new_passwords_have_bounds(void **state)
{
    char text[PASSWORD_MAX_BYTES + 1];
    struct err e;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(password_check_new(str_make(text, 11), &e), ERR_INVALID);
    assert_int_equal(password_check_new(str_make(text, 12), &e), ERR_OK);
    assert_int_equal(password_check_new(str_make(text, 128), &e), ERR_OK);
    assert_int_equal(password_check_new(str_make(text, 129), &e), ERR_INVALID);
}

/* RFC 9106, 5.3: Argon2id with secret and associated data. */
static void library_gives_the_rfc_vector(void **state)
{
    static const unsigned char want[32] = {0x0d, 0x64, 0x0d, 0xf5, 0x8d, 0x78, 0x76, 0x6c,
                                           0x08, 0xc0, 0x37, 0xa3, 0x4a, 0x8b, 0x53, 0xc9,
                                           0xd0, 0x1e, 0xf0, 0x45, 0x2d, 0x75, 0xb6, 0x5e,
                                           0xb5, 0x25, 0x20, 0xe9, 0x6b, 0x01, 0xe6, 0x59};
    unsigned char out[32], pwd[32], salt[16], secret[8], ad[12];
    argon2_context ctx = {.out = out,
                          .outlen = 32,
                          .pwd = pwd,
                          .pwdlen = 32,
                          .salt = salt,
                          .saltlen = 16,
                          .secret = secret,
                          .secretlen = 8,
                          .ad = ad,
                          .adlen = 12,
                          .t_cost = 3,
                          .m_cost = 32,
                          .lanes = 4,
                          .threads = 1,
                          .version = ARGON2_VERSION_13};

    (void)state;
    memset(pwd, 1, sizeof(pwd));
    memset(salt, 2, sizeof(salt));
    memset(secret, 3, sizeof(secret));
    memset(ad, 4, sizeof(ad));
    assert_int_equal(argon2id_ctx(&ctx), ARGON2_OK);
    assert_memory_equal(out, want, sizeof(want));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_password_matches),
        cmocka_unit_test(unknown_user_never_matches),
        cmocka_unit_test(damaged_hash_is_an_error),
        cmocka_unit_test(new_passwords_have_bounds),
        cmocka_unit_test(library_gives_the_rfc_vector),
    };

    password_init();
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
