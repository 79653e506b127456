/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_record.h: from a finished cycle to the text of one record.
 *
 * A teller knows which relations and targets a stream has been told of, and adds their descriptions
 * to the record that uses them first, once an hour, and when they change.
 *
 * Owner:   agent_teller_new gives the teller to the caller, agent_teller_free ends it
 * Threads: one at a time for one teller: the order of records decides which of them carries a
 *          description
 * Errors:  ERR_LIMIT a record beyond LIMIT_RECORD_BYTES; call agent_teller_forget when a record
 *          that was written does not reach its stream
 */
#ifndef APP_AGENT_AGENT_RECORD_H
#define APP_AGENT_AGENT_RECORD_H

#include "app/agent/agent_lane.h"

struct agent_teller;

struct agent_teller *agent_teller_new(const struct catalogue *cat);
void agent_teller_free(struct agent_teller *t); /* NULL allowed */
/* The stream is another one, or lost something: tell all again. */
void agent_teller_forget(struct agent_teller *t);
/* Whether the cycle yielded anything. */
bool agent_record_has(const struct agent_cycle *c);
/* Append the record's JSON text; c->made_ms: the moment that stands in it. */
enum err_code agent_record_write(struct agent_teller *teller, struct agent_target *t,
                                 struct agent_cycle *c, struct buf *text,
                                 struct err *e) ERR_MUST_CHECK;

#endif
