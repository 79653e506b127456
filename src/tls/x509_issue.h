/* SPDX-License-Identifier: PostgreSQL */
/*
 * x509_issue.h: the certificates that our authority issues, and nothing else.
 *
 *     root (10 years) -> [the next root] -> issuing authority (1 year) -> agent (24 hours),
 *                                                                         server (90 days)
 *
 * Invariants: (1) all keys are on P-256, all signatures ECDSA with SHA-256; (2) serials have 128
 * random bits, the first two 01, so that they are positive, never zero, and always 16 bytes;
 * (3) names are fixed texts, numbers and ids that were checked here: no text of a peer gets into a
 * subject (the library's parser of names had memory errors); (4) nothing outlives its issuer.
 * Threads: any; a key is used by one at a time.
 */
#ifndef TLS_X509_ISSUE_H
#define TLS_X509_ISSUE_H

#include "base/text.h"
#include "tls/x509_key.h"

#define X509_DAY_S        INT64_C(86400)
#define X509_ROOT_S       (3650 * X509_DAY_S)
#define X509_ISSUING_S    (365 * X509_DAY_S)
#define X509_SERVER_S     (90 * X509_DAY_S)
#define X509_AGENT_S      (1 * X509_DAY_S)
#define X509_BACKDATE_S   300 /* for clocks of others that are behind */
#define X509_SERVER_NAMES 8
#define X509_DNS_MAX      253

/* Who signs. certificate: PEM or DER; key: its own. */
struct x509_issuer {
    struct x509_key *key;
    struct str certificate;
};

struct x509_authority {
    const struct x509_public *key; /* not of a root: there it is the signing key */
    const struct uuid *deployment; /* the id of this installation */
    unsigned generation;           /* counts authorities of this kind */
};
/* A root, signed by itself. */
enum err_code x509_issue_root(struct x509_key *key, const struct x509_authority *what,
                              int64_t now_s, struct buf *pem, struct err *e) ERR_MUST_CHECK;
/*
 * A newer root under an older one, so that who knows only the older one believes what hangs from
 * the newer.
 */
enum err_code x509_issue_cross(const struct x509_issuer *older, const struct x509_authority *newer,
                               int64_t now_s, struct buf *pem, struct err *e) ERR_MUST_CHECK;
enum err_code x509_issue_authority(const struct x509_issuer *root,
                                   const struct x509_authority *what, int64_t now_s,
                                   struct buf *pem, struct err *e) ERR_MUST_CHECK;
struct x509_server {
    const struct x509_public *key;
    /* Host names and addresses; at least one, at most X509_SERVER_NAMES. */
    const struct str *names;
    size_t name_count;
};
/* ERR_INVALID for a name that is neither a DNS name (a first label "*" allowed) nor an address. */
enum err_code x509_issue_server(const struct x509_issuer *by, const struct x509_server *what,
                                int64_t now_s, struct buf *pem, struct err *e) ERR_MUST_CHECK;
struct x509_agent {
    const struct x509_public *key;
    const struct uuid *deployment, *id;
};
/* CN = id, URI pga://<deployment>/agent/<id>, for clients alone. */
enum err_code x509_issue_agent(const struct x509_issuer *by, const struct x509_agent *what,
                               int64_t now_s, struct buf *pem, struct err *e) ERR_MUST_CHECK;
/*
 * The id of an agent's certificate of this deployment: exactly one alternative name, of our form,
 * equal to the common name; not an authority, for clients alone. ERR_DENIED otherwise.
 */
enum err_code x509_issue_agent_of(const struct x509_facts *certificate,
                                  const struct uuid *deployment, struct uuid *id,
                                  struct err *e) ERR_MUST_CHECK;

#endif
