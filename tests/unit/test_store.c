/* SPDX-License-Identifier: PostgreSQL */
/* test_store.c: the control plane on a fresh store of either dialect (dialect_fixture.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/embed.h"
#include "dialect_fixture.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store_audit.h"
#include "store/store_collector.h"
#include "store/store_config.h"
#include "store/store_secret.h"
#include "store/store_session.h"
#include "store/store_target.h"
#include "store/store_user.h"

#define PARAMETERS 32 /* more than any statement has */

static struct dialect_fixture at;
static enum sqldb_dialect dialect;
static struct store *s;
static struct arena arena;
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

/* What `pga migrate up` does. */
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
    if (dialect == SQLDB_PG) {
        assert_int_equal(store_open(at.url, &s, &e), ERR_CONFLICT); /* pending */
        migrate();
    }
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

static struct store_user_new owner(void)
{
    return (struct store_user_new){STR("Alice"), STR(""), STR("Alice A"), "owner", "phc",
                                   false,        NULL};
}

static void first_owner_is_made_once(void **state)
{
    struct store_user_new user = owner();
    struct store_user got;
    int64_t id;

    (void)state;
    user.must_be_first = true;
    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_OK);
    user.username = STR("bob");
    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_CONFLICT);
    assert_int_equal(store_user_by_name(s, &arena, STR("aLiCe"), &got, &e), ERR_OK);
    assert_string_equal(got.username, "Alice");
    assert_string_equal(got.role, "owner");
    user.must_be_first = false;
    user.username = STR("ALICE");
    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_CONFLICT);
    assert_int_equal(store_user_by_name(s, &arena, STR("bob"), &got, &e), ERR_NOT_FOUND);
}

static void sessions_are_found_by_their_secrets_and_end(void **state)
{
    struct store_user_new user = owner();
    struct store_user got = {0};
    struct store_session_new n;
    struct store_session session;
    struct store_session_renewal renewal;
    int64_t id;

    (void)state;
    n.agent = STR("browser");
    n.from = who.address;
    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_OK);
    assert_int_equal(store_user_by_id(s, &arena, id, &got, &e), ERR_OK);
    assert_int_equal(store_session_create(s, &who, &got, &n, &e), ERR_OK);
    assert_int_equal(
        store_session_find(s, &arena,
                           (struct store_session_key){STORE_SESSION_BY_TOKEN, str_of(n.token)},
                           &session, &e),
        ERR_OK);
    assert_string_equal(session.id, n.id);
    assert_int_equal(session.user.id, id);
    assert_int_equal(
        store_session_find(s, &arena,
                           (struct store_session_key){STORE_SESSION_BY_TOKEN, str_of(n.refresh)},
                           &session, &e),
        ERR_NOT_FOUND);
    renewal = (struct store_session_renewal){.id = n.id, .old = str_of(n.refresh)};
    assert_int_equal(store_session_refresh(s, &who, &renewal, &e), ERR_OK);
    assert_int_equal(
        store_session_find(s, &arena,
                           (struct store_session_key){STORE_SESSION_BY_REFRESH, str_of(n.refresh)},
                           &session, &e),
        ERR_NOT_FOUND);
    assert_int_equal(store_session_find(s, &arena,
                                        (struct store_session_key){STORE_SESSION_BY_REFRESH,
                                                                   str_of(renewal.refresh)},
                                        &session, &e),
                     ERR_OK);
    assert_int_equal(store_session_end(s, &who, n.id, &e), ERR_OK);
    assert_int_equal(
        store_session_find(s, &arena, (struct store_session_key){STORE_SESSION_BY_ID, str_of(n.id)},
                           &session, &e),
        ERR_NOT_FOUND);
}

static int64_t add_user(const char *name, const char *role)
{
    struct store_user_new user = owner();
    int64_t id = 0;

    user.username = str_of(name);
    user.role = role;
    assert_int_equal(store_user_create(s, &who, &user, &id, &e), ERR_OK);
    return id;
}

