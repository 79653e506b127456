/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_audit.c: the audit on either dialect: whatever is done to its rows behind the
 * program's back is found, with the first bad row (L2); several writers keep it whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/text.h"
#include "base/thread.h"
#include "os/file.h"
#include "store/store_audit.h"
#include "store/store_seal.h"
#include "store_fixture.h"
#include "tls/crypto.h"
#include "tls/hash.h"

#define ROWS 20

static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};
static enum sqldb_dialect dialect;
static struct store_fixture f;
static struct store_seal_ctx *seal;
static struct store_audit_head head;
static struct arena arena;
static struct err e;

static void note(struct store *s, const char *object)
{
    assert_int_equal(
        store_audit_note(s, &who, (struct store_audit_entry){"test.note", object, "words"}, &e),
        ERR_OK);
}

static void open_keys(struct store *s, struct store_seal_ctx **out)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/keys/master.key", f.at.dir);
    if (store_seal_open(s, &(struct store_key_source){STORE_KEY_FILE, path}, out, &e) != ERR_OK)
        fail_msg("%s", e.text);
}

static bool sign(void)
{
    bool changed, is_first;

    assert_int_equal(store_audit_sign(f.store, &head, &changed, &is_first, &e), ERR_OK);
    return changed;
}

/* Row 1 says that keys were made; then rows up to ROWS. */
static int begin(void **state)
{
    char object[16];

    (void)state;
    store_fixture_begin(&f, dialect);
    arena_init(&arena, "test", 1 << 24);
    open_keys(f.store, &seal);
    for (int i = 2; i <= ROWS; i++) {
        snprintf(object, sizeof(object), "object %d", i);
        note(f.store, object);
    }
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

static struct store_audit_verdict verify(void)
{
    struct store_audit_verdict v;

    assert_int_equal(store_audit_verify(f.store, NULL, &v, &e), ERR_OK);
    return v;
}

static void assert_bad(int64_t row, const char *finding)
{
    struct store_audit_verdict v = verify();

    if (v.bad != row || strstr(v.finding, finding) == NULL)
        fail_msg("row %lld: %s", (long long)v.bad, v.finding);
}

static void a_whole_audit_is_found_whole(void **state)
{
    struct store_audit_verdict v;

    (void)state;
    assert_true(sign());
    assert_false(sign()); /* nothing new */
    v = verify();
    assert_int_equal(v.bad, 0);
    assert_int_equal(v.rows, ROWS);
    assert_int_equal(v.signed_to, ROWS);
    note(f.store, "more");
    v = verify();
    assert_int_equal(v.rows, ROWS + 1);
    assert_int_equal(v.signed_to, ROWS);
    assert_true(sign()); /* the head of the hour moves on */
    assert_int_equal(verify().signed_to, ROWS + 1);
    assert_int_equal(store_audit_verify(f.store, &head, &v, &e), ERR_OK);
    assert_int_equal(v.bad, 0);
}

static void every_edit_is_found(void **state)
{
    static const char *const columns[] = {"at_ms = at_ms + 1",    "actor = 'x'",  "action = 'x'",
                                          "object = 'x'",         "detail = 'x'", "address = 'x'",
                                          "request = 'x'",        "hash = 'x'",   "mac = ''",
                                          "number = number + 100"};
    char sql[160];

    (void)state;
    store_fixture_script(&f, "CREATE TABLE kept AS SELECT * FROM audit");
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        snprintf(sql, sizeof(sql), "UPDATE audit SET %s WHERE number = %zu", columns[i], 3 + i);
        store_fixture_script(&f, sql);
        assert_bad(3 + (int64_t)i, "row ");
        store_fixture_script(&f, "DELETE FROM audit; INSERT INTO audit SELECT * FROM kept");
        assert_int_equal(verify().bad, 0);
    }
}

static void a_row_that_is_gone_is_missed(void **state)
{
    (void)state;
    store_fixture_script(&f, "DELETE FROM audit WHERE number = 7");
    assert_bad(7, "row 7 is missing");
    store_fixture_script(&f,
                         "UPDATE audit SET number = number - 1 WHERE number = 8"); /* closed up */
    assert_bad(7, "does not fit");
}

static void two_rows_that_changed_places_are_found(void **state)
{
    (void)state;
    store_fixture_script(&f, "UPDATE audit SET number = 1000 WHERE number = 5;"
                             "UPDATE audit SET number = 5 WHERE number = 9;"
                             "UPDATE audit SET number = 9 WHERE number = 1000");
    assert_bad(5, "does not fit");
}

