/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_lane.c: cycles on one connection.
 *
 * A failed connection is not tried again at once: 1, 2, 4 ... 30 s. Meanwhile each reading that
 * was due says so in a failed slice, and pg_instance says up = 0.
 * Threads: see agent_lane.h.
 */
#include "app/agent/agent_lane.h"

#include <stdio.h>
#include <string.h>

#include "app/agent/agent_walk.h"
#include "base/log.h"
#include "os/clock.h"

#define CONNECT_MS         5000
#define SAMPLER_CONNECT_MS 900
#define LEARN_EVERY_US     (60LL * 1000000)
#define ASK_AGAIN_US       (3600LL * 1000000) /* denied and absent sources */
#define RETRY_MAX_S        30

static const struct log_ctx *context(const struct agent_lane *lane, struct log_ctx *ctx)
{
    *ctx = (struct log_ctx){.component = "agent", .target = lane->target->name};
    return ctx;
}

void agent_cycle_init(struct agent_cycle *c, struct arena *a)
{
    *c = (struct agent_cycle){.arena = a, .out = {.arena = a}};
}

/* --- the connection --------------------------------------------------------------------------- */

static void put_attributes(struct agent_lane *lane, struct json_writer *w)
{
    const struct agent_target *t = lane->target;
    char host[TEXT_UUID_SIZE];
    char link[PGCLIENT_LINK_SIZE];
    int64_t port = 0;
    for (const char *p = t->place.port; *p >= '0' && *p <= '9'; p++) {
        port = port * 10 + (*p - '0');
    }
    text_uuid(&t->host_id, host);
    pgclient_link(lane->pg, link);
    bool knows_host = memcmp(&t->host_id, &(struct uuid){0}, sizeof(t->host_id)) != 0;
    json_object_begin(w);
    json_member_c(w, "address", t->place.host);
    json_member_i64(w, "port", port);
    json_member_c(w, "role", lane->server.in_recovery ? "standby" : "primary");
    json_member_c(w, "version", lane->server.version);
    json_member_i64(w, "version_num", lane->server.version_num);
    json_member_c(w, "system_identifier", lane->server.system_identifier);
    if (knows_host) {
        json_member_c(w, "host_target", host);
    }
    json_member_c(w, "sslmode", t->place.sslmode);
    json_member_c(w, "tls", link); /* "" = the link is open */
    json_object_end(w);
}

static void keep_attributes(struct agent_lane *lane)
{
    struct agent_target *t = lane->target;
    struct buf text;
    struct json_writer w;
    buf_init(&text, sizeof(t->attributes) - 1);
    json_writer_init(&w, &text);
    put_attributes(lane, &w);
    lock_take(&t->lock);
    if (!text.failed && strcmp(text.ptr, t->attributes) != 0) {
        snprintf(t->attributes, sizeof(t->attributes), "%s", text.ptr);
        t->attributes_version++;
    }
    lock_release(&t->lock);
    buf_fini(&text);
}

void agent_lane_close(struct agent_lane *lane)
{
    pgclient_close(lane->pg);
    lane->pg = NULL;
}

static void note_failure(struct agent_lane *lane, const struct err *e)
{
    struct log_ctx ctx;
    unsigned wait_s = 1u << (lane->failures < 5 ? lane->failures : 5);
    if (lane->failures == 0 || lane->trouble.code != e->code) {
        log_warn(context(lane, &ctx), "cannot read the server: %s", e->text);
    }
    lane->failures++;
    lane->trouble = *e;
    lane->retry_us = clock_mono_us() + (wait_s > RETRY_MAX_S ? RETRY_MAX_S : wait_s) * 1000000LL;
    agent_lane_close(lane);
}

void agent_lane_refused(const struct agent_lane *lane, struct err *e)
{
    const struct agent_link *link = lane->target->config.link;
    if (link && e->code) {
        link->failed(link->arg, e);
    }
}

static enum err_code open_connection(struct agent_lane *lane, int64_t deadline_us, struct err *e)
{
    struct pgclient_config config;
    struct buf password;
    buf_init(&password, 4096);
    enum err_code code = agent_config_connection(&lane->target->config, &password, &config, e);
    code = code ? code : pgclient_open(&config, deadline_us, &lane->pg, e);
    if (password.ptr) {
        explicit_bzero(password.ptr, password.len);
    }
    buf_fini(&password);
    agent_lane_refused(lane, e);
    return code;
}

static bool is_main(const struct agent_lane *lane)
{
    return lane == &lane->target->lanes[AGENT_LANE_MAIN];
}