static bool has_session(const char *session)
{
    struct store_session got;

    return store_session_find(s, &arena,
                              (struct store_session_key){STORE_SESSION_BY_ID, str_of(session)},
                              &got, &e) == ERR_OK;
}

static void begin_session(int64_t id, struct store_session_new *n)
{
    struct store_user user;

    *n = (struct store_session_new){.agent = STR("test"), .from = who.address};
    assert_int_equal(store_user_by_id(s, &arena, id, &user, &e), ERR_OK);
    assert_int_equal(store_session_create(s, &who, &user, n, &e), ERR_OK);
}

static void the_last_owner_stays(void **state)
{
    int64_t first = add_user("one", "owner"), second = add_user("two", "owner");
    struct store_user_change demote = {.id = first, .power = STORE_USER_BY_OWNER, .role = "admin"};
    struct store_user_change retire = {
        .id = second, .power = STORE_USER_BY_OWNER, .active = STORE_USER_INACTIVE};
    struct store_user_change same = {.id = second, .power = STORE_USER_BY_OWNER, .role = "owner"};

    (void)state;
    assert_int_equal(store_user_update(s, &who, &demote, &e), ERR_OK);
    assert_int_equal(store_user_update(s, &who, &retire, &e), ERR_CONFLICT);
    assert_int_equal(store_user_update(s, &who, &same, &e), ERR_OK);
    assert_int_equal(store_user_delete(s, &who, &same, &e), ERR_CONFLICT);
    demote.role = "owner";
    assert_int_equal(store_user_update(s, &who, &demote, &e), ERR_OK);
    assert_int_equal(store_user_update(s, &who, &retire, &e), ERR_OK);
    /* an owner who cannot sign in is none */
    assert_int_equal(store_user_delete(s, &who, &demote, &e), ERR_CONFLICT);
    assert_int_equal(store_user_delete(s, &who, &retire, &e), ERR_OK);
    assert_int_equal(store_user_delete(s, &who, &retire, &e), ERR_NOT_FOUND);
}

static void admins_manage_viewers_and_operators(void **state)
{
    int64_t admin = add_user("admin", "admin"), viewer = add_user("viewer", "viewer");
    struct store_user_change change = {.id = admin, .power = STORE_USER_BY_ADMIN};
    struct store_user got;

    (void)state;
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_DENIED);
    assert_int_equal(store_user_delete(s, &who, &change, &e), ERR_DENIED);
    assert_int_equal(store_user_reset_password(s, &who, &change, "phc", &e), ERR_DENIED);
    change = (struct store_user_change){
        .id = viewer, .power = STORE_USER_BY_ADMIN, .role = "auditor", .email = "v@x"};
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_DENIED);
    change.role = "operator";
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_OK);
    assert_int_equal(store_user_by_id(s, &arena, viewer, &got, &e), ERR_OK);
    assert_string_equal(got.role, "operator");
    assert_string_equal(got.email, "v@x");
    assert_string_equal(got.full_name, "Alice A");
    assert_int_equal(store_user_delete(s, &who, &change, &e), ERR_OK);
}

static void a_new_role_or_password_ends_sessions(void **state)
{
    int64_t id = add_user("viewer", "viewer");
    struct store_user_change change = {
        .id = id, .power = STORE_USER_BY_OWNER, .full_name = "V", .role = "viewer"};
    struct store_session_new n;
    struct store_user got;

    (void)state;
    begin_session(id, &n);
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_OK);
    assert_true(has_session(n.id));
    change.role = "operator";
    assert_int_equal(store_user_update(s, &who, &change, &e), ERR_OK);
    assert_false(has_session(n.id));
    begin_session(id, &n);
    assert_int_equal(store_user_reset_password(s, &who, &change, "new", &e), ERR_OK);
    assert_false(has_session(n.id));
    assert_int_equal(store_user_by_id(s, &arena, id, &got, &e), ERR_OK);
    assert_string_equal(got.password_hash, "new");
    begin_session(id, &n);
    assert_int_equal(store_user_delete(s, &who, &change, &e), ERR_OK);
    assert_false(has_session(n.id));
}

