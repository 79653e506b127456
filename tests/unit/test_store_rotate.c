/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_rotate.c: other keys in place of those in use, on either dialect: what was sealed
 * opens before, meanwhile and after, and old keys open nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "store/store_audit.h"
#include "store/store_seal_rotate.h"
#include "store_fixture.h"
#include "tls/crypto.h"

#define FIELDS 150

static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};
static enum sqldb_dialect dialect;
static struct store_fixture f;
static struct store_key_source source;
static char key_path[128], next_path[144];
static struct store_seal_ctx *seal;
static struct arena arena;
static struct err e;

static int begin(void **state)
{
    char dir[96];

    (void)state;
    store_fixture_begin(&f, dialect);
    snprintf(dir, sizeof(dir), "%s/keys", f.at.dir);
    snprintf(key_path, sizeof(key_path), "%s/master.key", dir);
    snprintf(next_path, sizeof(next_path), "%s.next", key_path);
    assert_int_equal(file_make_dirs(dir, 0700, &e), ERR_OK);
    source = (struct store_key_source){STORE_KEY_FILE, key_path};
    arena_init(&arena, "test", 1 << 24);
    assert_int_equal(store_seal_open(f.store, &source, &seal, &e), ERR_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_seal_close(seal);
    seal = NULL;
    arena_fini(&arena);
    store_fixture_end(&f);
    return 0;
}

static enum err_code reopen(void)
{
    store_seal_close(seal);
    seal = NULL;
    return store_seal_open(f.store, &source, &seal, &e);
}

static char *contents(const char *path)
{
    struct buf text;

    buf_init(&text, 4096);
    assert_int_equal(file_read_all(path, &text, &e), ERR_OK);
    return buf_take(&text, NULL);
}

static void write_file(const char *path, const char *text)
{
    assert_int_equal(file_write_atomic(path, str_of(text), 0600, &e), ERR_OK);
}

static struct store_seal_place place_of(const char *row)
{
    return (struct store_seal_place){STORE_SEAL_ROOT, "root_key", "sealed", row};
}

/* A row more; its secret is its name with "secret " before. */
static enum err_code put_row(struct store_seal_ctx *by, struct sqldb *db, const char *row)
{
    struct store_seal_place place = place_of(row);
    struct buf sealed;
    char plain[64];
    enum err_code rc;

    buf_init(&sealed, 4096);
    snprintf(plain, sizeof(plain), "secret %s", row);
    rc = store_seal(by, &place, str_of(plain), &sealed, &e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "root_key_insert",
                       SQLDB_ARGS(sqldb_text_c(row), sqldb_blob(sealed.ptr, sealed.len)), &e);
    buf_fini(&sealed);
    return rc;
}

static void plant(struct store_seal_ctx *by, const char *row)
{
    struct sqldb *db;

    assert_int_equal(store_begin(f.store, &db, &e), ERR_OK);
    assert_int_equal(store_end(f.store, put_row(by, db, row), &e), ERR_OK);
}

/* name0, name1 ... in one transaction */
static void plant_many(const char *name, int count)
{
    struct sqldb *db;
    char row[32];
    enum err_code rc = ERR_OK;

    assert_int_equal(store_begin(f.store, &db, &e), ERR_OK);
    for (int i = 0; rc == ERR_OK && i < count; i++) {
        snprintf(row, sizeof(row), "%s%d", name, i);
        rc = put_row(seal, db, row);
    }
    assert_int_equal(store_end(f.store, rc, &e), ERR_OK);
}

/* The field of a row as it lies there. */
static void fetch(const char *row, struct buf *out)
{
    struct sqldb_stmt *q = NULL;

    buf_reset(out);
    assert_int_equal(
        sqldb_row(store_read_begin(f.store), "root_key_get", SQLDB_ARGS(sqldb_text_c(row)), &q, &e),
        ERR_OK);
    buf_add_str(out, sqldb_get_blob(q, sqldb_column(q, "sealed")));
    sqldb_end(q);
    store_read_end(f.store);
}

/* The generation of a row, after it was opened by `by` and found right. */
static uint32_t check(struct store_seal_ctx *by, const char *row)
{
    struct store_seal_place place = place_of(row);
    struct buf sealed, plain;
    uint32_t generation;
    char want[64];

    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    snprintf(want, sizeof(want), "secret %s", row);
    fetch(row, &sealed);
    assert_int_equal(store_unseal(by, &place, buf_view(&sealed), &plain, &e), ERR_OK);
    assert_string_equal(plain.ptr, want);
    generation = store_seal_generation(buf_view(&sealed));
    buf_fini(&sealed);
    buf_fini(&plain);
    return generation;
}

static struct store_seal_status status(void)
{
    struct store_seal_status st;

    assert_int_equal(store_seal_status(seal, &arena, &st, &e), ERR_OK);
    return st;
}

static int64_t number_of(const char *statement)
{
    int64_t total;

    assert_int_equal(store_count(f.store, statement, SQLDB_NO_ARGS, &total, &e), ERR_OK);
    return total;
}

/* --- the master key --- */

static void a_new_master_key_opens_what_the_old_one_did(void **state)
{
    struct store_keys tokens = *store_seal_keys(seal);
    char *old = contents(key_path), check_value[17];
    int64_t audited = number_of("audit_count");
    struct stat st;

    (void)state;
    plant(seal, "one");
    memcpy(check_value, status().check, sizeof(check_value));
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_OK);
    assert_string_not_equal(status().check, check_value);
    assert_int_equal(number_of("audit_count"), audited + 1);
    assert_int_equal(stat(key_path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(access(next_path, F_OK), -1);
    assert_int_equal(check(seal, "one"), 1);
    plant(seal, "two");
    assert_int_equal(reopen(), ERR_OK);
    assert_int_equal(check(seal, "one"), 1);
    assert_int_equal(check(seal, "two"), 1);
    assert_memory_equal(&tokens, store_seal_keys(seal), sizeof(tokens)); /* nobody is signed out */
    write_file(key_path, old);
    assert_int_equal(reopen(), ERR_DENIED);
    free(old);
}

static void a_given_key_follows_when_it_is_there(void **state)
{
    static const char first[] = "5f00000000000000000000000000000000000000000000000000000000000001";
    static const char second[] = "5f00000000000000000000000000000000000000000000000000000000000002";
    char *made = contents(key_path);

    (void)state;
    source.kind = STORE_KEY_CREDENTIAL;
    assert_int_equal(reopen(), ERR_OK);
    plant(seal, "one");
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_NOT_FOUND);
    write_file(next_path, made);
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_CONFLICT); /* the same */
    write_file(next_path, first);
    assert_int_equal(chmod(next_path, 0644), 0);
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_DENIED);
    assert_int_equal(chmod(next_path, 0600), 0);
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_OK);
    assert_true(status().by_next);
    assert_int_equal(reopen(), ERR_OK); /* with the old one still in its place */
    assert_true(status().by_next);
    /* the only copy of the key in use is not written over */
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_CONFLICT);
    assert_non_null(strstr(e.text, "in place of"));
    assert_int_equal(rename(next_path, key_path), 0);
    write_file(next_path, second);
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_OK);
    assert_int_equal(check(seal, "one"), 1);
    free(made);
}