/* Grants and extensions may be other ones now: everything is asked again. */
static void unblock(struct agent_lane *lane)
{
    for (size_t i = 0; i < lane->slot_count; i++) {
        lane->slots[i].blocked_until_us = 0;
    }
}

/* What a superuser could do, an agent that was taken over could do as well (security P1). */
static enum err_code judge_role(struct agent_lane *lane, bool is_new, struct err *e)
{
    const struct agent_target_config *config = &lane->target->config;
    const char *user = lane->server.user;
    struct log_ctx ctx;

    if (!lane->server.superuser || config->superuser == AGENT_SUPERUSER_ALLOW)
        return ERR_OK;
    if (config->superuser == AGENT_SUPERUSER_REFUSE)
        return err_set(e, ERR_DENIED,
                       "%s is a superuser, which this target refuses (key superuser): take a role "
                       "with pg_monitor",
                       user);
    if (is_new && is_main(lane))
        log_warn(context(lane, &ctx),
                 "%s is a superuser: a role with pg_monitor is enough, and safer (key superuser: "
                 "refuse or allow)",
                 user);
    return ERR_OK;
}

/* Have a live connection and know the server; lane->trouble says why not. */
bool agent_lane_connect(struct agent_lane *lane, struct arena *a)
{
    struct err e = {0};
    struct log_ctx ctx;
    int64_t now = clock_mono_us();
    int64_t deadline = now + (lane->samples ? SAMPLER_CONNECT_MS : CONNECT_MS) * 1000LL;
    if (lane->pg && !pgclient_alive(lane->pg)) {
        agent_lane_close(lane);
    }
    if (lane->pg && now < lane->learn_due_us) {
        return true;
    }
    if (!lane->pg && now < lane->retry_us) {
        return false;
    }
    bool is_new = !lane->pg;
    enum err_code code = is_new ? open_connection(lane, deadline, &e) : ERR_OK;
    const struct probe_run ask = {
        .catalogue = lane->catalogue, .pg = lane->pg, .arena = a, .deadline_us = deadline};
    code = code ? code : probe_learn_server(&ask, &lane->server, &e);
    code = code ? code : judge_role(lane, is_new, &e);
    if (code) {
        note_failure(lane, &e);
        return false;
    }
    lane->learn_due_us = now + LEARN_EVERY_US;
    if (is_new) {
        unblock(lane);
        agent_cost_connected(lane);
        if (is_main(lane)) {
            log_info(context(lane, &ctx), "connected to PostgreSQL %s as %s", lane->server.version,
                     lane->server.user);
        }
    }
    lane->failures = 0;
    err_clear(&lane->trouble);
    if (is_main(lane)) {
        keep_attributes(lane);
    }
    return true;
}

/* --- a cycle ---------------------------------------------------------------------------------- */

void agent_lane_note(struct agent_lane *lane, struct agent_slot *slot,
                     const struct probe_report *report, enum err_code code, double duration_ms)
{
    struct agent_status *s = &slot->status;
    lock_take(&lane->target->lock);
    s->runs++;
    s->errors += code != ERR_OK;
    s->last_run_ms = clock_wall_ms();
    s->duration_ms = duration_ms;
    s->rows = report->rows;
    if (s->cost.shed) { /* by this very run: what was said then stays */
        lock_release(&lane->target->lock);
        return;
    }
    lane->target->changed = lane->target->changed || s->state != report->state;
    s->state = report->state;
    snprintf(s->reason, sizeof(s->reason), "%s", report->reason ? report->reason : "");
    snprintf(s->fix, sizeof(s->fix), "%s", report->fix ? report->fix : "");
    lock_release(&lane->target->lock);
}

static double ms_since(int64_t start_us)
{
    return (double)(clock_mono_us() - start_us) / 1000;
}

/* Sources that are denied or absent are asked again in an hour, slow ones after a growing pause. */
static void block(struct agent_slot *slot, enum err_code code)
{
    int64_t now = clock_mono_us();
    if (code == ERR_DENIED || code == ERR_NOT_FOUND || code == ERR_UNSUPPORTED) {
        slot->blocked_until_us = now + ASK_AGAIN_US;
    } else if (code == ERR_TIMEOUT && !slot->probe->samples) {
        slot->slow_in_row += slot->slow_in_row < 4;
        slot->blocked_until_us = now + (slot->every_ms << slot->slow_in_row) * 1000;
    } else if (!code) {
        slot->slow_in_row = 0;
    }
}