static void accounts_are_listed_in_pages(void **state)
{
    struct store_user_page page = {.limit = 2};

    (void)state;
    add_user("a", "viewer");
    add_user("b", "viewer");
    add_user("c", "viewer");
    assert_int_equal(store_user_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 2);
    assert_string_equal(page.rows[1].username, "b");
    page.after = page.rows[1].id;
    assert_int_equal(store_user_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_string_equal(page.rows[0].username, "c");
    page = (struct store_user_page){.limit = 2, .offset = 1};
    assert_int_equal(store_user_list(s, &arena, &page, &e), ERR_OK);
    assert_string_equal(page.rows[0].username, "b");
}

static int64_t wait_of(const char *user, const char *from)
{
    const struct store_login login = {str_of(user), from};
    int64_t wait = -1;

    assert_int_equal(store_user_login_wait(s, &login, &wait, &e), ERR_OK);
    return wait;
}

static void fail_often(int times, const char *user, const char *from)
{
    const struct store_login login = {str_of(user), from};

    for (int i = 0; i < times; i++)
        assert_int_equal(store_user_login_failed(s, &who, &login, &e), ERR_OK);
}

static void failures_slow_down_only_their_address(void **state)
{
    (void)state;
    fail_often(4, "bob", who.address);
    assert_int_equal(wait_of("bob", who.address), 0);
    fail_often(8, "Bob", who.address);
    assert_true(wait_of("BOB", who.address) > 60000);
    assert_int_equal(wait_of("bob", "198.51.100.7"), 0);
    fail_often(30, "x", who.address);
    assert_true(wait_of("new", who.address) > 60000);
    assert_true(wait_of("new", who.address) <= 15 * 60 * 1000);
    /* a device that is known counts for itself, and no better */
    assert_int_equal(wait_of("bob", "device:1"), 0);
    fail_often(12, "bob", "device:1");
    assert_true(wait_of("bob", "device:1") > 60000);
    assert_int_equal(wait_of("bob", "device:2"), 0);
}

static struct store_collector_new agent(const char *secret, const char *host)
{
    return (struct store_collector_new){.secret = str_of(secret),
                                        .name = str_of(host),
                                        .hostname = str_of(host),
                                        .address = STR("10.0.0.1"),
                                        .version = STR("1")};
}

static void a_secret_is_used_as_often_as_it_says(void **state)
{
    struct store_secret_new n = {
        .name = STR("two"), .max_registrations = 2, .expires_in_ms = 3600000};
    struct store_secret_made made;
    struct store_collector_identity first, id;
    struct store_collector_new c;
    struct store_secret got;

    (void)state;
    assert_int_equal(store_secret_create(s, &who, &n, &made, &e), ERR_OK);
    c = agent(made.value, "a");
    assert_int_equal(store_collector_register(s, &who, &c, &first, &e), ERR_OK);
    assert_false(first.again);
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_OK);
    assert_true(id.again);
    assert_string_equal(id.id, first.id);
    c = agent(made.value, "b");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_OK);
    c = agent(made.value, "c");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_DENIED);
    c = agent("pga_wrong", "a");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_DENIED);
    assert_int_equal(store_secret_get(s, &arena, made.id, &got, &e), ERR_OK);
    assert_int_equal(got.total_registrations, 2);
    assert_int_equal(store_collector_revoke(s, &who, first.id, &e), ERR_OK);
    assert_int_equal(store_collector_revoke(s, &who, first.id, &e), ERR_NOT_FOUND);
    assert_int_equal(store_collector_check(s, first.id, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(store_secret_revoke(s, &who, made.id, &e), ERR_OK);
    c = agent(made.value, "b");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_DENIED);
}

