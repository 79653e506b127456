/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_walk.c: visits the databases of a server one by one.
 *
 * The first step connects to the configured database, lists all of them, and reads this one if it
 * is wanted; each further step opens the next and closes it again. After SILENT_MAX databases in a
 * row on a server that does not answer, the rest of the walk is given up with that reason.
 * Threads: see agent_walk.h.
 */
#include "app/agent/agent_walk.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"

#define ENTER_US     (5LL * 1000000)
#define ASK_AGAIN_US (3600LL * 1000000) /* a login that was refused */
#define SILENT_MAX   3
#define SILENT_PAUSE 12 /* walks without a database whose login got no answer */
#define REASON_MAX   (LIMIT_KEY_BYTES + ERR_TEXT_MAX + 4)

struct database {
    char name[LIMIT_KEY_BYTES + 1];
    bool current, may_connect, invalid;
    int64_t blocked_until_us; /* a login failed: none is tried before */
    struct err trouble;       /* of the last visit; code 0 = none */
};

/* How one probe fared in the databases of the walk under way. */
struct tally {
    enum probe_state state; /* the worst */
    char reason[REASON_MAX];
    char fix[160];
    enum err_code code;
    size_t rows, troubled;
    double ms;
};

struct agent_walk {
    struct database *databases; /* of the newest listing, as far as they are wanted */
    size_t count, next;
    size_t left_out; /* wanted, and beyond databases_max */
    bool under_way;
    unsigned silent; /* databases in a row whose server did not answer */
    struct err silence;
    struct tally tallies[AGENT_SLOTS_MAX];
};

struct agent_walk *agent_walk_new(void)
{
    return alloc_new(sizeof(struct agent_walk));
}

void agent_walk_free(struct agent_walk *w)
{
    if (w) {
        alloc_free(w->databases);
        alloc_free(w);
    }
}

size_t agent_walk_count(const struct agent_walk *w)
{
    return w->count;
}

const char *agent_walk_trouble(const struct agent_walk *w, size_t i, const char **name)
{
    *name = w->databases[i].name;
    return w->databases[i].trouble.code ? w->databases[i].trouble.text : NULL;
}

static bool is_due(const struct agent_lane *lane, size_t slot)
{
    return lane->due & (1ULL << slot);
}

/* --- the list --------------------------------------------------------------------------------- */

