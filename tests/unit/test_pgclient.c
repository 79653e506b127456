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

static void weak_links_are_for_local_targets_only(void **state)
{
    struct pgclient_place p;
    struct err e;
    (void)state;
    assert_int_equal(check("host=127.0.0.1 port=5433 dbname=app user=pga", &p, &e), ERR_OK);
    assert_true(p.local);
    assert_string_equal(p.host, "127.0.0.1");
    assert_string_equal(p.port, "5433");
    assert_string_equal(p.dbname, "app");
    assert_int_equal(check("host=/run/postgresql", &p, &e), ERR_OK);
    assert_true(p.local);
    assert_int_equal(check("postgres://[::1]:5432/app", &p, &e), ERR_OK);
    assert_int_equal(check("host=db.example", &p, &e), ERR_UNSUPPORTED);
    assert_non_null(strstr(e.text, "sslmode=prefer"));
    assert_int_equal(check("host=localhost,db.example", &p, &e), ERR_UNSUPPORTED);
    assert_int_equal(check("hostaddr=192.0.2.1 host=localhost", &p, &e), ERR_UNSUPPORTED);
    assert_int_equal(check("host=db.example sslmode=prefer", &p, &e), ERR_OK);
    assert_false(p.local);
    assert_int_equal(check("host=db.example sslmode=disable", &p, &e), ERR_OK);
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

static void strict_modes_are_refused_with_the_reason(void **state)
{
    static const char *const MODES[] = {"require", "verify-ca", "verify-full"};
    char conninfo[64];
    struct err e;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        snprintf(conninfo, sizeof(conninfo), "host=localhost sslmode=%s", MODES[i]);
        assert_int_equal(check(conninfo, NULL, &e), ERR_UNSUPPORTED);
        assert_non_null(strstr(e.text, "TLS to PostgreSQL is not in this build"));
    }
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
        cmocka_unit_test(weak_links_are_for_local_targets_only),
        cmocka_unit_test(a_password_is_split_off_and_the_rest_reads_the_same),
        cmocka_unit_test(strict_modes_are_refused_with_the_reason),
        cmocka_unit_test(a_bad_dsn_is_refused_without_showing_it),
        cmocka_unit_test(a_password_in_the_dsn_is_noticed),
        cmocka_unit_test(nobody_listening_is_unreachable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
