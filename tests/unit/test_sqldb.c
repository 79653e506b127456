/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_sqldb.c: values come back as they were bound; errors have one meaning; migrations run once,
 * in order, and notice a changed file. The same cases run on both dialects (dialect_fixture.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "dialect_fixture.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/file.h"
#include "sqldb/sqldb_backend.h"
#include "sqldb/sqldb_migrate.h"
#include "tls/hash.h"

struct opened {
    struct dialect_fixture at;
    struct sqldb *db;
};

static struct opened opened;
static enum sqldb_dialect dialect;

static int set_up(void **state)
{
    struct err e = {0};
    dialect_fixture_begin(&opened.at, dialect);
    if (sqldb_open(opened.at.url, NULL, &opened.db, &e)) {
        fail_msg("open: %s", e.text);
    }
    *state = &opened;
    return 0;
}

static int tear_down(void **state)
{
    struct opened *o = *state;
    sqldb_close(o->db);
    dialect_fixture_end(&o->at);
    return 0;
}

/* A statement that is in no file: prepared and started. */
static enum err_code query(struct sqldb *db, const char *sql, struct sqldb_args args,
                           struct sqldb_stmt **s, struct err *e)
{
    enum err_code code = db->backend->prepare(db, sql, s, e);
    if (code) {
        *s = NULL;
        return code;
    }
    (*s)->db = db;
    return db->backend->start(*s, args, e);
}

static void drop(struct sqldb_stmt *s)
{
    if (s) {
        s->db->backend->free_stmt(s);
    }
}

/* The same, run to its end. */
static enum err_code run(struct sqldb *db, const char *sql, struct sqldb_args args)
{
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    bool row = true;
    enum err_code code = query(db, sql, args, &s, &e);

    while (code == ERR_OK && row) {
        code = sqldb_step(s, &row, &e);
    }
    drop(s);
    return code;
}

static int64_t number_of(struct sqldb *db, const char *sql)
{
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    bool row = false;

    assert_int_equal(query(db, sql, SQLDB_NO_ARGS, &s, &e), ERR_OK);
    assert_int_equal(sqldb_step(s, &row, &e), ERR_OK);
    assert_true(row);
    int64_t value = sqldb_get_i64(s, 0);
    drop(s);
    return value;
}

static void script(struct sqldb *db, const char *sql)
{
    struct err e = {0};
    if (sqldb_script(db, sql, &e)) {
        fail_msg("%s: %s", sql, e.text);
    }
}

static void test_constraint_is_a_conflict_and_rolls_back(void **state)
{
    struct opened *o = *state;
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    const struct sqldb_args row = SQLDB_ARGS(sqldb_i64(1), sqldb_text_c("a"), sqldb_text_c("h"),
                                             sqldb_i64(INT64_MAX));

    assert_int_equal(sqldb_run(o->db, "schema_migration_table", SQLDB_NO_ARGS, &e), ERR_OK);
    assert_int_equal(sqldb_begin(o->db, &e), ERR_OK);
    assert_int_equal(sqldb_run(o->db, "schema_migration_insert", row, &e), ERR_OK);
    assert_int_equal(sqldb_changes(o->db), 1);
    assert_int_equal(sqldb_run(o->db, "schema_migration_insert", row, &e), ERR_CONFLICT);
    sqldb_rollback(o->db);
    assert_int_equal(sqldb_row(o->db, "schema_migration_list", SQLDB_NO_ARGS, &s, &e),
                     ERR_NOT_FOUND);
    assert_int_equal(sqldb_run(o->db, "schema_migration_insert", row, &e), ERR_OK);
    assert_int_equal(sqldb_row(o->db, "schema_migration_list", SQLDB_NO_ARGS, &s, &e), ERR_OK);
    assert_true(sqldb_get_i64(s, sqldb_column(s, "applied_ms")) == INT64_MAX);
    assert_true(str_eq_c(sqldb_get_text(s, sqldb_column(s, "name")), "a"));
    assert_int_equal(sqldb_column(s, "nothing"), -1);
    sqldb_end(s);
}

static void check_values(struct sqldb_stmt *s, const struct sqldb_value want[4])
{
    double got = sqldb_get_f64(s, sqldb_column(s, "d"));
    struct str text = sqldb_get_text(s, sqldb_column(s, "t"));
    struct str blob = sqldb_get_blob(s, sqldb_column(s, "b"));

    assert_true(sqldb_get_i64(s, sqldb_column(s, "i")) == want[0].i64);
    assert_memory_equal(&got, &want[1].f64, sizeof(got)); /* to the last bit */
    assert_false(sqldb_is_null(s, sqldb_column(s, "t")));
    assert_true(str_eq(text, want[2].bytes));
    assert_true(str_eq(blob, want[3].bytes));
}

static void test_values_come_back_exactly(void **state)
{
    static const char every[] = "\0\1\xff'\\x";
    const struct sqldb_value rows[][4] = {
        {sqldb_i64(INT64_MIN), sqldb_f64(0.1), sqldb_text_c(""), sqldb_blob(every, 7)},
        {sqldb_i64(INT64_MAX), sqldb_f64(DBL_MAX), sqldb_text_c("it's \\ \xe2\x82\xac\n"),
         sqldb_blob("x", 1)},
        {sqldb_i64(0), sqldb_f64(5e-324), sqldb_text_c("$1 -- ;"), sqldb_blob(every, 1)},
        {sqldb_i64(-1), sqldb_f64(-INFINITY), sqldb_text_c("\\x41"), sqldb_blob("\\x41", 4)},
        {sqldb_i64(1), sqldb_f64(123456789.123456789), sqldb_text_c("NaN"), sqldb_blob("ab", 2)},
    };
    const struct sqldb_value nulls[4] = {sqldb_null(), sqldb_null(), sqldb_text_c(NULL),
                                         sqldb_null()};
    struct opened *o = *state;
    struct err e = {0};
    bool row = false;

    script(o->db, "CREATE TABLE v (i bigint, d double precision, t text, b bytea)");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sqldb_stmt *s = NULL;
        const char *insert = "INSERT INTO v VALUES ($1, $2, $3, $4) -- not $5";
        assert_int_equal(run(o->db, "DELETE FROM v", SQLDB_NO_ARGS), ERR_OK);
        assert_int_equal(run(o->db, insert, (struct sqldb_args){rows[i], 4}), ERR_OK);
        assert_int_equal(query(o->db, "SELECT i, d, t, b FROM v", SQLDB_NO_ARGS, &s, &e), ERR_OK);
        assert_int_equal(sqldb_step(s, &row, &e), ERR_OK);
        assert_true(row);
        check_values(s, rows[i]);
        drop(s);
    }
    assert_int_equal(run(o->db, "DELETE FROM v", SQLDB_NO_ARGS), ERR_OK);
    assert_true(sqldb_changes(o->db) == 1);
    assert_int_equal(
        run(o->db, "INSERT INTO v VALUES ($1, $2, $3, $4)", (struct sqldb_args){nulls, 4}), ERR_OK);
    assert_true(number_of(o->db, "SELECT count(*) FROM v WHERE i IS NULL AND d IS NULL AND "
                                 "t IS NULL AND b IS NULL") == 1);
    assert_int_equal(run(o->db, "INSERT INTO v (i) VALUES ($1)", SQLDB_NO_ARGS), ERR_BUG);
}

