/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_ca.h: our certificate authority: roots and issuing authorities, by generation.
 *
 * Both are made when a store is first used. The newest of a kind issues; older ones are trusted for
 * as long as something of theirs may be about. Private keys are sealed (store_seal.h) and in the
 * clear only while something is being issued.
 *
 *     made --(half of its life)--> a newer one issues --(overlap, or its end)--> not trusted
 *
 * Owner:   a struct store_ca is the caller's; it holds no certificates, so that any number of
 *          servers over one store agree.
 * Threads: any.
 */
#ifndef STORE_STORE_CA_H
#define STORE_STORE_CA_H

#include "store/store.h"
#include "store/store_seal.h"
#include "tls/x509_issue.h"

/* An authority that no longer issues is trusted for the lives and the grace of what it issued. */
#define STORE_CA_OVERLAP_MS (45 * 86400 * (int64_t)1000)

struct store_ca {
    struct store *store;
    struct store_seal_ctx *seal;
    struct uuid deployment;
};

enum store_ca_kind { STORE_CA_ISSUING, STORE_CA_ROOT };

/* Make authorities where there are none. s and seal are borrowed for as long as *out is used. */
enum err_code store_ca_open(struct store *s, struct store_seal_ctx *seal, struct store_ca *out,
                            struct err *e) ERR_MUST_CHECK;

/* Append all that is trusted now, PEM: issuing authorities, cross certificates, roots. */
enum err_code store_ca_bundle(const struct store_ca *ca, struct buf *pem,
                              struct err *e) ERR_MUST_CHECK;
/* Of the newest root. */
enum err_code store_ca_fingerprint(const struct store_ca *ca, char out[X509_FINGERPRINT_SIZE],
                                   struct err *e) ERR_MUST_CHECK;

struct store_authority {
    const char *name; /* "root:1", "issuing:3" */
    const char *fingerprint;
    int64_t generation, not_before_ms, not_after_ms;
    int64_t retire_ms; /* when it stops to be trusted before its end; 0 = at its end */
    bool is_root;
};
/* Those that are trusted now: issuing ones, then roots, the newest first. */
enum err_code store_ca_list(const struct store_ca *ca, struct arena *a,
                            struct store_authority **rows, size_t *count,
                            struct err *e) ERR_MUST_CHECK;

/*
 * A new generation, which issues from now on; a new root comes with a new issuing authority. Those
 * before are trusted for STORE_CA_OVERLAP_MS more.
 */
enum err_code store_ca_rotate(const struct store_ca *ca, const struct store_actor *who,
                              enum store_ca_kind kind, struct err *e) ERR_MUST_CHECK;
/* Rotate what is past the half of its life. *rotated: whether. */
enum err_code store_ca_tick(const struct store_ca *ca, bool *rotated, struct err *e) ERR_MUST_CHECK;

struct store_ca_server {
    const struct x509_public *key;
    const struct str *names; /* see x509_issue.h */
    size_t name_count;
};
/* Append a server's certificate and what is between it and a root. */
enum err_code store_ca_issue_server(const struct store_ca *ca, const struct store_actor *who,
                                    const struct store_ca_server *what, struct buf *chain,
                                    struct err *e) ERR_MUST_CHECK;
/*
 * Forget certificates that ended more than a year ago, with one row of the audit that says how
 * many; the database itself keeps younger ones. So many at a time that the writer is free again
 * soon.
 */
enum err_code store_ca_purge(struct store *s, struct err *e) ERR_MUST_CHECK;
/*
 * Between store_begin and store_end: issue to an agent and write it down; facts live in the arena.
 * pem: appended.
 */
struct store_ca_agent {
    const struct x509_public *key;
    const char *id;
    struct buf *pem;
    struct x509_facts facts; /* out */
};
enum err_code store_ca_issue_agent(const struct store_ca *ca, struct sqldb *db, struct arena *a,
                                   struct store_ca_agent *what, struct err *e) ERR_MUST_CHECK;

#endif