static void a_secret_is_changed_in_part(void **state)
{
    struct store_secret_new n = {
        .name = STR("one"), .max_registrations = 1, .expires_in_ms = 3600000};
    struct store_secret_change change = {.max_registrations = 7};
    struct store_secret_made made;
    struct store_secret before, got;

    (void)state;
    assert_int_equal(store_secret_create(s, &who, &n, &made, &e), ERR_OK);
    assert_int_equal(store_secret_get(s, &arena, made.id, &before, &e), ERR_OK);
    change.id = made.id;
    assert_int_equal(store_secret_update(s, &who, &change, &e), ERR_OK);
    assert_int_equal(store_secret_get(s, &arena, made.id, &got, &e), ERR_OK);
    assert_int_equal(got.max_registrations, 7);
    assert_string_equal(got.name, "one");
    assert_int_equal(got.expires_ms, before.expires_ms);
    change = (struct store_secret_change){
        .id = made.id, .name = STR("two"), .expires_ms = before.expires_ms + 5};
    assert_int_equal(store_secret_update(s, &who, &change, &e), ERR_OK);
    assert_int_equal(store_secret_get(s, &arena, made.id, &got, &e), ERR_OK);
    assert_int_equal(got.max_registrations, 7);
    assert_string_equal(got.name, "two");
    assert_int_equal(got.expires_ms, before.expires_ms + 5);
    assert_int_equal(store_secret_revoke(s, &who, made.id, &e), ERR_OK);
    assert_int_equal(store_secret_update(s, &who, &change, &e), ERR_NOT_FOUND);
}

static void expired_secrets_are_refused(void **state)
{
    struct store_secret_new n = {.name = STR("late"), .max_registrations = 5, .expires_in_ms = -1};
    struct store_secret_made made;
    struct store_collector_identity id;
    struct store_collector_new c;

    (void)state;
    assert_int_equal(store_secret_create(s, &who, &n, &made, &e), ERR_OK);
    c = agent(made.value, "a");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_DENIED);
}

static void enrol(const char *host, struct store_collector_identity *id)
{
    struct store_secret_new n = {
        .name = STR("any"), .max_registrations = 9, .expires_in_ms = 3600000};
    struct store_secret_made made;
    struct store_collector_new c;

    assert_int_equal(store_secret_create(s, &who, &n, &made, &e), ERR_OK);
    c = agent(made.value, host);
    assert_int_equal(store_collector_register(s, &who, &c, id, &e), ERR_OK);
}

static void deliver(const char *id, int64_t ago_ms, int64_t samples)
{
    struct store_collector_seen row = {.last_seen_ms = clock_wall_ms() - ago_ms,
                                       .samples = samples};

    memcpy(row.id, id, sizeof(row.id));
    assert_int_equal(store_collector_seen(s, &row, 1, &e), ERR_OK);
}

static void the_count_of_a_day_rolls(void **state)
{
    const int64_t hour = 3600000;
    struct store_collector_identity id;
    struct store_collector got;

    (void)state;
    enrol("a", &id);
    deliver(id.id, 25 * hour, 1000); /* outside */
    deliver(id.id, 24 * hour + 1, 100);
    deliver(id.id, 23 * hour + hour / 2, 10);
    deliver(id.id, 0, 1);
    deliver(id.id, 0, 1);
    assert_int_equal(store_collector_get(s, &arena, id.id, &got, &e), ERR_OK);
    assert_int_equal(got.samples_total, 1112);
    assert_int_equal(got.samples_day, 12);
}

