/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_run.c: see the header.
 *
 * Threads: the writer, flusher and applier of the time series, and one for maintenance; requests
 * run in the threads of the HTTP server. The thread of the managed instances has workers of its
 *          own (managed.h).
 */
#include "app/server/server_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "app/agent/agent_config.h"
#include "app/server/maintenance.h"
#include "app/server/server_sandbox.h"
#include "app/server/server_key.h"
#include "app/server/server_listen.h"
#include "app/server/managed.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/thread.h"
#include "httpd/httpd.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/locked.h"
#include "os/process.h"
#include "os/sandbox.h"
#include "store/store.h"
#include "store/store_seal.h"
#include "store/store_target.h"
#include "store/tsdb/tsdb.h"
#include "tls/crypto.h"
#include "tls/password.h"

#define HTTP_THREADS  64
#define FILES_RESERVE 1024 /* open files that are no client's: store, log, listeners */
#define FEWEST        64   /* connections, whatever the limit on files is */
#define DRAIN_US      (10 * (int64_t)1000000)
#define SQLITE        "sqlite:"
#define URL_MAX       1024

struct server {
    const struct server_config *config;
    struct arena arena;
    int lock_fd;
    struct store *store;
    struct store_seal_ctx *seal;
    struct store_ca ca;
    struct tsdb *tsdb;
    struct thread writer, flusher, applier;
    struct maintenance *maintenance;
    struct managed_rules managed_rules;
    struct managed *managed;
    struct api_managed managed_table;
    struct api *api;
    struct server_listen listen; /* its TLS by `listen_lock` */
    struct lock listen_lock;
    /* By `listen_lock`: files of TLS as the newest configuration names them, and their names. */
    struct server_config files;
    struct arena file_names;
    bool checked_late; /* the authority failed at the last look: said once */
    struct httpd_config http;
    struct httpd *httpd;
};

static const struct log_ctx ctx = {.component = "server"};

/* --- setup code --- */

/* Alone on its line, without the log's prefix: a person copies it. */
static void show_code(void *arg, const char *code)
{
    struct server *s = arg;
    const char *file = getenv("PGA_SETUP_CODE_FILE");
    struct buf url;
    struct err e;

    buf_init(&url, URL_MAX);
    server_listen_put_url(&s->listen.items[0], &url);
    fprintf(stderr, "setup code: %s (valid 30 min): open %s/ or run pga ctl setup\n", code,
            url.ptr);
    buf_fini(&url);
    if (file != NULL && file_write_atomic(file, str_of(code), 0600, &e) != ERR_OK)
        log_warn(&ctx, "the setup code was not written: %s", e.text);
}

/* --- parts, in the order of starting --- */

static enum err_code lock_state(struct server *s, struct err *e)
{
    const char *path = arena_printf(&s->arena, "%s/lock", s->config->state_dir);
    enum err_code rc = file_make_dirs(s->config->state_dir, 0700, e);

    if (rc == ERR_OK)
        rc = file_lock(path, &s->lock_fd, e);
    if (rc == ERR_CONFLICT)
        return err_set(e, ERR_CONFLICT, "another server uses %s", s->config->state_dir);
    return rc;
}

static bool in_postgresql(const struct server *s)
{
    return server_config_is_postgresql(s->config->store);
}

static const char *sqlite_dir(const struct server *s)
{
    return s->config->store + strlen(SQLITE);
}

static enum err_code open_store(struct server *s, struct err *e)
{
    struct store_key_source source;
    enum err_code rc = server_key_source(&s->arena, s->config, &source, e);

    if (rc == ERR_OK)
        rc = store_open(s->config->store, &s->store, e);
    if (rc != ERR_OK)
        return rc;
    rc = store_seal_open(s->store, &source, &s->seal, e);
    if (rc != ERR_OK)
        return err_wrap(e, "master key");
    if (store_seal_by_next(s->seal))
        log_warn(&ctx, "the master key in use is %s.next: put it in place of %s", source.path,
                 source.path);
    if (!locked_is_locked())
        log_warn(&ctx, "keys could not be locked into memory: raise the limit (ulimit -l)");
    return store_ca_open(s->store, s->seal, &s->ca, e);
}

static enum err_code take_targets(void *arg, uint64_t lsn, const struct uuid *collector,
                                  const struct batch *targets, struct err *e)
{
    struct server *s = arg;

    return store_target_apply(s->store, lsn, collector, targets, e);
}

static enum err_code drop_target(void *arg, uint64_t lsn, const struct uuid *target,
                                 const struct json *by, struct err *e)
{
    struct server *s = arg;

    return store_target_delete(s->store, lsn, target, by, e);
}

