/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_store_trust.c: enrolment, renewal, revocation and the authority under a clock that the test
 * moves; on a fresh store of either dialect. The agent here keeps what the real one keeps, and every
 * use of a certificate is judged as in a handshake: by its chain, then by the store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/clock.h"
#include "store/store_audit.h"
#include "store/store_collector.h"
#include "store/store_secret.h"
#include "store_fixture.h"
#include "tls/x509_csr.h"
#include "tls/x509_life.h"
#include "tls/x509_renewal.h"

#define START_MS INT64_C(1790000000000)
#define HOUR     INT64_C(3600)
#define DAY      (24 * HOUR)
#define GRACE    (30 * DAY)

static struct store_fixture f;
static struct store_seal_ctx *seal;
static char key_path[128];
static enum sqldb_dialect dialect;
static struct store *s;
static struct store_ca ca;
static struct arena arena;
static struct err e;
static const struct store_actor who = {"user:test", "192.0.2.1", "r1"};

/* --- the clock --- */

static int64_t wall_ms, mono_ms;

static int64_t fake_wall(void)
{
    return wall_ms * 1000;
}

static int64_t fake_mono(void)
{
    return mono_ms * 1000;
}

static void fake_sleep(int64_t until)
{
    (void)until;
}

static const struct clock_ops fake = {fake_wall, fake_mono, fake_sleep};

static void pass(int64_t seconds)
{
    wall_ms += seconds * 1000;
    mono_ms += seconds * 1000;
}

/* --- fixture --- */

static void must(enum err_code rc)
{
    if (rc != ERR_OK)
        fprintf(stderr, "%s\n", e.text);
    assert_int_equal(rc, ERR_OK);
}

static int begin(void **state)
{
    struct store_key_source source = {STORE_KEY_FILE, key_path};

    (void)state;
    wall_ms = START_MS;
    mono_ms = 1000000;
    (void)clock_ops_set(&fake);
    store_fixture_begin(&f, dialect);
    s = f.store;
    snprintf(key_path, sizeof(key_path), "%s/keys/master.key", f.at.dir);
    arena_init(&arena, "test", 4 << 20);
    must(store_seal_open(s, &source, &seal, &e));
    must(store_ca_open(s, seal, &ca, &e));
    return 0;
}

static int end(void **state)
{
    (void)state;
    store_seal_close(seal);
    arena_fini(&arena);
    store_fixture_end(&f);
    (void)clock_ops_set(NULL);
    return 0;
}

/* --- an agent --- */

struct agent {
    struct x509_key *key, *next; /* next: of a renewal whose answer did not come yet */
    struct buf pem;
    struct x509_facts facts;
    struct x509_life life;
    char id[TEXT_UUID_SIZE];
    const char *host;
};

static void agent_init(struct agent *a, const char *host)
{
    *a = (struct agent){.host = host};
    buf_init(&a->pem, X509_CERTIFICATE_MAX);
    must(x509_key_make(&a->key, &e));
}

static void agent_fini(struct agent *a)
{
    x509_key_free(a->key);
    x509_key_free(a->next);
    buf_fini(&a->pem);
}

static const char *new_secret(int64_t uses, const char *allowed, const char *approval)
{
    struct store_secret_new n = {STR("s"), uses, 3600000, str_of(allowed), str_of(approval)};
    struct store_secret_made made;

    must(store_secret_create(s, &who, &n, &made, &e));
    return arena_cstr(&arena, str_of(made.value));
}

static struct x509_public public_of(struct x509_key *k)
{
    struct x509_public p;

    x509_key_public(k, &p);
    return p;
}

static void take(struct agent *a)
{
    struct uuid id;

    must(x509_read(&arena, buf_view(&a->pem), &a->facts, &e));
    must(x509_issue_agent_of(&a->facts, &ca.deployment, &id, &e));
    x509_life_init(&a->life, &a->facts, clock_wall_ms() / 1000, clock_mono_ms() / 1000);
}

/* With the key of the agent. */
static enum err_code enrol(struct agent *a, const char *secret, bool *pending)
{
    struct x509_public public = public_of(a->key);
    struct store_collector_new c = {.secret = str_of(secret),
                                    .name = str_of(a->host),
                                    .hostname = str_of(a->host),
                                    .address = STR("10.0.0.1"),
                                    .version = STR("1"),
                                    .key = &public,
                                    .ca = &ca};
    struct store_collector_identity id = {.certificate = &a->pem};
    enum err_code rc;

