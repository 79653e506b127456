/* SPDX-License-Identifier: PostgreSQL */
/* test_fingerprint.c: every byte, every length and every cut counts, and values never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/fingerprint.h"

#define LONGEST 100

static struct fingerprint_key key_of(unsigned char first)
{
    unsigned char bytes[16] = {first, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct fingerprint_key key;

    fingerprint_key_of(bytes, &key);
    return key;
}

/* They are stored: what an older version said is compared with what this one says. */
static void test_values_of_before(void **state)
{
    static const struct {
        const char *text;
        struct fingerprint print;
    } cases[] = {
        {"", {{UINT64_C(0xaf30ddfff398c52b), UINT64_C(0x8f2730ce054a2906)}}},
        {"abc", {{UINT64_C(0x6f89c014de394502), UINT64_C(0x896887aa59494b2c)}}},
        {"{\"metrics\":[]}", {{UINT64_C(0x54ebf7069cbbefbb), UINT64_C(0xa3548eee865c896f)}}},
        {"0123456789012345678901234567890123456789",
         {{UINT64_C(0xd7db2fae17b20bb2), UINT64_C(0x51df5dd41309fd9e)}}},
    };
    struct fingerprint_key key = key_of(1);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fingerprint got = fingerprint_of(&key, str_of(cases[i].text));

        if (!fingerprint_eq(got, cases[i].print))
            fail_msg("\"%s\": 0x%016llx 0x%016llx", cases[i].text, (unsigned long long)got.word[0],
                     (unsigned long long)got.word[1]);
    }
}

static void test_every_bit_counts(void **state)
{
    char text[LONGEST];
    struct fingerprint_key key = key_of(1);

    (void)state;
    for (size_t len = 1; len <= LONGEST; len++) {
        memset(text, 'x', len);
        struct fingerprint whole = fingerprint_of(&key, str_make(text, len));
        for (size_t bit = 0; bit < 8 * len; bit++) {
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
            struct fingerprint other = fingerprint_of(&key, str_make(text, len));
            assert_true(other.word[0] != whole.word[0]);
            assert_true(other.word[1] != whole.word[1]);
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        }
    }
}

static void test_every_length_counts(void **state)
{
    static const char zeros[LONGEST];
    struct fingerprint seen[LONGEST];
    struct fingerprint_key key = key_of(1);

    (void)state;
    for (size_t len = 0; len < LONGEST; len++) {
        seen[len] = fingerprint_of(&key, str_make(zeros, len));
        for (size_t i = 0; i < len; i++)
            assert_false(fingerprint_eq(seen[i], seen[len]));
    }
}

static void test_every_cut_counts(void **state)
{
    static const char zeros[LONGEST];
    struct fingerprint seen[LONGEST + 1];
    struct fingerprint_key key = key_of(1);

    (void)state;
    for (size_t cut = 0; cut <= LONGEST; cut++) {
        seen[cut] = fingerprint_begin(&key);
        fingerprint_add(&seen[cut], &key, str_make(zeros, cut));
        fingerprint_add(&seen[cut], &key, str_make(zeros, LONGEST - cut));
        fingerprint_end(&seen[cut], &key);
        for (size_t i = 0; i < cut; i++)
            assert_false(fingerprint_eq(seen[i], seen[cut]));
    }
}

static void test_the_key_counts(void **state)
{
    struct fingerprint_key one = key_of(1), other = key_of(2);

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_true(one.word[i] != other.word[i]);
    assert_false(
        fingerprint_eq(fingerprint_of(&one, STR("text")), fingerprint_of(&other, STR("text"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_of_before),    cmocka_unit_test(test_every_bit_counts),
        cmocka_unit_test(test_every_length_counts), cmocka_unit_test(test_every_cut_counts),
        cmocka_unit_test(test_the_key_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
