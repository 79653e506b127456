/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_managed.c: managed instances on either dialect: what people say of them, versions, the
 * sealed password and what it is bound to (K1), the state beside, the audit (L1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "store/store_audit.h"
#include "store/store_managed.h"
#include "store_fixture.h"

#define PLANTED "pl4nted-in-a-row"

static enum sqldb_dialect dialect;
static struct store_fixture f;
static struct store_seal_ctx *seal;
static char key_path[128];
static struct arena arena;
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

static int begin(void **state)
{
    struct store_key_source source = {STORE_KEY_FILE, key_path};

    (void)state;
    store_fixture_begin(&f, dialect);
    snprintf(key_path, sizeof(key_path), "%s/keys/master.key", f.at.dir);
    arena_init(&arena, "test", 1 << 20);
    seal = NULL;
    return store_seal_open(f.store, &source, &seal, &e) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    store_seal_close(seal);
    arena_fini(&arena);
    store_fixture_end(&f);
    return 0;
}

static struct store_managed_change change(const char *name, const char *password)
{
    return (struct store_managed_change){
        .fields = {.name = name,
                   .description = "d",
                   .endpoint = "db.example.com",
                   .dbname = "postgres",
                   .environment = "test",
                   .username = "reader",
                   .ssl_mode = "verify-full",
                   .tags = "[\"a\"]",
                   .port = 5432,
                   .interval_ms = 10000,
                   .timeout_ms = 5000},
        .password_is = password ? STORE_MANAGED_SET : STORE_MANAGED_KEEP,
        .password = str_of(password),
        .detail = name,
    };
}

static int64_t create(const char *name, const char *password)
{
    struct store_managed_change c = change(name, password);

    if (store_managed_create(f.store, &who, seal, &c, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return c.id;
}

static struct store_managed get(int64_t id)
{
    struct store_managed m;

    if (store_managed_get(f.store, &arena, id, &m, &e) != ERR_OK)
        fail_msg("%s", e.text);
    return m;
}

static enum err_code password_of(int64_t id, char out[64])
{
    struct buf room;
    enum err_code rc;

    buf_init(&room, LIMIT_PASSWORD_BYTES);
    rc = store_managed_password(f.store, seal, id, &room, &e);
    snprintf(out, 64, "%.*s", STR_ARG(buf_view(&room)));
    buf_fini(&room);
    return rc;
}

static int64_t audit_rows(void)
{
    struct store_audit_verdict v;

    assert_int_equal(store_audit_verify(f.store, NULL, &v, &e), ERR_OK);
    assert_int_equal(v.bad, 0);
    return v.rows;
}

static void an_instance_is_made_changed_and_deleted(void **state)
{
    int64_t before = audit_rows(), id = create("one", NULL);
    struct store_managed_change c = change("uno", NULL);
    struct store_managed m = get(id);

    (void)state;
    assert_string_equal(m.fields.name, "one");
    assert_string_equal(m.fields.tags, "[\"a\"]");
    assert_int_equal(m.version, 1);
    assert_string_equal(m.connection, "unknown");
    assert_false(m.has_password);
    assert_string_not_equal(m.target_id, m.stream_id);
    c.id = id;
    c.version = 7;
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_CONFLICT);
    c.version = 1;
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_OK);
    m = get(id);
    assert_string_equal(m.fields.name, "uno");
    assert_int_equal(m.version, 2);
    assert_int_equal(store_managed_delete(f.store, &who, id, 1, &e), ERR_CONFLICT);
    assert_int_equal(store_managed_delete(f.store, &who, id, 2, &e), ERR_OK);
    assert_int_equal(store_managed_delete(f.store, &who, id, 0, &e), ERR_NOT_FOUND);
    assert_int_equal(store_managed_get(f.store, &arena, id, &m, &e), ERR_NOT_FOUND);
    assert_int_equal(audit_rows() - before, 3); /* what failed leaves no record */
}

static void a_name_is_taken_once(void **state)
{
    struct store_managed_change c = change("one", NULL);
    int64_t id = create("two", NULL);

    (void)state;
    (void)create("one", NULL);
    assert_int_equal(store_managed_create(f.store, &who, seal, &c, &e), ERR_CONFLICT);
    c.id = id;
    c.version = 1;
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_CONFLICT);
}

