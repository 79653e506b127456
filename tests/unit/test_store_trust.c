/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_trust.c: enrolment and the authority under a clock that the test moves; on a fresh
 * store of either dialect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "os/clock.h"
#include "store/store_collector.h"
#include "store/store_secret.h"
#include "trust_fixture.h"

/* --- enrolment --- */

static void a_secret_names_its_row_and_is_kept_as_a_hash(void **state)
{
    const char *value = trust_new_secret(1, "", "");

    (void)state;
    assert_true(str_starts(str_of(value), STR("pgar_1_")));
    assert_int_equal(strlen(value), strlen("pgar_1_") + 43);
}

static void the_same_key_and_secret_get_the_same_answer(void **state)
{
    const char *secret = trust_new_secret(1, "", "");
    struct trust_agent a;
    struct x509_key *other;
    char first[X509_FINGERPRINT_SIZE], id[TEXT_UUID_SIZE];

    (void)state;
    trust_agent_init(&a, "db1");
    trust_must(trust_enrol(&a, secret, NULL));
    memcpy(first, a.facts.fingerprint, sizeof(first));
    memcpy(id, a.id, sizeof(id));
    trust_pass(599);
    trust_must(trust_enrol(&a, secret, NULL));
    assert_string_equal(a.facts.fingerprint, first);
    assert_string_equal(a.id, id);
    /* Another key, and the same one later, are new questions, for which the secret is used up. */
    other = a.key;
    trust_must(x509_key_make(&a.key, &tf.e));
    assert_int_equal(trust_enrol(&a, secret, NULL), ERR_DENIED);
    x509_key_free(a.key);
    a.key = other;
    trust_pass(2);
    assert_int_equal(trust_enrol(&a, secret, NULL), ERR_DENIED);
    trust_agent_fini(&a);
}

static void an_agent_that_enrols_again_keeps_its_id_and_its_old_certificate_is_void(void **state)
{
    struct trust_agent a, again;
    char id[TEXT_UUID_SIZE];

    (void)state;
    trust_enrolled(&a, "db1");
    memcpy(id, a.id, sizeof(id));
    trust_must(trust_use(&a));
    trust_enrolled(&again, "db1");
    assert_string_equal(again.id, id);
    trust_must(trust_use(&again));
    assert_int_equal(trust_use(&a), ERR_DENIED);
    trust_agent_fini(&again);
    trust_agent_fini(&a);
}

static void an_agent_with_a_certificate_gets_no_token_alone(void **state)
{
    const char *secret = trust_new_secret(5, "", "");
    struct store_collector_new c = {
        .secret = str_of(secret), .name = STR("db1"), .hostname = STR("db1"), .version = STR("1")};
    struct store_collector_identity id = {0};
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    assert_int_equal(store_collector_register(tf.s, &trust_who, &c, &id, &tf.e), ERR_DENIED);
    trust_agent_fini(&a);
}

static void a_secret_holds_for_its_addresses(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_agent_init(&a, "db1");
    assert_int_equal(trust_enrol(&a, trust_new_secret(1, "10.0.0.0/8,2001:db8::/32", ""), NULL),
                     ERR_DENIED);
    trust_must(trust_enrol(&a, trust_new_secret(1, "10.0.0.0/8, 192.0.2.0/24", ""),
                           NULL)); /* who.address */
    assert_true(store_secret_allows(STR("192.0.2.0/24"), "::ffff:192.0.2.7"));
    assert_false(store_secret_allows(STR("192.0.2.0/24"), "192.0.3.7"));
    assert_false(store_secret_allows(STR("192.0.2.0/24"), ""));
    assert_int_equal(store_secret_check_ranges(STR("10.0.0.0/8,hello"), &tf.e), ERR_INVALID);
    assert_int_equal(store_secret_check_ranges(STR("10.0.0.1/8"), &tf.e), ERR_INVALID);
    trust_agent_fini(&a);
}