    buf_reset(&a->pem);
    rc = store_collector_register(s, &who, &c, &id, &e);
    if (pending != NULL)
        *pending = id.pending;
    if (rc != ERR_OK || id.pending)
        return rc;
    memcpy(a->id, id.id, sizeof(a->id));
    take(a);
    return ERR_OK;
}

static void enrolled(struct agent *a, const char *host)
{
    agent_init(a, host);
    must(enrol(a, new_secret(1, "", ""), NULL));
}

/* As in a handshake on the listener of agents, then as the dispatcher of requests. */
static enum err_code use_pem(struct str pem, const char *fingerprint)
{
    struct store_trust_holder holder;
    struct buf bundle;
    enum err_code rc;

    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(&ca, &bundle, &e);
    if (rc == ERR_OK)
        rc = x509_verify(
            &(struct x509_check){pem, buf_view(&bundle), X509_CLIENT, clock_wall_ms() / 1000, 0},
            &e);
    buf_fini(&bundle);
    return rc == ERR_OK ? store_trust_use(s, &who, fingerprint, &holder, &e) : rc;
}

static enum err_code use(const struct agent *a)
{
    return use_pem(buf_view(&a->pem), a->facts.fingerprint);
}

/* Ask for the next certificate; answer: where it goes. */
static enum err_code ask(struct agent *a, struct buf *answer)
{
    struct x509_public public;
    enum err_code rc = use(a);

    if (a->next == NULL)
        must(x509_key_make(&a->next, &e));
    public = public_of(a->next);
    if (rc != ERR_OK)
        return rc;
    return store_trust_renew(
        &ca, &who, &(struct store_trust_renewal){a->id, a->facts.fingerprint, &public, ""}, answer,
        &e);
}

static void switch_to(struct agent *a, struct buf *answer)
{
    x509_key_free(a->key);
    a->key = a->next;
    a->next = NULL;
    buf_fini(&a->pem);
    a->pem = *answer;
    take(a);
    assert_true(x509_key_fits(a->key, &a->facts));
}

static enum err_code renew(struct agent *a)
{
    struct buf answer;
    enum err_code rc;

    buf_init(&answer, X509_CERTIFICATE_MAX);
    rc = ask(a, &answer);
    if (rc == ERR_OK)
        switch_to(a, &answer);
    else
        buf_fini(&answer);
    return rc;
}

/* By a request signed with the key of the expired certificate. */
static enum err_code renew_late(struct agent *a, int64_t grace_s)
{
    struct store_trust_late late = {.grace_s = grace_s};
    struct buf csr, text, answer;
    enum err_code rc;

    if (a->next == NULL)
        must(x509_key_make(&a->next, &e));
    buf_init(&csr, X509_CSR_MAX);
    buf_init(&text, X509_RENEWAL_MAX);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    must(x509_csr_make(a->next, &csr, &e));
    must(x509_renewal_write(a->key, buf_view(&a->pem), buf_view(&csr), &text, &e));
    late.signed_text = buf_view(&text);
    rc = store_trust_renew_late(&ca, &who, &late, &answer, &e);
    if (rc == ERR_OK) {
        assert_string_equal(late.id, a->id);
        switch_to(a, &answer);
    } else {
        buf_fini(&answer);
    }
    buf_fini(&text);
    buf_fini(&csr);
    return rc;
}

static enum x509_life_state life(const struct agent *a)
{
    return x509_life_at(&a->life, clock_wall_ms() / 1000, clock_mono_ms() / 1000, GRACE);
}

/* What the agent does all the time: use its certificate, and renew when it is due. */
static void live(struct agent *a, int64_t seconds, unsigned *renewals)
{
    for (int64_t t = 0; t < seconds; t += HOUR) {
        pass(HOUR);
        if (life(a) == X509_LIFE_DUE) {
            must(renew(a));
            (*renewals)++;
        }
        must(use(a));
    }
}

static int64_t count_audit(const char *action)
{
    struct sqldb_stmt *q = NULL;
    struct sqldb *db = store_read_begin(s);
    int64_t count = 0;
    bool more = true;
    enum err_code rc = sqldb_query(db, "audit_walk", SQLDB_ARGS(sqldb_i64(0), sqldb_i64(10000)), &q,
                                   &e);

    while (rc == ERR_OK && more) {
        rc = sqldb_step(q, &more, &e);
        if (rc == ERR_OK && more)
            count += str_eq_c(sqldb_get_text(q, sqldb_column(q, "action")), action);
    }
    sqldb_end(q);
    store_read_end(s);
    must(rc);
    return count;
}