static void silence_is_noticed_once(void **state)
{
    struct store_collector_identity id, never;
    struct store_collector_turns turns;
    struct store_collector got;
    int64_t now = clock_wall_ms();

    (void)state;
    enrol("a", &id);
    enrol("never", &never);
    deliver(id.id, 60000, 1);
    turns = (struct store_collector_turns){.silent_before_ms = now - 90000,
                                           .back_since_ms = now - 90000};
    assert_int_equal(store_collector_turned(s, &arena, &turns, &e), ERR_OK);
    assert_int_equal(turns.count, 0);
    turns.silent_before_ms = turns.back_since_ms = now - 30000;
    assert_int_equal(store_collector_turned(s, &arena, &turns, &e), ERR_OK);
    assert_int_equal(turns.count, 1);
    assert_string_equal(turns.rows[0].id, id.id);
    assert_int_equal(turns.rows[0].offline_ms, 0);
    assert_int_equal(store_collector_set_offline(s, id.id, now, &e), ERR_OK);
    assert_int_equal(store_collector_turned(s, &arena, &turns, &e), ERR_OK);
    assert_int_equal(turns.count, 0);
    deliver(id.id, 0, 1);
    assert_int_equal(store_collector_turned(s, &arena, &turns, &e), ERR_OK);
    assert_int_equal(turns.count, 1);
    assert_int_equal(turns.rows[0].offline_ms, now);
    assert_int_equal(store_collector_set_offline(s, id.id, 0, &e), ERR_OK);
    assert_int_equal(store_collector_get(s, &arena, id.id, &got, &e), ERR_OK);
    assert_int_equal(got.offline_ms, 0);
}

static int64_t put_config(const char *collector, const char *toml, bool *added)
{
    struct store_config_put put = {.collector = collector, .toml = str_of(toml)};

    assert_int_equal(store_config_put(s, &who, &put, &e), ERR_OK);
    *added = put.added;
    return put.version;
}

static void configurations_count_their_versions(void **state)
{
    struct store_config_put none = {.collector = "00000000-0000-4000-8000-000000000000",
                                    .toml = STR("")};
    struct store_collector_identity id;
    struct store_config got;
    struct store_config_page page = {.limit = 2};
    int64_t version;
    bool added;

    (void)state;
    enrol("a", &id);
    page.collector = id.id;
    assert_int_equal(store_config_get(s, &arena, (struct store_config_key){id.id, 0}, &got, &e),
                     ERR_NOT_FOUND);
    assert_int_equal(put_config(id.id, "a = 1\n", &added), 1);
    assert_true(added);
    assert_int_equal(put_config(id.id, "a = 1\n", &added), 1);
    assert_false(added);
    assert_int_equal(put_config(id.id, "", &added), 2);
    assert_int_equal(put_config(id.id, "a = 1\n", &added), 3);
    assert_true(added);
    assert_int_equal(store_config_get(s, &arena, (struct store_config_key){id.id, 0}, &got, &e),
                     ERR_OK);
    assert_int_equal(got.version, 3);
    assert_string_equal(got.toml, "a = 1\n");
    assert_string_equal(got.author, who.name);
    assert_int_equal(store_config_get(s, &arena, (struct store_config_key){id.id, 2}, &got, &e),
                     ERR_OK);
    assert_string_equal(got.toml, "");
    assert_int_equal(store_config_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.rows[0].version, 3);
    page.before = page.rows[1].version;
    assert_int_equal(store_config_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.rows[0].size, 6);
    assert_int_equal(store_config_put(s, &who, &none, &e), ERR_NOT_FOUND);
    assert_int_equal(store_collector_check(s, id.id, &version, &e), ERR_OK);
    assert_int_equal(version, 3);
    assert_int_equal(store_collector_revoke(s, &who, id.id, &e), ERR_OK);
    none.collector = id.id;
    assert_int_equal(store_config_put(s, &who, &none, &e), ERR_NOT_FOUND);
}

static void a_report_is_news_once(void **state)
{
    struct store_collector_identity id;
    struct store_config_report r = {.applied = 1, .failed = 2, .error = STR("why")};
    struct store_collector got;
    bool news;

    (void)state;
    enrol("a", &id);
    r.collector = id.id;
    assert_int_equal(store_config_report(s, &r, &news, &e), ERR_OK);
    assert_true(news);
    assert_int_equal(store_config_report(s, &r, &news, &e), ERR_OK);
    assert_false(news);
    assert_int_equal(store_collector_get(s, &arena, id.id, &got, &e), ERR_OK);
    assert_int_equal(got.config_applied, 1);
    assert_int_equal(got.config_failed, 2);
    assert_string_equal(got.config_error, "why");
    r = (struct store_config_report){.collector = id.id, .applied = 2};
    assert_int_equal(store_config_report(s, &r, &news, &e), ERR_OK);
    assert_true(news);
}

