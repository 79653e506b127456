/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_audit_kept.c: L1: no change without its row in the audit, for events that need more
 * than a request to happen (tests/tool/auditevents.py has the others): adding rows is made to fail,
 * and then the event is refused and no table has changed; before that and after it has its row.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "os/clock.h"
#include "store/store_session.h"
#include "store/store_target.h"
#include "store/store_totp.h"
#include "store/store_trust.h"
#include "store/store_user.h"
#include "trust_fixture.h"

/* --- the database behind the program's back --- */

static const char *const tables[] = {
    "account",   "account_totp",        "recovery_code",    "session",   "session_refresh",
    "api_token", "registration_secret", "collector",        "authority", "issued_certificate",
    "target",    "collector_trust",     "collector_config", "setting",   "data_key",
    "audit",     "managed_instance",
};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static bool script(const char *sql)
{
    struct sqldb *db = NULL;
    enum err_code rc;

    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    rc = sqldb_script(db, sql, &tf.e);
    sqldb_close(db);
    return rc == ERR_OK;
}

static void must(const char *sql)
{
    if (!script(sql))
        fail_msg("%s: %s", sql, tf.e.text);
}

static void fail_audit(void)
{
    must(tf.dialect == SQLDB_SQLITE
             ? "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no row');"
               " END"
             : "CREATE FUNCTION no_row() RETURNS trigger LANGUAGE plpgsql AS "
               "$$BEGIN RAISE 'no row'; END$$;"
               "CREATE TRIGGER no_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION "
               "no_row()");
}

static void mend_audit(void)
{
    must(tf.dialect == SQLDB_SQLITE ? "DROP TRIGGER no_audit"
                                    : "DROP TRIGGER no_audit ON audit; DROP FUNCTION no_row()");
}

static void keep_tables(void)
{
    for (size_t i = 0; i < TABLES; i++) {
        must(arena_printf(&tf.arena, "CREATE TABLE kept_%s AS SELECT * FROM %s", tables[i],
                          tables[i]));
    }
}

/* Fails unless every table has the rows that were kept; then forgets them. */
static void compare_tables(const char *action)
{
    for (size_t i = 0; i < TABLES; i++) {
        const char *t = tables[i];

        must("CREATE TABLE probe (n INTEGER CHECK (n = 0))");
        if (!script(arena_printf(&tf.arena,
                                 "INSERT INTO probe SELECT count(*) FROM (SELECT * FROM %s EXCEPT "
                                 "SELECT * FROM kept_%s) a;"
                                 "INSERT INTO probe SELECT count(*) FROM (SELECT * FROM kept_%s "
                                 "EXCEPT SELECT * FROM %s) b",
                                 t, t, t, t)))
            fail_msg("%s: table %s changed without a row of the audit", action, t);
        must(arena_printf(&tf.arena, "DROP TABLE probe; DROP TABLE kept_%s", t));
    }
}

/* --- one event, thrice: it fails without its row, and happens with it --- */

static void l1(const char *action, enum err_code (*act)(void *arg), void *arg)
{
    int64_t before = trust_count_audit(action);
    enum err_code rc;

    fail_audit();
    keep_tables();
    rc = act(arg);
    if (rc == ERR_OK)
        fail_msg("%s happened without its row", action);
    compare_tables(action);
    mend_audit();
    trust_must(act(arg));
    if (trust_count_audit(action) != before + 1)
        fail_msg("%s has no row, or two", action);
}

/* --- people --- */

struct person {
    struct store_user user;
    struct store_session_new session;
};

static void sign_in(struct person *p)
{
    const struct store_user_new user = {
        .username = STR("ann"), .role = "viewer", .password_hash = "x"};

    *p = (struct person){.session = {.agent = STR("test"), .from = "192.0.2.1"}};
    trust_must(store_user_create(tf.s, &trust_who, &user, &p->user.id, &tf.e));
    trust_must(store_user_by_id(tf.s, &tf.arena, p->user.id, &p->user, &tf.e));
    trust_must(store_session_create(tf.s, &trust_who, &p->user, &p->session, &tf.e));
}