/* --- enrolment --- */

static void a_secret_names_its_row_and_is_kept_as_a_hash(void **state)
{
    const char *value = new_secret(1, "", "");

    (void)state;
    assert_true(str_starts(str_of(value), STR("pgar_1_")));
    assert_int_equal(strlen(value), strlen("pgar_1_") + 43);
}

static void the_same_key_and_secret_get_the_same_answer(void **state)
{
    const char *secret = new_secret(1, "", "");
    struct agent a;
    struct x509_key *other;
    char first[X509_FINGERPRINT_SIZE], id[TEXT_UUID_SIZE];

    (void)state;
    agent_init(&a, "db1");
    must(enrol(&a, secret, NULL));
    memcpy(first, a.facts.fingerprint, sizeof(first));
    memcpy(id, a.id, sizeof(id));
    pass(599);
    must(enrol(&a, secret, NULL));
    assert_string_equal(a.facts.fingerprint, first);
    assert_string_equal(a.id, id);
    /* Another key, and the same one later, are new questions, for which the secret is used up. */
    other = a.key;
    must(x509_key_make(&a.key, &e));
    assert_int_equal(enrol(&a, secret, NULL), ERR_DENIED);
    x509_key_free(a.key);
    a.key = other;
    pass(2);
    assert_int_equal(enrol(&a, secret, NULL), ERR_DENIED);
    agent_fini(&a);
}

static void an_agent_that_enrols_again_keeps_its_id_and_its_old_certificate_is_void(void **state)
{
    struct agent a, again;
    char id[TEXT_UUID_SIZE];

    (void)state;
    enrolled(&a, "db1");
    memcpy(id, a.id, sizeof(id));
    must(use(&a));
    enrolled(&again, "db1");
    assert_string_equal(again.id, id);
    must(use(&again));
    assert_int_equal(use(&a), ERR_DENIED);
    agent_fini(&again);
    agent_fini(&a);
}

static void an_agent_with_a_certificate_gets_no_token_alone(void **state)
{
    const char *secret = new_secret(5, "", "");
    struct store_collector_new c = {
        .secret = str_of(secret), .name = STR("db1"), .hostname = STR("db1"), .version = STR("1")};
    struct store_collector_identity id = {0};
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    assert_int_equal(store_collector_register(s, &who, &c, &id, &e), ERR_DENIED);
    agent_fini(&a);
}

static void a_secret_holds_for_its_addresses(void **state)
{
    struct agent a;

    (void)state;
    agent_init(&a, "db1");
    assert_int_equal(enrol(&a, new_secret(1, "10.0.0.0/8,2001:db8::/32", ""), NULL), ERR_DENIED);
    must(enrol(&a, new_secret(1, "10.0.0.0/8, 192.0.2.0/24", ""), NULL)); /* who.address */
    assert_true(store_secret_allows(STR("192.0.2.0/24"), "::ffff:192.0.2.7"));
    assert_false(store_secret_allows(STR("192.0.2.0/24"), "192.0.3.7"));
    assert_false(store_secret_allows(STR("192.0.2.0/24"), ""));
    assert_int_equal(store_secret_check_ranges(STR("10.0.0.0/8,hello"), &e), ERR_INVALID);
    assert_int_equal(store_secret_check_ranges(STR("10.0.0.1/8"), &e), ERR_INVALID);
    agent_fini(&a);
}

static void who_waits_gets_nothing_before_a_person_says_so(void **state)
{
    const char *secret = new_secret(1, "", "manual");
    struct store_collector_page page = {.after = "", .limit = 10};
    struct x509_key *mine;
    struct agent a;
    bool pending;

    (void)state;
    agent_init(&a, "db1");
    must(enrol(&a, secret, &pending));
    assert_true(pending);
    assert_int_equal(a.pem.len, 0);
    must(store_collector_list(s, &arena, &page, &e));
    assert_int_equal(page.count, 1);
    assert_int_equal(store_collector_check(s, page.rows[0].id, NULL, &e), ERR_NOT_FOUND);
    pass(2 * HOUR); /* the secret has expired; who waits does not lose its place */
    must(enrol(&a, secret, &pending));
    assert_true(pending);
    must(store_trust_approve(s, &who, page.rows[0].id, &e));
    mine = a.key; /* another key does not profit from the approval */
    must(x509_key_make(&a.key, &e));
    assert_int_equal(enrol(&a, secret, &pending), ERR_DENIED);
    x509_key_free(a.key);
    a.key = mine;
    must(enrol(&a, secret, &pending));
    assert_false(pending);
    must(use(&a));
    assert_int_equal(store_trust_approve(s, &who, a.id, &e), ERR_NOT_FOUND);
    agent_fini(&a);
}

