/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_group.c: groups of targets on either dialect (security Z2): names, who gets which
 * group, lists and counts of those who are limited, what an account sees, moving, the audit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/entropy.h"
#include "store/store_audit.h"
#include "store/store_collector.h"
#include "store/store_managed.h"
#include "store/store_secret.h"
#include "store/store_session.h"
#include "store/store_target.h"
#include "store/store_token.h"
#include "store_fixture.h"

#define AT_ALL 3 /* groups of the store that make_store makes */

static enum sqldb_dialect dialect;
static struct store_fixture f;
static struct arena arena;
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

/* A collector and a target in each of these groups; one name is a pattern of another in LIKE. */
static const char *const groups[AT_ALL] = {"a_b", "axb", "default"};
static struct store_collector_identity collectors[AT_ALL];
static char targets[AT_ALL][TEXT_UUID_SIZE];
static uint64_t lsn;

static void must(enum err_code rc)
{
    if (rc != ERR_OK)
        fail_msg("%s", e.text);
}

static void deliver(const struct store_collector_identity *from, const struct uuid *id)
{
    struct batch_target t = {.id = *id, .kind = STR("postgresql"), .name = STR("db")};
    struct batch batch = {.targets = &t, .target_count = 1};
    struct uuid collector;

    assert_true(text_parse_uuid(str_of(from->id), &collector));
    must(store_target_apply(f.store, ++lsn, &collector, &batch, &e));
}

static void make_group(int i)
{
    struct store_secret_new n = {.name = STR("s"),
                                 .max_registrations = 9,
                                 .expires_in_ms = 3600000,
                                 .group = str_of(i == AT_ALL - 1 ? "" : groups[i])};
    struct store_secret_made made;
    struct store_collector_new c = {.hostname = str_of(groups[i]),
                                    .name = STR("agent"),
                                    .version = STR("1"),
                                    .address = STR("")};
    struct uuid id;

    must(store_secret_create(f.store, &who, &n, &made, &e));
    c.secret = str_of(made.value);
    must(store_collector_register(f.store, &who, &c, &collectors[i], &e));
    entropy_uuid(&id);
    text_uuid(&id, targets[i]);
    deliver(&collectors[i], &id);
}

static int begin(void **state)
{
    (void)state;
    store_fixture_begin(&f, dialect);
    arena_init(&arena, "test", 1 << 20);
    lsn = 0;
    for (int i = 0; i < AT_ALL; i++)
        make_group(i);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_fini(&arena);
    store_fixture_end(&f);
    return 0;
}

static struct store_sight sight_of(const char *group)
{
    struct str name = str_of(group);
    struct store_sight s = {0};

    must(store_group_join(&arena, &name, 1, &s.groups, &e));
    return s;
}

static const char *group_of_target(const char *id)
{
    struct store_target t;

    must(store_target_get(f.store, &arena, id, &t, &e));
    return t.group;
}

static struct store_audit_page newest(void)
{
    return (struct store_audit_page){.to_ms = INT64_MAX,
                                     .actor = STR(""),
                                     .action = STR(""),
                                     .object = STR(""),
                                     .request = STR(""),
                                     .limit = 1};
}

/* Whether it is seen. */
static bool sees(const struct store_sight *sight, enum store_group_kind kind, struct sqldb_value id)
{
    bool seen;

    must(store_group_sees(f.store, sight, (struct store_group_thing){kind, id}, &seen, &e));
    return seen;
}

/* --- names --- */

