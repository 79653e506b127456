/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_totp.c: codes against the vectors of RFC 6238; the second factor of an account in a store of
 * either dialect: each code once, recovery codes once, sealed seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dialect_fixture.h"
#include "os/clock.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store_seal_rotate.h"
#include "store/store_totp.h"
#include "store/store_user.h"
#include "tls/crypto.h"

static struct dialect_fixture at;
static enum sqldb_dialect dialect;
static struct store *s;
static struct store_seal_ctx *seal;
static struct store_key_source source;
static char key_path[96];
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

/* RFC 6238, appendix B, the last six digits; the seed is "12345678901234567890". */
static void codes_are_those_of_the_rfc(void **state)
{
    static const struct {
        int64_t at_s;
        const char *code;
    } cases[] = {
        {59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
        {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"},
    };
    const unsigned char *seed = (const unsigned char *)"12345678901234567890";
    char code[TOTP_DIGITS + 1], text[TOTP_SEED_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        totp_code(seed, cases[i].at_s / TOTP_STEP_S, code);
        assert_string_equal(code, cases[i].code);
    }
    totp_seed_text(seed, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

static void a_code_fits_one_step_around_now(void **state)
{
    const unsigned char *seed = (const unsigned char *)"12345678901234567890";
    const int64_t now_s = 1234567890, now = now_s / TOTP_STEP_S;
    char code[TOTP_DIGITS + 1];

    (void)state;
    for (int64_t off = -3; off <= 3; off++) {
        totp_code(seed, now + off, code);
        assert_int_equal(totp_match(seed, str_of(code), now_s, 0),
                         off >= -1 && off <= 1 ? now + off : 0);
    }
    totp_code(seed, now, code);
    assert_int_equal(totp_match(seed, str_of(code), now_s, now - 1), now);
    assert_int_equal(totp_match(seed, str_of(code), now_s, now), 0);
    assert_int_equal(totp_match(seed, STR(""), now_s, 0), 0);
    assert_int_equal(totp_match(seed, str_make(code, 5), now_s, 0), 0);
}

/* --- in a store --- */

static int begin(void **state)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    (void)state;
    dialect_fixture_begin(&at, dialect);
    if (dialect == SQLDB_PG) {
        store_migrations(&set, NULL);
        assert_int_equal(sqldb_open(at.url, NULL, &db, &e), ERR_OK);
        assert_int_equal(sqldb_migrate_up(db, &set, NULL, &e), ERR_OK);
        sqldb_close(db);
    }
    snprintf(key_path, sizeof(key_path), "%s/keys/master.key", at.dir);
    source = (struct store_key_source){.kind = STORE_KEY_FILE, .path = key_path};
    assert_int_equal(store_open(at.url, &s, &e), ERR_OK);
    assert_int_equal(store_seal_open(s, &source, &seal, &e), ERR_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_seal_close(seal);
    store_close(s);
    dialect_fixture_end(&at);
    return 0;
}

static struct store_totp of_user(const char *name)
{
    struct store_user_new user = {str_of(name), STR(""), STR(""), "admin", "phc", false, NULL};
    struct store_totp t = {s, seal, &who, 0};

    assert_int_equal(store_user_create(s, &who, &user, &t.account, &e), ERR_OK);
    return t;
}

static int64_t now_step(void)
{
    return clock_wall_ms() / 1000 / TOTP_STEP_S;
}

static bool takes(const struct store_totp *t, const char *code)
{
    bool right = false;

    assert_int_equal(store_totp_take(t, str_of(code), &right, &e), ERR_OK);
    return right;
}

/* In use, by the code of the step before this one, so that those of this and the next are left. */
static void put_in_use(const struct store_totp *t, unsigned char seed[TOTP_SEED_BYTES],
                       struct store_totp_recovery *codes)
{
    char code[TOTP_DIGITS + 1];

    assert_int_equal(store_totp_begin(t, seed, &e), ERR_OK);
    totp_code(seed, now_step() - 1, code);
    assert_int_equal(store_totp_enable(t, str_of(code), codes, &e), ERR_OK);
}

static void a_code_is_taken_once(void **state)
{
    struct store_totp t = of_user("alice"), other = of_user("bob");
    unsigned char seed[TOTP_SEED_BYTES];
    struct store_totp_recovery codes;
    char before[TOTP_DIGITS + 1], next[TOTP_DIGITS + 1];
    int64_t step;

    (void)state;
    put_in_use(&t, seed, &codes);
    step = now_step();
    totp_code(seed, step, before);
    totp_code(seed, step + 1, next);
    assert_false(takes(&other, next));
    assert_true(takes(&t, next));
    assert_false(takes(&t, next));
    assert_false(takes(&t, before)); /* older than one that was taken */
    assert_false(takes(&t, "12345"));
    assert_false(takes(&t, ""));
}

static void a_recovery_code_opens_once(void **state)
{
    struct store_totp t = of_user("alice"), other = of_user("bob");
    unsigned char seed[TOTP_SEED_BYTES];
    struct store_totp_recovery codes, foreign;
    struct store_totp_state st;
    char loose[] = "xxxx xxxx xxxx";

    (void)state;
    put_in_use(&t, seed, &codes);
    put_in_use(&other, seed, &foreign);
    assert_int_equal(store_totp_state(&t, &st, &e), ERR_OK);
    assert_true(st.in_use);
    assert_int_equal(st.recovery_left, STORE_TOTP_RECOVERIES);
    assert_false(takes(&t, foreign.codes[0]));
    for (size_t i = 0; i < sizeof(loose) - 1; i++) {
        char c = codes.codes[3][i];

        loose[i] = c == '-' ? ' ' : c >= 'A' ? (char)(c | 0x20) : c;
    }
    assert_true(takes(&t, loose));
    assert_false(takes(&t, codes.codes[3]));
    assert_true(takes(&t, codes.codes[9]));
    assert_int_equal(store_totp_state(&t, &st, &e), ERR_OK);
    assert_int_equal(st.recovery_left, STORE_TOTP_RECOVERIES - 2);
    assert_int_equal(store_totp_disable(&t, &e), ERR_OK);
    assert_false(takes(&t, codes.codes[0]));
    assert_int_equal(store_totp_disable(&t, &e), ERR_NOT_FOUND);
}

static void nothing_is_in_use_before_a_code_showed_it(void **state)
{
    struct store_totp t = of_user("alice");
    unsigned char first[TOTP_SEED_BYTES], seed[TOTP_SEED_BYTES];
    struct store_totp_recovery codes;
    struct store_totp_state st;
    char code[TOTP_DIGITS + 1];

    (void)state;
    assert_int_equal(store_totp_enable(&t, STR("123456"), &codes, &e), ERR_NOT_FOUND);
    assert_int_equal(store_totp_begin(&t, first, &e), ERR_OK);
    assert_int_equal(store_totp_begin(&t, seed, &e), ERR_OK); /* another try */
    assert_memory_not_equal(first, seed, TOTP_SEED_BYTES);
    assert_int_equal(store_totp_state(&t, &st, &e), ERR_OK);
    assert_false(st.in_use);
    totp_code(first, now_step(), code);
    assert_int_equal(store_totp_enable(&t, str_of(code), &codes, &e), ERR_INVALID);
    totp_code(seed, now_step(), code);
    assert_false(takes(&t, code));
    assert_int_equal(store_totp_enable(&t, str_of(code), &codes, &e), ERR_OK);
    assert_int_equal(store_totp_enable(&t, str_of(code), &codes, &e), ERR_CONFLICT);
    assert_int_equal(store_totp_begin(&t, first, &e), ERR_CONFLICT);
}

/* A seed does not open in the row of another account (K1), and survives a new data key. */
static void seeds_are_bound_to_their_account(void **state)
{
    struct store_totp t = of_user("alice"), other = of_user("bob");
    unsigned char seed[TOTP_SEED_BYTES], theirs[TOTP_SEED_BYTES];
    struct store_totp_recovery codes;
    uint32_t generation = 0;
    char code[TOTP_DIGITS + 1];
    bool right, more = true;
    struct sqldb *db;

    (void)state;
    put_in_use(&t, seed, &codes);
    put_in_use(&other, theirs, &codes);
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
    while (more)
        assert_int_equal(store_seal_step(seal, &more, &e), ERR_OK);
    totp_code(seed, now_step(), code);
    assert_true(takes(&t, code));
    assert_int_equal(store_begin(s, &db, &e), ERR_OK);
    assert_int_equal(
        sqldb_script(db,
                     "UPDATE account_totp SET seed = (SELECT seed FROM account_totp o WHERE "
                     "o.account_id <> account_totp.account_id)",
                     &e),
        ERR_OK);
    assert_int_equal(store_end(s, ERR_OK, &e), ERR_OK);
    assert_int_equal(store_totp_take(&t, str_of("000000"), &right, &e), ERR_CORRUPT);
}

int main(void)
{
    int failed;
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(a_code_fits_one_step_around_now),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_code_is_taken_once, begin, end),
        cmocka_unit_test_setup_teardown(a_recovery_code_opens_once, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_in_use_before_a_code_showed_it, begin, end),
        cmocka_unit_test_setup_teardown(seeds_are_bound_to_their_account, begin, end),
    };

    assert_int_equal(crypto_init(&e), ERR_OK);
    failed = cmocka_run_group_tests_name("codes", plain, NULL, NULL);
    failed += cmocka_run_group_tests_name("totp on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("totp on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
