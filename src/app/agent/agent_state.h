/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_state.h: what the agent is, kept in its state folder: identity with the server, ids of
 * targets.
 *
 * Both files are 0600 and replaced as a whole. Target ids live in targets.json and must survive an
 * enrolment anew; identity.json holds the token.
 * Threads: the sender owns the identity once it runs; targets are named by the main thread.
 */
#ifndef APP_AGENT_AGENT_STATE_H
#define APP_AGENT_AGENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/text.h"

#define AGENT_TOKEN_MAX 4096
#define AGENT_URL_MAX   512

struct agent_identity {
    bool enrolled;
    struct uuid collector;
    char token[AGENT_TOKEN_MAX];
    int64_t expires_ms;            /* of the token; 0 = unknown */
    struct uuid epoch;             /* of the server's store, as last seen; zero = never */
    char agent_url[AGENT_URL_MAX]; /* where the certificate is asked for; "" = where we enrolled */
};

/* No file is no error: enrolled is false then. */
enum err_code agent_identity_load(const char *state_dir, struct agent_identity *out,
                                  struct err *e) ERR_MUST_CHECK;
enum err_code agent_identity_save(const char *state_dir, const struct agent_identity *id,
                                  struct err *e) ERR_MUST_CHECK;
/* The id of a target (or of the host: name NULL); made and kept when it is new. */
enum err_code agent_target_id(const char *state_dir, const char *name, struct uuid *out,
                              struct err *e) ERR_MUST_CHECK;

#endif
