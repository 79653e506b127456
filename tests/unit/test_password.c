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
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = "many different letters, none in a row of keys"[i * 7 % 45];
    assert_int_equal(password_check_new(str_make(text, 11), &e), ERR_INVALID);
    assert_int_equal(password_check_new(str_make(text, 12), &e), ERR_OK);
    assert_int_equal(password_check_new(str_make(text, 128), &e), ERR_OK);
    assert_int_equal(password_check_new(str_make(text, 129), &e), ERR_INVALID);
}

/* U9: what is tried first is no password, whatever its length. */
static void common_passwords_are_refused(void **state)
{
    static const char *const common[] = {
        "aaaaaaaaaaaa",      "abcabcabcabc",     "123456789012",         "password1234",
        "Password2024!",     "passwordpassword", "P@ssw0rd1234",         "qwertyuiop12",
        "1qaz2wsx3edc",      "letmeinletmein",   "iloveyou1234",         "adminadmin12",
        "postgres2024!!",    "Welcome123456",    "zaqxswcdevfr",         "abcdefghijkl",
        "987654321098",      "administrator1",   "qwertyqwerty123",      "dragonmonkey1",
        "changeme-changeme", "SummerSummer24",   "trustno1trustno1",     "1234567890qwerty",
        "111111222222",      "test1234test1234", "Pa$$w0rd Pa$$w0rd",    "secretpostgres99",
        "asdfghjkl;'asdf",   "monday-tuesday",   "iloveyouiloveyou1987", "!@#$%^&*()_+12",
    };
    static const char *const fine[] = {
        "correct horse battery staple", "xkTq9vLm2wRz",
        "secret of viewer here",        "Straubing ohne Regen",
        "owls eat 4 small mice",        "pgbouncer hates me",
        "dzien dobry wszystkim",        "\xe5\xaf\x86\xe7\xa0\x81\xe5\xbe\x88\xe9\x95\xbf",
    };
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
        if (password_check_new(str_of(common[i]), &e) != ERR_INVALID)
            fail_msg("%s is taken", common[i]);
    }
    for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
        if (password_check_new(str_of(fine[i]), &e) != ERR_OK)
            fail_msg("%s is refused: %s", fine[i], e.text);
    }
}

static void older_parameters_are_told(void **state)
{
    char hash[PASSWORD_HASH_SIZE];
    struct err e;

    (void)state;
    assert_int_equal(password_hash(STR("x"), hash, &e), ERR_OK);
    assert_false(password_is_old(hash));
    assert_true(password_is_old("$argon2id$v=19$m=8192,t=2,p=1$c2FsdHNhbHQ$aGFzaA"));
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
        cmocka_unit_test(common_passwords_are_refused),
        cmocka_unit_test(older_parameters_are_told),
        cmocka_unit_test(library_gives_the_rfc_vector),
    };

    password_init();
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
