/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_daemon.c: the running agent: wires targets, scheduler, spool and sender; signals; reload.
 *
 * A reload reads the file, checks it, and only then takes the readers down and up again with the
 * new targets; a bad file changes nothing. Spool and sender go on all the time. server.url, spool
 * and state_dir are read at start only.
 * Threads: main thread; see src/README.md for the others.
 */
#include <stdio.h>
#include <string.h>

#include "app/agent/agent.h"
#include "app/agent/agent_central.h"
#include "app/agent/agent_keep.h"
#include "app/agent/agent_listen.h"
#include "app/agent/agent_sandbox.h"
#include "app/agent/agent_scheduler.h"
#include "app/agent/agent_sender.h"
#include "app/startup.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/host.h"
#include "os/logfile.h"
#include "os/net.h"
#include "os/process.h"
#include "os/sig.h"
#include "os/watchdog.h"

#define CATALOGUE_ARENA (16 * 1024 * 1024)
#define CONFIG_ARENA    (8 * 1024 * 1024)
#define DRAIN_US        (5LL * 1000000) /* for the last records at the end */
#define SELF_EVERY_MS   60000

static const struct log_ctx CTX = {.component = "agent"};

/* The readers of one configuration: taken down and built anew on reload. */
struct readers {
    struct arena arena; /* the configuration */
    struct agent_config *config;
    struct agent_target *targets[LIMIT_TARGETS + 1]; /* the host first */
    size_t count;
    struct agent_scheduler *scheduler;
};

struct daemon {
    const struct agent_options *options;
    struct arena fixed; /* the catalogue */
    struct catalogue catalogue;
    const struct probe *const *probes;
    size_t probe_count;
    char hostname[256];
    struct uuid host_id;
    char keep_dir[1024];
    int64_t keep_max_age_ms;
    struct spool *spool;
    struct agent_outbox *outbox;
    struct agent_central *central; /* NULL until it is known where it is */
    struct agent_sender *sender;   /* NULL = nothing is sent */
    struct agent_newest *newest;   /* NULL = nobody listens */
    struct agent_listen *listen;
    struct readers *readers;
    struct readers *first; /* its configuration outlives reloads: the sender borrows from it */
    struct logfile log_file;
    _Atomic int64_t loss_told_us;
    _Atomic uint64_t lost;
    _Atomic int64_t self_ms; /* when pga_agent was told last */
};

/* --- the agent about itself ------------------------------------------------------------------- */

static void set(struct slice_builder *sb, const char *column, struct cell value)
{
    int at = relation_find_column(sb->relation, str_of(column));
    if (at >= 0) {
        slice_build_cell(sb, (size_t)at, value);
    }
}

static void add_self(struct daemon *d, struct agent_cycle *c)
{
    const struct catalogue_file *f = catalogue_find(&d->catalogue, "pga_agent");
    int64_t now = clock_wall_ms() + c->wall_offset_ms;
    struct slice_times times = {now, now, SELF_EVERY_MS};
    struct spool_stats stats;
    struct slice_builder sb;
    struct slice *s;
    if (!f || now - atomic_load(&d->self_ms) < SELF_EVERY_MS) {
        return;
    }
    spool_stats(d->spool, &stats);
    slice_build_begin(&sb, c->arena, &f->relation, &d->host_id, STR(""), &times);
    slice_build_row(&sb, NULL);
    set(&sb, "generated", cell_u64(stats.generated));
    set(&sb, "spooled", cell_u64(stats.spooled));
    set(&sb, "acknowledged", cell_u64(stats.acknowledged));
    set(&sb, "gaps", cell_u64(stats.gaps));
    set(&sb, "spool_bytes", cell_u64(stats.bytes));
    set(&sb, "spool_records", cell_u64(stats.waiting));
    set(&sb, "rss_bytes", cell_u64(process_rss_bytes()));
    set(&sb, "cpu_s", cell_f64((double)clock_process_cpu_us() / 1e6));
    if (!slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, NULL)) {
        struct probe_memory memory = {0};
        struct probe_report report = {0};
        struct probe_run run = {.memory = &memory, .report = &report, .out = &c->out};
        probe_emit(&run, s);
        atomic_store(&d->self_ms, now);
    }
}

#define LOSS_EVERY_US (60LL * 1000000)