static void make_numbers(struct sqldb *db)
{
    script(db, "CREATE TABLE n (i bigint, t text); "
               "INSERT INTO n WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r "
               "WHERE i < 1000) SELECT i, 'row ' || i FROM r");
}

static void test_cursors_do_not_disturb_each_other(void **state)
{
    struct opened *o = *state;
    struct sqldb_stmt *s = NULL;
    struct err e = {0};
    bool row = true;
    int64_t sum = 0;

    make_numbers(o->db);
    assert_int_equal(query(o->db, "SELECT i, t FROM n ORDER BY i", SQLDB_NO_ARGS, &s, &e), ERR_OK);
    for (int64_t i = 1; i <= 1000; i++) {
        char want[32];
        (void)snprintf(want, sizeof(want), "row %d", (int)i);
        assert_int_equal(sqldb_step(s, &row, &e), ERR_OK);
        assert_true(row);
        struct str text = sqldb_get_text(s, 1);
        if (i == 3 || i == 700) {
            assert_true(number_of(o->db, "SELECT count(*) FROM n") == 1000);
        }
        assert_true(str_eq_c(text, want));
        sum += sqldb_get_i64(s, 0);
    }
    assert_int_equal(sqldb_step(s, &row, &e), ERR_OK);
    assert_false(row);
    assert_true(sum == 500500);
    drop(s);
    assert_int_equal(query(o->db, "SELECT i FROM n", SQLDB_NO_ARGS, &s, &e), ERR_OK);
    assert_int_equal(sqldb_step(s, &row, &e), ERR_OK);
    drop(s); /* with rows left */
    assert_true(number_of(o->db, "SELECT count(*) FROM n") == 1000);
}

