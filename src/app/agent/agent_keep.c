/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_keep.c: from the probes' memories to files and back.
 */
#include "app/agent/agent_keep.h"

#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "spool/keep.h"

static const struct log_ctx *context(const struct agent_target *t, struct log_ctx *ctx)
{
    *ctx = (struct log_ctx){.component = "agent", .target = t->name};
    return ctx;
}

static struct keep_place place_of(const char *dir, const struct agent_target *t,
                                  const struct agent_slot *slot)
{
    return (struct keep_place){dir, t->id, slot->probe->name};
}

enum err_code agent_keep_forget(const char *dir, struct agent_lane *lane, struct err *e)
{
    for (size_t i = 0; i < lane->slot_count; i++) {
        struct keep_place place = place_of(dir, lane->target, &lane->slots[i]);
        if (lane->slots[i].memory.keep_due && keep_forget(&place, e)) {
            return e->code;
        }
    }
    return ERR_OK;
}

void agent_keep_save(const char *dir, struct agent_lane *lane, const struct agent_cycle *c)
{
    struct keep_mark mark = {c->stream, c->seq, clock_wall_ms()};
    struct log_ctx ctx;
    struct err e = {0};
    for (size_t i = 0; i < lane->slot_count; i++) {
        struct probe_memory *m = &lane->slots[i].memory;
        struct keep_place place = place_of(dir, lane->target, &lane->slots[i]);
        if (!m->keep_due) {
            continue;
        }
        FAULT_POINT("agent.before_keep");
        if (c->seq && m->keep.len && keep_save(&place, &mark, buf_view(&m->keep), &e)) {
            log_warn(context(lane->target, &ctx), "%s is not kept for the next start: %s",
                     place.name, e.text);
        }
        m->keep_due = false;
        buf_fini(&m->keep);
    }
}

static enum err_code check_mark(const struct keep_mark *mark, struct spool *spool,
                                int64_t max_age_ms, struct err *e)
{
    if (max_age_ms && clock_wall_ms() - mark->saved_ms > max_age_ms) {
        return err_set(e, ERR_CONFLICT, "the file is too old");
    }
    if (!spool_made(spool, &mark->stream, mark->seq)) {
        return err_set(e, ERR_CONFLICT, "the spool does not know its record");
    }
    return ERR_OK;
}

static void load_slot(const struct keep_place *place, struct agent_slot *slot, struct spool *spool,
                      int64_t max_age_ms, struct err *e)
{
    struct keep_mark mark;
    struct buf *kept = &slot->memory.kept;
    buf_init(kept, LIMIT_KEEP_BYTES);
    enum err_code code = keep_load(place, &mark, kept, e);
    code = code ? code : check_mark(&mark, spool, max_age_ms, e);
    if (code) {
        buf_fini(kept);
    }
    if (code && code != ERR_NOT_FOUND) {
        (void)!keep_forget(place, NULL);
    }
}

void agent_keep_load(const char *dir, struct agent_target *t, struct spool *spool,
                     int64_t max_age_ms)
{
    struct log_ctx ctx;
    for (size_t i = 0; i < t->lane_count; i++) {
        for (size_t j = 0; j < t->lanes[i].slot_count; j++) {
            struct agent_slot *slot = &t->lanes[i].slots[j];
            struct keep_place place = place_of(dir, t, slot);
            struct err e = {0};
            if (slot->probe->keeps) {
                load_slot(&place, slot, spool, max_age_ms, &e);
            }
            if (e.code && e.code != ERR_NOT_FOUND) {
                log_warn(context(t, &ctx), "what the probe %s kept is not used: %s", place.name,
                         e.text);
            }
        }
    }
}