/* A full disk loses a record a second: one line a minute says how many. */
static void tell_loss(struct daemon *d, const struct err *e)
{
    int64_t now = clock_mono_us(), told = atomic_load(&d->loss_told_us);
    uint64_t lost = atomic_fetch_add(&d->lost, 1) + 1;
    if ((told && now - told < LOSS_EVERY_US) ||
        !atomic_compare_exchange_strong(&d->loss_told_us, &told, now)) {
        return;
    }
    log_error(&CTX, "a record was lost (%llu since the start): %s%s", (unsigned long long)lost,
              e->text, startup_hint(e));
}

static void finish(void *arg, struct agent_lane *lane, struct agent_cycle *cycle)
{
    struct daemon *d = arg;
    struct err e = {0};
    if (strcmp(lane->target->kind, "host") == 0) {
        add_self(d, cycle);
    }
    if (agent_keep_forget(d->keep_dir, lane, &e) ||
        agent_outbox_put(d->outbox, lane->target, cycle, &e)) {
        tell_loss(d, &e);
    }
    if (d->newest) {
        agent_newest_take(d->newest, lane->target, cycle);
    }
    agent_keep_save(d->keep_dir, lane, cycle);
}

static int64_t offset_ms(void *arg)
{
    struct daemon *d = arg;
    return agent_sender_offset_ms(d->sender);
}

/* --- readers ---------------------------------------------------------------------------------- */

/* The configuration stays. */
static void readers_stop(struct readers *r)
{
    agent_scheduler_free(r->scheduler);
    r->scheduler = NULL;
    for (size_t i = 0; i < r->count; i++) {
        agent_target_free(r->targets[i]);
    }
    r->count = 0;
}

static void readers_free(struct readers *r)
{
    if (!r) {
        return;
    }
    readers_stop(r);
    arena_fini(&r->arena);
    alloc_free(r);
}

/*
 * Parsed and checked; nothing runs yet. NULL when the configuration is bad.
 * central: what the server says; NULL = the agent's own file alone
 */
static enum err_code readers_load(struct daemon *d, const struct agent_central_text *central,
                                  struct readers **out, struct err *e)
{
    struct readers *r = alloc_new(sizeof(*r));
    arena_init(&r->arena, "config", CONFIG_ARENA);
    enum err_code code = agent_load(d->options, &r->arena, &r->config, e);
    if (!code && central && central->version) {
        code = agent_config_overlay(&r->arena, r->config, central->toml, &r->config, e);
    }
    if (code) {
        readers_free(r);
        r = NULL;
    }
    *out = r;
    return code;
}

static enum err_code add_targets(struct daemon *d, struct readers *r, struct err *e)
{
    const struct agent_config *c = r->config;
    if (c->host_enabled) {
        r->targets[r->count] = agent_target_new_host(&d->catalogue, d->probes, d->probe_count,
                                                     d->hostname);
        r->targets[r->count++]->id = d->host_id;
    }
    for (size_t i = 0; i < c->target_count; i++) {
        const struct agent_target_config *tc = agent_config_target(c, i);
        if (!tc->enabled) {
            continue;
        }
        struct agent_target *t = agent_target_new(&d->catalogue, d->probes, d->probe_count, tc);
        r->targets[r->count++] = t;
        t->host_id = d->host_id;
        if (agent_target_id(c->state_dir, tc->name, &t->id, e)) {
            return e->code;
        }
        agent_keep_load(d->keep_dir, t, d->spool, d->keep_max_age_ms);
    }
    return ERR_OK;
}

static enum err_code readers_start(struct daemon *d, struct readers *r, struct err *e)
{
    if (add_targets(d, r, e)) {
        return e->code;
    }
    if (d->newest) {
        agent_newest_watch(d->newest, r->targets, r->count);
    }
    const struct agent_scheduler_config config = {
        .targets = r->targets,
        .target_count = r->count,
        .finish = finish,
        .offset_ms = offset_ms,
        .arg = d,
        .flags = PROBE_KEEP,
    };
    return agent_scheduler_new(&config, &r->scheduler, e);
}

/* On an error the log goes on as before. */
static enum err_code set_log(struct daemon *d, const struct agent_config *c, struct err *e)
{
    struct log_config log = {.level = (enum log_level)c->log_level,
                             .format = (enum log_format)c->log_format,
                             .wall_us = clock_wall_us};
    enum err_code code = logfile_point(&d->log_file, c->log_file, &log.fd, e);
    log_setup(&log);
    return code;
}

