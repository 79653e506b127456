/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_pgclient.c: what pgclient decides without a server: sslmode policy, error classes, refusals.
 */
#include "pgclient/pgclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"

static enum err_code check(const char *conninfo, struct pgclient_place *place, struct err *e)
{
    struct pgclient_config config = {.conninfo = conninfo};
    return pgclient_check(&config, place, e);
}

static void only_local_targets_are_not_verified_unless_written(void **state)
{
    struct pgclient_place p;
    struct err e;
    (void)state;
    assert_int_equal(check("host=127.0.0.1 port=5433 dbname=app user=pga", &p, &e), ERR_OK);
    assert_true(p.local);
    assert_string_equal(p.host, "127.0.0.1");
    assert_string_equal(p.port, "5433");
    assert_string_equal(p.dbname, "app");
    assert_string_equal(p.sslmode, "prefer");
    assert_false(p.mode_given);
    assert_int_equal(check("host=/run/postgresql", &p, &e), ERR_OK);
    assert_true(p.local);
    assert_int_equal(check("postgres://[::1]:5432/app", &p, &e), ERR_OK);
    assert_string_equal(p.sslmode, "prefer");
    static const char *const REMOTE[] = {"host=db.example", "host=localhost,db.example",
                                         "hostaddr=192.0.2.1 host=localhost",
                                         "host=localhost sslrootcert=system"};
    for (size_t i = 0; i < sizeof(REMOTE) / sizeof(REMOTE[0]); i++) {
        assert_int_equal(check(REMOTE[i], &p, &e), ERR_OK);
        assert_string_equal(p.sslmode, "verify-full");
        assert_false(p.mode_given);
    }
    assert_int_equal(check("host=db.example sslmode=prefer", &p, &e), ERR_OK);
    assert_false(p.local);
    assert_string_equal(p.sslmode, "prefer");
    assert_true(p.mode_given);
}

static enum err_code open_it(const char *conninfo, struct err *e)
{
    struct pgclient_config config = {.conninfo = conninfo};
    struct pgclient *c = NULL;
    enum err_code code = pgclient_open(&config, clock_mono_us() + 2000000, &c, e);
    pgclient_close(c);
    return code;
}

/* Nothing is looked up or sent before: the host does not exist, and a look-up would say so. */
static void a_link_with_nothing_to_trust_is_refused_with_the_key_to_write(void **state)
{
    struct err e = {0};
    (void)state;
    setenv("HOME", "/nonexistent", 1);
    unsetenv("PGSSLROOTCERT");
    assert_int_equal(open_it("host=db.invalid", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "sslrootcert=FILE"));
    assert_non_null(strstr(e.text, "sslmode=require or prefer"));
    assert_int_equal(open_it("host=db.invalid sslmode=verify-ca", &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "sslrootcert=FILE"));
    assert_null(strstr(e.text, "prefer"));
    assert_int_equal(open_it("host=127.0.0.1 port=1 sslmode=verify-full", &e), ERR_INVALID);
    assert_int_equal(open_it("host=127.0.0.1 port=1 sslmode=require", &e), ERR_UNREACHABLE);
    setenv("PGSSLROOTCERT", "system", 1);
    assert_int_equal(open_it("host=127.0.0.1 port=1 sslmode=verify-full", &e), ERR_UNREACHABLE);
    unsetenv("PGSSLROOTCERT");
}

static void files_and_secrets_in_a_dsn_are_noticed(void **state)
{
    static const char *const FILES[] = {
        "host=a sslcert=/x",   "host=a sslkey=/x",   "host=a sslrootcert=/x", "host=a sslcrl=/x",
        "host=a sslcrldir=/x", "host=a passfile=/x", "host=a service=x"};
    struct pgclient_place p;
    struct err e;
    (void)state;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        assert_int_equal(check(FILES[i], &p, &e), ERR_OK);
        assert_true(p.names_files);
        assert_false(p.has_password);
    }
    assert_int_equal(check("host=a sslrootcert=system", &p, &e), ERR_OK);
    assert_false(p.names_files);
    assert_int_equal(check("host=a sslpassword=x", &p, &e), ERR_OK);
    assert_true(p.has_password);
}

static void a_password_is_split_off_and_the_rest_reads_the_same(void **state)
{
    struct pgclient_place p;
    struct buf rest, password;
    struct err e;
    (void)state;
    buf_init(&rest, 4096);
    buf_init(&password, 256);
    assert_int_equal(pgclient_split_password("postgres://me:s%27ec%5Cret@localhost:5433/a'p", &rest,
                                             &password, &e),
                     ERR_OK);
    assert_string_equal(password.ptr, "s'ec\\ret");
    assert_null(strstr(rest.ptr, "ec\\"));
    assert_int_equal(check(rest.ptr, &p, &e), ERR_OK);
    assert_string_equal(p.host, "localhost");
    assert_string_equal(p.port, "5433");
    assert_string_equal(p.dbname, "a'p");
    assert_string_equal(p.user, "me");
    assert_false(p.has_password);
    buf_fini(&password);
    buf_fini(&rest);
}

static void there_are_six_modes(void **state)
{
    static const char *const MODES[] = {"disable", "allow",     "prefer",
                                        "require", "verify-ca", "verify-full"};
    char conninfo[64];
    struct pgclient_place p;
    struct err e;
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        snprintf(conninfo, sizeof(conninfo), "host=localhost sslmode=%s", MODES[i]);
        assert_int_equal(check(conninfo, &p, &e), ERR_OK);
        assert_string_equal(p.sslmode, MODES[i]);
    }
    assert_int_equal(check("host=localhost sslmode=verify-most", NULL, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "verify-full"));
}

static void a_bad_dsn_is_refused_without_showing_it(void **state)
{
    struct err e;
    (void)state;
    assert_int_equal(check("password=hunter2 nonsense", NULL, &e), ERR_INVALID);
    assert_null(strstr(e.text, "hunter2"));
}

static void a_password_in_the_dsn_is_noticed(void **state)
{
    struct pgclient_place p;
    struct err e;
    (void)state;
    assert_int_equal(check("host=localhost password=x", &p, &e), ERR_OK);
    assert_true(p.has_password);
    assert_int_equal(check("host=localhost", &p, &e), ERR_OK);
    assert_false(p.has_password);
}

static void nobody_listening_is_unreachable(void **state)
{
    struct pgclient_config config = {.conninfo = "host=127.0.0.1 port=1 dbname=x user=x"};
    struct pgclient *c = NULL;
    struct err e = {0};
    (void)state;
    assert_int_equal(pgclient_open(&config, clock_mono_us() + 2000000, &c, &e), ERR_UNREACHABLE);
    assert_null(c);
    assert_true(e.text[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_local_targets_are_not_verified_unless_written),
        cmocka_unit_test(a_link_with_nothing_to_trust_is_refused_with_the_key_to_write),
        cmocka_unit_test(files_and_secrets_in_a_dsn_are_noticed),
        cmocka_unit_test(a_password_is_split_off_and_the_rest_reads_the_same),
        cmocka_unit_test(there_are_six_modes),
        cmocka_unit_test(a_bad_dsn_is_refused_without_showing_it),
        cmocka_unit_test(a_password_in_the_dsn_is_noticed),
        cmocka_unit_test(nobody_listening_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