static void rows_that_were_put_between_are_found(void **state)
{
    (void)state;
    store_fixture_script(&f, "UPDATE audit SET number = number + 1000 WHERE number >= 10;"
                             "UPDATE audit SET number = number - 999 WHERE number >= 1000;"
                             "INSERT INTO audit SELECT 10, at_ms, actor, action, object, detail, "
                             "address, request, hash, mac FROM audit WHERE number = 13");
    assert_bad(10, "does not fit");
}

/* As somebody would who may write to the database, and knows how the chain is made. */
static void forge(int64_t number, const char *object)
{
    struct store_audit_page page = {.before = number - 2, .limit = 1};
    struct buf text, sql;
    struct json_writer w;
    char hash[HASH_HEX_SIZE];

    assert_int_equal(store_audit_read(f.store, &arena, &page, &e), ERR_OK);
    buf_init(&text, 65536);
    buf_init(&sql, 65536);
    buf_printf(&text, "%s|", page.rows[0].hash);
    json_writer_init(&w, &text);
    json_array_begin(&w);
    json_put_i64(&w, number);
    json_put_i64(&w, 1700000000000);
    for (int i = 0; i < 6; i++)
        json_put_str(&w, str_of(i == 2 ? object : "forged"));
    json_array_end(&w);
    hash_sha256_hex(buf_view(&text), hash);
    buf_printf(&sql,
               "DELETE FROM audit WHERE number = %lld; INSERT INTO audit VALUES (%lld, "
               "1700000000000, 'forged', 'forged', '%s', 'forged', 'forged', 'forged', '%s', '%s')",
               (long long)number, (long long)number, object, hash, hash);
    store_fixture_script(&f, sql.ptr);
    buf_fini(&text);
    buf_fini(&sql);
}

static void a_chain_that_was_computed_anew_is_found(void **state)
{
    struct store_audit_verdict v;
    struct sqldb *db;

    (void)state;
    for (int64_t n = 12; n <= ROWS; n++)
        forge(n, "forged");
    assert_bad(12, "not signed by a server of this store");
    db = store_read_begin(f.store); /* without the key the chain alone is whole */
    assert_int_equal(store_audit_check(db, NULL, &v, &e), ERR_OK);
    store_read_end(f.store);
    assert_int_equal(v.bad, 0);
}

static void a_row_that_was_added_behind_is_found(void **state)
{
    (void)state;
    forge(ROWS + 1, "forged");
    assert_bad(ROWS + 1, "not signed by a server of this store");
}

static void a_signature_of_another_row_is_no_signature(void **state)
{
    (void)state;
    forge(ROWS + 1, "forged");
    store_fixture_script(&f, "UPDATE audit SET mac = (SELECT mac FROM audit WHERE number = 20) "
                             "WHERE number = 21");
    assert_bad(ROWS + 1, "not signed by a server of this store");
}

static enum err_code try_to_sign(void)
{
    bool changed, is_first;

    return store_audit_sign(f.store, &head, &changed, &is_first, &e);
}

static void rows_that_were_cut_off_are_missed(void **state)
{
    (void)state;
    assert_true(sign());
    store_fixture_script(&f, "DELETE FROM audit WHERE number > 15");
    assert_bad(16, "rows 16 to 20 are missing at the end");
    note(f.store, "goes on"); /* number 16 again */
    assert_bad(17, "rows 17 to 20 are missing at the end");
    assert_int_equal(try_to_sign(), ERR_CORRUPT);
    for (int i = 17; i <= ROWS + 2; i++)
        note(f.store, "goes on");
    assert_int_equal(try_to_sign(), ERR_CORRUPT); /* the head that tells it is not moved on */
    assert_bad(1, "rows 1 to 20 some are not those that were signed");
    store_fixture_script(&f, "DELETE FROM audit");
    assert_bad(1, "are missing at the end");
}

static void a_head_from_the_log_tells_what_the_store_does_not(void **state)
{
    struct store_audit_verdict v;
    struct store_audit_head kept;

    (void)state;
    assert_true(sign());
    kept = head;
    store_fixture_script(&f, "DELETE FROM audit WHERE number > 15; DELETE FROM audit_head");
    assert_int_equal(verify().bad, 0); /* whoever took both leaves nothing here */
    assert_int_equal(store_audit_verify(f.store, &kept, &v, &e), ERR_OK);
    assert_int_equal(v.bad, 16);
    kept.number = 15; /* nor can a head be made up */
    assert_int_equal(store_audit_verify(f.store, &kept, &v, &e), ERR_OK);
    assert_non_null(strstr(v.finding, "is not ours"));
}