static void targets_are_taken_once_per_lsn(void **state)
{
    struct batch_target t = {
        .kind = STR("postgresql"), .name = STR("db1"), .attributes = STR("{\"port\":5432}")};
    struct batch batch = {.targets = &t, .target_count = 1};
    struct store_target got;
    char id[TEXT_UUID_SIZE];
    struct uuid collector;

    (void)state;
    entropy_uuid(&t.id);
    entropy_uuid(&collector);
    text_uuid(&t.id, id);
    assert_int_equal(store_target_apply(s, 7, &collector, &batch, &e), ERR_OK);
    t.name = STR("older");
    assert_int_equal(store_target_apply(s, 7, &collector, &batch, &e), ERR_OK);
    assert_int_equal(store_target_get(s, &arena, id, &got, &e), ERR_OK);
    assert_string_equal(got.name, "db1");
    assert_null(got.collector_name);
    t.name = STR("newer");
    assert_int_equal(store_target_apply(s, 8, &collector, &batch, &e), ERR_OK);
    assert_int_equal(store_target_get(s, &arena, id, &got, &e), ERR_OK);
    assert_string_equal(got.name, "newer");
}

/* The name of a control plane's statement in this dialect; false for others. */
static bool is_statement(const char *file, char name[96])
{
    struct str rest = str_of(file);
    bool other = str_ends(rest, dialect == SQLDB_PG ? STR(".sqlite.sql") : STR(".pg.sql"));
    struct str stem = str_split(&rest, '.');

    snprintf(name, 96, "%.*s", STR_ARG(stem));
    return !other && !str_starts(stem, STR("tsdb_")) && !str_starts(stem, STR("demo_")) &&
           !str_starts(stem, STR("begin_")) && !str_starts(stem, STR("transfer_"));
}

/* 1 fits every type; a constraint may refuse it, but the statement itself is never wrong. */
static void every_statement_is_understood(void **state)
{
    struct sqldb_value ones[PARAMETERS];
    struct sqldb *db;
    int count = 0;

    (void)state;
    for (size_t i = 0; i < PARAMETERS; i++)
        ones[i] = sqldb_i64(1);
    for (size_t i = 0; i < embed_sql_count; i++) {
        enum err_code rc = ERR_BUG;
        char name[96];

        if (!is_statement(embed_sql[i].name, name))
            continue;
        for (size_t n = 0; n < PARAMETERS && rc == ERR_BUG; n++) {
            assert_int_equal(store_begin(s, &db, &e), ERR_OK);
            rc = sqldb_run(db, name, (struct sqldb_args){ones, n}, &e);
            if (store_end(s, ERR_CANCELLED, NULL) != ERR_CANCELLED)
                fail_msg("%s was not rolled back", name);
        }
        if (rc != ERR_OK && rc != ERR_CONFLICT)
            fail_msg("%s: %s", name, e.text);
        count++;
    }
    assert_true(count >= 50);
}