static void reopen_log(struct daemon *d)
{
    struct err e;
    if (logfile_reopen(&d->log_file, &e)) {
        log_error(&CTX, "the old log file is written on: %s", e.text);
    } else {
        log_info(&CTX, "log file opened again");
    }
}

/*
 * What the server kept for this agent no longer fits its file (which may have changed): the file
 * alone counts, and the server is told.
 */
static enum err_code load_without(struct daemon *d, const struct agent_central_text *central,
                                  struct readers **out, struct err *e)
{
    struct err failure = *e;
    err_clear(e);
    enum err_code code = readers_load(d, NULL, out, e);
    if (!code) {
        agent_central_settle(d->central, central, &failure);
    }
    return code;
}

/* The readers to be: of the file, with what the server says; *tried says what that was. */
static enum err_code load_all(struct daemon *d, struct arena *a, struct agent_central_text *tried,
                              struct readers **out, struct err *e)
{
    enum err_code code = agent_central_begin(d->central, a, tried, e);
    if (code) {
        return code;
    }
    code = readers_load(d, tried, out, e);
    if (code && !tried->offered && tried->version) {
        code = load_without(d, tried, out, e);
        tried->version = 0; /* settled */
    }
    return code;
}

static enum err_code swap_readers(struct daemon *d, struct readers *fresh, struct err *e)
{
    if (set_log(d, fresh->config, e)) {
        log_error(&CTX, "the old log file is written on: %s", e->text);
        err_clear(e);
    }
    if (d->newest) {
        agent_newest_watch(d->newest, NULL, 0);
    }
    readers_stop(d->readers);
    if (d->readers != d->first) {
        readers_free(d->readers);
    }
    d->readers = fresh;
    if (readers_start(d, fresh, e)) {
        return e->code;
    }
    log_info(&CTX, "configuration read again: %zu targets", fresh->count);
    return ERR_OK;
}

static enum err_code reload(struct daemon *d, struct err *e)
{
    struct agent_central_text tried = {0};
    struct readers *fresh = NULL;
    struct arena a;
    arena_init(&a, "central config", 2 * LIMIT_CENTRAL_BYTES);
    enum err_code code = load_all(d, &a, &tried, &fresh, e);
    if (code) {
        if (tried.offered) {
            agent_central_settle(d->central, &tried, e);
        } else {
            log_error(&CTX, "the configuration stays as it is: %s", e->text);
        }
        err_clear(e);
        code = ERR_OK;
    } else {
        agent_sandbox_check(fresh->config);
        code = swap_readers(d, fresh, e);
        if (!code && tried.version) {
            agent_central_settle(d->central, &tried, NULL);
        }
    }
    arena_fini(&a);
    return code;
}

/* --- start and end ---------------------------------------------------------------------------- */

static enum err_code open_spool(struct daemon *d, const struct agent_config *c, struct err *e)
{
    char dir[1024];
    const char *name = c->name ? c->name : d->hostname;
    snprintf(dir, sizeof(dir), "%s/spool", c->state_dir);
    const struct spool_config config = {
        .dir = dir,
        .agent = d->host_id,
        .max_bytes = c->spool_max_bytes,
        .max_age_ms = c->spool_max_age_ms,
        .keep_ms = c->spool_keep_ms,
        .keep_bytes = c->spool_keep_bytes,
    };
    if (spool_open(&config, &d->spool, e)) {
        return e->code;
    }
    d->outbox = agent_outbox_new(&d->catalogue, d->spool);
    if (!c->server_url) {
        log_warn(&CTX, "no server.url: records stay in the spool");
        return ERR_OK;
    }
    const struct agent_sender_config sender = {
        .url = c->server_url,
        .agent_url = c->agent_url,
        .state_dir = c->state_dir,
        .secret_file = c->secret_file,
        .ca_fingerprint = c->ca_fingerprint,
        .ca_file = c->ca_file,
        .secret = c->old.secret,
        .name = name,
        .hostname = d->hostname,
        .live_after_ms = c->spool_live_after_ms,
        .spool = d->spool,
        .outbox = d->outbox,
        .central = d->central,
    };
    d->sender = agent_sender_new(&sender);
    return agent_sender_start(d->sender, e);
}