static void a_failed_rotation_changes_nothing(void **state)
{
    char *before = contents(key_path);
    char *after;

    (void)state;
    plant(seal, "one");
    store_fixture_script(&f, "ALTER TABLE audit RENAME TO hidden"); /* no audit row: no change */
    assert_int_not_equal(store_seal_rotate_master(seal, &who, &e), ERR_OK);
    store_fixture_script(&f, "ALTER TABLE hidden RENAME TO audit");
    assert_int_equal(check(seal, "one"), 1);
    assert_int_equal(reopen(), ERR_OK);
    assert_int_equal(check(seal, "one"), 1);
    after = contents(key_path);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* --- the data key --- */

static void run_steps(int most)
{
    bool more = true;

    for (int i = 0; more && i < most; i++)
        assert_int_equal(store_seal_step(seal, &more, &e), ERR_OK);
    assert_false(more);
}

static void fields_are_sealed_anew_step_by_step(void **state)
{
    char row[16];
    uint32_t generation = 0;
    bool more = false;

    (void)state;
    plant_many("f", FIELDS);
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
    assert_int_equal(generation, 2);
    plant(seal, "new");
    assert_int_equal(check(seal, "new"), 2);
    assert_int_equal(status().left, FIELDS + 1); /* and the root of the tokens */
    assert_int_equal(store_seal_step(seal, &more, &e), ERR_OK);
    assert_true(more);
    assert_in_range(status().left, 1, FIELDS); /* old and new ones side by side */
    assert_int_equal(check(seal, "f0"), 2);
    assert_int_equal(check(seal, "f99"), 1);
    assert_int_equal(reopen(), ERR_OK); /* a restart in between */
    run_steps(10);
    for (int i = 0; i < FIELDS; i++) {
        snprintf(row, sizeof(row), "f%d", i);
        assert_int_equal(check(seal, row), 2);
    }
    assert_int_equal(status().left, 0);
    assert_int_equal(status().count, 2);
    assert_true(status().keys[0].retired_ms > 0);
    assert_int_equal(status().keys[0].sealed, FIELDS + 1);
    assert_int_equal(status().keys[1].fields, FIELDS + 2);
    assert_int_equal(reopen(), ERR_OK);
    assert_int_equal(check(seal, "f0"), 2);
}

static void a_retired_key_is_gone(void **state)
{
    struct store_seal_place place = place_of("one");
    struct buf old, plain;
    uint32_t generation;

    (void)state;
    buf_init(&old, 4096);
    buf_init(&plain, 4096);
    plant(seal, "one");
    fetch("one", &old);
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
    assert_int_equal(store_unseal(seal, &place, buf_view(&old), &plain, &e), ERR_OK);
    run_steps(4);
    assert_int_equal(store_unseal(seal, &place, buf_view(&old), &plain, &e), ERR_CORRUPT);
    assert_int_equal(check(seal, "one"), 2);
    buf_fini(&old);
    buf_fini(&plain);
}

static void a_damaged_field_keeps_its_key(void **state)
{
    uint32_t generation;
    bool more;

    (void)state;
    plant(seal, "one");
    plant(seal, "two");
    /* the field of another row */
    store_fixture_script(&f, "UPDATE root_key SET sealed = (SELECT sealed FROM root_key WHERE "
                             "name = 'two') WHERE name = 'one'");
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
    run_steps(4);
    assert_int_equal(check(seal, "two"), 2);
    assert_int_equal(status().left, 1);
    assert_non_null(strstr(status().stuck, "root_key.sealed of one"));
    assert_true(status().keys[0].retired_ms == 0);
    store_fixture_script(&f, "DELETE FROM root_key WHERE name = 'one'");
    assert_int_equal(store_seal_step(seal, &more, &e), ERR_OK);
    assert_true(status().keys[0].retired_ms > 0);
    assert_null(status().stuck);
}

static void a_data_key_is_replaced_when_it_sealed_enough(void **state)
{
    (void)state;
    plant(seal, "one");
    store_fixture_script(&f, "UPDATE data_key SET sealed = 268435455");
    assert_int_equal(store_seal_tick(seal, &e), ERR_OK);
    assert_int_equal(status().count, 1);
    plant(seal, "two");
    assert_int_equal(status().keys[0].sealed, STORE_SEAL_ROTATE_AT);
    assert_int_equal(store_seal_tick(seal, &e), ERR_OK);
    assert_int_equal(status().count, 2);
    assert_int_equal(check(seal, "one"), 2);
    assert_int_equal(check(seal, "two"), 2);
    assert_int_equal(store_seal_tick(seal, &e), ERR_OK);
    assert_int_equal(status().count, 2);
}

static void too_many_data_keys_are_refused(void **state)
{
    uint32_t generation;
    int made = 1;

    (void)state;
    while (store_seal_rotate_data(seal, &who, &generation, &e) == ERR_OK)
        made++;
    assert_int_equal(made, 16);
    assert_non_null(strstr(e.text, "wait to be retired"));
    run_steps(4);
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
}

static void the_other_server_follows(void **state)
{
    struct store_seal_ctx *other = NULL;
    uint32_t generation;

    (void)state;
    assert_int_equal(store_seal_open(f.store, &source, &other, &e), ERR_OK);
    plant(seal, "one");
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_OK);
    assert_int_equal(store_seal_rotate_data(seal, &who, &generation, &e), ERR_OK);
    run_steps(4);
    /* a data key that it never saw, under a master key that it never saw */
    assert_int_equal(check(other, "one"), 2);
    plant(other, "two");
    assert_int_equal(check(seal, "two"), 2);
    /* its own idea of the master key was old */
    assert_int_equal(store_seal_rotate_master(other, &who, &e), ERR_OK);
    assert_int_equal(store_seal_rotate_master(seal, &who, &e), ERR_DENIED);
    store_seal_close(other);
}