static enum err_code open_tsdb(struct server *s, struct err *e)
{
    struct tsdb_config config = {
        .dir = in_postgresql(s) ? NULL : sqlite_dir(s),
        .url = in_postgresql(s) ? s->config->store : NULL,
        .flush_bytes = s->config->flush_bytes,
        .journal_bytes = s->config->journal_bytes,
        .flush_age_ms = s->config->flush_age_ms,
        .retention_days = (int)s->config->retention_days,
        .retention_slow_days = (int)s->config->retention_slow_days,
        .rollup_5m_days = (int)s->config->rollup_5m_days,
        .rollup_1h_days = (int)s->config->rollup_1h_days,
        .event_days = (int)s->config->event_days,
        .text_days = (int)s->config->text_days,
        .max_bytes = s->config->max_bytes,
        .target_sink = take_targets,
        .drop_sink = drop_target,
        .target_arg = s,
        .caps =
            {
                [TSDB_CAP_RELATIONS] = (uint64_t)s->config->limit_relations,
                [TSDB_CAP_GROUPS] = (uint64_t)s->config->limit_groups,
                [TSDB_CAP_OBJECTS] = (uint64_t)s->config->limit_objects,
                [TSDB_CAP_NEW_OBJECTS] = (uint64_t)s->config->limit_new_objects,
                [TSDB_CAP_CELLS] = (uint64_t)s->config->limit_values,
                [TSDB_CAP_TEXTS] = (uint64_t)s->config->limit_texts,
                [TSDB_CAP_TEXT_BYTES] = s->config->limit_text_bytes,
            },
    };

    return tsdb_open(&config, &s->tsdb, e);
}

static void run_writer(void *arg)
{
    tsdb_run_writer(arg);
}

static void run_flusher(void *arg)
{
    thread_background();
    tsdb_run_flusher(arg);
}

static void run_applier(void *arg)
{
    thread_background();
    tsdb_run_applier(arg);
}

static enum err_code start_threads(struct server *s, struct err *e)
{
    enum err_code rc = thread_start(&s->writer, "writer", run_writer, s->tsdb, e);

    if (rc == ERR_OK)
        rc = thread_start(&s->flusher, "flusher", run_flusher, s->tsdb, e);
    if (rc == ERR_OK)
        rc = thread_start(&s->applier, "applier", run_applier, s->tsdb, e);
    return rc;
}

static const char *keep_name(struct arena *a, const char *name)
{
    return name != NULL ? arena_cstr(a, str_of(name)) : NULL;
}

/* The configuration of a reload lives no longer than the reload. */
static void keep_files(struct server *s, const struct server_config *c)
{
    arena_reset(&s->file_names);
    s->files = (struct server_config){
        .tls_certificate = keep_name(&s->file_names, c->tls_certificate),
        .tls_key = keep_name(&s->file_names, c->tls_key),
        .agent_ca = keep_name(&s->file_names, c->agent_ca),
    };
}

/* Every few seconds: what is to be issued anew, also because another server rotated. */
static enum err_code tend(struct server *s, struct err *e)
{
    bool rotated, stale;
    enum err_code rc = store_ca_tick(&s->ca, &rotated, e);

    if (rc == ERR_OK && rotated)
        log_info(&ctx, "the certificate authority has a new generation");
    if (rc != ERR_OK)
        return rc;
    lock_take(&s->listen_lock);
    stale = false;
    if (s->httpd != NULL)
        rc = server_listen_is_stale(&s->listen, &s->files, &stale, e);
    if (rc == ERR_OK && stale)
        rc = server_listen_reload(&s->listen, &s->files, s->httpd, e);
    lock_release(&s->listen_lock);
    return rc;
}

static void tend_authority(void *arg)
{
    struct server *s = arg;
    struct err e;
    enum err_code rc = tend(s, &e);

    if (rc != ERR_OK && !s->checked_late)
        log_warn(&ctx, "certificate authority: %s", e.text);
    s->checked_late = rc != ERR_OK;
}

/* All listeners, those for agents too, are places where managed instances are not looked for. */
static enum err_code read_managed_rules(struct server *s, struct err *e)
{
    struct net_endpoint *own = arena_array(&s->arena, s->listen.count + 1, sizeof(*own));
    enum err_code rc = managed_rules_read(&s->arena, s->config, &s->managed_rules, e);

