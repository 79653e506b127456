/* SPDX-License-Identifier: PostgreSQL */
/*
 * trust_fixture.h: a fresh store with its authority under a clock that the test moves, and agents.
 *
 * An agent here keeps what the real one keeps, and every use of a certificate is judged as in a
 * handshake: by its chain, then by the store.
 */
#ifndef TRUST_FIXTURE_H
#define TRUST_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store_ca.h"
#include "store/store_trust.h"
#include "store_fixture.h"
#include "tls/x509_life.h"

#define HOUR  INT64_C(3600)
#define DAY   (24 * HOUR)
#define GRACE (30 * DAY)

struct trust_fixture {
    enum sqldb_dialect dialect; /* set before trust_begin */
    struct store_fixture base;
    struct store *s; /* of base */
    struct store_seal_ctx *seal;
    struct store_ca ca;
    struct arena arena;
    char key_path[128];
    int64_t wall_ms, mono_ms; /* the clock */
    struct err e;
};

extern struct trust_fixture tf;
extern const struct store_actor trust_who;

/* Set-up and tear-down of a case. */
int trust_begin(void **state);
int trust_end(void **state);
void trust_pass(int64_t seconds);
/* Fails the test, with tf.e, unless this is ERR_OK. */
void trust_must(enum err_code rc);

/* --- an agent --- */

struct trust_agent {
    struct x509_key *key, *next; /* next: of a renewal whose answer did not come yet */
    struct buf pem;
    struct x509_facts facts;
    struct x509_life life;
    char id[TEXT_UUID_SIZE];
    const char *host;
};

void trust_agent_init(struct trust_agent *a, const char *host);
void trust_agent_fini(struct trust_agent *a);
const char *trust_new_secret(int64_t uses, const char *allowed, const char *approval);
struct x509_public trust_public_of(struct x509_key *k);
/* With the key of the agent. */
enum err_code trust_enrol(struct trust_agent *a, const char *secret, bool *pending);
/* A new agent that has its certificate. */
void trust_enrolled(struct trust_agent *a, const char *host);
/* As in a handshake on the listener of agents, then as the dispatcher of requests. */
enum err_code trust_use(const struct trust_agent *a);
/* Ask for the next certificate; answer: where it goes. */
enum err_code trust_ask(struct trust_agent *a, struct buf *answer);
enum err_code trust_renew(struct trust_agent *a);
/* By a request signed with the key of the expired certificate. */
enum err_code trust_renew_late(struct trust_agent *a, int64_t grace_s);
enum x509_life_state trust_life(const struct trust_agent *a);
/* What the agent does all the time: use its certificate, and renew when it is due. */
void trust_live(struct trust_agent *a, int64_t seconds, unsigned *renewals);
int64_t trust_count_audit(const char *action);

#endif