static void test_bad_sql_is_invalid_not_an_absent_row(void **state)
{
    struct opened *o = *state;

    assert_int_equal(run(o->db, "SELECT x FROM nowhere", SQLDB_NO_ARGS), ERR_INVALID);
    assert_int_equal(run(o->db, "SELEKT", SQLDB_NO_ARGS), ERR_INVALID);
    script(o->db, "CREATE TABLE twice (x integer)");
    assert_int_equal(sqldb_script(o->db, "CREATE TABLE twice (x integer)", NULL), ERR_INVALID);
    assert_true(number_of(o->db, "SELECT 7") == 7);
}

static void test_one_writer_at_a_time(void **state)
{
    struct opened *o = *state;
    const struct sqldb_options impatient = {.busy_timeout_ms = 100};
    struct sqldb *other = NULL;
    struct err e = {0};

    assert_int_equal(sqldb_open(o->at.url, &impatient, &other, &e), ERR_OK);
    assert_int_equal(sqldb_begin(o->db, &e), ERR_OK);
    assert_int_equal(sqldb_begin(other, &e), ERR_TIMEOUT);
    assert_false(sqldb_in_transaction(other));
    script(o->db, "CREATE TABLE t (x integer)");
    assert_int_equal(sqldb_commit(o->db, &e), ERR_OK);
    assert_int_equal(sqldb_begin(other, &e), ERR_OK);
    assert_true(number_of(other, "SELECT count(*) FROM t") == 0);
    script(other, "INSERT INTO t VALUES (1)");
    sqldb_close(other); /* rolls back */
    assert_true(number_of(o->db, "SELECT count(*) FROM t") == 0);
}

static void test_a_read_transaction_sees_one_snapshot(void **state)
{
    struct opened *o = *state;
    struct sqldb *reader = NULL;
    struct err e = {0};

    script(o->db, "CREATE TABLE t (x integer)");
    assert_int_equal(sqldb_open(o->at.url, NULL, &reader, &e), ERR_OK);
    assert_int_equal(sqldb_begin_read(reader, &e), ERR_OK);
    assert_true(number_of(reader, "SELECT count(*) FROM t") == 0);
    script(o->db, "INSERT INTO t VALUES (1)");
    assert_true(number_of(reader, "SELECT count(*) FROM t") == 0);
    assert_int_equal(sqldb_commit(reader, &e), ERR_OK);
    assert_true(number_of(reader, "SELECT count(*) FROM t") == 1);
    sqldb_close(reader);
}

static void test_deadline_stops_a_long_statement(void **state)
{
    static const char *const endless =
        "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1000000000) "
        "SELECT count(*) FROM r";
    struct opened *o = *state;
    int64_t start_us = clock_mono_us();

    sqldb_deadline(o->db, start_us + 200000);
    assert_int_equal(run(o->db, endless, SQLDB_NO_ARGS), ERR_TIMEOUT);
    assert_true(clock_mono_us() - start_us < 5000000);
    sqldb_deadline(o->db, 0);
    assert_true(number_of(o->db, "SELECT 7") == 7);
}

