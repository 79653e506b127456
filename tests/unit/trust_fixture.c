/* SPDX-License-Identifier: PostgreSQL */
/* trust_fixture.c: see the header. */
#include "trust_fixture.h"

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
#include "tls/x509_csr.h"
#include "tls/x509_renewal.h"

#define START_MS INT64_C(1790000000000)

struct trust_fixture tf;
const struct store_actor trust_who = {"user:test", "192.0.2.1", "r1"};

/* --- the clock --- */

static int64_t fake_wall(void)
{
    return tf.wall_ms * 1000;
}

static int64_t fake_mono(void)
{
    return tf.mono_ms * 1000;
}

static void fake_sleep(int64_t until)
{
    (void)until;
}

static const struct clock_ops fake = {fake_wall, fake_mono, fake_sleep};

void trust_pass(int64_t seconds)
{
    tf.wall_ms += seconds * 1000;
    tf.mono_ms += seconds * 1000;
}

/* --- fixture --- */

void trust_must(enum err_code rc)
{
    if (rc != ERR_OK)
        fprintf(stderr, "%s\n", tf.e.text);
    assert_int_equal(rc, ERR_OK);
}

int trust_begin(void **state)
{
    struct store_key_source source = {STORE_KEY_FILE, tf.key_path};

    (void)state;
    tf.wall_ms = START_MS;
    tf.mono_ms = 1000000;
    (void)clock_ops_set(&fake);
    store_fixture_begin(&tf.base, tf.dialect);
    tf.s = tf.base.store;
    snprintf(tf.key_path, sizeof(tf.key_path), "%s/keys/master.key", tf.base.at.dir);
    arena_init(&tf.arena, "test", 4 << 20);
    trust_must(store_seal_open(tf.s, &source, &tf.seal, &tf.e));
    trust_must(store_ca_open(tf.s, tf.seal, &tf.ca, &tf.e));
    return 0;
}

int trust_end(void **state)
{
    (void)state;
    store_seal_close(tf.seal);
    arena_fini(&tf.arena);
    store_fixture_end(&tf.base);
    (void)clock_ops_set(NULL);
    return 0;
}

/* --- an agent --- */

void trust_agent_init(struct trust_agent *a, const char *host)
{
    *a = (struct trust_agent){.host = host};
    buf_init(&a->pem, X509_CERTIFICATE_MAX);
    trust_must(x509_key_make(&a->key, &tf.e));
}

void trust_agent_fini(struct trust_agent *a)
{
    x509_key_free(a->key);
    x509_key_free(a->next);
    buf_fini(&a->pem);
}

const char *trust_new_secret(int64_t uses, const char *allowed, const char *approval)
{
    struct store_secret_new n = {STR("s"),         uses,   3600000, str_of(allowed),
                                 str_of(approval), STR("")};
    struct store_secret_made made;

    trust_must(store_secret_create(tf.s, &trust_who, &n, &made, &tf.e));
    return arena_cstr(&tf.arena, str_of(made.value));
}

struct x509_public trust_public_of(struct x509_key *k)
{
    struct x509_public p;

    x509_key_public(k, &p);
    return p;
}

static void take(struct trust_agent *a)
{
    struct uuid id;

    trust_must(x509_read(&tf.arena, buf_view(&a->pem), &a->facts, &tf.e));
    trust_must(x509_issue_agent_of(&a->facts, &tf.ca.deployment, &id, &tf.e));
    x509_life_init(&a->life, &a->facts, clock_wall_ms() / 1000, clock_mono_ms() / 1000);
}

enum err_code trust_enrol(struct trust_agent *a, const char *secret, bool *pending)
{
    struct x509_public public = trust_public_of(a->key);
    struct store_collector_new c = {.secret = str_of(secret),
                                    .name = str_of(a->host),
                                    .hostname = str_of(a->host),
                                    .address = STR("10.0.0.1"),
                                    .version = STR("1"),
                                    .key = &public,
                                    .ca = &tf.ca};
    struct store_collector_identity id = {.certificate = &a->pem};
    enum err_code rc;

    buf_reset(&a->pem);
    rc = store_collector_register(tf.s, &trust_who, &c, &id, &tf.e);
    if (pending != NULL)
        *pending = id.pending;
    if (rc != ERR_OK || id.pending)
        return rc;
    memcpy(a->id, id.id, sizeof(a->id));
    take(a);
    return ERR_OK;
}

