/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sender_internal.h: what the sender's files share.
 */
#ifndef APP_AGENT_AGENT_SENDER_INTERNAL_H
#define APP_AGENT_AGENT_SENDER_INTERNAL_H

#include "app/agent/agent_certificate.h"
#include "app/agent/agent_sender.h"
#include "base/json.h"
#include "base/thread.h"
#include "httpc/httpc.h"
#include "model/push.h"

#define SENDER_RECORDS_MAX 64
#define SENDER_BYTES_MAX   (1024 * 1024)

struct agent_sender {
    struct agent_sender_config config;
    struct agent_identity identity;
    struct agent_certificate certificate;
    int64_t renew_us; /* the certificate is not asked for before */
    bool told_lost;   /* the log knows that it has to enrol again */
    struct httpc *http;
    struct httpc_answer answer;
    struct arena arena;
    struct thread thread;
    atomic_bool stopping;
    _Atomic int64_t stop_us; /* the deadline of stopping */
    _Atomic int64_t offset_ms;
    atomic_ullong pushes[AGENT_PUSH_RESULTS];
    size_t batch_max;    /* records a push; halved when the server refuses one */
    unsigned failures;   /* in a row, for the back-off */
    unsigned conflicts;  /* 409 in a row */
    unsigned unanswered; /* pushes in a row that nobody answered */
    unsigned doubted;    /* renewals for that reason since the last push that was stored */
    bool told_down;      /* the log knows that the server is away */
    int64_t refreshed_us;
    int64_t config_version;  /* the newest, as the last answer said; 0 = nothing new */
    int64_t check_s;         /* how often the server wants to hear of us */
    int64_t heard_us;        /* when it last did */
    int64_t config_retry_us; /* configurations are not asked for before */
    struct uuid sent_stream; /* what the last reading took */
};

struct agent_post {
    const char *path; /* below /api/v1 */
    const struct httpc_header *headers;
    size_t header_count;
    struct str body;
    const char *method; /* NULL = POST */
    bool to_api;        /* where the agent enrolled, not where it pushes */
};

/* agent_enroll.c: identity and tokens */

/* Where it shows its certificate; "" = nowhere but where it enrolled. */
const char *agent_sender_agent_url(const struct agent_sender *s);
enum err_code agent_sender_register(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;
enum err_code agent_sender_refresh(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;
/* POST JSON to a path of the server; the answer is in s->answer. */
enum err_code agent_sender_post(struct agent_sender *s, const struct agent_post *post,
                                struct err *e) ERR_MUST_CHECK;

/* What a refusal says: the detail of the problem document, or only the status. */
enum err_code agent_sender_refused(struct agent_sender *s, const char *what,
                                   struct err *e) ERR_MUST_CHECK;

/* agent_renew.c: the certificate */

/* What is kept, and how connections are made with it. */
enum err_code agent_sender_open_certificate(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;
/* Before the secret goes out: believe only what hangs from the root of the fingerprint. */
enum err_code agent_sender_pin(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;
/* The certificate that came with an enrolment or a renewal. */
enum err_code agent_sender_take_certificate(struct agent_sender *s, const struct json *root,
                                            struct err *e) ERR_MUST_CHECK;
/* Renew it when it is time. */
void agent_sender_renew(struct agent_sender *s);
/* What is to be believed, as the server says it over a connection that was verified. */
void agent_sender_refresh_ca(struct agent_sender *s);

/* agent_sender_config.c: configurations of the server */
void agent_sender_heard(struct agent_sender *s, const struct push_answer *answer);
/* Report what is not told yet, fetch what is new, call after silence. */
void agent_sender_configure(struct agent_sender *s);

#endif