static enum err_code hash(const void *bytes, size_t len, unsigned char out[32])
{
    hash_sha256(str_make(bytes, len), out);
    return ERR_OK;
}

#define FILE_OF(n, text)                                                          \
    {                                                                             \
        .name = n, .data = (const unsigned char *)(text), .len = sizeof(text) - 1 \
    }

static void test_migrations_run_once_and_are_kept_as_they_were(void **state)
{
    struct opened *o = *state;
    const bool lite = dialect == SQLDB_SQLITE;
    struct embed_file files[] = {
        FILE_OF(lite ? "0001_one.pg.sql" : "0001_one.sqlite.sql", "wrong dialect"),
        FILE_OF(lite ? "0001_one.sqlite.sql" : "0001_one.pg.sql", "CREATE TABLE a (x INTEGER)"),
        FILE_OF(lite ? "0002_two.sqlite.sql" : "0002_two.pg.sql",
                "CREATE TABLE b (x INTEGER); INSERT INTO b VALUES (1)"),
        FILE_OF(lite ? "0003_three.sqlite.sql" : "0003_three.pg.sql",
                "CREATE TABLE c (x INTEGER); CREATE TABLE a (y INTEGER)"),
    };
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/meta.db", o->at.dir);
    struct sqldb_migrate_set set = {
        .files = files, .count = 2, .hash = hash, .backup_of = lite ? path : NULL};
    struct err e = {0};
    int count = 0;

    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    set.count = 3;
    assert_int_equal(sqldb_migrate_dry_run(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(count, 0);
    set.count = 4; /* fails half-way: nothing of it stays */
    assert_int_not_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(sqldb_script(o->db, "CREATE TABLE c (x INTEGER)", &e), ERR_OK);
    set.count = 2; /* an older program */
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_UNSUPPORTED);
    set.count = 3;
    files[1].len--;
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_CORRUPT);
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/meta.db.before-0002", o->at.dir);
    assert_int_equal(stat(path, &st), lite ? 0 : -1);
}

static void take_number(void *arg, const struct sqldb_migrate_step *step)
{
    int *last = arg;

    assert_true(step->number > *last && step->applied_ms > 0);
    *last = step->number;
}

static void test_numbers_of_migrations_rise_and_may_have_gaps(void **state)
{
    struct opened *o = *state;
    const bool lite = dialect == SQLDB_SQLITE;
    struct embed_file files[] = {
        FILE_OF(lite ? "0001_one.sqlite.sql" : "0001_one.pg.sql", "CREATE TABLE a (x INTEGER)"),
        FILE_OF(lite ? "0004_two.sqlite.sql" : "0004_two.pg.sql", "CREATE TABLE b (x INTEGER)"),
        FILE_OF(lite ? "0009_last.sqlite.sql" : "0009_last.pg.sql", "CREATE TABLE c (x INTEGER)"),
    };
    struct sqldb_migrate_set set = {.files = files, .count = 3, .hash = hash};
    struct err e = {0};
    int count = 0, last = 0;

    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(sqldb_migrate_status(o->db, &set, take_number, &last, &e), ERR_OK);
    assert_int_equal(last, 9);
    set.count = 2; /* an older program */
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_UNSUPPORTED);
    files[1] = files[2]; /* one that applied 4 and does not know it now */
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_CORRUPT);
    files[1] = files[0]; /* the same number twice */
    assert_int_equal(sqldb_migrate_up(o->db, &set, &count, &e), ERR_BUG);
}