/* --- life --- */

static void a_week_of_renewals_at_half_life(void **state)
{
    struct agent a;
    unsigned renewals = 0;

    (void)state;
    enrolled(&a, "db1");
    live(&a, 7 * DAY, &renewals);
    assert_in_range(renewals, 11, 16); /* every 10.8 to 13.2 hours, seen once an hour */
    assert_int_equal(count_audit("collector.renew"), renewals);
    agent_fini(&a);
}

static void a_renewal_takes_a_new_key_and_the_old_certificate_dies_after_use_of_the_new(
    void **state)
{
    struct agent a, old;
    struct x509_public same;
    struct buf answer;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    pass(12 * HOUR);
    same = public_of(a.key);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    assert_int_equal(
        store_trust_renew(&ca, &who,
                          &(struct store_trust_renewal){a.id, a.facts.fingerprint, &same, ""},
                          &answer, &e),
        ERR_INVALID);
    buf_fini(&answer);
    old = a;
    buf_init(&old.pem, X509_CERTIFICATE_MAX);
    buf_add_str(&old.pem, buf_view(&a.pem));
    must(renew(&a));
    must(use(&old)); /* the new one was not used yet */
    must(use(&a));
    assert_int_equal(renew(&a), ERR_LIMIT); /* too soon */
    pass(599);
    must(use(&old)); /* what is still under way */
    buf_fini(&old.pem);
    agent_fini(&a);
}

static void a_lost_answer_is_given_again(void **state)
{
    struct agent a;
    struct buf lost;
    struct x509_facts facts;

    (void)state;
    enrolled(&a, "db1");
    pass(12 * HOUR);
    buf_init(&lost, X509_CERTIFICATE_MAX);
    must(ask(&a, &lost));
    must(x509_read(&arena, buf_view(&lost), &facts, &e));
    pass(60);
    must(renew(&a));
    assert_string_equal(a.facts.fingerprint, facts.fingerprint);
    buf_fini(&lost);
    /* Lost for longer: the certificate that nobody used makes room for another. */
    pass(12 * HOUR);
    must(use(&a));
    buf_init(&lost, X509_CERTIFICATE_MAX);
    must(ask(&a, &lost));
    x509_key_free(a.next);
    a.next = NULL;
    pass(HOUR);
    must(renew(&a));
    must(use(&a));
    buf_fini(&lost);
    agent_fini(&a);
}

static void a_clone_is_noticed_and_suspended(void **state)
{
    struct agent a, clone;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    clone = a;
    buf_init(&clone.pem, X509_CERTIFICATE_MAX);
    buf_add_str(&clone.pem, buf_view(&a.pem));
    clone.next = NULL;
    pass(12 * HOUR);
    must(renew(&a));
    must(use(&a));
    pass(601);
    assert_int_equal(use(&clone), ERR_DENIED);
    assert_non_null(strstr(e.text, "two parties"));
    assert_int_equal(use(&a), ERR_DENIED);
    assert_non_null(strstr(e.text, "suspended"));
    assert_int_equal(store_collector_check(s, a.id, NULL, &e), ERR_NOT_FOUND);
    assert_int_equal(count_audit("collector.suspend"), 1);
    assert_int_equal(use(&clone), ERR_DENIED);
    assert_int_equal(count_audit("collector.suspend"), 1); /* once */
    must(store_trust_approve(s, &who, a.id, &e));
    must(use(&a));
    assert_int_equal(use(&clone), ERR_DENIED); /* the one before is void now */
    buf_fini(&clone.pem);
    agent_fini(&a);
}

