/* SPDX-License-Identifier: PostgreSQL */
/* test_str.c: views, UTF-8, hashing; hexadecimal, base64url, UUIDs; CRC-32C; errors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "base/str.h"
#include "base/text.h"

static void comparing_and_cutting(void **state)
{
    struct str rest = STR("a:b::c"), none = {NULL, 0};
    size_t at = 9;

    (void)state;
    assert_true(str_eq(none, STR("")));
    assert_true(str_eq_nocase(STR("AbC"), STR("aBc")));
    assert_false(str_eq_nocase(STR("AbC"), STR("aBcd")));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("b"), STR("ab")) > 0);
    assert_int_equal(str_cmp(none, STR("")), 0);
    assert_true(str_starts(STR("abc"), none));
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_false(str_starts(STR("ab"), STR("abc")));
    assert_true(str_ends(STR("abc"), STR("bc")));
    assert_true(str_ends(none, none));
    assert_true(str_eq_c(str_trim(STR(" \t x y\r\n")), "x y"));
    assert_int_equal(str_trim(STR("  ")).len, 0);
    assert_true(str_eq_c(str_split(&rest, ':'), "a"));
    assert_true(str_eq_c(str_split(&rest, ':'), "b"));
    assert_true(str_eq_c(str_split(&rest, ':'), ""));
    assert_true(str_eq_c(str_split(&rest, ':'), "c"));
    assert_null(rest.ptr);
    assert_true(str_find(STR("hay needle"), STR("needle"), &at));
    assert_int_equal(at, 4);
    assert_false(str_find(STR("hay"), STR("needle"), &at));
    assert_true(str_find(none, none, &at));
    assert_int_equal(at, 0);
}

static void utf8_is_judged_as_rfc3629_says(void **state)
{
    static const char *const good[] = {"",
                                       "abc",
                                       "\xC2\x80",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80" /* surrogate */,
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xE2\x82",
                                      "a\xFF",
                                      "\xC2"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(str_is_utf8(str_of(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(str_is_utf8(str_of(bad[i])));
}

static void hashes_spread(void **state)
{
    unsigned buckets[64] = {0};
    char text[16];

    (void)state;
    for (int i = 0; i < 64000; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        buckets[str_hash(str_of(text)) % 64]++;
    }
    for (int i = 0; i < 64; i++)
        assert_in_range(buckets[i], 800, 1200);
    assert_true(str_hash(STR("abc")) == str_hash(STR("abc")));
    assert_true(str_hash(str_make("\0", 1)) != str_hash(str_make("", 0)));
}

static void hexadecimal(void **state)
{
    unsigned char bytes[3];
    char text[7];

    (void)state;
    text_hex("\x00\xAB\x7f", 3, text);
    assert_string_equal(text, "00ab7f");
    assert_true(text_unhex(STR("00aB7F"), bytes, 3));
    assert_memory_equal(bytes, "\x00\xAB\x7f", 3);
    assert_false(text_unhex(STR("00ab7"), bytes, 3));
    assert_false(text_unhex(STR("00ab7g"), bytes, 3));
    assert_false(text_unhex(STR(""), bytes, 3));
    assert_false(text_unhex((struct str){NULL, 0}, bytes, 3));
}

/* RFC 4648, section 10, without padding. */
static void base64url_vectors(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        buf_reset(&b);
        text_base64url(&b, vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(b.ptr, vectors[i][1]);
        buf_reset(&b);
        assert_int_equal(text_unbase64url(str_of(vectors[i][1]), &b, &e), ERR_OK);
        assert_string_equal(b.ptr, vectors[i][0]);
    }
    buf_reset(&b);
    text_base64url(&b, "\xFB\xFF\xFE", 3);
    assert_string_equal(b.ptr, "-__-");
    buf_fini(&b);
}

static void base64url_has_one_spelling(void **state)
{
    static const char *const bad[] = {"A", "Zg==", "Zh", "Zm9", "Zm8=", "Z+==", "Zm 9v", "AAAAA"};
    struct buf b;
    struct err e;

    (void)state;
    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        buf_reset(&b);
        assert_int_equal(text_unbase64url(str_of(bad[i]), &b, &e), ERR_INVALID);
    }
    buf_fini(&b);
    buf_init(&b, 2);
    assert_int_equal(text_unbase64url(STR("Zm9v"), &b, &e), ERR_LIMIT);
    buf_fini(&b);
}

static void uuids(void **state)
{
    static const char text[] = "00112233-4455-4677-8899-aabbccddeeff";
    unsigned char random[16];
    struct uuid u, v;
    char out[TEXT_UUID_SIZE];

    (void)state;
    assert_true(text_parse_uuid(str_of(text), &u));
    text_uuid(&u, out);
    assert_string_equal(out, text);
    assert_true(text_parse_uuid(STR("00112233-4455-4677-8899-AABBCCDDEEFF"), &v));
    assert_true(text_uuid_eq(&u, &v));
    assert_false(text_parse_uuid(STR("00112233-4455-4677-8899-aabbccddeef"), &v));
    assert_false(text_parse_uuid(STR("00112233-4455-4677-8899-aabbccddeeffa"), &v));
    assert_false(text_parse_uuid(STR("00112233x4455-4677-8899-aabbccddeeff"), &v));
    assert_false(text_parse_uuid(STR("0011223344554677-8899-aabbccddeeff--"), &v));
    assert_false(text_parse_uuid((struct str){NULL, 0}, &v));
    memset(random, 0xFF, sizeof(random));
    text_uuid_v4(&u, random);
    text_uuid(&u, out);
    assert_string_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff");
}

/* RFC 3720, B.4. */
static void crc32c_vectors(void **state)
{
    unsigned char bytes[32];

    (void)state;
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
    memset(bytes, 0xFF, sizeof(bytes));
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46DD794E);
    for (unsigned i = 0; i < 32; i++)
        bytes[i] = (unsigned char)(31 - i);
    assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113FDB5C);
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xE3069283);
    assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void errors_are_wrapped_and_cut(void **state)
{
    char longer[2 * ERR_TEXT_MAX];
    struct err e;

    (void)state;
    assert_int_equal(err_set(NULL, ERR_IO, "lost"), ERR_IO);
    assert_int_equal(err_set_errno(&e, ERR_DENIED, EACCES, "open %s", "x"), ERR_DENIED);
    assert_string_equal(e.text, "open x: Permission denied");
    assert_int_equal(e.os_errno, EACCES);
    assert_int_equal(err_wrap(&e, "load %d", 1), ERR_DENIED);
    assert_string_equal(e.text, "load 1: open x: Permission denied");
    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(err_set(&e, ERR_BUG, "%s", longer), ERR_BUG);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err_wrap(&e, "%s", longer), ERR_BUG);
    assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
    assert_int_equal(err_set_errno(&e, ERR_IO, EIO, "%s", longer), ERR_IO);
    assert_int_equal(e.os_errno, EIO);
    for (int code = ERR_OK; code <= ERR_BUG; code++)
        assert_string_not_equal(err_code_name((enum err_code)code), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing_and_cutting),
        cmocka_unit_test(utf8_is_judged_as_rfc3629_says),
        cmocka_unit_test(hashes_spread),
        cmocka_unit_test(hexadecimal),
        cmocka_unit_test(base64url_vectors),
        cmocka_unit_test(base64url_has_one_spelling),
        cmocka_unit_test(uuids),
        cmocka_unit_test(crc32c_vectors),
        cmocka_unit_test(errors_are_wrapped_and_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