static enum err_code revoke(void *arg)
{
    const struct person *p = arg;

    return store_session_revoke(
        tf.s, &trust_who, (struct store_session_choice){str_of(p->session.id), p->user.id}, &tf.e);
}

static void l1_a_session_is_revoked(void **state)
{
    struct person p;

    (void)state;
    sign_in(&p);
    l1("session.revoke", revoke, &p);
}

static enum err_code reuse(void *arg)
{
    const struct person *p = arg;
    bool ended = false;
    enum err_code rc = store_session_reused(tf.s, &trust_who, str_of(p->session.refresh), &ended,
                                            &tf.e);

    return rc == ERR_OK && !ended ? ERR_NOT_FOUND : rc;
}

static void l1_a_refresh_token_is_shown_twice(void **state)
{
    struct person p;
    struct store_session_renewal r;

    (void)state;
    sign_in(&p);
    r = (struct store_session_renewal){.id = p.session.id, .old = str_of(p.session.refresh)};
    trust_must(store_session_refresh(tf.s, &trust_who, &r, &tf.e));
    l1("session.reused", reuse, &p);
}

/* --- the second factor --- */

struct factor {
    struct store_totp t;
    unsigned char seed[TOTP_SEED_BYTES];
    struct store_totp_recovery made;
};

static enum err_code begin_factor(void *arg)
{
    struct factor *f = arg;

    return store_totp_begin(&f->t, f->seed, &tf.e);
}

static enum err_code enable_factor(void *arg)
{
    struct factor *f = arg;
    char code[TOTP_DIGITS + 1];

    totp_code(f->seed, clock_wall_ms() / 1000 / TOTP_STEP_S, code);
    return store_totp_enable(&f->t, str_of(code), &f->made, &tf.e);
}

static enum err_code use_recovery(void *arg)
{
    struct factor *f = arg;
    bool right = false;
    enum err_code rc = store_totp_take(&f->t, str_of(f->made.codes[0]), &right, &tf.e);

    return rc == ERR_OK && !right ? ERR_DENIED : rc;
}

static enum err_code disable_factor(void *arg)
{
    struct factor *f = arg;

    return store_totp_disable(&f->t, &tf.e);
}

static void l1_a_second_factor_comes_and_goes(void **state)
{
    struct person p;
    struct factor f;

    (void)state;
    sign_in(&p);
    f = (struct factor){.t = {tf.s, tf.seal, &trust_who, p.user.id}};
    l1("totp.begin", begin_factor, &f);
    l1("totp.enable", enable_factor, &f);
    l1("totp.recovery", use_recovery, &f);
    l1("totp.disable", disable_factor, &f);
}

/* --- agents --- */

static enum err_code renew(void *arg)
{
    return trust_renew(arg);
}

static void l1_an_agent_renews(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_pass(12 * HOUR);
    trust_must(trust_use(&a)); /* when it was used last is no change of this kind */
    l1("collector.renew", renew, &a);
    trust_agent_fini(&a);
}

static enum err_code suspend(void *arg)
{
    const struct trust_agent *a = arg;

    return store_trust_suspend(tf.s, &trust_who, a->id, "test", &tf.e);
}

static enum err_code approve(void *arg)
{
    const struct trust_agent *a = arg;

    return store_trust_approve(tf.s, &trust_who, a->id, &tf.e);
}

static void l1_an_agent_is_suspended_and_approved(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    l1("collector.suspend", suspend, &a);
    l1("collector.approve", approve, &a);
    trust_agent_fini(&a);
}

/* --- authorities --- */

static enum err_code rotate(void *arg)
{
    (void)arg;
    return store_ca_rotate(&tf.ca, &trust_who, STORE_CA_ISSUING, &tf.e);
}

static enum err_code issue(void *arg)
{
    const struct x509_public *key = arg;
    const struct str names[] = {STR("db.example.com")};
    const struct store_ca_server what = {.key = key, .names = names, .name_count = 1};
    struct buf chain;
    enum err_code rc;

