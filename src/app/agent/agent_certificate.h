/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_certificate.h: the agent's certificate and key, and whom it believes.
 *
 *     ca.pem       authorities by whose word a server is taken for ours
 *     agent.pem    the private key and its certificate, replaced as a whole
 *     agent.new    the key of a request that is not answered yet; kept, so that asking again after
 *                  a lost answer is the same question
 *
 * All are in the state folder, 0600, written beside and renamed. A key never leaves the host.
 * Threads: the sender's, or the main thread for `pga agent enroll`.
 */
#ifndef APP_AGENT_AGENT_CERTIFICATE_H
#define APP_AGENT_AGENT_CERTIFICATE_H

#include "base/buf.h"
#include "base/text.h"
#include "tls/x509_life.h"

struct agent_certificate {
    const char *state_dir;
    bool has;                    /* a certificate; then the next four say which */
    struct buf certificate, key; /* PEM */
    struct x509_life life;
    char fingerprint[X509_FINGERPRINT_SIZE];
    struct buf ca; /* PEM; empty = nobody is believed yet */
};

void agent_certificate_init(struct agent_certificate *c, const char *state_dir);
void agent_certificate_fini(struct agent_certificate *c); /* wipes */
/* What the state folder has; no files are no error. now_s: corrected by the server's clock. */
enum err_code agent_certificate_load(struct agent_certificate *c, int64_t now_s,
                                     struct err *e) ERR_MUST_CHECK;
/* Believe these authorities from now on. */
enum err_code agent_certificate_trust(struct agent_certificate *c, struct str ca,
                                      struct err *e) ERR_MUST_CHECK;
/* Append a request; its key is made when there is none from an earlier try. */
enum err_code agent_certificate_request(struct agent_certificate *c, struct buf *csr,
                                        struct err *e) ERR_MUST_CHECK;
/* Append the request again, signed with the key of the certificate that has expired. */
enum err_code agent_certificate_sign_renewal(struct agent_certificate *c, struct buf *text,
                                             struct err *e) ERR_MUST_CHECK;
/*
 * Take the answer to a request: it has to be of the key that was made, vouched for by the
 * authorities that come with it, and of this agent.
 */
struct agent_certificate_answer {
    struct str certificate, ca;
    const struct uuid *collector;
};
enum err_code agent_certificate_take(struct agent_certificate *c,
                                     const struct agent_certificate_answer *answer, int64_t now_s,
                                     struct err *e) ERR_MUST_CHECK;

#endif