    if (rc != ERR_OK || own == NULL)
        return rc != ERR_OK ? rc : arena_fail(&s->arena, e);
    for (size_t i = 0; i < s->listen.count; i++)
        own[i] = s->listen.items[i].at;
    s->managed_rules.policy.own = own;
    s->managed_rules.policy.own_count = s->listen.count;
    return ERR_OK;
}

static enum err_code start_managed(struct server *s, struct err *e)
{
    const struct managed_config config = {
        .store = s->store, .tsdb = s->tsdb, .seal = s->seal, .rules = &s->managed_rules};
    enum err_code rc = managed_start(&config, &s->managed, e);

    if (s->managed_rules.policy.allow_loopback)
        log_warn(&ctx, "managed.allow_loopback is on: an admin can have this server connect to "
                       "what listens on its loopback addresses");
    managed_table(s->managed, &s->managed_table);
    return rc;
}

static enum err_code start_api(struct server *s, struct err *e)
{
    struct api_config config = {
        .store = s->store,
        .tsdb = s->tsdb,
        .seal = s->seal,
        .keys = store_seal_keys(s->seal),
        .ca = &s->ca,
        .agent_port = server_listen_agent_port(&s->listen),
        .renewal_grace_s = s->config->renewal_grace_ms / 1000,
        .store_dir = in_postgresql(s) ? NULL : sqlite_dir(s),
        .key_file = server_key_file(s->seal),
        .check_interval_ms = s->config->check_interval_ms,
        .check_config = agent_config_check_central,
        .show_code = show_code,
        .arg = s,
        .metrics_access = (enum api_metrics_access)s->config->metrics_access,
        .push_bytes = (size_t)s->config->push_bytes,
        .totp_roles = s->config->totp_roles,
        .bearer_push = s->config->bearer_push != 0,
        .open_ingest = s->config->open_ingest != 0,
        .rates = {.per_s = {[API_RATE_ADDRESS] = s->config->rate_address,
                            [API_RATE_SESSION] = s->config->rate_session,
                            [API_RATE_COLLECTOR] = s->config->rate_collector}},
        .managed = &s->managed_table,
    };

    enum err_code rc;

    s->api = api_new(&config);
    rc = api_tell_doors(s->api, e);
    if (rc != ERR_OK)
        return rc;
    return maintenance_start(
        &(struct maintenance_of){s->api, s->store, s->seal, {tend_authority, s}}, &s->maintenance,
        e);
}

/* "https://host:port/path" -> host, of "[::1]:port" what stands in the brackets */
static const char *host_of(struct arena *a, const char *url)
{
    struct str rest = str_of(url), host;
    size_t at;

    if (url == NULL)
        return NULL;
    if (str_find(rest, STR("://"), &at))
        rest = str_make(rest.ptr + at + 3, rest.len - at - 3);
    host = str_split(&rest, '/');
    if (str_starts(host, STR("["))) {
        host = str_make(host.ptr + 1, host.len - 1);
        return arena_cstr(a, str_split(&host, ']'));
    }
    return arena_cstr(a, str_split(&host, ':'));
}

/* As many connections as configured, or as the limit on open files allows. */
static unsigned connections_allowed(const struct server_config *c)
{
    uint64_t wanted = (uint64_t)c->max_connections;
    uint64_t files = process_raise_files(wanted + FILES_RESERVE);

    if (files >= wanted + FILES_RESERVE)
        return (unsigned)wanted;
    wanted = files > FILES_RESERVE + FEWEST ? files - FILES_RESERVE : FEWEST;
    log_warn(&ctx, "only %llu connections in place of %lld: the limit of open files is %llu",
             (unsigned long long)wanted, (long long)c->max_connections, (unsigned long long)files);
    return (unsigned)wanted;
}

/* A client that cannot get in does not see why; whoever runs the server does. */
static void tell_refused(void *arg, const char *peer, const struct err *why)
{
    (void)arg;
    log_warn(&ctx, "TLS handshake with %s failed: %s", peer, why->text);
}

static enum err_code start_http(struct server *s, struct err *e)
{
    const char *host = host_of(&s->arena, s->config->public_url);
    struct httpd *httpd = NULL;
    enum err_code rc = server_listen_certify(&s->listen, s->config, &s->ca, host, e);

    if (rc != ERR_OK)
        return rc;
    s->http = (struct httpd_config){
        .listeners = s->listen.items,
        .listener_count = s->listen.count,
        .public_host = host,
        .base_path = s->config->base_path,
        .trusted = s->config->trusted,
        .trusted_count = s->config->trusted_proxies.count,
        .threads = HTTP_THREADS,
        .connections = connections_allowed(s->config),
        .connections_per_address = (unsigned)s->config->max_connections_per_address,
        .handler = api_handle,
        .refused = tell_refused,
        .arg = s->api,
    };
    rc = httpd_start(&s->http, &httpd, e);
    lock_take(&s->listen_lock);
    s->httpd = httpd;
    lock_release(&s->listen_lock);
    return rc;
}