static void test_reader_cannot_write(void **state)
{
    struct opened *o = *state;
    struct sqldb *reader = NULL;
    struct sqldb_options options = {.flags = SQLDB_READ_ONLY};
    struct err e = {0};

    assert_int_equal(sqldb_open(o->at.url, &options, &reader, &e), ERR_OK);
    assert_int_equal(sqldb_run(reader, "schema_migration_table", SQLDB_NO_ARGS, &e), ERR_DENIED);
    sqldb_close(reader);
    assert_int_equal(sqldb_open("sqlite:/nowhere/x.db", &options, &reader, &e), ERR_NOT_FOUND);
    assert_int_equal(sqldb_open("mysql://x", NULL, &reader, &e), ERR_UNSUPPORTED);
}

/* --- PostgreSQL only --- */

static void test_a_failed_transaction_is_not_committed(void **state)
{
    struct opened *o = *state;
    struct err e = {0};

    script(o->db, "CREATE TABLE t (x integer PRIMARY KEY)");
    assert_int_equal(sqldb_begin(o->db, &e), ERR_OK);
    script(o->db, "INSERT INTO t VALUES (1)");
    assert_int_equal(sqldb_script(o->db, "INSERT INTO t VALUES (1)", &e), ERR_CONFLICT);
    assert_string_equal(e.sqlstate, "23505");
    assert_int_equal(run(o->db, "SELECT 1", SQLDB_NO_ARGS), ERR_CONFLICT);
    assert_int_equal(sqldb_commit(o->db, &e), ERR_CONFLICT);
    assert_false(sqldb_in_transaction(o->db));
    assert_true(number_of(o->db, "SELECT count(*) FROM t") == 0);
}

static void test_a_lost_connection_is_opened_again(void **state)
{
    struct opened *o = *state;
    struct sqldb *other = NULL;
    struct err e = {0};

    script(o->db, "CREATE TABLE t (x integer)");
    assert_int_equal(sqldb_open(o->at.url, NULL, &other, &e), ERR_OK);
    assert_int_equal(sqldb_begin(o->db, &e), ERR_OK);
    script(o->db, "INSERT INTO t VALUES (1)");
    int64_t pid = number_of(o->db, "SELECT pg_backend_pid()");
    assert_int_equal(
        run(other, "SELECT pg_terminate_backend(CAST($1 AS integer))", SQLDB_ARGS(sqldb_i64(pid))),
        ERR_OK);
    assert_int_equal(run(o->db, "INSERT INTO t VALUES (2)", SQLDB_NO_ARGS), ERR_UNREACHABLE);
    assert_int_equal(run(o->db, "INSERT INTO t VALUES (3)", SQLDB_NO_ARGS), ERR_UNREACHABLE);
    assert_int_equal(sqldb_commit(o->db, &e), ERR_UNREACHABLE);
    assert_true(number_of(o->db, "SELECT count(*) FROM t") == 0);
    sqldb_close(other);
}

static void test_session_is_as_the_store_needs_it(void **state)
{
    struct opened *o = *state;

    assert_true(number_of(o->db, "SELECT count(*) FROM pg_settings WHERE "
                                 "(name, setting) IN (('TimeZone', 'UTC'), "
                                 "('synchronous_commit', 'on'), ('application_name', 'pga'), "
                                 "('statement_timeout', '30000'), ('lock_timeout', '5000'), "
                                 "('standard_conforming_strings', 'on'))") == 6);
}

static int found;

static void count_finding(void *arg, struct str text)
{
    (void)arg;
    assert_true(str_eq_c(text, "column a.y is missing") || str_eq_c(text, "table b is missing") ||
                str_eq_c(text, "index on a (x) is missing"));
    found++;
}

static void test_difference_of_tables_is_found(void **state)
{
    struct opened *o = *state;
    struct embed_file files[] = {
        FILE_OF("0001_one.pg.sql", "CREATE TABLE a (x INTEGER, y INTEGER); CREATE TABLE b "
                                   "(x INTEGER); CREATE INDEX i ON a (x)"),
    };
    struct sqldb_migrate_set set = {.files = files, .count = 1, .hash = hash};
    const struct sqldb_migrate_findings to = {count_finding, NULL};
    struct err e = {0};

    assert_int_equal(sqldb_migrate_up(o->db, &set, NULL, &e), ERR_OK);
    found = 0;
    assert_int_equal(sqldb_migrate_check(o->db, &set, &to, &e), ERR_OK);
    assert_int_equal(found, 0);
    script(o->db, "ALTER TABLE a DROP COLUMN y; DROP INDEX i; DROP TABLE b");
    assert_int_equal(sqldb_migrate_check(o->db, &set, &to, &e), ERR_OK);
    assert_int_equal(found, 3);
}