static void every_list_and_purge_works(void **state)
{
    struct store_secret_new n = {
        .name = STR("many"), .max_registrations = 9, .expires_in_ms = 3600000};
    struct store_collector_page page = {.after = "", .limit = 2, .sight = STORE_SIGHT_ALL};
    struct store_target_page targets = {
        .after_name = "", .after_id = "", .limit = 10, .sight = STORE_SIGHT_ALL};
    struct store_collector_new c;
    struct store_collector_identity id;
    struct store_secret_made made;
    int64_t accounts, owners, total;

    (void)state;
    assert_int_equal(store_secret_create(s, &who, &n, &made, &e), ERR_OK);
    for (int i = 0; i < 3; i++) {
        static const char *const hosts[] = {"b", "A", "\xc3\xa4"};
        c = agent(made.value, hosts[i]);
        assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_OK);
    }
    assert_int_equal(store_collector_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 2);
    page.after = page.rows[1].id;
    assert_int_equal(store_collector_list(s, &arena, &page, &e), ERR_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(store_target_list(s, &arena, &targets, &e), ERR_OK);
    assert_int_equal(targets.count, 0);
    assert_int_equal(store_user_count(s, &accounts, &owners, &e), ERR_OK);
    assert_int_equal(accounts, 0);
    assert_int_equal(store_count(s, "collector_count", SQLDB_ARGS(sqldb_null()), &total, &e),
                     ERR_OK);
    assert_int_equal(total, 3);
    assert_int_equal(store_session_purge(s, &e), ERR_OK);
    assert_int_equal(store_ping(s, &e), ERR_OK);
}

/* The same order in both dialects: by bytes. */
static void targets_are_listed_by_bytes(void **state)
{
    static const char *const names[] = {"b", "A", "a", "Z", "\xc3\xa4"};
    static const char *const sorted[] = {"A", "Z", "a", "b", "\xc3\xa4"};
    struct store_target_page page = {
        .after_name = "", .after_id = "", .limit = 3, .sight = STORE_SIGHT_ALL};
    struct batch_target t[5] = {0};
    struct batch batch = {.targets = t, .target_count = 5};
    struct uuid collector;

    (void)state;
    entropy_uuid(&collector);
    for (size_t i = 0; i < 5; i++) {
        t[i].kind = STR("postgresql");
        t[i].name = str_of(names[i]);
        entropy_uuid(&t[i].id);
    }
    assert_int_equal(store_target_apply(s, 1, &collector, &batch, &e), ERR_OK);
    for (size_t i = 0; i < 5; i++) {
        if (i % 3 == 0) {
            assert_int_equal(store_target_list(s, &arena, &page, &e), ERR_OK);
            assert_true(page.count == (i == 0 ? 3 : 2));
        }
        assert_string_equal(page.rows[i % 3].name, sorted[i]);
        page.after_name = page.rows[i % 3].name;
        page.after_id = page.rows[i % 3].id;
    }
}

int main(void)
{
    int failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_owner_is_made_once, begin, end),
        cmocka_unit_test_setup_teardown(sessions_are_found_by_their_secrets_and_end, begin, end),
        cmocka_unit_test_setup_teardown(the_last_owner_stays, begin, end),
        cmocka_unit_test_setup_teardown(admins_manage_viewers_and_operators, begin, end),
        cmocka_unit_test_setup_teardown(a_new_role_or_password_ends_sessions, begin, end),
        cmocka_unit_test_setup_teardown(accounts_are_listed_in_pages, begin, end),
        cmocka_unit_test_setup_teardown(a_secret_is_changed_in_part, begin, end),
        cmocka_unit_test_setup_teardown(failures_slow_down_only_their_address, begin, end),
        cmocka_unit_test_setup_teardown(a_secret_is_used_as_often_as_it_says, begin, end),
        cmocka_unit_test_setup_teardown(the_count_of_a_day_rolls, begin, end),
        cmocka_unit_test_setup_teardown(silence_is_noticed_once, begin, end),
        cmocka_unit_test_setup_teardown(configurations_count_their_versions, begin, end),
        cmocka_unit_test_setup_teardown(a_report_is_news_once, begin, end),
        cmocka_unit_test_setup_teardown(expired_secrets_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(targets_are_taken_once_per_lsn, begin, end),
        cmocka_unit_test_setup_teardown(every_statement_is_understood, begin, end),
        cmocka_unit_test_setup_teardown(every_list_and_purge_works, begin, end),
        cmocka_unit_test_setup_teardown(targets_are_listed_by_bytes, begin, end),
    };

    failed = cmocka_run_group_tests_name("store on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("store on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