static void who_waits_gets_nothing_before_a_person_says_so(void **state)
{
    const char *secret = trust_new_secret(1, "", "manual");
    struct store_collector_page page = {.after = "", .limit = 10, .sight = STORE_SIGHT_ALL};
    struct x509_key *mine;
    struct trust_agent a;
    bool pending;

    (void)state;
    trust_agent_init(&a, "db1");
    trust_must(trust_enrol(&a, secret, &pending));
    assert_true(pending);
    assert_int_equal(a.pem.len, 0);
    trust_must(store_collector_list(tf.s, &tf.arena, &page, &tf.e));
    assert_int_equal(page.count, 1);
    assert_int_equal(store_collector_check(tf.s, page.rows[0].id, NULL, &tf.e), ERR_NOT_FOUND);
    trust_pass(2 * HOUR); /* the secret has expired; who waits does not lose its place */
    trust_must(trust_enrol(&a, secret, &pending));
    assert_true(pending);
    trust_must(store_trust_approve(tf.s, &trust_who, page.rows[0].id, &tf.e));
    mine = a.key; /* another key does not profit from the approval */
    trust_must(x509_key_make(&a.key, &tf.e));
    assert_int_equal(trust_enrol(&a, secret, &pending), ERR_DENIED);
    x509_key_free(a.key);
    a.key = mine;
    trust_must(trust_enrol(&a, secret, &pending));
    assert_false(pending);
    trust_must(trust_use(&a));
    assert_int_equal(store_trust_approve(tf.s, &trust_who, a.id, &tf.e), ERR_NOT_FOUND);
    trust_agent_fini(&a);
}

/* --- authority --- */

static size_t authorities(const char *kind)
{
    struct store_authority *rows;
    size_t count, found = 0;

    trust_must(store_ca_list(&tf.ca, &tf.arena, &rows, &count, &tf.e));
    for (size_t i = 0; i < count; i++)
        found += rows[i].is_root == (kind[0] == 'r');
    return found;
}

static void agents_live_through_a_rotation_of_the_issuing_authority(void **state)
{
    struct trust_agent a, b;
    unsigned renewals = 0;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_must(store_ca_rotate(&tf.ca, &trust_who, STORE_CA_ISSUING, &tf.e));
    assert_int_equal(authorities("issuing"), 2);
    trust_must(trust_use(&a));
    trust_enrolled(&b, "db2");
    assert_non_null(strstr(b.facts.issuer, "pga issuing 2 "));
    trust_must(trust_use(&b));
    trust_live(&a, 2 * DAY, &renewals);
    assert_non_null(strstr(a.facts.issuer, "pga issuing 2 "));
    trust_pass(44 * DAY);
    assert_int_equal(authorities("issuing"), 1);
    trust_agent_fini(&b);
    trust_agent_fini(&a);
}

static void agents_live_through_a_rotation_of_the_root(void **state)
{
    static const struct str name = STR("pga.example.org");
    char before[X509_FINGERPRINT_SIZE], after[X509_FINGERPRINT_SIZE];
    struct x509_public public;
    struct trust_agent a;
    unsigned renewals = 0;
    struct buf old_bundle, chain, pinned;
    struct x509_check check;
    size_t at_end;

    (void)state;
    trust_enrolled(&a, "db1");
    buf_init(&old_bundle, X509_BUNDLE_MAX);
    buf_init(&chain, X509_BUNDLE_MAX);
    buf_init(&pinned, X509_BUNDLE_MAX);
    trust_must(store_ca_bundle(&tf.ca, &old_bundle, &tf.e));
    trust_must(store_ca_fingerprint(&tf.ca, before, &tf.e));
    trust_must(store_ca_rotate(&tf.ca, &trust_who, STORE_CA_ROOT, &tf.e));
    trust_must(store_ca_fingerprint(&tf.ca, after, &tf.e));
    assert_string_not_equal(before, after);
    assert_int_equal(authorities("root"), 2);
    trust_must(trust_use(&a)); /* of the old root */
    /* The server shows a certificate of the new root; who has only the old bundle follows it. */
    public = trust_public_of(a.key);
    trust_must(store_ca_issue_server(&tf.ca, &trust_who,
                                     &(struct store_ca_server){&public, &name, 1}, &chain, &tf.e));
    assert_true(str_find(buf_view(&chain), STR("-----END CERTIFICATE-----\n"), &at_end));
    at_end += strlen("-----END CERTIFICATE-----\n");
    buf_add_str(&pinned, str_make(chain.ptr + at_end, chain.len - at_end));
    buf_add_str(&pinned, buf_view(&old_bundle));
    check = (struct x509_check){str_make(chain.ptr, at_end), buf_view(&pinned), X509_SERVER,
                                clock_wall_ms() / 1000, 0};
    trust_must(x509_verify(&check, &tf.e));
    trust_live(&a, 2 * DAY, &renewals);
    assert_non_null(strstr(a.facts.issuer, "pga issuing 2 "));
    trust_pass(44 * DAY);
    assert_int_equal(authorities("root"), 1);
    buf_fini(&pinned);
    buf_fini(&chain);
    buf_fini(&old_bundle);
    trust_agent_fini(&a);
}

