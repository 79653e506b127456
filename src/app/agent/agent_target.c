/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_target.c: targets, their lanes, and what is told of their probes.
 *
 * Threads: built by the main thread; states are read and written under target->lock.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/agent/agent_lane.h"
#include "app/agent/agent_walk.h"

#include "base/alloc.h"
#include "os/clock.h"
#include "os/host.h"

#define TARGET_LOCK_RANK 35     /* above the outbox, below the spool */
#define SLOW_CLOCK_MS    300000 /* what is read that seldom is dear: `every` does not hasten it */

/* The clock of a probe on this target; 0 = it does not run. */
static int64_t clock_of(const struct probe *p, const struct agent_target_config *config)
{
    if (strcmp(p->name, "sessions") == 0) {
        return config->sessions_every_ms;
    }
    if (strcmp(p->name, "statements") == 0) {
        return config->statements_every_ms;
    }
    if (p->scope == CATALOGUE_DATABASE) {
        return config->databases_every_ms ? config->databases_every_ms : p->clock_ms;
    }
    bool plain = p->clock_ms < SLOW_CLOCK_MS;
    return plain && config->every_ms ? config->every_ms : p->clock_ms;
}

static void add_slot(struct agent_lane *lane, const struct probe *p, int64_t every_ms)
{
    if (lane->slot_count == AGENT_SLOTS_MAX || every_ms == 0) {
        return;
    }
    struct agent_slot *slot = &lane->slots[lane->slot_count++];
    slot->probe = p;
    slot->memory.probe = p;
    slot->every_ms = every_ms;
    slot->status.cost.every_ms = every_ms;
    if (p->samples) {
        slot->status.cost.class = BUDGET_LAST;
    } else if (strcmp(p->name, "pg_instance") == 0 || p->scope == CATALOGUE_HOST) {
        slot->status.cost.class = BUDGET_NEVER;
    }
    snprintf(slot->status.reason, sizeof(slot->status.reason), "has not run yet");
}

static struct agent_target *make(const struct catalogue *cat, const char *kind, const char *name,
                                 size_t lane_count)
{
    struct agent_target *t = alloc_new(sizeof(*t));
    snprintf(t->name, sizeof(t->name), "%s", name);
    t->kind = kind;
    t->lane_count = lane_count;
    t->lanes = alloc_array(lane_count, sizeof(*t->lanes));
    snprintf(t->attributes, sizeof(t->attributes), "{}");
    lock_init(&t->lock, "target", TARGET_LOCK_RANK);
    atomic_init(&t->leaving, false);
    for (size_t i = 0; i < lane_count; i++) {
        t->lanes[i].target = t;
        t->lanes[i].catalogue = cat;
        t->lanes[i].slots = alloc_array(AGENT_SLOTS_MAX, sizeof(struct agent_slot));
        atomic_init(&t->lanes[i].busy, false);
    }
    return t;
}

struct agent_target *agent_target_new(const struct catalogue *cat,
                                      const struct probe *const *probes, size_t probe_count,
                                      const struct agent_target_config *config)
{
    struct agent_target *t = make(cat, "postgresql", config->name, AGENT_LANES);
    struct pgclient_config connection = {.conninfo = config->dsn,
                                         .host = config->host,
                                         .port = config->port,
                                         .user = config->user,
                                         .dbname = config->dbname,
                                         .sslmode = config->sslmode,
                                         .sslrootcert = config->sslrootcert};
    t->config = *config;
    t->budget.limit = config->cost_budget * 10; /* percent of a core to ms a second */
    t->lanes[AGENT_LANE_SAMPLER].samples = true;
    t->lanes[AGENT_LANE_WALKER].walk = agent_walk_new();
    if (pgclient_check(&connection, &t->place, NULL)) {
        memset(&t->place, 0, sizeof(t->place)); /* opening it will say what is wrong */
    }
    for (size_t i = 0; i < probe_count; i++) {
        enum agent_lane_name lane = AGENT_LANE_MAIN;
        if (probes[i]->scope == CATALOGUE_HOST) {
            continue;
        }
        if (probes[i]->scope == CATALOGUE_DATABASE) {
            lane = AGENT_LANE_WALKER;
        } else if (probes[i]->samples) {
            lane = AGENT_LANE_SAMPLER;
        }
        if (lane != AGENT_LANE_WALKER || config->databases.count) {
            add_slot(&t->lanes[lane], probes[i], clock_of(probes[i], config));
        }
    }
    return t;
}

static void describe_host(struct agent_target *t, const char *hostname)
{
    struct buf text;
    struct json_writer w;
    struct host_cpu cpu = {0};
    char boot_id[64] = "";
    if (host_read_cpu("", &cpu, NULL)) {
        cpu.online = 0;
    }
    if (host_read_boot_id("", boot_id, sizeof(boot_id), NULL)) {
        boot_id[0] = '\0';
    }
    buf_init(&text, sizeof(t->attributes) - 1);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_member_c(&w, "hostname", hostname);
    json_member_i64(&w, "cpus", cpu.online);
    json_member_c(&w, "boot_id", boot_id);
    json_object_end(&w);
    if (!text.failed) {
        snprintf(t->attributes, sizeof(t->attributes), "%s", text.ptr);
    }
    buf_fini(&text);
}