static void nothing_of_a_secret_is_in_the_files(void **state)
{
    struct buf file;
    char plain[32], path[96];
    size_t at;

    (void)state;
    if (dialect == SQLDB_PG)
        return; /* tests/scenario/secrets.sh reads a dump */
    plant_many("planted", 50);
    buf_init(&file, 1 << 24);
    snprintf(path, sizeof(path), "%s/meta.db", f.at.dir);
    assert_int_equal(file_read_all(path, &file, &e), ERR_OK);
    snprintf(path, sizeof(path), "%s/meta.db-wal", f.at.dir);
    assert_int_equal(file_read_all(path, &file, &e), ERR_OK);
    assert_true(str_find(buf_view(&file), STR("planted49"), &at)); /* the row, not its secret */
    for (int i = 0; i < 50; i++) {
        snprintf(plain, sizeof(plain), "secret planted%d", i);
        assert_false(str_find(buf_view(&file), str_of(plain), &at));
    }
    buf_fini(&file);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_master_key_opens_what_the_old_one_did),
        CASE(a_given_key_follows_when_it_is_there),
        CASE(a_failed_rotation_changes_nothing),
        CASE(fields_are_sealed_anew_step_by_step),
        CASE(a_retired_key_is_gone),
        CASE(a_damaged_field_keeps_its_key),
        CASE(a_data_key_is_replaced_when_it_sealed_enough),
        CASE(too_many_data_keys_are_refused),
        CASE(the_other_server_follows),
        CASE(nothing_of_a_secret_is_in_the_files),
    };
    int failed;

    if (crypto_init(&e) != ERR_OK)
        return 1;
    failed = cmocka_run_group_tests_name("rotation on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("rotation on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
