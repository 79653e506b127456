/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_once.c: `pga agent --once` and `pga agent doctor`: one collection without server, state or
 * configuration.
 *
 * pg_stat_statements is cumulative, so it is read twice, a second apart, and sessions are sampled
 * at both ends: what is printed covers that second.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent/agent.h"
#include "app/agent/agent_lane.h"
#include "app/agent/agent_walk.h"
#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/host.h"

#define CATALOGUE_ARENA (16 * 1024 * 1024)

static const char *ALL_DATABASES[] = {"*"};

struct once {
    struct arena fixed, cycle; /* catalogue; what was collected */
    struct catalogue catalogue;
    struct agent_target *server, *host;
    struct agent_cycle work;
};

static enum err_code set_up(struct once *o, const char *dsn, struct err *e)
{
    size_t count;
    char hostname[256] = "localhost";
    if (catalogue_load(&o->fixed, &o->catalogue, e)) {
        return e->code;
    }
    const struct probe *const *probes = probe_table(&o->fixed, &o->catalogue, &count);
    if (!probes) {
        return arena_check(&o->fixed, e);
    }
    if (host_read_name("", hostname, sizeof(hostname), NULL)) {
        snprintf(hostname, sizeof(hostname), "localhost");
    }
    struct agent_target_config config = {
        .name = hostname,
        .dsn = dsn,
        .statements_every_ms = 1000,
        .sessions_every_ms = 1000,
        .databases = {ALL_DATABASES, 1},
        .databases_max = LIMIT_DATABASES,
    };
    o->server = agent_target_new(&o->catalogue, probes, count, &config);
    o->host = agent_target_new_host(&o->catalogue, probes, count, hostname);
    entropy_uuid(&o->server->id);
    entropy_uuid(&o->host->id);
    o->server->host_id = o->host->id;
    agent_cycle_init(&o->work, &o->cycle);
    return ERR_OK;
}

static void tear_down(struct once *o)
{
    agent_target_free(o->server);
    agent_target_free(o->host);
    arena_fini(&o->cycle);
    arena_fini(&o->fixed);
}

/* Run the probes of a lane whose name is `only`, or all but that. */
static void run_lane(struct once *o, struct agent_lane *lane, const char *only, bool all_but)
{
    lane->due = 0;
    for (size_t i = 0; i < lane->slot_count; i++) {
        bool same = strcmp(lane->slots[i].probe->name, only) == 0;
        if (same != all_but) {
            lane->due |= 1ULL << i;
        }
    }
    while (agent_lane_run(lane, &o->work)) {
        /* one database after the other */
    }
}

/* The first readings give no rows worth printing: they are the start of the interval. */
static void collect(struct once *o, int64_t wait_ms)
{
    struct agent_lane *main_lane = &o->server->lanes[AGENT_LANE_MAIN];
    struct agent_lane *sampler = &o->server->lanes[AGENT_LANE_SAMPLER];
    if (wait_ms) {
        run_lane(o, sampler, "sessions", false);
        run_lane(o, main_lane, "statements", false);
        o->work.out.slice_count = 0; /* texts stay */
        clock_sleep_ms(wait_ms);
    }
    o->work.flags = PROBE_FLUSH;
    run_lane(o, sampler, "sessions", false);
    run_lane(o, main_lane, "", true);
    run_lane(o, &o->host->lanes[0], "", true);
    run_lane(o, &o->server->lanes[AGENT_LANE_WALKER], "", true); /* last: it may be the largest */
    agent_lane_tell(main_lane, &o->work);
}

/* Descriptions of the relations that the slices use, each once. */
static void describe(struct once *o, struct batch *b)
{
    struct relation *r = arena_array(&o->cycle, o->catalogue.count, sizeof(*r));
    b->relations = r;
    for (size_t f = 0; r && f < o->catalogue.count; f++) {
        const struct relation *known = &o->catalogue.files[f].relation;
        for (size_t i = 0; i < b->slice_count; i++) {
            if (str_eq(b->slices[i].relation, known->name)) {
                r[b->relation_count++] = *known;
                break;
            }
        }
    }
}

static struct batch_target describe_target(const struct agent_target *t)
{
    return (struct batch_target){.id = t->id,
                                 .kind = str_of(t->kind),
                                 .name = str_of(t->name),
                                 .attributes = str_of(t->attributes)};
}

