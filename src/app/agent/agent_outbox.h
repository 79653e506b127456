/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_outbox.h: from a finished cycle to the spool.
 *
 * A cycle becomes one record (agent_record.h), with what the live stream must be told anew.
 * Threads: any; one lock inside, held while a record is made and spooled, because the order of
 *          records decides which of them carries a description.
 */
#ifndef APP_AGENT_AGENT_OUTBOX_H
#define APP_AGENT_AGENT_OUTBOX_H

#include "app/agent/agent_lane.h"
#include "spool/spool.h"

struct agent_outbox;

struct agent_outbox *agent_outbox_new(const struct catalogue *cat, struct spool *spool);
void agent_outbox_free(struct agent_outbox *o); /* NULL allowed */
/*
 * Make a record of what the cycle yielded and spool it; c->stream and c->seq say where it is then.
 * Nothing yielded is nothing done.
 */
enum err_code agent_outbox_put(struct agent_outbox *o, struct agent_target *t,
                               struct agent_cycle *c, struct err *e) ERR_MUST_CHECK;
/* Wait until something was put since the last call, at most until mono_us. */
void agent_outbox_wait(struct agent_outbox *o, int64_t mono_us);
void agent_outbox_wake(struct agent_outbox *o);

#endif