static void a_head_that_was_changed_is_found(void **state)
{
    (void)state;
    assert_true(sign());
    store_fixture_script(&f, "UPDATE audit_head SET number = 15");
    assert_bad(15, "the signed head of row 15 is not ours");
}

static void rows_of_before_there_was_a_key_are_signed_once(void **state)
{
    (void)state;
    store_seal_close(seal);
    seal = NULL;
    store_fixture_script(&f, "UPDATE audit SET mac = ''; DELETE FROM data_key; "
                             "DELETE FROM root_key");
    open_keys(f.store, &seal);
    assert_int_equal(verify().bad, 0);
    assert_int_equal(verify().rows, ROWS + 1); /* keys.create */
    store_fixture_script(&f, "UPDATE audit SET mac = '' WHERE number = 4");
    store_seal_close(seal);
    open_keys(f.store, &seal);
    assert_bad(4, "not signed");
}

static void pages_and_filters(void **state)
{
    struct store_audit_page page = {.to_ms = INT64_MAX,
                                    .actor = STR(""),
                                    .action = STR(""),
                                    .object = STR(""),
                                    .request = STR(""),
                                    .limit = 3};

    (void)state;
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.rows[0].number, ROWS);
    page.before = page.rows[2].number;
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.rows[0].number, ROWS - 3);
    page.before = 0;
    page.object = STR("object 7");
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.rows[0].action, "test.note");
    assert_string_equal(page.rows[0].request, "r1");
    page.object = STR("");
    page.action = STR("keys.");
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.rows[0].number, 1);
    page.action = STR("");
    page.actor = STR("user:nobody");
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 0);
    page.actor = STR("user:test");
    page.to_ms = 1;
    assert_int_equal(store_audit_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 0);
}

static void a_row_that_cannot_be_hashed_is_refused(void **state)
{
    char *long_text = calloc(1, 70000);

    (void)state;
    memset(long_text, 'x', 69999);
    assert_int_equal(
        store_audit_note(f.store, &who, (struct store_audit_entry){"test", long_text, ""}, &e),
        ERR_LIMIT);
    assert_int_equal(verify().rows, ROWS);
    free(long_text);
}

/* --- several writers --- */

#define WRITERS 4
#define EACH    15

struct writer {
    struct store *store;
    struct store_seal_ctx *seal;
    struct thread thread;
    int failed;
};

static void write_rows(void *arg)
{
    struct writer *w = arg;
    struct err local;

    for (int i = 0; i < EACH; i++)
        w->failed += store_audit_note(w->store, &who, (struct store_audit_entry){"test", "", ""},
                                      &local) != ERR_OK;
}

/* Each with connections of its own, as servers that share a store. */
static void servers_of_a_store_keep_one_chain(void **state)
{
    struct writer w[WRITERS] = {0};

    (void)state;
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(store_open(f.at.url, &w[i].store, &e), ERR_OK);
        open_keys(w[i].store, &w[i].seal);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(thread_start(&w[i].thread, "writer", write_rows, &w[i], &e), ERR_OK);
    for (int i = 0; i < WRITERS; i++) {
        thread_join(&w[i].thread);
        assert_int_equal(w[i].failed, 0);
        store_seal_close(w[i].seal);
        store_close(w[i].store);
    }
    assert_int_equal(verify().bad, 0);
    assert_int_equal(verify().rows, ROWS + WRITERS * EACH);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_whole_audit_is_found_whole),
        CASE(every_edit_is_found),
        CASE(a_row_that_is_gone_is_missed),
        CASE(two_rows_that_changed_places_are_found),
        CASE(rows_that_were_put_between_are_found),
        CASE(a_chain_that_was_computed_anew_is_found),
        CASE(a_row_that_was_added_behind_is_found),
        CASE(a_signature_of_another_row_is_no_signature),
        CASE(rows_that_were_cut_off_are_missed),
        CASE(a_head_from_the_log_tells_what_the_store_does_not),
        CASE(a_head_that_was_changed_is_found),
        CASE(rows_of_before_there_was_a_key_are_signed_once),
        CASE(pages_and_filters),
        CASE(a_row_that_cannot_be_hashed_is_refused),
        CASE(servers_of_a_store_keep_one_chain),
    };
    int failed;

    if (crypto_init(&e) != ERR_OK)
        return 1;
    failed = cmocka_run_group_tests_name("audit on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("audit on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
