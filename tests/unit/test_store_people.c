/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_people.c: tokens of scripts, used refresh tokens and lists of sessions, on a fresh
 * store of either dialect. test_store.c has accounts and the sessions themselves.
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
#include "store/store_session.h"
#include "store/store_token.h"

#define HOUR_MS (3600 * (int64_t)1000)

static struct dialect_fixture at;
static enum sqldb_dialect dialect;
static struct store *s;
static struct arena arena;
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

static void migrate(void)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;

    store_migrations(&set, NULL);
    assert_int_equal(sqldb_open(at.url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_migrate_up(db, &set, NULL, &e), ERR_OK);
    sqldb_close(db);
}

static int begin(void **state)
{
    (void)state;
    dialect_fixture_begin(&at, dialect);
    arena_init(&arena, "test", 1 << 20);
    if (dialect == SQLDB_PG)
        migrate();
    return store_open(at.url, &s, &e) == ERR_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    store_close(s);
    s = NULL;
    arena_fini(&arena);
    dialect_fixture_end(&at);
    return 0;
}

static int64_t add_user(const char *name)
{
    struct store_user_new user = {str_of(name), STR(""), STR(""), "admin", "phc", false, NULL};
    int64_t id = 0;

    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_OK);
    return id;
}

static void sign_in(int64_t id, struct store_session_new *n)
{
    struct store_user user;

    *n = (struct store_session_new){.agent = STR("a browser"), .from = who.address};
    assert_int_equal(store_user_by_id(s, &arena, id, &user, &e), ERR_OK);
    assert_int_equal(store_session_create(s, &who, &user, n, &e), ERR_OK);
}

static bool lives(const char *session)
{
    struct store_session got;

    return store_session_find(s, &arena,
                              (struct store_session_key){STORE_SESSION_BY_ID, str_of(session)},
                              &got, &e) == ERR_OK;
}

/* --- tokens --- */

static struct store_token_made make(int64_t account, int64_t expires_in_ms)
{
    const struct store_token_new n = {account, STR("grafana"), STORE_TOKEN_READ,
                                      clock_wall_ms() + expires_in_ms};
    struct store_token_made made = {0};

    assert_int_equal(store_token_create(s, &who, &n, &made, &e), ERR_OK);
    return made;
}

static enum err_code find(const char *value, struct store_token *out)
{
    return store_token_find(s, &arena, str_of(value), out, &e);
}

static void a_token_is_found_until_it_ends(void **state)
{
    int64_t id = add_user("alice"), other = add_user("bob");
    struct store_token_made made = make(id, HOUR_MS), late = make(id, -1);
    struct store_token got;

    (void)state;
    assert_int_equal(strlen(made.value), STORE_TOKEN_LEN);
    assert_int_equal(strncmp(made.value, "pga_", 4), 0);
    assert_int_equal(find(made.value, &got), ERR_OK);
    assert_int_equal(got.user.id, id);
    assert_int_equal(got.scope, STORE_TOKEN_READ);
    assert_int_equal(got.last_used_ms, 0);
    assert_int_equal(find(late.value, &got), ERR_NOT_FOUND);
    assert_int_equal(find(made.value, &got), ERR_OK);
    assert_int_equal(store_token_touch(s, &got, "192.0.2.7", &e), ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_OK);
    assert_true(got.last_used_ms > 0);
    assert_string_equal(got.last_address, "192.0.2.7");
    assert_int_equal(store_token_revoke(s, &who, (struct store_token_choice){made.id, other}, &e),
                     ERR_NOT_FOUND);
    assert_int_equal(find(made.value, &got), ERR_OK);
    assert_int_equal(store_token_revoke(s, &who, (struct store_token_choice){made.id, id}, &e),
                     ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_NOT_FOUND);
    assert_int_equal(store_token_revoke(s, &who, (struct store_token_choice){made.id, 0}, &e),
                     ERR_NOT_FOUND);
}

static void a_broken_token_is_told_by_its_checksum(void **state)
{
    struct store_token_made made = make(add_user("alice"), HOUR_MS);

    (void)state;
    assert_true(store_token_is_one(str_of(made.value)));
    for (size_t i = 0; i < STORE_TOKEN_LEN; i++) {
        char kept = made.value[i];

        made.value[i] = kept == 'x' ? 'y' : 'x';
        assert_false(store_token_is_one(str_of(made.value)));
        made.value[i] = kept;
    }
    assert_false(store_token_is_one(str_make(made.value, STORE_TOKEN_LEN - 1)));
    assert_false(store_token_is_one(STR("")));
}

static void the_value_is_not_kept(void **state)
{
    struct store_token_made made = make(add_user("alice"), HOUR_MS);
    struct sqldb_stmt *q = NULL;
    struct sqldb *db = store_read_begin(s);

    (void)state;
    assert_int_equal(
        sqldb_query(db, "transfer_api_token_list", SQLDB_ARGS(sqldb_i64(0), sqldb_i64(9)), &q, &e),
        ERR_OK);
    bool row = false;
    assert_int_equal(sqldb_step(q, &row, &e), ERR_OK);
    assert_true(row);
    for (int i = 0; i < 10; i++)
        assert_false(str_find(sqldb_get_text(q, i), str_of(made.value + 4), &(size_t){0}));
    sqldb_end(q);
    store_read_end(s);
}