static void a_password_is_kept_until_another_comes(void **state)
{
    int64_t id = create("one", PLANTED);
    struct store_managed_change c = change("one", NULL);
    char word[64];

    (void)state;
    assert_true(get(id).has_password);
    assert_int_equal(password_of(id, word), ERR_OK);
    assert_string_equal(word, PLANTED);
    c.id = id;
    c.version = 1;
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_OK);
    assert_int_equal(password_of(id, word), ERR_OK);
    assert_string_equal(word, PLANTED);
    c.version = 2;
    c.password_is = STORE_MANAGED_SET;
    c.password = STR("another");
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_OK);
    assert_int_equal(password_of(id, word), ERR_OK);
    assert_string_equal(word, "another");
    c.version = 3;
    c.password_is = STORE_MANAGED_REMOVE;
    assert_int_equal(store_managed_update(f.store, &who, seal, &c, &e), ERR_OK);
    assert_int_equal(password_of(id, word), ERR_OK);
    assert_string_equal(word, "");
    assert_false(get(id).has_password);
    assert_int_equal(password_of(id + 1, word), ERR_NOT_FOUND);
}

static void a_password_in_another_row_does_not_open(void **state)
{
    int64_t one = create("one", PLANTED), two = create("two", "other");
    struct sqldb_stmt *q = NULL;
    char word[64], sealed[256];
    struct sqldb *db;
    struct str blob;
    size_t len;

    (void)state;
    assert_int_equal(store_begin(f.store, &db, &e), ERR_OK);
    assert_int_equal(sqldb_row(db, "managed_sealed", SQLDB_ARGS(sqldb_i64(one)), &q, &e), ERR_OK);
    blob = sqldb_get_blob(q, sqldb_column(q, "password"));
    len = blob.len;
    assert_true(len > strlen(PLANTED) && len < sizeof(sealed));
    memcpy(sealed, blob.ptr, len);
    sqldb_end(q);
    assert_null(memmem(sealed, len, PLANTED, strlen(PLANTED)));
    assert_int_equal(
        sqldb_run(db, "managed_password", SQLDB_ARGS(sqldb_i64(two), sqldb_blob(sealed, len)), &e),
        ERR_OK);
    assert_int_equal(store_end(f.store, ERR_OK, &e), ERR_OK);
    assert_int_equal(password_of(one, word), ERR_OK);
    assert_int_equal(password_of(two, word), ERR_CORRUPT);
    assert_string_equal(word, "");
}

static void the_state_is_kept_beside(void **state)
{
    int64_t before, id = create("one", NULL);
    struct store_managed_status st = {id, "error", "tcp", "nobody", "", "", 1000};
    struct store_managed m;

    (void)state;
    before = audit_rows();
    assert_int_equal(store_managed_note(f.store, &st, 1, &e), ERR_OK);
    st.at_ms = 2000;
    assert_int_equal(store_managed_note(f.store, &st, 1, &e), ERR_OK);
    m = get(id);
    assert_string_equal(m.connection, "error");
    assert_string_equal(m.stage, "tcp");
    assert_int_equal(m.since_ms, 1000);
    assert_int_equal(m.failed_ms, 2000);
    assert_int_equal(m.connected_ms, 0);
    st = (struct store_managed_status){id, "connected", "", "", "", "15.1", 3000};
    assert_int_equal(store_managed_note(f.store, &st, 1, &e), ERR_OK);
    st = (struct store_managed_status){id, "error", "auth", "no", "", "", 4000};
    assert_int_equal(store_managed_note(f.store, &st, 1, &e), ERR_OK);
    m = get(id);
    assert_int_equal(m.connected_ms, 3000);
    assert_int_equal(m.since_ms, 4000);
    assert_string_equal(m.server_version, "15.1"); /* as known */
    assert_int_equal(m.version, 1);
    assert_int_equal(audit_rows(), before);
}

static void there_is_a_bound(void **state)
{
    struct store_managed_change c = change("over", NULL);
    struct store_managed_page page = {.limit = 2, .sight = STORE_SIGHT_ALL};
    char name[16];

    (void)state;
    for (int i = 0; i < LIMIT_MANAGED; i++) {
        snprintf(name, sizeof(name), "i%02d", i);
        (void)create(name, NULL);
    }
    assert_int_equal(store_managed_create(f.store, &who, seal, &c, &e), ERR_LIMIT);
    assert_int_equal(store_managed_list(f.store, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 2);
    page.after = page.rows[1].id;
    assert_int_equal(store_managed_list(f.store, &arena, &page, &e), ERR_OK);
    assert_string_equal(page.rows[0].fields.name, "i02");
}

static int run_all(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_instance_is_made_changed_and_deleted, begin, end),
        cmocka_unit_test_setup_teardown(a_name_is_taken_once, begin, end),
        cmocka_unit_test_setup_teardown(a_password_is_kept_until_another_comes, begin, end),
        cmocka_unit_test_setup_teardown(a_password_in_another_row_does_not_open, begin, end),
        cmocka_unit_test_setup_teardown(the_state_is_kept_beside, begin, end),
        cmocka_unit_test_setup_teardown(there_is_a_bound, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    int failed;

    dialect = SQLDB_SQLITE;
    failed = run_all();
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += run_all();
    }
    return failed;
}
