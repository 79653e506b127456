/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_redact.c: no string constant survives, and nothing else is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "probe/redact.h"

static const struct {
    const char *sql, *want;
} CASES[] = {
    {"SELECT a FROM t WHERE b = $1", NULL},
    {"", NULL},
    {"ALTER ROLE x PASSWORD 'secret'", "ALTER ROLE x PASSWORD '***'"},
    {"ALTER ROLE x PASSWORD 'it''s secret' VALID UNTIL 'now'",
     "ALTER ROLE x PASSWORD '***' VALID UNTIL '***'"},
    {"ALTER ROLE x PASSWORD E'a\\'secret' NOLOGIN", "ALTER ROLE x PASSWORD E'***' NOLOGIN"},
    {"ALTER ROLE x PASSWORD e'a\\\\' NOLOGIN", "ALTER ROLE x PASSWORD e'***' NOLOGIN"},
    {"ALTER ROLE x PASSWORD U&'secr\\0065t'", "ALTER ROLE x PASSWORD U&'***'"},
    {"ALTER ROLE x PASSWORD $$secret$$", "ALTER ROLE x PASSWORD '***'"},
    {"ALTER ROLE x PASSWORD $a_1$se$$c$b$ret$a_1$;", "ALTER ROLE x PASSWORD '***';"},
    {"ALTER SYSTEM SET archive_command = 'scp secret'", "ALTER SYSTEM SET archive_command = '***'"},
    {"SET x = 'unfinished secret", "SET x = '***'"},
    {"ALTER ROLE x PASSWORD $$unfinished secret", "ALTER ROLE x PASSWORD '***'"},
    {"SELECT \"it's a name\", 'secret'", "SELECT \"it's a name\", '***'"},
    {"SELECT \"a\"\"'b\", 'secret'", "SELECT \"a\"\"'b\", '***'"},
    {"-- it's a comment\nSELECT 'secret'", "-- it's a comment\nSELECT '***'"},
    {"/* it's /* nested */ ' */ SELECT 'secret'", "/* it's /* nested */ ' */ SELECT '***'"},
    {"SELECT name'secret'", "SELECT name'***'"},
    {"SELECT re'a\\' , 'secret'", "SELECT re'***' , '***'"},
    {"SELECT a$b$c, 'secret'", "SELECT a$b$c, '***'"},
    {"SELECT $1, $2", NULL},
    {"DO $$ BEGIN PERFORM f('secret', 1); END $$", "DO $$ BEGIN PERFORM f('***', 1); END $$"},
    {"do $x$ begin raise 'secret'; end $x$", "do $x$ begin raise '***'; end $x$"},
    {"create or replace function f() returns int language sql as $$ select 'secret', 2 $$",
     "create or replace function f() returns int language sql as $$ select '***', 2 $$"},
    {"CREATE ROLE r PASSWORD $$secret$$", "CREATE ROLE r PASSWORD '***'"},
    {"'", "'***'"},
    {"$", NULL},
    {"$$", "'***'"},
    {"E'\\", "E'***'"},
    {"/*", NULL},
    {"SELECT '\xc3\xa9 secret', \xc3\xa9", "SELECT '***', \xc3\xa9"},
};

static void test_cases(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *want = CASES[i].want ? CASES[i].want : CASES[i].sql;
        struct str got = redact_literals(&a, str_of(CASES[i].sql));
        if (!str_eq_c(got, want)) {
            fail_msg("%s: %.*s", CASES[i].sql, STR_ARG(got));
        }
    }
    arena_fini(&a);
}

/* Cut anywhere, no statement shows the secret. */
static void test_every_cut(void **state)
{
    struct arena a;

    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        for (size_t len = 0; len <= strlen(CASES[i].sql); len++) {
            arena_init(&a, "test", 1 << 20);
            struct str got = redact_literals(&a, str_make(CASES[i].sql, len));
            for (size_t k = 0; k + 6 <= got.len; k++) {
                assert_int_not_equal(memcmp(got.ptr + k, "secret", 6), 0);
            }
            arena_fini(&a);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