static void tokens_end_with_their_account(void **state)
{
    int64_t id = add_user("alice");
    struct store_user_change change = {
        .id = id, .power = STORE_USER_BY_OWNER, .active = STORE_USER_INACTIVE};
    struct store_token_made made = make(id, HOUR_MS);
    struct store_token got;

    (void)state;
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_NOT_FOUND);
    change.active = STORE_USER_ACTIVE;
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_OK);
    assert_int_equal(store_user_reset_password(s, &who, &change, "phc", &e), ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_NOT_FOUND);
    made = make(id, HOUR_MS);
    assert_int_equal(store_user_delete(s, &who, &change, &e), ERR_OK);
    assert_int_equal(find(made.value, &got), ERR_NOT_FOUND);
}

static void an_account_has_a_bounded_number(void **state)
{
    int64_t id = add_user("alice");
    const struct store_token_new n = {id, STR("x"), STORE_TOKEN_READ, clock_wall_ms() + HOUR_MS};
    struct store_token_page page = {.account = id, .limit = 3};
    struct store_token_made made;

    (void)state;
    for (int i = 0; i < STORE_TOKENS_MAX; i++)
        assert_int_equal(store_token_create(s, &who, &n, &made, &e), ERR_OK);
    assert_int_equal(store_token_create(s, &who, &n, &made, &e), ERR_LIMIT);
    assert_int_equal(store_token_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 3);
    assert_int_equal(page.total, STORE_TOKENS_MAX);
    page.account = id + 1;
    assert_int_equal(store_token_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 0);
}

/* --- sessions --- */

static enum err_code renew(const char *id, const char *old, struct store_session_renewal *r)
{
    *r = (struct store_session_renewal){.id = id, .old = str_of(old)};
    return store_session_refresh(s, &who, r, &e);
}

static void a_refresh_token_shown_twice_ends_the_session(void **state)
{
    int64_t id = add_user("alice");
    struct store_session_new n, other;
    struct store_session_renewal first, second;
    bool ended = true;

    (void)state;
    sign_in(id, &n);
    sign_in(id, &other);
    assert_int_equal(renew(n.id, n.refresh, &first), ERR_OK);
    assert_int_equal(renew(n.id, first.refresh, &second), ERR_OK);
    assert_int_equal(renew(n.id, first.refresh, &first), ERR_NOT_FOUND);
    assert_int_equal(store_session_reused(s, &who, STR("never seen"), &ended, &e), ERR_OK);
    assert_false(ended);
    assert_true(lives(n.id));
    assert_int_equal(store_session_reused(s, &who, str_of(n.refresh), &ended, &e), ERR_OK);
    assert_true(ended);
    assert_false(lives(n.id));
    assert_true(lives(other.id));
    assert_int_equal(renew(n.id, second.refresh, &first), ERR_NOT_FOUND);
}

static void sessions_are_listed_and_revoked_by_their_owner(void **state)
{
    int64_t id = add_user("alice"), other = add_user("bob");
    struct store_session_list list = {.account = id, .limit = 10};
    struct store_session_new first, second, foreign;

    (void)state;
    sign_in(id, &first);
    sign_in(id, &second);
    sign_in(other, &foreign);
    assert_int_equal(store_session_list(s, &arena, &list, &e), ERR_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.rows[0].agent, "a browser");
    assert_string_equal(list.rows[0].address, who.address);
    assert_true(list.rows[0].verified_ms > 0);
    assert_int_equal(
        store_session_revoke(s, &who, (struct store_session_choice){str_of(foreign.id), id}, &e),
        ERR_NOT_FOUND);
    assert_true(lives(foreign.id));
    assert_int_equal(
        store_session_revoke(s, &who, (struct store_session_choice){str_of(first.id), id}, &e),
        ERR_OK);
    assert_false(lives(first.id));
    assert_int_equal(
        store_session_revoke(s, &who, (struct store_session_choice){str_of(foreign.id), 0}, &e),
        ERR_OK);
    assert_false(lives(foreign.id));
    assert_int_equal(store_session_list(s, &arena, &list, &e), ERR_OK);
    assert_int_equal(list.count, 1);
}

static void a_new_password_ends_every_session(void **state)
{
    int64_t id = add_user("alice");
    struct store_session_new first, second;
    struct store_user got;

    (void)state;
    sign_in(id, &first);
    sign_in(id, &second);
    assert_int_equal(store_user_rehash(s, id, "newer", &e), ERR_OK);
    assert_true(lives(first.id));
    assert_int_equal(store_user_set_password(s, &who, id, "phc2", &e), ERR_OK);
    assert_false(lives(first.id));
    assert_false(lives(second.id));
    assert_int_equal(store_user_by_id(s, &arena, id, &got, &e), ERR_OK);
    assert_string_equal(got.password_hash, "phc2");
}

int main(void)
{
    int failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_token_is_found_until_it_ends, begin, end),
        cmocka_unit_test_setup_teardown(a_broken_token_is_told_by_its_checksum, begin, end),
        cmocka_unit_test_setup_teardown(the_value_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(tokens_end_with_their_account, begin, end),
        cmocka_unit_test_setup_teardown(an_account_has_a_bounded_number, begin, end),
        cmocka_unit_test_setup_teardown(a_refresh_token_shown_twice_ends_the_session, begin, end),
        cmocka_unit_test_setup_teardown(sessions_are_listed_and_revoked_by_their_owner, begin, end),
        cmocka_unit_test_setup_teardown(a_new_password_ends_every_session, begin, end),
    };

    failed = cmocka_run_group_tests_name("people on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("people on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