static bool matches(const struct conf_strings *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        if (fnmatch(patterns->items[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

static struct database *find(const struct agent_walk *w, const char *name)
{
    for (size_t i = 0; i < w->count; i++) {
        if (strcmp(w->databases[i].name, name) == 0) {
            return &w->databases[i];
        }
    }
    return NULL;
}

/* A reading of each relation without rows: everything in that database has ended. */
static void emit_ended(struct agent_lane *lane, struct agent_cycle *c, const char *name)
{
    for (size_t i = 0; i < lane->slot_count; i++) {
        struct probe_report report = {0};
        struct probe_run run = agent_lane_begin(lane, &lane->slots[i], c, &report);
        const struct catalogue_file *f = lane->slots[i].probe->sql;
        int64_t t = probe_now_ms(&run);
        struct slice_times times = {t, t, run.every_ms};
        struct slice_builder sb;
        struct slice *s;
        if (!f) {
            continue;
        }
        slice_build_begin(&sb, c->arena, &f->relation, &run.target, str_of(name), &times);
        if (!slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, NULL)) {
            probe_emit(&run, s);
        }
    }
}

static bool is_listed(const struct probe_database *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(list[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Keep what is wanted of the listing, with what is known of each from the walk before. */
static void keep_wanted(struct agent_lane *lane, const struct probe_database *list, size_t count)
{
    const struct agent_target_config *config = &lane->target->config;
    struct agent_walk *w = lane->walk;
    size_t kept = 0, most = (size_t)config->databases_max;
    struct database *fresh = alloc_array(count < most ? count + 1 : most + 1, sizeof(*fresh));
    w->left_out = 0;
    for (size_t i = 0; i < count; i++) {
        struct database d = {.current = list[i].current,
                             .may_connect = list[i].may_connect,
                             .invalid = list[i].invalid};
        snprintf(d.name, sizeof(d.name), "%.*s", STR_ARG(list[i].name));
        if (!list[i].readable || !matches(&config->databases, d.name) ||
            matches(&config->databases_exclude, d.name)) {
            continue;
        }
        if (kept == most) {
            w->left_out++;
            continue;
        }
        const struct database *before = find(w, d.name);
        if (before) {
            d.blocked_until_us = before->blocked_until_us;
            d.trouble = before->trouble;
        }
        fresh[kept++] = d;
    }
    alloc_free(w->databases);
    w->databases = fresh;
    w->count = kept;
}

static bool list_databases(struct agent_lane *lane, struct agent_cycle *c)
{
    struct agent_walk *w = lane->walk;
    struct probe_database *list;
    size_t count;
    if (!agent_lane_connect(lane, c->arena)) {
        return false;
    }
    const struct probe_run ask = {.catalogue = lane->catalogue,
                                  .pg = lane->pg,
                                  .arena = c->arena,
                                  .deadline_us = clock_mono_us() + ENTER_US};
    if (probe_list_databases(&ask, &list, &count, &lane->trouble)) {
        agent_lane_close(lane);
        return false;
    }
    for (size_t i = 0; i < w->count; i++) {
        if (!is_listed(list, count, w->databases[i].name)) {
            emit_ended(lane, c, w->databases[i].name);
        }
    }
    keep_wanted(lane, list, count);
    return true;
}

/* --- one database ----------------------------------------------------------------------------- */

static enum err_code open_database(struct agent_lane *lane, const struct database *d, struct err *e)
{
    struct pgclient_config config;
    struct buf password;
    int64_t timeout_ms = 0;
    for (size_t i = 0; i < lane->slot_count; i++) {
        int64_t ms = lane->slots[i].probe->timeout_ms;
        timeout_ms = ms > timeout_ms ? ms : timeout_ms;
    }
    buf_init(&password, 4096);
    enum err_code code = agent_config_connection(&lane->target->config, &password, &config, e);
    config.dbname = d->name;
    config.flags |= PGCLIENT_NO_PREPARE; /* each text runs once on this connection */
    config.statement_timeout_ms = timeout_ms;
    code = code ? code : pgclient_open(&config, clock_mono_us() + ENTER_US, &lane->pg, e);
    if (password.ptr) {
        explicit_bzero(password.ptr, password.len);
    }
    buf_fini(&password);
    agent_lane_refused(lane, e);
    return code;
}

/*
 * How long a database is left alone after a failed login. A refusal by pg_hba.conf or password is
 * asked about hourly; a missing right is told by the listing. A login without an answer may be
 * waiting for a lock on a catalogue in there, and the server keeps that session until the lock is
 * gone: pauses keep them few.
 */
static int64_t pause_us(const struct agent_lane *lane, const struct err *e)
{
    if (e->code == ERR_DENIED && strcmp(e->sqlstate, "42501") != 0) {
        return ASK_AGAIN_US;
    }
    if (e->code == ERR_TIMEOUT) {
        int64_t pause = lane->slots[0].every_ms * 1000 * SILENT_PAUSE;
        return pause < ASK_AGAIN_US ? pause : ASK_AGAIN_US;
    }
    return 0;
}

/* Connect; counts the databases in a row whose server does not answer. */
static enum err_code try_database(struct agent_lane *lane, struct database *d, struct err *e)
{
    struct agent_walk *w = lane->walk;
    agent_lane_close(lane);
    enum err_code code = open_database(lane, d, e);
    if (!code) {
        agent_cost_connected(lane);
    }
    bool silent = code == ERR_UNREACHABLE || code == ERR_TIMEOUT;
    w->silent = silent ? w->silent + 1 : 0;
    if (silent) {
        w->silence = *e;
    }
    d->blocked_until_us = clock_mono_us() + pause_us(lane, e);
    return code;
}

static enum err_code enter(struct agent_lane *lane, struct database *d, struct err *e)
{
    const struct agent_walk *w = lane->walk;
    if (!d->may_connect) {
        return err_set(e, ERR_DENIED, "no right to connect to this database");
    }
    if (d->invalid) {
        return err_set(e, ERR_UNSUPPORTED, "invalid: its DROP DATABASE was interrupted");
    }
    if (d->current && lane->pg) {
        return ERR_OK;
    }
    if (clock_mono_us() < d->blocked_until_us) {
        *e = d->trouble;
        return e->code;
    }
    if (w->silent >= SILENT_MAX) {
        *e = w->silence;
        return e->code;
    }
    return try_database(lane, d, e);
}

static void add_to_tally(struct tally *t, const struct database *d, const struct probe_report *r)
{
    bool worse = r->state > t->state || (r->reason && !t->reason[0]);
    t->rows += r->rows;
    t->troubled += r->state != PROBE_OK;
    if (worse && r->reason) {
        snprintf(t->reason, sizeof(t->reason), "%s: %s", d->name, r->reason);
        snprintf(t->fix, sizeof(t->fix), "%s", r->fix ? r->fix : "");
    }
    t->state = r->state > t->state ? r->state : t->state;
}

static const char *grant_connect(struct agent_lane *lane, struct arena *a, const struct database *d)
{
    const char *user = lane->server.user;
    bool lacks_right = !d->may_connect || strcmp(d->trouble.sqlstate, "42501") == 0;
    if (!lacks_right || strchr(d->name, '"') || strchr(user, '"')) {
        return NULL; /* pg_hba.conf, or a name that would need quoting */
    }
    return arena_printf(a, "GRANT CONNECT ON DATABASE \"%s\" TO \"%s\"", d->name, user);
}

/* The database cannot be read: each relation says why. */
static void fail_in(struct agent_lane *lane, size_t slot, struct agent_cycle *c,
                    const struct database *d)
{
    struct probe_report report = {0};
    struct probe_run run = agent_lane_begin(lane, &lane->slots[slot], c, &report);
    struct tally *t = &lane->walk->tallies[slot];
    run.scope = str_of(d->name);
    probe_emit_failed(&run, run.memory->probe->relations[0], d->trouble.text);
    probe_explain(&run, &d->trouble);
    report.fix = d->trouble.code == ERR_DENIED ? grant_connect(lane, c->arena, d) : NULL;
    t->code = t->code ? t->code : d->trouble.code;
    add_to_tally(t, d, &report);
}

static void run_in(struct agent_lane *lane, size_t slot, struct agent_cycle *c, struct database *d)
{
    struct probe_report report = {0};
    struct err e = {0};
    struct probe_run run = agent_lane_begin(lane, &lane->slots[slot], c, &report);
    struct tally *t = &lane->walk->tallies[slot];
    int64_t start_us = clock_mono_us();
    run.scope = str_of(d->name);
    enum err_code code = probe_execute(&run, &e);
    if (code) {
        probe_emit_failed(&run, run.memory->probe->relations[0], e.text);
        d->trouble = d->trouble.code ? d->trouble : e;
    }
    double ms = (double)(clock_mono_us() - start_us) / 1000;
    agent_cost_spent(lane, &lane->slots[slot], ms);
    t->ms += ms;
    t->code = t->code ? t->code : code;
    add_to_tally(t, d, &report);
}

static void visit(struct agent_lane *lane, struct agent_cycle *c, struct database *d)
{
    struct err before = d->trouble, e = {0};
    struct log_ctx ctx = {.component = "agent", .target = lane->target->name};
    enum err_code code = enter(lane, d, &e);
    d->trouble = e;
    for (size_t i = 0; i < lane->slot_count; i++) {
        if (!is_due(lane, i)) {
            continue;
        }
        if (code || !pgclient_alive(lane->pg)) {
            fail_in(lane, i, c, d);
        } else {
            run_in(lane, i, c, d);
        }
    }
    if (d->trouble.code && d->trouble.code != before.code) {
        log_warn(&ctx, "database %s cannot be read: %s", d->name, d->trouble.text);
    }
    agent_lane_close(lane);
}

/* --- a walk ----------------------------------------------------------------------------------- */

/* Nothing can be read: the server does not answer, or does not say what databases it has. */
static void give_up(struct agent_lane *lane, struct agent_cycle *c)
{
    struct agent_walk *w = lane->walk;
    for (size_t i = 0; i < lane->slot_count; i++) {
        struct probe_report report = {0};
        struct probe_run run = agent_lane_begin(lane, &lane->slots[i], c, &report);
        if (!is_due(lane, i)) {
            continue;
        }
        for (size_t k = 0; k < w->count; k++) {
            run.scope = str_of(w->databases[k].name);
            probe_emit_failed(&run, run.memory->probe->relations[0], lane->trouble.text);
        }
        probe_explain(&run, &lane->trouble);
        agent_lane_note(lane, &lane->slots[i], &report, lane->trouble.code, 0);
    }
}

static void note_tally(struct agent_lane *lane, size_t slot)
{
    const struct agent_walk *w = lane->walk;
    const struct tally *t = &w->tallies[slot];
    struct probe_report report = {.state = t->state, .rows = t->rows};
    char reason[REASON_MAX + 128];
    int len = snprintf(reason, sizeof(reason), "%s", t->reason);
    if (t->troubled > 1) {
        len += snprintf(reason + len, sizeof(reason) - (size_t)len, " (and %zu more of %zu)",
                        t->troubled - 1, w->count);
    }
    if (w->left_out) {
        snprintf(reason + len, sizeof(reason) - (size_t)len,
                 "%s%zu databases beyond databases_max are not read", len ? "; " : "", w->left_out);
    }
    if (!w->count) {
        report.state = PROBE_NO_DATA;
        snprintf(reason, sizeof(reason), "no database is to be read");
    }
    report.reason = reason[0] ? reason : NULL;
    report.fix = t->fix[0] ? t->fix : NULL;
    agent_lane_note(lane, &lane->slots[slot], &report, t->code, t->ms);
}

static bool begin(struct agent_lane *lane, struct agent_cycle *c)
{
    struct agent_walk *w = lane->walk;
    for (size_t i = 0; i < lane->slot_count; i++) {
        if (agent_cost_is_shed(lane, &lane->slots[i])) {
            lane->due &= ~(1ULL << i);
        }
    }
    if (!lane->due) {
        return false;
    }
    if (!list_databases(lane, c)) {
        give_up(lane, c);
        return false;
    }
    for (size_t i = 0; i < lane->slot_count; i++) {
        w->tallies[i] = (struct tally){.state = PROBE_OK};
    }
    w->under_way = true;
    w->next = 0;
    w->silent = 0;
    return true;
}

bool agent_walk_step(struct agent_lane *lane, struct agent_cycle *c)
{
    struct agent_walk *w = lane->walk;
    if (!w->under_way && !begin(lane, c)) {
        return false;
    }
    if (w->next < w->count) {
        visit(lane, c, &w->databases[w->next++]);
    }
    if (w->next < w->count) {
        return true;
    }
    for (size_t i = 0; i < lane->slot_count; i++) {
        if (is_due(lane, i)) {
            note_tally(lane, i);
        }
    }
    w->under_way = false;
    agent_lane_close(lane);
    return false;
}
