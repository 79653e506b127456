/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_trust_life.c: renewal, revocation, outages and clocks that jump, under a clock that
 * the test moves; on a fresh store of either dialect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_collector.h"
#include "trust_fixture.h"

/* --- life --- */

static void a_week_of_renewals_at_half_life(void **state)
{
    struct trust_agent a;
    unsigned renewals = 0;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_live(&a, 7 * DAY, &renewals);
    assert_in_range(renewals, 11, 16); /* every 10.8 to 13.2 hours, seen once an hour */
    assert_int_equal(trust_count_audit("collector.renew"), renewals);
    trust_agent_fini(&a);
}

static void a_renewal_takes_a_new_key_and_the_old_certificate_dies_after_use_of_the_new(
    void **state)
{
    struct trust_agent a, old;
    struct x509_public same;
    struct buf answer;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_pass(12 * HOUR);
    same = trust_public_of(a.key);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    assert_int_equal(
        store_trust_renew(&tf.ca, &trust_who,
                          &(struct store_trust_renewal){a.id, a.facts.fingerprint, &same, ""},
                          &answer, &tf.e),
        ERR_INVALID);
    buf_fini(&answer);
    old = a;
    buf_init(&old.pem, X509_CERTIFICATE_MAX);
    buf_add_str(&old.pem, buf_view(&a.pem));
    trust_must(trust_renew(&a));
    trust_must(trust_use(&old)); /* the new one was not used yet */
    trust_must(trust_use(&a));
    assert_int_equal(trust_renew(&a), ERR_LIMIT); /* too soon */
    trust_pass(599);
    trust_must(trust_use(&old)); /* what is still under way */
    buf_fini(&old.pem);
    trust_agent_fini(&a);
}

static void a_lost_answer_is_given_again(void **state)
{
    struct trust_agent a;
    struct buf lost;
    struct x509_facts facts;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_pass(12 * HOUR);
    buf_init(&lost, X509_CERTIFICATE_MAX);
    trust_must(trust_ask(&a, &lost));
    trust_must(x509_read(&tf.arena, buf_view(&lost), &facts, &tf.e));
    trust_pass(60);
    trust_must(trust_renew(&a));
    assert_string_equal(a.facts.fingerprint, facts.fingerprint);
    buf_fini(&lost);
    /* Lost for longer: the certificate that nobody used makes room for another. */
    trust_pass(12 * HOUR);
    trust_must(trust_use(&a));
    buf_init(&lost, X509_CERTIFICATE_MAX);
    trust_must(trust_ask(&a, &lost));
    x509_key_free(a.next);
    a.next = NULL;
    trust_pass(HOUR);
    trust_must(trust_renew(&a));
    trust_must(trust_use(&a));
    buf_fini(&lost);
    trust_agent_fini(&a);
}

static void a_clone_is_noticed_and_suspended(void **state)
{
    struct trust_agent a, clone;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    clone = a;
    buf_init(&clone.pem, X509_CERTIFICATE_MAX);
    buf_add_str(&clone.pem, buf_view(&a.pem));
    clone.next = NULL;
    trust_pass(12 * HOUR);
    trust_must(trust_renew(&a));
    trust_must(trust_use(&a));
    trust_pass(601);
    assert_int_equal(trust_use(&clone), ERR_DENIED);
    assert_non_null(strstr(tf.e.text, "two parties"));
    assert_int_equal(trust_use(&a), ERR_DENIED);
    assert_non_null(strstr(tf.e.text, "suspended"));
    assert_int_equal(store_collector_check(tf.s, a.id, NULL, &tf.e), ERR_NOT_FOUND);
    assert_int_equal(trust_count_audit("collector.suspend"), 1);
    assert_int_equal(trust_use(&clone), ERR_DENIED);
    assert_int_equal(trust_count_audit("collector.suspend"), 1); /* once */
    trust_must(store_trust_approve(tf.s, &trust_who, a.id, &tf.e));
    trust_must(trust_use(&a));
    assert_int_equal(trust_use(&clone), ERR_DENIED); /* the one before is void now */
    buf_fini(&clone.pem);
    trust_agent_fini(&a);
}

static void the_clone_that_renews_first_locks_both_out(void **state)
{
    struct trust_agent a, clone;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_agent_init(&clone, "db1");
    x509_key_free(clone.key);
    clone.key = a.key;
    memcpy(clone.id, a.id, sizeof(a.id));
    clone.facts = a.facts;
    clone.life = a.life;
    buf_add_str(&clone.pem, buf_view(&a.pem));
    trust_pass(11 * HOUR);
    a.key = NULL;
    trust_must(trust_renew(&clone));
    trust_must(trust_use(&clone));
    trust_pass(HOUR);
    assert_int_equal(trust_use(&a), ERR_DENIED);
    assert_int_equal(trust_use(&clone), ERR_DENIED);
    trust_agent_fini(&clone);
    trust_agent_fini(&a);
}

static void z2_a_certificate_renews_its_own_agent_alone(void **state)
{
    struct trust_agent a, b;
    struct x509_public public;
    struct buf answer;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_enrolled(&b, "db2");
    trust_pass(12 * HOUR);
    public = trust_public_of(a.key);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    assert_int_equal(
        store_trust_renew(&tf.ca, &trust_who,
                          &(struct store_trust_renewal){b.id, a.facts.fingerprint, &public, ""},
                          &answer, &tf.e),
        ERR_DENIED);
    assert_int_equal(answer.len, 0);
    buf_fini(&answer);
    trust_agent_fini(&b);
    trust_agent_fini(&a);
}