static enum err_code start_listening(struct daemon *d, const struct agent_config *c, struct err *e)
{
    if (!c->listen) {
        return ERR_OK;
    }
    d->newest = agent_newest_new(&d->catalogue);
    const struct agent_listen_config config = {
        .address = c->listen, .newest = d->newest, .spool = d->spool, .sender = d->sender};
    return agent_listen_start(&config, &d->listen, e);
}

static enum err_code start(struct daemon *d, struct err *e)
{
    const struct agent_config *c = d->first->config;
    if (catalogue_load(&d->fixed, &d->catalogue, e)) {
        return e->code;
    }
    d->probes = probe_table(&d->fixed, &d->catalogue, &d->probe_count);
    if (arena_check(&d->fixed, e)) {
        return e->code;
    }
    if (host_read_name("", d->hostname, sizeof(d->hostname), NULL)) {
        snprintf(d->hostname, sizeof(d->hostname), "localhost");
    }
    snprintf(d->keep_dir, sizeof(d->keep_dir), "%s/keep", c->state_dir);
    d->keep_max_age_ms = c->spool_max_age_ms;
    d->central = agent_central_new(c->state_dir);
    if (file_make_dirs(d->keep_dir, 0700, e) ||
        agent_target_id(c->state_dir, NULL, &d->host_id, e)) {
        return e->code;
    }
    struct agent_central_text tried = {0};
    struct readers *fresh = NULL;
    struct arena a;
    arena_init(&a, "central config", 2 * LIMIT_CENTRAL_BYTES);
    enum err_code code = agent_central_begin(d->central, &a, &tried, e);
    if (!code && tried.version) {
        code = load_all(d, &a, &tried, &fresh, e);
    }
    d->readers = fresh ? fresh : d->first;
    code = code ? code : agent_sandbox_enter(&d->fixed, d->options, d->readers->config, e);
    code = code ? code : open_spool(d, c, e);
    code = code ? code : start_listening(d, c, e);
    code = code ? code : readers_start(d, d->readers, e);
    if (!code && tried.version) {
        agent_central_settle(d->central, &tried, NULL);
    }
    arena_fini(&a);
    return code;
}

static enum err_code serve(struct daemon *d, struct err *e)
{
    log_info(&CTX, "watching %zu targets", d->readers->count);
    struct watchdog watchdog;
    watchdog_init(&watchdog);
    net_notify("READY=1");
    for (;;) {
        int64_t beat_us = watchdog_beat(&watchdog);
        int64_t step_us = agent_scheduler_step(d->readers->scheduler);
        agent_sandbox_tell();
        enum sig_event event = sig_wait(beat_us < step_us ? beat_us : step_us);
        if (event == SIG_EVENT_STOP || sig_stopping()) {
            log_info(&CTX, "stopping");
            net_notify("STOPPING=1");
            return ERR_OK;
        }
        if (event == SIG_EVENT_REOPEN) {
            reopen_log(d);
        }
        if (event == SIG_EVENT_RELOAD) {
            startup_notify_reload();
            if (reload(d, e)) {
                return e->code;
            }
            net_notify("READY=1");
        }
    }
}

static void stop(struct daemon *d)
{
    agent_sandbox_tell();
    agent_listen_stop(d->listen);
    if (d->readers != d->first) {
        readers_free(d->readers);
    } else if (d->first) {
        readers_stop(d->first);
    }
    if (d->sender) {
        agent_sender_stop(d->sender, clock_mono_us() + DRAIN_US);
    }
    agent_sender_free(d->sender);
    agent_central_free(d->central);
    agent_outbox_free(d->outbox);
    agent_newest_free(d->newest);
    spool_close(d->spool);
    arena_fini(&d->fixed);
}

int agent_daemon(const struct agent_options *o)
{
    struct daemon d;
    struct err e = {0};
    memset(&d, 0, sizeof(d));
    d.options = o;
    d.log_file = LOGFILE_NONE;
    arena_init(&d.fixed, "catalogue", CATALOGUE_ARENA);
    if (readers_load(&d, NULL, &d.first, &e)) {
        log_error(&CTX, "%s", e.text);
        arena_fini(&d.fixed);
        return AGENT_EXIT_USAGE;
    }
    enum err_code code = set_log(&d, d.first->config, &e);
    code = code ? code : sig_setup(&e);
    code = code ? code : start(&d, &e);
    code = code ? code : serve(&d, &e);
    if (code) {
        log_error(&CTX, "%s%s", e.text, startup_hint(&e));
    }
    stop(&d);
    readers_free(d.first);
    return agent_exit_code(code);
}
