/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_trust.h: the certificates of agents, from the first to the last.
 *
 *     enrol -> [waits for a person] -> current --renewal--> previous (until the current one was
 *                                         ^                           used for 10 minutes)
 *                                         +-- a newer one
 *
 * An agent has at most two certificates that count: its current one and the one before. When the
 * one before is seen although the current one has been in use for longer than 10 minutes, two
 * parties hold keys of this agent: it is suspended until a person decides.
 * Threads: any.
 */
#ifndef STORE_STORE_TRUST_H
#define STORE_STORE_TRUST_H

#include "base/text.h"
#include "store/store_ca.h"

#define STORE_TRUST_AGAIN_MS   (10 * 60 * (int64_t)1000) /* the same question, the same answer */
#define STORE_TRUST_OVERLAP_MS (10 * 60 * (int64_t)1000)
#define STORE_TRUST_RENEW_MS   (60 * (int64_t)1000) /* no renewal with another key before */

/* --- Use --- */

struct store_trust_holder {
    char id[TEXT_UUID_SIZE];
    int64_t config_version; /* the newest for it */
    bool previous;          /* it showed the certificate before its current one */
};
/*
 * Who shows this certificate, whose chain was found good. The first use of a current certificate is
 * noted; a clone is suspended.
 * Errors: ERR_DENIED, the text says why, for the log
 */
enum err_code store_trust_use(struct store *s, const struct store_actor *who,
                              const char *fingerprint, struct store_trust_holder *out,
                              struct err *e) ERR_MUST_CHECK;

struct store_trust_renewal {
    const char *collector;
    const char *fingerprint;       /* the certificate that was shown */
    const struct x509_public *key; /* of the next one */
    const char *how;               /* for the audit: "", "expired" */
};
/*
 * Append the next certificate. The same key again within 10 minutes gives the same one.
 * Errors: ERR_DENIED not the agent's, or no longer; ERR_INVALID the key is the one in use;
 *         ERR_LIMIT too soon
 */
enum err_code store_trust_renew(const struct store_ca *ca, const struct store_actor *who,
                                const struct store_trust_renewal *renewal, struct buf *pem,
                                struct err *e) ERR_MUST_CHECK;

/*
 * The same for an agent whose certificate has expired, by a text that it signed with the key of it
 * (x509_renewal.h). grace_s: how long ago at most. out: its id.
 * Errors: as store_trust_renew, ERR_INVALID no such text; all others are ERR_DENIED
 */
struct store_trust_late {
    struct str signed_text;
    int64_t grace_s;
    char id[TEXT_UUID_SIZE]; /* out */
};
enum err_code store_trust_renew_late(const struct store_ca *ca, const struct store_actor *who,
                                     struct store_trust_late *late, struct buf *pem,
                                     struct err *e) ERR_MUST_CHECK;

/* The certificates of an agent that count: its current one and the one before; "" = none. */
struct store_trust_shown {
    char fingerprints[2][X509_FINGERPRINT_SIZE];
};
enum err_code store_trust_shown(struct store *s, struct arena *a, const char *collector,
                                struct store_trust_shown *out, struct err *e) ERR_MUST_CHECK;

/* Let an agent in that waits or is suspended. ERR_NOT_FOUND when none does. */
enum err_code store_trust_approve(struct store *s, const struct store_actor *who,
                                  const char *collector, struct err *e) ERR_MUST_CHECK;
/* Suspend an agent, with the reason for the audit. */
enum err_code store_trust_suspend(struct store *s, const struct store_actor *who,
                                  const char *collector, const char *why,
                                  struct err *e) ERR_MUST_CHECK;

/* --- For enrolment, between store_begin and store_end --- */

/* A row; members of an agent without a certificate are "" and 0. */
struct store_trust {
    const char *key_hash, *certificate, *fingerprint, *previous;
    int64_t not_after_ms, issued_ms, used_ms, previous_not_after_ms, pending_ms, suspended_ms;
};
/* ERR_NOT_FOUND when it never showed a key and never waited. */
enum err_code store_trust_get(struct sqldb *db, struct arena *a, const char *collector,
                              struct store_trust *out, struct err *e) ERR_MUST_CHECK;
void store_trust_key_hash(const struct x509_public *key, char out[X509_FINGERPRINT_SIZE]);
/* Issue a certificate; what the agent had before is void. */
enum err_code store_trust_issue(const struct store_ca *ca, struct sqldb *db,
                                const struct store_trust_renewal *first, struct buf *pem,
                                struct err *e) ERR_MUST_CHECK;
/* Let it wait. key: NULL = it shows none. */
enum err_code store_trust_wait(struct sqldb *db, const char *collector,
                               const struct x509_public *key, struct err *e) ERR_MUST_CHECK;

#endif