static void the_authority_rotates_by_itself_at_half_of_its_life(void **state)
{
    bool rotated;

    (void)state;
    trust_must(store_ca_tick(&tf.ca, &rotated, &tf.e));
    assert_false(rotated);
    trust_pass(182 * DAY);
    trust_must(store_ca_tick(&tf.ca, &rotated, &tf.e));
    assert_false(rotated);
    trust_pass(DAY);
    trust_must(store_ca_tick(&tf.ca, &rotated, &tf.e));
    assert_true(rotated);
    assert_int_equal(authorities("issuing"), 2);
    assert_int_equal(authorities("root"), 1);
    trust_must(store_ca_tick(&tf.ca, &rotated, &tf.e));
    assert_false(rotated);
    trust_pass(5 * 365 * DAY);
    trust_must(store_ca_tick(&tf.ca, &rotated, &tf.e));
    assert_true(rotated);
    assert_int_equal(authorities("root"), 2);
}

static void the_authority_is_made_once(void **state)
{
    char first[X509_FINGERPRINT_SIZE], second[X509_FINGERPRINT_SIZE];
    struct store_ca again;

    (void)state;
    trust_must(store_ca_fingerprint(&tf.ca, first, &tf.e));
    trust_must(store_ca_open(tf.s, tf.seal, &again, &tf.e));
    trust_must(store_ca_fingerprint(&again, second, &tf.e));
    assert_string_equal(first, second);
    assert_true(text_uuid_eq(&again.deployment, &tf.ca.deployment));
}

/* Whether a query for one number gives it: otherwise the constraint is hurt. */
static bool gives(int64_t number, const char *sql)
{
    struct sqldb *db = NULL;
    const char *script = arena_printf(&tf.arena,
                                      "CREATE TABLE probe (n INTEGER CHECK (n = %lld));"
                                      "INSERT INTO probe %s;",
                                      (long long)number, sql);
    enum err_code rc;

    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    rc = sqldb_script(db, script, &tf.e);
    (void)!sqldb_script(db, "DROP TABLE IF EXISTS probe", NULL);
    sqldb_close(db);
    return rc == ERR_OK;
}

static void k7_issued_certificates_are_written_down_for_good(void **state)
{
    struct sqldb *db = NULL;
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    assert_true(gives(3, "SELECT count(*) FROM issued_certificate"));
    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    (void)!sqldb_script(db, "UPDATE issued_certificate SET subject = 'x'", &tf.e);
    (void)!sqldb_script(db, "DELETE FROM issued_certificate", &tf.e);
    sqldb_close(db);
    assert_true(gives(3, "SELECT count(*) FROM issued_certificate WHERE subject <> 'x'"));
    trust_agent_fini(&a);
}