static void emit_failed(struct probe_run *run, const struct err *e)
{
    const struct probe *p = run->memory->probe;
    bool told = run->out->slice_count > 0 &&
                run->out->slices[run->out->slice_count - 1].relation.ptr == p->relations[0];
    if (!told && !p->samples) {
        probe_emit_failed(run, p->relations[0], e->text);
    }
}

struct probe_run agent_lane_begin(struct agent_lane *lane, struct agent_slot *slot,
                                  struct agent_cycle *c, struct probe_report *report)
{
    bool host = slot->probe->scope == CATALOGUE_HOST;
    int64_t timeout_ms = slot->probe->timeout_ms;
    return (struct probe_run){
        .catalogue = lane->catalogue,
        .pg = host ? NULL : lane->pg,
        .server = host || !lane->pg ? NULL : &lane->server,
        .host_root = "",
        .target = lane->target->id,
        .scope = STR(""),
        .every_ms = slot->every_ms,
        .deadline_us = clock_mono_us() + timeout_ms * 1000,
        .wall_offset_ms = c->wall_offset_ms,
        .flags = c->flags,
        .memory = &slot->memory,
        .arena = c->arena,
        .out = &c->out,
        .report = report,
    };
}

/* The heartbeat of a server that does not answer, and why. */
static bool emit_down(struct probe_run *run, const char *reason)
{
    const struct relation *r = &run->memory->probe->sql->relation;
    struct slice_builder sb;
    struct slice *s;
    int64_t t = probe_now_ms(run);
    struct slice_times times = {t, t, run->every_ms};
    int up = relation_find_column(r, STR("up"));
    slice_build_begin(&sb, run->arena, r, &run->target, STR(""), &times);
    slice_build_row(&sb, NULL);
    slice_build_cell(&sb, (size_t)up, cell_i64(0));
    if (up < 0 || slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, NULL)) {
        return false;
    }
    s->reason = arena_str(run->arena, str_of(reason));
    probe_emit(run, s);
    return true;
}

/* A probe whose server cannot be reached. */
static void run_unreachable(struct agent_lane *lane, struct agent_slot *slot, struct agent_cycle *c)
{
    struct probe_report report = {.state = PROBE_ERROR, .reason = lane->trouble.text};
    struct probe_run run = agent_lane_begin(lane, slot, c, &report);
    struct err e = lane->trouble;
    int64_t start_us = clock_mono_us();
    if (slot->probe->samples) {
        struct err unused = {0};
        (void)!slot->probe->run(&run, &unused);
    } else if (strcmp(slot->probe->name, "pg_instance") != 0 || !emit_down(&run, e.text)) {
        emit_failed(&run, &e);
    }
    report = (struct probe_report){.state = e.code == ERR_DENIED ? PROBE_DENIED : PROBE_ERROR,
                                   .reason = lane->trouble.text};
    agent_lane_note(lane, slot, &report, e.code ? e.code : ERR_UNREACHABLE, ms_since(start_us));
}

static void run_slot(struct agent_lane *lane, struct agent_slot *slot, struct agent_cycle *c)
{
    struct probe_report report = {.state = PROBE_STARTING};
    struct err e = {0};
    if (clock_mono_us() < slot->blocked_until_us && !(c->flags & PROBE_FLUSH)) {
        return;
    }
    if (agent_cost_is_shed(lane, slot)) {
        return;
    }
    struct probe_run run = agent_lane_begin(lane, slot, c, &report);
    int64_t start_us = clock_mono_us();
    enum err_code code = probe_execute(&run, &e);
    agent_cost_spent(lane, slot, ms_since(start_us));
    if (code && run.report->state == PROBE_ERROR) {
        emit_failed(&run, &e);
    }
    block(slot, code);
    agent_lane_note(lane, slot, &report, code, ms_since(start_us));
    if (lane->pg && !pgclient_alive(lane->pg)) {
        note_failure(lane, &e);
    }
}

bool agent_lane_run(struct agent_lane *lane, struct agent_cycle *c)
{
    if (lane->walk) {
        return agent_walk_step(lane, c);
    }
    bool host = strcmp(lane->target->kind, "host") == 0;
    bool connected = host || agent_lane_connect(lane, c->arena);
    for (size_t i = 0; i < lane->slot_count; i++) {
        if (!(lane->due & (1ULL << i))) {
            continue;
        }
        if (connected) {
            run_slot(lane, &lane->slots[i], c);
            connected = host || lane->pg != NULL;
        } else {
            run_unreachable(lane, &lane->slots[i], c);
        }
    }
    return false;
}