static void names_are_plain(void **state)
{
    static const char *const good[] = {"a", "0", "prod-eu_1.x", "default"};
    static const char *const bad[] = {"",         "A",   "a b", ",",   "a,b", "-a",  ".a",
                                      "\xc3\xa4", "a%b", "a'b", "a\n", "*",   "all", "none"};
    char longest[STORE_GROUP_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(store_group_check(str_of(good[i]), &e), ERR_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(store_group_check(str_of(bad[i]), &e), ERR_INVALID);
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(store_group_check(str_make(longest, STORE_GROUP_MAX), &e), ERR_OK);
    assert_int_equal(store_group_check(str_make(longest, STORE_GROUP_MAX + 1), &e), ERR_INVALID);
}

static void a_list_has_each_name_once(void **state)
{
    struct str names[] = {STR("b"), STR("a"), STR("b")}, bad[] = {STR("a"), STR("B")};
    struct str many[STORE_GROUPS_MAX + 1];
    struct store_sight none = {0};
    const char *list;

    (void)state;
    must(store_group_join(&arena, names, 3, &list, &e));
    assert_string_equal(list, ",b,a,");
    assert_int_equal(store_group_join(&arena, bad, 2, &list, &e), ERR_INVALID);
    for (size_t i = 0; i <= STORE_GROUPS_MAX; i++)
        many[i] = STR("a");
    assert_int_equal(store_group_join(&arena, many, STORE_GROUPS_MAX + 1, &list, &e), ERR_LIMIT);
    assert_false(store_sight_has(&none, STR("a")));
    assert_false(store_sight_has(&none, STR("")));
    must(store_group_join(&arena, names, 0, &none.groups, &e));
    assert_false(store_sight_has(&none, STR("a")));
    assert_false(store_sight_has(&none, STR("")));
}

/* --- who gets which --- */

static void a_target_is_in_the_group_of_its_collector(void **state)
{
    struct store_collector c;
    struct uuid id;

    (void)state;
    for (int i = 0; i < AT_ALL; i++) {
        must(store_collector_get(f.store, &arena, collectors[i].id, &c, &e));
        assert_string_equal(c.group, groups[i]);
        assert_string_equal(group_of_target(targets[i]), groups[i]);
    }
    /* later descriptions, also by another collector, move nothing */
    assert_true(text_parse_uuid(str_of(targets[0]), &id));
    deliver(&collectors[1], &id);
    assert_string_equal(group_of_target(targets[0]), "a_b");
}

static void moving_is_followed_and_written_down(void **state)
{
    const struct store_group_move one = {targets[0], STR("else")}, bad = {targets[0], STR("No")};
    const struct store_group_move all = {collectors[0].id, STR("axb")};
    const struct store_group_move back = {targets[0], STR("a_b")};
    const struct store_group_move gone = {"00000000-0000-4000-8000-000000000000", STR("x")};
    struct store_audit_page page = newest();

    (void)state;
    must(store_group_move_target(f.store, &who, &one, &e));
    assert_string_equal(group_of_target(targets[0]), "else");
    must(store_audit_list(f.store, &arena, &page, &e));
    assert_string_equal(page.rows[0].action, "target.group");
    assert_string_equal(page.rows[0].object, targets[0]);
    assert_string_equal(page.rows[0].detail, "from a_b to else");
    /* a target that went its own way stays where it is */
    must(store_group_move_collector(f.store, &who, &all, &e));
    assert_string_equal(group_of_target(targets[0]), "else");
    must(store_group_move_target(f.store, &who, &back, &e));
    must(store_group_move_collector(f.store, &who,
                                    &(struct store_group_move){collectors[0].id, STR("a_b")}, &e));
    must(store_group_move_collector(f.store, &who, &all, &e));
    assert_string_equal(group_of_target(targets[0]), "axb");
    page = newest();
    must(store_audit_list(f.store, &arena, &page, &e));
    assert_string_equal(page.rows[0].action, "collector.group");
    assert_int_equal(store_group_move_target(f.store, &who, &bad, &e), ERR_INVALID);
    assert_int_equal(store_group_move_target(f.store, &who, &gone, &e), ERR_NOT_FOUND);
    assert_int_equal(store_group_move_collector(f.store, &who, &gone, &e), ERR_NOT_FOUND);
}

/* --- what is seen --- */

static void lists_and_counts_show_what_is_seen(void **state)
{
    struct store_sight some = sight_of("a_b"), none = {0};
    struct store_target_page t = {.after_name = "", .after_id = "", .limit = 10};
    struct store_collector_page c = {.after = "", .limit = 10};
    struct store_secret_page s = {.limit = 10};
    int64_t total;

    (void)state;
    t.sight = c.sight = s.sight = some;
    must(store_target_list(f.store, &arena, &t, &e));
    must(store_collector_list(f.store, &arena, &c, &e));
    must(store_secret_list(f.store, &arena, &s, &e));
    assert_true(t.count == 1 && c.count == 1 && s.count == 1);
    assert_string_equal(t.rows[0].id, targets[0]);
    assert_string_equal(c.rows[0].id, collectors[0].id);
    assert_string_equal(s.rows[0].group, "a_b");
    t.sight = c.sight = s.sight = none;
    must(store_target_list(f.store, &arena, &t, &e));
    must(store_collector_list(f.store, &arena, &c, &e));
    must(store_secret_list(f.store, &arena, &s, &e));
    assert_true(t.count == 0 && c.count == 0 && s.count == 0);
    static const char *const counts[] = {"target_count", "collector_count", "secret_count"};
    for (int i = 0; i < 3; i++) {
        must(store_count(f.store, counts[i], SQLDB_ARGS(store_sight_value(&some)), &total, &e));
        assert_int_equal(total, 1);
        must(store_count(f.store, counts[i], SQLDB_ARGS(store_sight_value(&none)), &total, &e));
        assert_int_equal(total, 0);
        must(store_count(f.store, counts[i], SQLDB_ARGS(sqldb_null()), &total, &e));
        assert_int_equal(total, AT_ALL);
    }
}

static void one_thing_is_seen_or_not(void **state)
{
    struct store_sight some = sight_of("a_b"), all = STORE_SIGHT_ALL, none = {0};
    struct store_group_ids ids = {.kind = STORE_GROUP_TARGET};
    char text[TEXT_UUID_SIZE];

    (void)state;
    for (int i = 0; i < AT_ALL; i++) {
        struct sqldb_value target = sqldb_text_c(targets[i]);

        assert_int_equal(sees(&some, STORE_GROUP_TARGET, target), i == 0);
        assert_int_equal(sees(&some, STORE_GROUP_COLLECTOR, sqldb_text_c(collectors[i].id)),
                         i == 0);
        assert_int_equal(sees(&some, STORE_GROUP_SECRET, sqldb_i64(i + 1)), i == 0);
        assert_false(sees(&none, STORE_GROUP_TARGET, target));
        assert_true(sees(&all, STORE_GROUP_TARGET, target));
    }
    assert_false(sees(&all, STORE_GROUP_SECRET, sqldb_i64(99)));
    assert_false(sees(&all, STORE_GROUP_MANAGED, sqldb_i64(1)));
    must(store_group_ids(f.store, &arena, &some, &ids, &e));
    assert_int_equal(ids.count, 1);
    text_uuid(&ids.ids[0], text);
    assert_string_equal(text, targets[0]);
    must(store_group_ids(f.store, &arena, &none, &ids, &e));
    assert_int_equal(ids.count, 0);
    ids.kind = STORE_GROUP_COLLECTOR;
    must(store_group_ids(f.store, &arena, &all, &ids, &e));
    assert_int_equal(ids.count, AT_ALL);
    assert_true(memcmp(&ids.ids[0], &ids.ids[1], sizeof(ids.ids[0])) < 0);
}

/* --- accounts --- */

static int64_t account(const char *role, const char *list)
{
    struct store_user_new n = {.username = STR("vi"), .role = role, .password_hash = "phc"};
    int64_t id;

    n.email = n.full_name = STR("");
    n.groups = list;
    must(store_user_create(f.store, &who, &n, &id, &e));
    return id;
}

static void change_groups(int64_t id, const char *role, const char *list)
{
    struct store_user_change c = {
        .id = id, .power = STORE_USER_BY_OWNER, .role = role, .sets_groups = true, .groups = list};

    must(store_user_update(f.store, &who, &c, &e));
}

/* Session and token read the account each time: another list counts at once. */
static void other_groups_count_at_once(void **state)
{
    int64_t id = account("viewer", ",a_b,");
    struct store_token_new n = {id, STR("t"), STORE_TOKEN_READ, INT64_MAX};
    struct store_session_new login = {.agent = STR("test"), .from = who.address};
    struct store_audit_page page = newest();
    struct store_token_made made;
    struct store_session session;
    struct store_token token;
    struct store_user user;

    (void)state;
    must(store_user_by_id(f.store, &arena, id, &user, &e));
    assert_true(!user.sight.all && strcmp(user.sight.groups, ",a_b,") == 0);
    must(store_session_create(f.store, &who, &user, &login, &e));
    must(store_token_create(f.store, &who, &n, &made, &e));
    for (int round = 0; round < 3; round++) {
        static const char *const lists[] = {",a_b,", ",x,", NULL};

        change_groups(id, NULL, lists[round]);
        must(store_session_find(
            f.store, &arena,
            (struct store_session_key){STORE_SESSION_BY_TOKEN, str_of(login.token)}, &session, &e));
        must(store_token_find(f.store, &arena, str_of(made.value), &token, &e));
        assert_int_equal(session.user.sight.all, lists[round] == NULL);
        assert_int_equal(token.user.sight.all, lists[round] == NULL);
        if (lists[round] != NULL) {
            assert_string_equal(session.user.sight.groups, lists[round]);
            assert_string_equal(token.user.sight.groups, lists[round]);
        }
    }
    must(store_audit_list(f.store, &arena, &page, &e));
    assert_string_equal(page.rows[0].action, "user.update");
    assert_string_equal(page.rows[0].detail, "groups ,x, to all");
}

static void owners_and_auditors_are_not_limited(void **state)
{
    struct store_user_new n = {.username = STR("o"), .role = "owner", .password_hash = "phc"};
    int64_t id = account("admin", ",a_b,");
    struct store_user_change c = {.id = id, .power = STORE_USER_BY_OWNER, .role = "owner"};
    struct store_user user;

    (void)state;
    n.email = n.full_name = STR("");
    n.groups = ",a_b,";
    assert_int_equal(store_user_create(f.store, &who, &n, &id, &e), ERR_INVALID);
    assert_int_equal(store_user_update(f.store, &who, &c, &e), ERR_INVALID);
    c.role = "auditor";
    assert_int_equal(store_user_update(f.store, &who, &c, &e), ERR_INVALID);
    /* what is not said stays */
    c.role = "operator";
    must(store_user_update(f.store, &who, &c, &e));
    must(store_user_by_id(f.store, &arena, c.id, &user, &e));
    assert_string_equal(user.sight.groups, ",a_b,");
    change_groups(c.id, "owner", NULL);
    must(store_user_by_id(f.store, &arena, c.id, &user, &e));
    assert_true(user.sight.all);
}

/* --- managed instances --- */

static void a_managed_instance_and_its_target_move_together(void **state)
{
    struct store_managed_change c = {.fields = {.name = "m",
                                                .description = "",
                                                .endpoint = "db.example.com",
                                                .dbname = "postgres",
                                                .environment = "",
                                                .username = "reader",
                                                .ssl_mode = "verify-full",
                                                .tags = "[]",
                                                .group = "a_b",
                                                .port = 5432,
                                                .interval_ms = 10000,
                                                .timeout_ms = 5000},
                                     .detail = "m"};
    struct store_managed_page page = {.limit = 9};
    struct store_collector_identity from;
    struct store_managed m;
    struct uuid id;

    (void)state;
    must(store_managed_create(f.store, &who, NULL, &c, &e));
    must(store_managed_get(f.store, &arena, c.id, &m, &e));
    assert_true(text_parse_uuid(str_of(m.target_id), &id));
    memcpy(from.id, m.collector_id, sizeof(from.id));
    deliver(&from, &id);
    assert_string_equal(group_of_target(m.target_id), "a_b");
    c.version = m.version;
    c.fields.group = "axb";
    must(store_managed_update(f.store, &who, NULL, &c, &e));
    assert_string_equal(group_of_target(m.target_id), "axb");
    must(store_group_move_target(f.store, &who,
                                 &(struct store_group_move){m.target_id, STR("else")}, &e));
    must(store_managed_get(f.store, &arena, c.id, &m, &e));
    assert_string_equal(m.fields.group, "else");
    page.sight = sight_of("a_b");
    must(store_managed_list(f.store, &arena, &page, &e));
    assert_int_equal(page.count, 0);
    page.sight = sight_of("else");
    must(store_managed_list(f.store, &arena, &page, &e));
    assert_int_equal(page.count, 1);
}

int main(void)
{
    int failed;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_plain, begin, end),
        cmocka_unit_test_setup_teardown(a_list_has_each_name_once, begin, end),
        cmocka_unit_test_setup_teardown(a_target_is_in_the_group_of_its_collector, begin, end),
        cmocka_unit_test_setup_teardown(moving_is_followed_and_written_down, begin, end),
        cmocka_unit_test_setup_teardown(lists_and_counts_show_what_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(one_thing_is_seen_or_not, begin, end),
        cmocka_unit_test_setup_teardown(other_groups_count_at_once, begin, end),
        cmocka_unit_test_setup_teardown(owners_and_auditors_are_not_limited, begin, end),
        cmocka_unit_test_setup_teardown(a_managed_instance_and_its_target_move_together, begin,
                                        end),
    };

    failed = cmocka_run_group_tests_name("groups on SQLite", tests, NULL, NULL);
    if (dialect_fixture_has_pg()) {
        dialect = SQLDB_PG;
        failed += cmocka_run_group_tests_name("groups on PostgreSQL", tests, NULL, NULL);
    }
    return failed;
}