static void old_rows(int64_t ended_ms, const char *prefix)
{
    struct sqldb *db = NULL;

    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    for (int i = 0; i < 20; i++)
        trust_must(sqldb_script(
            db,
            arena_printf(&tf.arena,
                         "INSERT INTO issued_certificate VALUES ('%s%d', 'agent', 's', 'a', 'f', "
                         "1, %lld, 1)",
                         prefix, i, (long long)ended_ms + i),
            &tf.e));
    sqldb_close(db);
}

static void k7_what_ended_a_year_ago_is_forgotten_and_nothing_else(void **state)
{
    const int64_t real_ms = (int64_t)time(NULL) * 1000, day_ms = DAY * 1000;
    struct sqldb *db = NULL;
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1"); /* and 3 certificates of now */
    tf.wall_ms = real_ms;
    old_rows(real_ms - 368 * day_ms, "old");
    old_rows(real_ms - 360 * day_ms, "young");
    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    (void)!sqldb_script(db, "DELETE FROM issued_certificate WHERE serial LIKE 'young%'", &tf.e);
    sqldb_close(db);
    assert_true(gives(20, "SELECT count(*) FROM issued_certificate WHERE serial LIKE 'young%'"));
    trust_must(store_ca_purge(tf.s, &tf.e));
    assert_true(gives(0, "SELECT count(*) FROM issued_certificate WHERE serial LIKE 'old%'"));
    assert_true(gives(20, "SELECT count(*) FROM issued_certificate WHERE serial LIKE 'young%'"));
    assert_int_equal(trust_count_audit("certificate.purge"), 1);
    trust_must(store_ca_purge(tf.s, &tf.e));
    assert_int_equal(trust_count_audit("certificate.purge"), 1); /* there was nothing */
    trust_agent_fini(&a);
}

static void k7_private_keys_lie_sealed_and_only_in_their_row(void **state)
{
    struct sqldb *db = NULL;
    struct trust_agent a;

    (void)state;
    assert_true(gives(0, "SELECT count(*) FROM authority WHERE CAST(sealed_key AS TEXT) LIKE "
                         "'%PRIVATE%'"));
    assert_true(gives(2, "SELECT count(*) FROM authority"));
    trust_must(sqldb_open(tf.base.at.url, NULL, &db, &tf.e));
    /* The root's key in the row of the issuing authority does not open. */
    trust_must(
        sqldb_script(db,
                     "UPDATE authority SET sealed_key = (SELECT sealed_key FROM authority WHERE "
                     "name = 'root:1') WHERE name = 'issuing:1'",
                     &tf.e));
    sqldb_close(db);
    trust_agent_init(&a, "db1");
    assert_int_equal(trust_enrol(&a, trust_new_secret(1, "", ""), NULL), ERR_CORRUPT);
    trust_agent_fini(&a);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, trust_begin, trust_end)

static int run(enum sqldb_dialect which, const char *name)
{
    const struct CMUnitTest tests[] = {
        CASE(a_secret_names_its_row_and_is_kept_as_a_hash),
        CASE(the_same_key_and_secret_get_the_same_answer),
        CASE(an_agent_that_enrols_again_keeps_its_id_and_its_old_certificate_is_void),
        CASE(an_agent_with_a_certificate_gets_no_token_alone),
        CASE(a_secret_holds_for_its_addresses),
        CASE(who_waits_gets_nothing_before_a_person_says_so),
        CASE(agents_live_through_a_rotation_of_the_issuing_authority),
        CASE(agents_live_through_a_rotation_of_the_root),
        CASE(the_authority_rotates_by_itself_at_half_of_its_life),
        CASE(the_authority_is_made_once),
        CASE(k7_issued_certificates_are_written_down_for_good),
        CASE(k7_what_ended_a_year_ago_is_forgotten_and_nothing_else),
        CASE(k7_private_keys_lie_sealed_and_only_in_their_row),
    };

    tf.dialect = which;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(SQLDB_SQLITE, "store_trust");

    return dialect_fixture_has_pg() ? failed + run(SQLDB_PG, "store_trust on PostgreSQL") : failed;
}