void trust_enrolled(struct trust_agent *a, const char *host)
{
    trust_agent_init(a, host);
    trust_must(trust_enrol(a, trust_new_secret(1, "", ""), NULL));
}

/* As in a handshake on the listener of agents, then as the dispatcher of requests. */
static enum err_code use_pem(struct str pem, const char *fingerprint)
{
    struct store_trust_holder holder;
    struct buf bundle;
    enum err_code rc;

    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(&tf.ca, &bundle, &tf.e);
    if (rc == ERR_OK)
        rc = x509_verify(
            &(struct x509_check){pem, buf_view(&bundle), X509_CLIENT, clock_wall_ms() / 1000, 0},
            &tf.e);
    buf_fini(&bundle);
    return rc == ERR_OK ? store_trust_use(tf.s, &trust_who, fingerprint, &holder, &tf.e) : rc;
}

enum err_code trust_use(const struct trust_agent *a)
{
    return use_pem(buf_view(&a->pem), a->facts.fingerprint);
}

enum err_code trust_ask(struct trust_agent *a, struct buf *answer)
{
    struct x509_public public;
    enum err_code rc = trust_use(a);

    if (a->next == NULL)
        trust_must(x509_key_make(&a->next, &tf.e));
    public = trust_public_of(a->next);
    if (rc != ERR_OK)
        return rc;
    return store_trust_renew(
        &tf.ca, &trust_who, &(struct store_trust_renewal){a->id, a->facts.fingerprint, &public, ""},
        answer, &tf.e);
}

static void switch_to(struct trust_agent *a, struct buf *answer)
{
    x509_key_free(a->key);
    a->key = a->next;
    a->next = NULL;
    buf_fini(&a->pem);
    a->pem = *answer;
    take(a);
    assert_true(x509_key_fits(a->key, &a->facts));
}

enum err_code trust_renew(struct trust_agent *a)
{
    struct buf answer;
    enum err_code rc;

    buf_init(&answer, X509_CERTIFICATE_MAX);
    rc = trust_ask(a, &answer);
    if (rc == ERR_OK)
        switch_to(a, &answer);
    else
        buf_fini(&answer);
    return rc;
}

enum err_code trust_renew_late(struct trust_agent *a, int64_t grace_s)
{
    struct store_trust_late late = {.grace_s = grace_s};
    struct buf csr, text, answer;
    enum err_code rc;

    if (a->next == NULL)
        trust_must(x509_key_make(&a->next, &tf.e));
    buf_init(&csr, X509_CSR_MAX);
    buf_init(&text, X509_RENEWAL_MAX);
    buf_init(&answer, X509_CERTIFICATE_MAX);
    trust_must(x509_csr_make(a->next, &csr, &tf.e));
    trust_must(x509_renewal_write(a->key, buf_view(&a->pem), buf_view(&csr), &text, &tf.e));
    late.signed_text = buf_view(&text);
    rc = store_trust_renew_late(&tf.ca, &trust_who, &late, &answer, &tf.e);
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

enum x509_life_state trust_life(const struct trust_agent *a)
{
    return x509_life_at(&a->life, clock_wall_ms() / 1000, clock_mono_ms() / 1000, GRACE);
}

void trust_live(struct trust_agent *a, int64_t seconds, unsigned *renewals)
{
    for (int64_t t = 0; t < seconds; t += HOUR) {
        trust_pass(HOUR);
        if (trust_life(a) == X509_LIFE_DUE) {
            trust_must(trust_renew(a));
            (*renewals)++;
        }
        trust_must(trust_use(a));
    }
}

int64_t trust_count_audit(const char *action)
{
    struct sqldb_stmt *q = NULL;
    struct sqldb *db = store_read_begin(tf.s);
    int64_t count = 0;
    bool more = true;
    enum err_code rc = sqldb_query(db, "audit_walk", SQLDB_ARGS(sqldb_i64(0), sqldb_i64(10000)), &q,
                                   &tf.e);

    while (rc == ERR_OK && more) {
        rc = sqldb_step(q, &more, &tf.e);
        if (rc == ERR_OK && more)
            count += str_eq_c(sqldb_get_text(q, sqldb_column(q, "action")), action);
    }
    sqldb_end(q);
    store_read_end(tf.s);
    trust_must(rc);
    return count;
}