static void the_clone_that_renews_first_locks_both_out(void **state)
{
    struct agent a, clone;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    agent_init(&clone, "db1");
    x509_key_free(clone.key);
    clone.key = a.key;
    memcpy(clone.id, a.id, sizeof(a.id));
    clone.facts = a.facts;
    clone.life = a.life;
    buf_add_str(&clone.pem, buf_view(&a.pem));
    pass(11 * HOUR);
    a.key = NULL;
    must(renew(&clone));
    must(use(&clone));
    pass(HOUR);
    assert_int_equal(use(&a), ERR_DENIED);
    assert_int_equal(use(&clone), ERR_DENIED);
    agent_fini(&clone);
    agent_fini(&a);
}

static void z2_a_certificate_renews_its_own_agent_alone(void **state)
{
    struct agent a, b;
    struct x509_public public;
    struct buf answer;

    (void)state;
    enrolled(&a, "db1");
    enrolled(&b, "db2");
    pass(12 * HOUR);
    public = public_of(a.key);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    assert_int_equal(
        store_trust_renew(&ca, &who,
                          &(struct store_trust_renewal){b.id, a.facts.fingerprint, &public, ""},
                          &answer, &e),
        ERR_DENIED);
    assert_int_equal(answer.len, 0);
    buf_fini(&answer);
    agent_fini(&b);
    agent_fini(&a);
}

static void a_revoked_agent_is_out_at_once_and_renews_in_no_way(void **state)
{
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    must(store_collector_revoke(s, &who, a.id, &e));
    assert_int_equal(use(&a), ERR_DENIED);
    pass(12 * HOUR);
    assert_int_equal(renew(&a), ERR_DENIED);
    pass(DAY);
    assert_int_equal(renew_late(&a, GRACE), ERR_DENIED);
    agent_fini(&a);
}

/* --- outages and clocks --- */

static void an_outage_of_20_hours_needs_nothing_special(void **state)
{
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    pass(20 * HOUR);
    assert_int_equal(life(&a), X509_LIFE_DUE);
    must(renew(&a));
    must(use(&a));
    agent_fini(&a);
}

static void after_10_days_a_signed_request_renews(void **state)
{
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    pass(10 * DAY);
    assert_int_equal(life(&a), X509_LIFE_LATE);
    assert_int_equal(renew(&a), ERR_DENIED);
    assert_int_equal(renew_late(&a, 0), ERR_DENIED); /* the setting is off */
    must(renew_late(&a, GRACE));
    must(use(&a));
    assert_int_equal(life(&a), X509_LIFE_FRESH);
    agent_fini(&a);
}

static void after_31_days_it_has_to_enrol_again_and_keeps_its_id(void **state)
{
    struct agent a;
    char id[TEXT_UUID_SIZE];

    (void)state;
    enrolled(&a, "db1");
    memcpy(id, a.id, sizeof(id));
    pass(31 * DAY + HOUR);
    assert_int_equal(life(&a), X509_LIFE_LOST);
    assert_int_equal(renew_late(&a, GRACE), ERR_DENIED);
    must(enrol(&a, new_secret(1, "", ""), NULL));
    assert_string_equal(a.id, id);
    must(use(&a));
    agent_fini(&a);
}

static void a_signed_request_of_another_key_is_refused(void **state)
{
    struct agent a, thief;

    (void)state;
    enrolled(&a, "db1");
    agent_init(&thief, "db1"); /* has the certificate and not its key */
    buf_add_str(&thief.pem, buf_view(&a.pem));
    memcpy(thief.id, a.id, sizeof(a.id));
    pass(2 * DAY);
    assert_int_equal(renew_late(&thief, GRACE), ERR_DENIED);
    assert_non_null(strstr(e.text, "signature"));
    must(renew_late(&a, GRACE));
    agent_fini(&thief);
    agent_fini(&a);
}

static void clocks_that_jump_lose_no_agent(void **state)
{
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    /* Ours goes back to 1970: the monotonic clock counts on. */
    assert_int_equal(x509_life_at(&a.life, 0, mono_ms / 1000 + HOUR, GRACE), X509_LIFE_FRESH);
    assert_int_equal(x509_life_at(&a.life, 0, mono_ms / 1000 + 14 * HOUR, GRACE), X509_LIFE_DUE);
    /* It jumps forward: a day (late), a year (lost); and comes back: as if nothing had been. */
    assert_int_equal(x509_life_at(&a.life, wall_ms / 1000 + 2 * DAY, mono_ms / 1000, GRACE),
                     X509_LIFE_LATE);
    assert_int_equal(x509_life_at(&a.life, wall_ms / 1000 + 365 * DAY, mono_ms / 1000, GRACE),
                     X509_LIFE_LOST);
    assert_int_equal(life(&a), X509_LIFE_FRESH);
    /* A late renewal before the end, because our clock is wrong, is a renewal. */
    pass(2 * HOUR);
    must(renew_late(&a, GRACE));
    must(use(&a));
    /* The server's clock goes back an hour and comes again. */
    wall_ms -= 3600 * 1000;
    assert_int_equal(use(&a), ERR_DENIED); /* not valid yet */
    wall_ms += 3600 * 1000;
    must(use(&a));
    agent_fini(&a);
}