static void a_revoked_agent_is_out_at_once_and_renews_in_no_way(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_must(store_collector_revoke(tf.s, &trust_who, a.id, &tf.e));
    assert_int_equal(trust_use(&a), ERR_DENIED);
    trust_pass(12 * HOUR);
    assert_int_equal(trust_renew(&a), ERR_DENIED);
    trust_pass(DAY);
    assert_int_equal(trust_renew_late(&a, GRACE), ERR_DENIED);
    trust_agent_fini(&a);
}

/* --- outages and clocks --- */

static void an_outage_of_20_hours_needs_nothing_special(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_pass(20 * HOUR);
    assert_int_equal(trust_life(&a), X509_LIFE_DUE);
    trust_must(trust_renew(&a));
    trust_must(trust_use(&a));
    trust_agent_fini(&a);
}

static void after_10_days_a_signed_request_renews(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    trust_pass(10 * DAY);
    assert_int_equal(trust_life(&a), X509_LIFE_LATE);
    assert_int_equal(trust_renew(&a), ERR_DENIED);
    assert_int_equal(trust_renew_late(&a, 0), ERR_DENIED); /* the setting is off */
    trust_must(trust_renew_late(&a, GRACE));
    trust_must(trust_use(&a));
    assert_int_equal(trust_life(&a), X509_LIFE_FRESH);
    trust_agent_fini(&a);
}

static void after_31_days_it_has_to_enrol_again_and_keeps_its_id(void **state)
{
    struct trust_agent a;
    char id[TEXT_UUID_SIZE];

    (void)state;
    trust_enrolled(&a, "db1");
    memcpy(id, a.id, sizeof(id));
    trust_pass(31 * DAY + HOUR);
    assert_int_equal(trust_life(&a), X509_LIFE_LOST);
    assert_int_equal(trust_renew_late(&a, GRACE), ERR_DENIED);
    trust_must(trust_enrol(&a, trust_new_secret(1, "", ""), NULL));
    assert_string_equal(a.id, id);
    trust_must(trust_use(&a));
    trust_agent_fini(&a);
}

static void a_signed_request_of_another_key_is_refused(void **state)
{
    struct trust_agent a, thief;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_agent_init(&thief, "db1"); /* has the certificate and not its key */
    buf_add_str(&thief.pem, buf_view(&a.pem));
    memcpy(thief.id, a.id, sizeof(a.id));
    trust_pass(2 * DAY);
    assert_int_equal(trust_renew_late(&thief, GRACE), ERR_DENIED);
    assert_non_null(strstr(tf.e.text, "signature"));
    trust_must(trust_renew_late(&a, GRACE));
    trust_agent_fini(&thief);
    trust_agent_fini(&a);
}

static void clocks_that_jump_lose_no_agent(void **state)
{
    struct trust_agent a;

    (void)state;
    trust_enrolled(&a, "db1");
    trust_must(trust_use(&a));
    /* Ours goes back to 1970: the monotonic clock counts on. */
    assert_int_equal(x509_life_at(&a.life, 0, tf.mono_ms / 1000 + HOUR, GRACE), X509_LIFE_FRESH);
    assert_int_equal(x509_life_at(&a.life, 0, tf.mono_ms / 1000 + 14 * HOUR, GRACE), X509_LIFE_DUE);
    /* It jumps forward: a day (late), a year (lost); and comes back: as if nothing had been. */
    assert_int_equal(x509_life_at(&a.life, tf.wall_ms / 1000 + 2 * DAY, tf.mono_ms / 1000, GRACE),
                     X509_LIFE_LATE);
    assert_int_equal(x509_life_at(&a.life, tf.wall_ms / 1000 + 365 * DAY, tf.mono_ms / 1000, GRACE),
                     X509_LIFE_LOST);
    assert_int_equal(trust_life(&a), X509_LIFE_FRESH);
    /* A late renewal before the end, because our clock is wrong, is a renewal. */
    trust_pass(2 * HOUR);
    trust_must(trust_renew_late(&a, GRACE));
    trust_must(trust_use(&a));
    /* The server's clock goes back an hour and comes again. */
    tf.wall_ms -= 3600 * 1000;
    assert_int_equal(trust_use(&a), ERR_DENIED); /* not valid yet */
    tf.wall_ms += 3600 * 1000;
    trust_must(trust_use(&a));
    /* It goes back, and stays there: a signed request gets one that is valid by it. */
    tf.wall_ms -= 3600 * 1000;
    trust_must(trust_renew_late(&a, GRACE));
    trust_must(trust_use(&a));
    trust_agent_fini(&a);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, trust_begin, trust_end)

static int run(enum sqldb_dialect which, const char *name)
{
    const struct CMUnitTest tests[] = {
        CASE(a_week_of_renewals_at_half_life),
        CASE(a_renewal_takes_a_new_key_and_the_old_certificate_dies_after_use_of_the_new),
        CASE(a_lost_answer_is_given_again),
        CASE(a_clone_is_noticed_and_suspended),
        CASE(the_clone_that_renews_first_locks_both_out),
        CASE(z2_a_certificate_renews_its_own_agent_alone),
        CASE(a_revoked_agent_is_out_at_once_and_renews_in_no_way),
        CASE(an_outage_of_20_hours_needs_nothing_special),
        CASE(after_10_days_a_signed_request_renews),
        CASE(after_31_days_it_has_to_enrol_again_and_keeps_its_id),
        CASE(a_signed_request_of_another_key_is_refused),
        CASE(clocks_that_jump_lose_no_agent),
    };

    tf.dialect = which;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(SQLDB_SQLITE, "store_trust_life");

    return dialect_fixture_has_pg() ? failed + run(SQLDB_PG, "store_trust_life on PostgreSQL")
                                    : failed;
}