    buf_init(&chain, 65536);
    rc = store_ca_issue_server(&tf.ca, &trust_who, &what, &chain, &tf.e);
    buf_fini(&chain);
    return rc;
}

static void l1_an_authority_is_made_and_issues(void **state)
{
    struct trust_agent a;
    struct x509_public key;

    (void)state;
    trust_agent_init(&a, "server");
    key = trust_public_of(a.key);
    l1("certificate.issue", issue, &key);
    l1("authority.make", rotate, NULL);
    trust_agent_fini(&a);
}

/* --- targets --- */

struct gone {
    struct uuid id;
    uint64_t lsn;
    const struct json *by;
};

static enum err_code delete_target(void *arg)
{
    const struct gone *g = arg;

    return store_target_delete(tf.s, g->lsn, &g->id, g->by, &tf.e);
}

static void l1_a_target_is_deleted(void **state)
{
    const struct json_limits limits = {.max_bytes = 4096, .max_depth = 4};
    struct json_doc *doc = NULL;
    struct gone g = {.lsn = 7};

    (void)state;
    must("INSERT INTO target (id, collector_id, kind, name, attributes, first_seen_ms, updated_ms)"
         " VALUES ('00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000001',"
         " 'postgresql', 't', '{}', 1, 1)");
    assert_true(text_parse_uuid(STR("00000000-0000-4000-8000-000000000002"), &g.id));
    trust_must(json_parse(STR("{\"name\":\"user:ann\",\"address\":\"192.0.2.1\",\"request\":\"r\","
                              "\"target\":\"t\"}"),
                          &limits, &doc, &tf.e));
    g.by = json_root(doc);
    l1("target.delete", delete_target, &g);
    json_doc_free(doc);
}

/* --- T8: a link of an agent that verifies nobody --- */

struct told {
    struct batch batch;
    struct batch_target target;
    struct uuid collector;
    uint64_t lsn;
};

static enum err_code tell(void *arg)
{
    struct told *t = arg;

    t->batch.targets = &t->target;
    t->batch.target_count = 1;
    return store_target_apply(tf.s, ++t->lsn, &t->collector, &t->batch, &tf.e);
}

static void say(struct told *t, const char *address, const char *mode)
{
    t->target.attributes = str_of(
        arena_printf(&tf.arena, "{\"address\":\"%s\",\"sslmode\":\"%s\"}", address, mode));
}

static void l1_t8_a_link_that_verifies_nobody_is_noted(void **state)
{
    struct told t = {.target = {.kind = STR("postgresql"), .name = STR("db")}};

    (void)state;
    assert_true(text_parse_uuid(STR("00000000-0000-4000-8000-000000000002"), &t.target.id));
    say(&t, "/run/postgresql", "prefer");
    trust_must(tell(&t));
    say(&t, "127.0.0.1", "disable");
    trust_must(tell(&t));
    say(&t, "db.example.com", "verify-full");
    trust_must(tell(&t));
    assert_int_equal(trust_count_audit("target.link"), 0);
    say(&t, "db.example.com", "require");
    l1("target.link", tell, &t);
    trust_must(tell(&t)); /* once */
    assert_int_equal(trust_count_audit("target.link"), 1);
    say(&t, "db.example.com", "disable");
    trust_must(tell(&t));
    assert_int_equal(trust_count_audit("target.link"), 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, trust_begin, trust_end)

static int run(enum sqldb_dialect which, const char *name)
{
    const struct CMUnitTest tests[] = {
        CASE(l1_a_session_is_revoked),
        CASE(l1_a_refresh_token_is_shown_twice),
        CASE(l1_a_second_factor_comes_and_goes),
        CASE(l1_an_agent_renews),
        CASE(l1_an_agent_is_suspended_and_approved),
        CASE(l1_an_authority_is_made_and_issues),
        CASE(l1_a_target_is_deleted),
        CASE(l1_t8_a_link_that_verifies_nobody_is_noted),
    };

    tf.dialect = which;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(SQLDB_SQLITE, "store_audit_kept");

    return dialect_fixture_has_pg() ? failed + run(SQLDB_PG, "store_audit_kept on PostgreSQL")
                                    : failed;
}