/* --- authority --- */

static size_t authorities(const char *kind)
{
    struct store_authority *rows;
    size_t count, found = 0;

    must(store_ca_list(&ca, &arena, &rows, &count, &e));
    for (size_t i = 0; i < count; i++)
        found += rows[i].is_root == (kind[0] == 'r');
    return found;
}

static void agents_live_through_a_rotation_of_the_issuing_authority(void **state)
{
    struct agent a, b;
    unsigned renewals = 0;

    (void)state;
    enrolled(&a, "db1");
    must(use(&a));
    must(store_ca_rotate(&ca, &who, STORE_CA_ISSUING, &e));
    assert_int_equal(authorities("issuing"), 2);
    must(use(&a));
    enrolled(&b, "db2");
    assert_non_null(strstr(b.facts.issuer, "pga issuing 2 "));
    must(use(&b));
    live(&a, 2 * DAY, &renewals);
    assert_non_null(strstr(a.facts.issuer, "pga issuing 2 "));
    pass(44 * DAY);
    assert_int_equal(authorities("issuing"), 1);
    agent_fini(&b);
    agent_fini(&a);
}

static void agents_live_through_a_rotation_of_the_root(void **state)
{
    static const struct str name = STR("pga.example.org");
    char before[X509_FINGERPRINT_SIZE], after[X509_FINGERPRINT_SIZE];
    struct x509_public public;
    struct agent a;
    unsigned renewals = 0;
    struct buf old_bundle, chain, pinned;
    struct x509_check check;
    size_t at_end;

    (void)state;
    enrolled(&a, "db1");
    buf_init(&old_bundle, X509_BUNDLE_MAX);
    buf_init(&chain, X509_BUNDLE_MAX);
    buf_init(&pinned, X509_BUNDLE_MAX);
    must(store_ca_bundle(&ca, &old_bundle, &e));
    must(store_ca_fingerprint(&ca, before, &e));
    must(store_ca_rotate(&ca, &who, STORE_CA_ROOT, &e));
    must(store_ca_fingerprint(&ca, after, &e));
    assert_string_not_equal(before, after);
    assert_int_equal(authorities("root"), 2);
    must(use(&a)); /* of the old root */
    /* The server shows a certificate of the new root; who has only the old bundle follows it. */
    public = public_of(a.key);
    must(
        store_ca_issue_server(&ca, &who, &(struct store_ca_server){&public, &name, 1}, &chain, &e));
    assert_true(str_find(buf_view(&chain), STR("-----END CERTIFICATE-----\n"), &at_end));
    at_end += strlen("-----END CERTIFICATE-----\n");
    buf_add_str(&pinned, str_make(chain.ptr + at_end, chain.len - at_end));
    buf_add_str(&pinned, buf_view(&old_bundle));
    check = (struct x509_check){str_make(chain.ptr, at_end), buf_view(&pinned), X509_SERVER,
                                clock_wall_ms() / 1000, 0};
    must(x509_verify(&check, &e));
    live(&a, 2 * DAY, &renewals);
    assert_non_null(strstr(a.facts.issuer, "pga issuing 2 "));
    pass(44 * DAY);
    assert_int_equal(authorities("root"), 1);
    buf_fini(&pinned);
    buf_fini(&chain);
    buf_fini(&old_bundle);
    agent_fini(&a);
}