static void log_listeners(const struct server *s)
{
    static const char *const profiles[] = {"", "", ", for agents with a certificate"};
    struct buf url;

    for (size_t i = 0; i < s->listen.count; i++) {
        buf_init(&url, URL_MAX);
        server_listen_put_url(&s->listen.items[i], &url);
        log_info(&ctx, "listening on %s%s", url.ptr, profiles[s->listen.items[i].profile]);
        buf_fini(&url);
    }
}

static void log_sandbox(void)
{
    struct buf text;

    buf_init(&text, 512);
    sandbox_describe(&text);
    log_info(&ctx, "sandbox: %s", text.ptr);
    buf_fini(&text);
}

/* --- the whole --- */

static enum err_code start(struct server *s, struct err *e)
{
    enum err_code rc = server_listen_read(s->config, &s->listen, e);

    s->http.listeners = s->listen.items;
    s->http.listener_count = s->listen.count;
    if (rc == ERR_OK)
        rc = read_managed_rules(s, e);
    if (rc == ERR_OK)
        rc = lock_state(s, e);
    if (rc == ERR_OK)
        rc = httpd_check(&s->http, e); /* says what is wrong before anything is made */
    if (rc == ERR_OK && !in_postgresql(s))
        rc = file_make_dirs(sqlite_dir(s), 0700, e);
    if (rc == ERR_OK)
        rc = server_sandbox_enter(&s->arena, s->config, &s->listen, e);
    if (rc == ERR_OK)
        rc = open_store(s, e);
    if (rc == ERR_OK)
        rc = open_tsdb(s, e);
    if (rc == ERR_OK)
        rc = start_threads(s, e);
    if (rc == ERR_OK)
        rc = start_managed(s, e);
    if (rc == ERR_OK)
        rc = start_api(s, e);
    if (rc == ERR_OK)
        rc = api_open_setup(s->api,
                            e); /* before the first request: who sees us ready has the code */
    if (rc == ERR_OK)
        rc = start_http(s, e);
    return rc;
}

enum err_code server_run_start(const struct server_config *config, struct server **out,
                               struct err *e)
{
    struct server *s = alloc_new(sizeof(*s));
    int64_t begin = clock_mono_ms();
    enum err_code rc;

    s->config = config;
    s->lock_fd = -1;
    lock_init(&s->listen_lock, "server.listen", 21);
    arena_init(&s->arena, "server", 1 << 20);
    arena_init(&s->file_names, "names of files", 65536);
    keep_files(s, config);
    password_init();
    rc = crypto_init(e);
    if (rc == ERR_OK)
        rc = start(s, e);
    if (rc != ERR_OK) {
        server_run_stop(s);
        return rc;
    }
    log_listeners(s);
    log_sandbox();
    log_info(&ctx, "ready after %lld ms, store %s", (long long)(clock_mono_ms() - begin),
             server_config_store_shown(&s->arena, config->store));
    *out = s;
    return ERR_OK;
}

enum err_code server_run_reload(struct server *s, const struct server_config *config, struct err *e)
{
    enum err_code rc;

    lock_take(&s->listen_lock);
    rc = server_listen_reload(&s->listen, config, s->httpd, e);
    if (rc == ERR_OK)
        keep_files(s, config);
    lock_release(&s->listen_lock);
    return rc;
}

void server_run_stop(struct server *s)
{
    if (s == NULL)
        return;
    if (s->httpd != NULL)
        httpd_drain(s->httpd, clock_mono_us() + DRAIN_US);
    maintenance_quiet(s->maintenance);
    httpd_stop(s->httpd);
    server_listen_fini(&s->listen);
    maintenance_stop(s->maintenance);
    managed_stop(s->managed);
    api_free(s->api);
    if (s->tsdb != NULL)
        tsdb_stop(s->tsdb);
    thread_join(&s->writer);
    thread_join(&s->flusher);
    thread_join(&s->applier);
    tsdb_close(s->tsdb);
    store_seal_close(s->seal);
    store_close(s->store);
    lock_fini(&s->listen_lock);
    file_close(s->lock_fd);
    arena_fini(&s->file_names);
    arena_fini(&s->arena);
    alloc_free(s);
}