static void test_a_password_is_never_shown(void **state)
{
    static const char *const urls[] = {
        "postgres://u:s3cret@127.0.0.1:1/x",
        "postgres://u:s3cret@127.0.0.1:1/x?nonsense=1",
        "postgres://u:s3cret@[::1/x",
        "postgresql://u:s3cret@db.example/x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct sqldb *db = NULL;
        struct err e = {0};
        assert_int_not_equal(sqldb_open(urls[i], NULL, &db, &e), ERR_OK);
        assert_true(e.text[0] != '\0');
        assert_null(strstr(e.text, "s3cret"));
    }
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_a_file_gives_back_what_it_does_not_need(void **state)
{
    const struct sqldb_options options = {.flags = SQLDB_OWN_CHECKPOINT | SQLDB_SHRINKS};
    char dir[] = "/tmp/pga-sqldb-XXXXXX", url[64];
    struct sqldb *db = NULL;
    bool more = false;
    int steps = 0;
    struct err e = {0};

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(url, sizeof(url), "sqlite:%s/x.db", dir);
    assert_int_equal(sqldb_open(url, &options, &db, &e), ERR_OK);
    script(db, "CREATE TABLE t(b BLOB); INSERT INTO t SELECT randomblob(4000) FROM (WITH RECURSIVE "
               "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n); "
               "INSERT INTO t VALUES (x'01'); DELETE FROM t WHERE length(b) > 1");
    assert_int_equal(sqldb_checkpoint(db, &e), ERR_OK);
    assert_true(size_of(url + strlen("sqlite:")) > 4000000);
    do {
        assert_int_equal(sqldb_shrink(db, 100, 300, &more, &e), ERR_OK);
        steps++;
    } while (more);
    assert_int_equal(sqldb_checkpoint(db, &e), ERR_OK);
    assert_true(steps >= 3); /* 300 pages each */
    assert_in_range(size_of(url + strlen("sqlite:")), 400000, 450000);
    assert_int_equal(sqldb_verify(db, &e), ERR_OK);
    sqldb_close(db);
    assert_int_equal(file_remove_tree(dir, &e), ERR_OK);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest both[] = {
        CASE(test_constraint_is_a_conflict_and_rolls_back),
        CASE(test_values_come_back_exactly),
        CASE(test_cursors_do_not_disturb_each_other),
        CASE(test_bad_sql_is_invalid_not_an_absent_row),
        CASE(test_one_writer_at_a_time),
        CASE(test_a_read_transaction_sees_one_snapshot),
        CASE(test_deadline_stops_a_long_statement),
        CASE(test_migrations_run_once_and_are_kept_as_they_were),
        CASE(test_numbers_of_migrations_rise_and_may_have_gaps),
        CASE(test_reader_cannot_write),
        cmocka_unit_test(test_a_file_gives_back_what_it_does_not_need),
        cmocka_unit_test(test_a_password_is_never_shown),
    };
    const struct CMUnitTest postgresql[] = {
        CASE(test_a_failed_transaction_is_not_committed),
        CASE(test_a_lost_connection_is_opened_again),
        CASE(test_session_is_as_the_store_needs_it),
        CASE(test_difference_of_tables_is_found),
    };
    int failed = cmocka_run_group_tests_name("sqldb on SQLite", both, NULL, NULL);

    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("sqldb on PostgreSQL", both, NULL, NULL);
        failed += cmocka_run_group_tests_name("sqldb, PostgreSQL only", postgresql, NULL, NULL);
    }
    return failed;
}