static void the_authority_rotates_by_itself_at_half_of_its_life(void **state)
{
    bool rotated;

    (void)state;
    must(store_ca_tick(&ca, &rotated, &e));
    assert_false(rotated);
    pass(182 * DAY);
    must(store_ca_tick(&ca, &rotated, &e));
    assert_false(rotated);
    pass(DAY);
    must(store_ca_tick(&ca, &rotated, &e));
    assert_true(rotated);
    assert_int_equal(authorities("issuing"), 2);
    assert_int_equal(authorities("root"), 1);
    must(store_ca_tick(&ca, &rotated, &e));
    assert_false(rotated);
    pass(5 * 365 * DAY);
    must(store_ca_tick(&ca, &rotated, &e));
    assert_true(rotated);
    assert_int_equal(authorities("root"), 2);
}

static void the_authority_is_made_once(void **state)
{
    char first[X509_FINGERPRINT_SIZE], second[X509_FINGERPRINT_SIZE];
    struct store_ca again;

    (void)state;
    must(store_ca_fingerprint(&ca, first, &e));
    must(store_ca_open(s, seal, &again, &e));
    must(store_ca_fingerprint(&again, second, &e));
    assert_string_equal(first, second);
    assert_true(text_uuid_eq(&again.deployment, &ca.deployment));
}

/* Whether a query for one number gives it: otherwise the constraint is hurt. */
static bool gives(int64_t number, const char *sql)
{
    struct sqldb *db = NULL;
    const char *script = arena_printf(&arena,
                                      "CREATE TABLE probe (n INTEGER CHECK (n = %lld));"
                                      "INSERT INTO probe %s;",
                                      (long long)number, sql);
    enum err_code rc;

    must(sqldb_open(f.at.url, NULL, &db, &e));
    rc = sqldb_script(db, script, &e);
    (void)!sqldb_script(db, "DROP TABLE IF EXISTS probe", NULL);
    sqldb_close(db);
    return rc == ERR_OK;
}

static void k7_issued_certificates_are_written_down_for_good(void **state)
{
    struct sqldb *db = NULL;
    struct agent a;

    (void)state;
    enrolled(&a, "db1");
    assert_true(gives(3, "SELECT count(*) FROM issued_certificate"));
    must(sqldb_open(f.at.url, NULL, &db, &e));
    (void)!sqldb_script(db, "UPDATE issued_certificate SET subject = 'x'", &e);
    (void)!sqldb_script(db, "DELETE FROM issued_certificate", &e);
    sqldb_close(db);
    assert_true(gives(3, "SELECT count(*) FROM issued_certificate WHERE subject <> 'x'"));
    agent_fini(&a);
}

static void k7_private_keys_lie_sealed_and_only_in_their_row(void **state)
{
    struct sqldb *db = NULL;
    struct agent a;

    (void)state;
    assert_true(gives(0, "SELECT count(*) FROM authority WHERE CAST(sealed_key AS TEXT) LIKE "
                         "'%PRIVATE%'"));
    assert_true(gives(2, "SELECT count(*) FROM authority"));
    must(sqldb_open(f.at.url, NULL, &db, &e));
    /* The root's key in the row of the issuing authority does not open. */
    must(sqldb_script(db,
                      "UPDATE authority SET sealed_key = (SELECT sealed_key FROM authority WHERE "
                      "name = 'root:1') WHERE name = 'issuing:1'",
                      &e));
    sqldb_close(db);
    agent_init(&a, "db1");
    assert_int_equal(enrol(&a, new_secret(1, "", ""), NULL), ERR_CORRUPT);
    agent_fini(&a);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

static int run(enum sqldb_dialect which, const char *name)
{
    const struct CMUnitTest tests[] = {
        CASE(a_secret_names_its_row_and_is_kept_as_a_hash),
        CASE(the_same_key_and_secret_get_the_same_answer),
        CASE(an_agent_that_enrols_again_keeps_its_id_and_its_old_certificate_is_void),
        CASE(an_agent_with_a_certificate_gets_no_token_alone),
        CASE(a_secret_holds_for_its_addresses),
        CASE(who_waits_gets_nothing_before_a_person_says_so),
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
        CASE(agents_live_through_a_rotation_of_the_issuing_authority),
        CASE(agents_live_through_a_rotation_of_the_root),
        CASE(the_authority_rotates_by_itself_at_half_of_its_life),
        CASE(the_authority_is_made_once),
        CASE(k7_issued_certificates_are_written_down_for_good),
        CASE(k7_private_keys_lie_sealed_and_only_in_their_row),
    };

    dialect = which;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run(SQLDB_SQLITE, "store_trust");

    return dialect_fixture_has_pg() ? failed + run(SQLDB_PG, "store_trust on PostgreSQL") : failed;
}