struct agent_target *agent_target_new_host(const struct catalogue *cat,
                                           const struct probe *const *probes, size_t probe_count,
                                           const char *hostname)
{
    struct agent_target *t = make(cat, "host", hostname, 1);
    describe_host(t, hostname);
    for (size_t i = 0; i < probe_count; i++) {
        if (probes[i]->scope == CATALOGUE_HOST) {
            add_slot(&t->lanes[0], probes[i], probes[i]->clock_ms);
        }
    }
    return t;
}

void agent_target_free(struct agent_target *t)
{
    if (!t) {
        return;
    }
    for (size_t i = 0; i < t->lane_count; i++) {
        agent_lane_close(&t->lanes[i]);
        agent_walk_free(t->lanes[i].walk);
        for (size_t j = 0; j < t->lanes[i].slot_count; j++) {
            probe_memory_fini(&t->lanes[i].slots[j].memory);
        }
        alloc_free(t->lanes[i].slots);
    }
    lock_fini(&t->lock);
    alloc_free(t->lanes);
    alloc_free(t);
}

/* --- what is told --- */

static void set(struct slice_builder *sb, const char *column, struct cell value)
{
    int at = relation_find_column(sb->relation, str_of(column));
    if (at >= 0) {
        slice_build_cell(sb, (size_t)at, value);
    }
}

/* To the resolution that the relation states. */
static double rounded(double ms)
{
    return (double)(int64_t)(ms * 1000 + 0.5) / 1000;
}

static void tell_slot(struct slice_builder *sb, struct agent_slot *slot)
{
    struct agent_status *s = &slot->status;
    struct str key = str_of(slot->probe->name);
    slice_build_row(sb, &key);
    set(sb, "runs", cell_u64(s->runs - s->told_runs));
    set(sb, "errors", cell_u64(s->errors - s->told_errors));
    if (slot->probe->scope != CATALOGUE_HOST) {
        set(sb, "database_ms", cell_f64(rounded(s->cost.total_ms - s->told_cost_ms)));
        s->told_cost_ms += rounded(s->cost.total_ms - s->told_cost_ms);
    }
    set(sb, "state", cell_str(str_of(probe_state_name(s->state))));
    set(sb, "reason", cell_str(str_of(s->reason)));
    set(sb, "fix", cell_str(str_of(s->fix)));
    if (s->runs) {
        set(sb, "duration_ms", cell_f64(rounded(s->duration_ms)));
        set(sb, "rows", cell_u64(s->rows));
        set(sb, "last_run_ms", cell_i64(s->last_run_ms));
    }
    s->told_runs = s->runs;
    s->told_errors = s->errors;
}

#define TELL_EVERY_MS 60000

void agent_lane_tell(struct agent_lane *lane, struct agent_cycle *c)
{
    struct agent_target *t = lane->target;
    const struct catalogue_file *f = catalogue_find(lane->catalogue, "pga_probe");
    struct slice_builder sb;
    struct slice *s;
    int64_t now = clock_wall_ms() + c->wall_offset_ms;
    /* one lane alone tells, so that the readings of the relation are spooled in order of time */
    if (!f || lane != &t->lanes[AGENT_LANE_MAIN]) {
        return;
    }
    lock_take(&t->lock);
    bool due = t->changed || now - t->told_ms >= TELL_EVERY_MS;
    if (due && now > t->told_ms) {
        struct slice_times times = {now, t->told_ms ? t->told_ms : now, TELL_EVERY_MS};
        slice_build_begin(&sb, c->arena, &f->relation, &t->id, STR(""), &times);
        for (size_t i = 0; i < t->lane_count; i++) {
            for (size_t j = 0; j < t->lanes[i].slot_count; j++) {
                tell_slot(&sb, &t->lanes[i].slots[j]);
            }
        }
        if (!slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, NULL)) {
            struct probe_memory memory = {0};
            struct probe_report report = {0};
            struct probe_run run = {.memory = &memory, .report = &report, .out = &c->out};
            probe_emit(&run, s);
        }
        t->told_ms = now;
        t->changed = false;
    }
    lock_release(&t->lock);
}

static void write_state(struct json_writer *w, const struct agent_target *t,
                        const struct agent_slot *slot)
{
    const struct agent_status *s = &slot->status;
    char id[TEXT_UUID_SIZE];
    text_uuid(&t->id, id);
    json_object_begin(w);
    json_member_c(w, "probe", slot->probe->name);
    json_member_c(w, "target", id);
    json_member_c(w, "state", probe_state_name(s->state));
    json_member_c(w, "reason", s->reason[0] ? s->reason : NULL);
    json_member_c(w, "fix", s->fix[0] ? s->fix : NULL);
    json_member_f64(w, "duration_ms", s->duration_ms);
    json_member_u64(w, "rows", s->rows);
    json_object_end(w);
}

void agent_target_write_states(struct agent_target *t, struct json_writer *w)
{
    lock_take(&t->lock);
    for (size_t i = 0; i < t->lane_count; i++) {
        for (size_t j = 0; j < t->lanes[i].slot_count; j++) {
            write_state(w, t, &t->lanes[i].slots[j]);
        }
    }
    lock_release(&t->lock);
}
