/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sender.h: from the spool to the server: packaging/doc/protocol.md, sections 2 to 4.
 *
 * Threads: one thread of its own; it owns the identity and the HTTP client.
 */
#ifndef APP_AGENT_AGENT_SENDER_H
#define APP_AGENT_AGENT_SENDER_H

#include <stdatomic.h>

#include "app/agent/agent_outbox.h"
#include "app/agent/agent_state.h"

struct agent_central;
struct httpc;

struct agent_sender_config {
    const char *url;
    const char *agent_url; /* in place of what the server says at enrolment; NULL */
    const char *state_dir;
    const char *secret_file;    /* NULL = none */
    const char *secret;         /* of an old collector's file, when there is no secret_file; NULL */
    const char *ca_fingerprint; /* of the server's root, for enrolment with a certificate; NULL */
    const char *ca_file;        /* further authorities by which servers are taken; NULL = none */
    const char *name, *hostname;
    int64_t live_after_ms;
    struct spool *spool;
    struct agent_outbox *outbox;
    struct agent_central *central; /* NULL = none */
};

struct agent_sender;

/* How a push ended. */
enum agent_push_result {
    AGENT_PUSH_STORED,
    AGENT_PUSH_CONFLICT,  /* the server expects another record */
    AGENT_PUSH_REFUSED,   /* a record cannot be taken */
    AGENT_PUSH_DENIED,    /* token or enrolment */
    AGENT_PUSH_LATER,     /* the server is full or stopping */
    AGENT_PUSH_NO_ANSWER, /* not reached, or the answer was lost */
    AGENT_PUSH_RESULTS,
};

struct agent_sender *agent_sender_new(const struct agent_sender_config *config);
enum err_code agent_sender_start(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;
/* Send what waits, until the deadline, then end the thread. */
void agent_sender_stop(struct agent_sender *s, int64_t mono_us);
void agent_sender_free(struct agent_sender *s); /* NULL allowed */
/* The server's clock minus ours, 0 while they agree within 2 s. */
int64_t agent_sender_offset_ms(const struct agent_sender *s);
const char *agent_sender_result_name(enum agent_push_result r);
/* Pushes since the start that ended so. */
uint64_t agent_sender_pushes(const struct agent_sender *s, enum agent_push_result r);
/* Enrol now: identity is made and kept. For `pga agent enroll`. */
enum err_code agent_sender_enroll(struct agent_sender *s, struct err *e) ERR_MUST_CHECK;

#endif
