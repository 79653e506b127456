/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_central.h: the configuration that the server keeps for this agent.
 *
 *     sender: fetch -> offer -> (the main thread is woken) -> begin, try it, settle -> the file
 *     sender: report <- what became of it
 *
 * The last version that could be applied is in state_dir/central.toml, behind a first line with its
 * number, and stands over agent.toml at every start and reload. One that cannot be applied changes
 * nothing.
 * Threads: offer, is_wanted, report and reported belong to the sender, the rest to the main thread;
 *          one lock inside.
 */
#ifndef APP_AGENT_AGENT_CENTRAL_H
#define APP_AGENT_AGENT_CENTRAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct agent_central;

struct agent_central_report {
    int64_t applied, failed; /* versions; 0 = none */
    char error[ERR_TEXT_MAX];
    uint64_t number; /* of the report; 0 = there is none */
};

/* Reads the file; one that cannot be read is logged and is as if it were not there. */
struct agent_central *agent_central_new(const char *state_dir);
void agent_central_free(struct agent_central *c); /* NULL allowed */

/* --- the sender --- */

/* Whether this version should be fetched: it is neither in effect nor has it failed. */
bool agent_central_is_wanted(struct agent_central *c, int64_t version);
/* The version known last, whatever became of it; 0 = none. */
int64_t agent_central_known(struct agent_central *c);
/* Hand a text over and wake the main thread. */
void agent_central_offer(struct agent_central *c, int64_t version, struct str toml);
/* What the server has not been told yet; number 0 = nothing. */
void agent_central_report(struct agent_central *c, struct agent_central_report *out);
void agent_central_reported(struct agent_central *c, uint64_t number);

/* --- the main thread --- */

/*
 * The text to try: the one offered, else the last good one; *version 0 = neither, and the text is
 * empty. *offered: agent_central_settle must follow. Lives in `a`.
 */
struct agent_central_text {
    int64_t version;
    struct str toml;
    bool offered;
};
enum err_code agent_central_begin(struct agent_central *c, struct arena *a,
                                  struct agent_central_text *out, struct err *e) ERR_MUST_CHECK;
/* What became of it, if there was a version: NULL = it is in effect, else why not. */
void agent_central_settle(struct agent_central *c, const struct agent_central_text *tried,
                          const struct err *failure);

#endif