static enum err_code print(struct once *o, struct err *e)
{
    struct buf text, states;
    struct json_writer w;
    struct batch_target targets[2] = {describe_target(o->server), describe_target(o->host)};
    struct batch b = {
        .made_ms = clock_wall_ms(),
        .targets = targets,
        .target_count = 2,
        .slices = o->work.out.slices,
        .slice_count = o->work.out.slice_count,
        .texts = o->work.out.texts,
        .text_count = o->work.out.text_count,
        .events = o->work.out.events,
        .event_count = o->work.out.event_count,
    };
    describe(o, &b);
    buf_init(&text, 4 * (size_t)LIMIT_RECORD_BYTES);
    buf_init(&states, LIMIT_RECORD_BYTES);
    json_writer_init(&w, &text);
    batch_write(&b, &w);
    json_writer_init(&w, &states);
    json_array_begin(&w);
    agent_target_write_states(o->server, &w);
    agent_target_write_states(o->host, &w);
    json_array_end(&w);
    /* the record's object goes on with one more member */
    if (text.len && text.ptr[text.len - 1] == '}') {
        buf_truncate(&text, text.len - 1);
    }
    buf_printf(&text, ",\"probes\":");
    buf_add_str(&text, buf_view(&states));
    buf_add_c(&text, "}\n");
    enum err_code code = buf_check(&text, e);
    if (!code && (fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0)) {
        code = err_set(e, ERR_IO, "standard output cannot be written");
    }
    buf_fini(&text);
    buf_fini(&states);
    return code;
}

static int complain(const struct err *e)
{
    fprintf(stderr, "pga agent: %s\n", e->text);
    return agent_exit_code(e->code);
}

/* Connect for the first time, so that a wrong address or password ends with its own exit code. */
static enum err_code check_connection(struct once *o, const char *dsn, struct err *e)
{
    struct pgclient_config config = {.conninfo = dsn, .flags = PGCLIENT_MONITOR};
    struct pgclient_place place;
    struct pgclient *pg = NULL;
    (void)o;
    if (!dsn) {
        return err_set(e, ERR_INVALID, "--dsn is needed: which PostgreSQL?");
    }
    if (pgclient_check(&config, &place, e)) {
        return e->code;
    }
    if (place.has_password) {
        fputs(
            "pga agent: warning: the password in the dsn can be seen by other users of this host\n",
            stderr);
    }
    enum err_code code = pgclient_open(&config, clock_mono_us() + 5000000, &pg, e);
    pgclient_close(pg);
    return code;
}

static int with_target(const struct agent_options *opt,
                       enum err_code (*act)(struct once *, struct err *))
{
    struct once o;
    struct err e = {0};
    memset(&o, 0, sizeof(o));
    arena_init(&o.fixed, "catalogue", CATALOGUE_ARENA);
    arena_init(&o.cycle, "cycle", AGENT_CYCLE_BYTES);
    enum err_code code = check_connection(&o, opt->dsn, &e);
    if (!code) {
        code = set_up(&o, opt->dsn, &e);
    }
    if (!code) {
        collect(&o, opt->statements_wait_ms);
        code = act(&o, &e);
    }
    tear_down(&o);
    if (e.code == ERR_CANCELLED) {
        return AGENT_EXIT_PROBLEMS;
    }
    return code ? complain(&e) : AGENT_EXIT_OK;
}

int agent_once(const struct agent_options *o)
{
    return with_target(o, print);
}

static bool tell_lane(const struct agent_lane *lane)
{
    bool good = true;
    for (size_t i = 0; i < lane->slot_count; i++) {
        const struct agent_slot *slot = &lane->slots[i];
        const struct agent_status *s = &slot->status;
        bool absent = s->state == PROBE_NO_DATA; /* by nature, when nothing would help */
        bool fine = (s->state == PROBE_OK || absent) && !s->fix[0];
        good = good && fine;
        printf("%-22s %-8s %s\n", slot->probe->name,
               s->state == PROBE_OK ? "OK" : probe_state_name(s->state), s->reason);
        if (s->fix[0]) {
            printf("%-22s %-8s %s\n", "", "fix:", s->fix);
        }
    }
    return good;
}

/* Which databases are not read, and why; the probes' lines name the first one only. */
static void tell_databases(const struct agent_walk *walk)
{
    size_t troubled = 0;
    const char *unused;
    for (size_t i = 0; i < agent_walk_count(walk); i++) {
        troubled += agent_walk_trouble(walk, i, &unused) != NULL;
    }
    for (size_t i = 0; i < agent_walk_count(walk); i++) {
        const char *name, *why = agent_walk_trouble(walk, i, &name);
        if (why && troubled > 1) {
            printf("database %s: %s\n", name, why);
        }
    }
}

static enum err_code tell(struct once *o, struct err *e)
{
    const struct probe_server *s = &o->server->lanes[0].server;
    printf("PostgreSQL %s, %s, as %s%s\n", s->version, s->in_recovery ? "standby" : "primary",
           s->user, s->superuser ? " (superuser: a role with pg_monitor is enough)" : "");
    bool good = tell_lane(&o->server->lanes[AGENT_LANE_MAIN]);
    good = tell_lane(&o->server->lanes[AGENT_LANE_SAMPLER]) && good;
    good = tell_lane(&o->server->lanes[AGENT_LANE_WALKER]) && good;
    tell_databases(o->server->lanes[AGENT_LANE_WALKER].walk);
    good = tell_lane(&o->host->lanes[0]) && good;
    if (fflush(stdout) != 0) {
        return err_set(e, ERR_IO, "standard output cannot be written");
    }
    return good ? ERR_OK : err_set(e, ERR_CANCELLED, "problems were found");
}

int agent_doctor(const struct agent_options *o)
{
    return with_target(o, tell);
}
