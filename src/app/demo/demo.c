/* SPDX-License-Identifier: PostgreSQL */
/*
 * demo.c: `pga demo`: everything at once, on a private PostgreSQL with a workload, or on yours.
 *
 * Without --dsn all state lies in one temporary directory, and when the demo ends, by Ctrl-C,
 * SIGTERM or an error, no process and no file is left. With --dsn the state is kept in --dir, so
 * that the next start goes on.
 *
 * Threads: main, and the clients of the workload.
 */
#include "app/demo/demo.h"

#include "app/usage.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "httpc/httpc.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/sig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SAMPLE_WAIT_US 60000000
#define DEMO_STATEMENTS_S    10

struct demo {
    struct arena arena;
    const char *dsn;    /* NULL = private PostgreSQL */
    const char *bindir; /* NULL = find it */
    const char *listen;
    char dir[DEMO_PATH_MAX];
    int keep; /* the directory belongs to the user */
    struct demo_postgres postgres;
    struct demo_workload *workload;
    struct demo_monitor monitor;
};

int app_demo_main(int argc, char **argv);

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("demo: ", stdout);
    vprintf(fmt, ap);
    fputs("\n", stdout);
    fflush(stdout);
    va_end(ap);
}

static const struct usage_option help_options[] = {
    {"dsn", "CONNINFO", "watch this PostgreSQL; the data is kept in --dir"},
    {"dir", "DIR",
     "where state goes (default: a temporary directory that is removed; with --dsn "
     "~/.local/state/pga-demo)"},
    {"listen", "HOST:PORT", "address of the server (default 127.0.0.1:8080; port 0 = any free)"},
    {"pg-bindir", "DIR", "PostgreSQL programs for the private server"},
    {"help", NULL, "show help"},
    {NULL, NULL, NULL},
};

extern const struct usage app_demo_usage;
const struct usage app_demo_usage = {
    .name = "demo",
    .forms =
        (const struct usage_row[]){
            {"[options]", "a server and an agent, on a private PostgreSQL or on yours"},
            {NULL, NULL}},
    .options = help_options,
    .description =
        (const char *const[]){
            "Starts a server and an agent, on a private PostgreSQL with a workload or on yours, "
            "and prints an address and a login.",
            "Ctrl-C or SIGTERM ends it. Without --dsn it leaves no process and no file behind; "
            "with --dsn the data is kept, and the next start goes on with it.",
            NULL},
    .exits = (const struct usage_row[]){{"0", "ended by a signal"},
                                        {"1", "failure"},
                                        {"2", "wrong use"},
                                        {NULL, NULL}},
    .environment =
        (const struct usage_row[]){
            {"PGA_DEMO_INFO", "File that gets address, login and process ids as JSON (mode 0600)."},
            {"PGA_DEMO_KEEP", "When set, the logs of a demo that failed are kept."},
            {"TMPDIR", "Where the temporary directory is made."},
            {"XDG_STATE_HOME", "Where the state is kept with --dsn."},
            {NULL, NULL}},
    .see_also = "pga(1), pga-server(8), pga-agent(8)",
};

static int usage_error(const char *what, const char *word)
{
    fprintf(stderr, "pga demo: %s \"%s\"; see pga demo --help\n", what, word);
    return 2;
}

static const char **option_slot(struct demo *d, const char **dir, const char *word)
{
    if (strcmp(word, "--dsn") == 0) {
        return &d->dsn;
    }
    if (strcmp(word, "--dir") == 0) {
        return dir;
    }
    if (strcmp(word, "--listen") == 0) {
        return &d->listen;
    }
    if (strcmp(word, "--pg-bindir") == 0) {
        return &d->bindir;
    }
    return NULL;
}

static int parse(struct demo *d, int argc, char **argv, const char **dir)
{
    for (int i = 1; i < argc; i++) {
        const char **slot = option_slot(d, dir, argv[i]);
        if (!slot) {
            return usage_error("unknown option", argv[i]);
        }
        if (i + 1 >= argc) {
            return usage_error("a value is missing after", argv[i]);
        }
        *slot = argv[++i];
    }
    return 0;
}

/* A directory of the user's, or a temporary one that PostgreSQL's user may pass through. */
static enum err_code choose_dir(struct demo *d, const char *dir, struct err *e)
{
    const char *home = getenv("HOME");
    const char *state = getenv("XDG_STATE_HOME");
    const char *temporary = getenv("TMPDIR");

    d->keep = dir != NULL || d->dsn != NULL;
    if (dir) {
        snprintf(d->dir, sizeof(d->dir), "%s", dir);
    } else if (d->dsn && state && state[0] == '/') {
        snprintf(d->dir, sizeof(d->dir), "%s/pga-demo", state);
    } else if (d->dsn) {
        snprintf(d->dir, sizeof(d->dir), "%s/.local/state/pga-demo", home ? home : "/root");
    } else {
        snprintf(d->dir, sizeof(d->dir), "%s/pga-demo-XXXXXX", temporary ? temporary : "/tmp");
        if (!mkdtemp(d->dir)) {
            return err_set(e, ERR_IO, "making %.150s failed", d->dir);
        }
    }
    enum err_code rc = file_make_dirs(d->dir, 0700, e);
    if (rc == ERR_OK && !d->keep && chmod(d->dir, 0711) != 0) {
        rc = err_set(e, ERR_IO, "opening %.150s failed", d->dir);
    }
    return rc;
}

static enum err_code make_dirs(struct demo *d, struct err *e)
{
    static const char *const names[] = {"log", "server", "agent"};
    enum err_code rc = ERR_OK;
    for (size_t i = 0; rc == ERR_OK && i < sizeof(names) / sizeof(names[0]); i++) {
        rc = file_make_dirs(arena_printf(&d->arena, "%s/%s", d->dir, names[i]), 0700, e);
    }
    return rc;
}

static enum err_code choose_address(struct demo *d, struct err *e)
{
    struct net_endpoint *at = &d->monitor.listen;
    struct str port = str_of(strrchr(d->listen, ':'));

    if (str_eq_c(port, ":0")) {
        const char *host = arena_strndup(&d->arena, d->listen, strlen(d->listen) - 2);
        snprintf(at->host, sizeof(at->host), "%s", host);
        return net_free_port(&at->port, e);
    }
    enum err_code rc = net_parse_endpoint(str_of(d->listen), at, e);
    rc = rc ? rc : net_probe_listen(at, e);
    return rc ? err_wrap(e, "--listen") : ERR_OK;
}

static enum err_code start_postgres(struct demo *d, struct err *e)
{
    enum err_code rc = demo_postgres_find(&d->postgres, d->bindir, e);
    if (rc) {
        return rc;
    }
    say("starting a private PostgreSQL from %s", d->postgres.bindir);
    rc = demo_postgres_start(&d->postgres, d->dir, e);
    if (rc) {
        return rc;
    }
    say("PostgreSQL %s runs in %s; filling the workload's tables", d->postgres.version, d->dir);
    rc = demo_postgres_fill(&d->postgres, e);
    rc = rc ? rc : demo_workload_start(d->postgres.socket, &d->workload, e);
    d->monitor.dsn = arena_printf(&d->arena, "host='%s' user=pga dbname=postgres",
                                  d->postgres.socket);
    return rc;
}

/* For scripts: $PGA_DEMO_INFO names a file that gets address, login and process ids. */
static enum err_code write_info(struct demo *d, struct err *e)
{
    const char *path = getenv("PGA_DEMO_INFO");
    struct buf text;
    struct json_writer w;

    if (!path || !path[0]) {
        return ERR_OK;
    }
    buf_init(&text, 64 * 1024);
    json_writer_init(&w, &text);
    json_object_begin(&w);
    json_member_c(&w, "url", d->monitor.url);
    json_member_i64(&w, "agent_port", d->monitor.agent_port);
    json_member_c(&w, "username", "owner");
    json_member_c(&w, "password", d->monitor.password);
    json_member_c(&w, "dir", d->dir);
    json_member_c(&w, "socket", d->postgres.socket);
    json_key(&w, "pids");
    json_object_begin(&w);
    json_member_i64(&w, "demo", getpid());
    json_member_i64(&w, "postgres", d->postgres.pid);
    json_member_i64(&w, "server", d->monitor.server);
    json_member_i64(&w, "agent", d->monitor.agent);
    json_object_end(&w);
    json_object_end(&w);
    enum err_code rc = file_write_atomic(path, buf_view(&text), 0600, e);
    buf_fini(&text);
    return rc;
}

static enum err_code start(struct demo *d, const char *dir, struct err *e)
{
    enum err_code rc = choose_address(d, e);
    rc = rc ? rc : choose_dir(d, dir, e);
    rc = rc ? rc : make_dirs(d, e);
    d->monitor.arena = &d->arena;
    d->monitor.dir = d->dir;
    d->monitor.dsn = d->dsn;
    d->monitor.statements_s = d->dsn ? 60 : DEMO_STATEMENTS_S;
    if (rc == ERR_OK && !d->dsn) {
        rc = start_postgres(d, e);
    }
    if (rc == ERR_OK) {
        say("starting server and agent");
        rc = net_free_port(&d->monitor.agent_port, e);
        rc = rc ? rc : demo_monitor_start(&d->monitor, e);
    }
    if (rc == ERR_OK) {
        say("waiting for the first samples");
        rc = demo_monitor_wait(&d->monitor, clock_mono_us() + FIRST_SAMPLE_WAIT_US, e);
    }
    return rc ? rc : write_info(d, e);
}

/* A child that ended is an error, whatever its exit code. */
static enum err_code check_child(pid_t *pid, const char *name, struct err *e)
{
    int status;
    if (*pid > 0 && process_wait(*pid, 0, &status, NULL) == ERR_OK) {
        *pid = 0;
        return err_set(e, ERR_IO, "%s has ended (status %d)", name, status);
    }
    return ERR_OK;
}

static enum err_code wait_for_end(struct demo *d, struct err *e)
{
    enum err_code rc = ERR_OK;
    while (rc == ERR_OK && !sig_stopping()) {
        (void)sig_wait(clock_mono_us() + 1000000);
        if (sig_stopping()) {
            break;
        }
        rc = check_child(&d->monitor.server, "the server", e);
        rc = rc ? rc : check_child(&d->monitor.agent, "the agent", e);
        rc = rc ? rc : check_child(&d->postgres.pid, "PostgreSQL", e);
    }
    return rc;
}

/* In the reverse order of the start; every step works on what is not there. */
static void stop(struct demo *d, int failed)
{
    struct err e;
    demo_monitor_stop(&d->monitor);
    demo_workload_stop(d->workload);
    demo_postgres_stop(&d->postgres);
    if (d->keep || !d->dir[0]) {
        return;
    }
    if (failed && getenv("PGA_DEMO_KEEP")) {
        say("the logs are kept in %s/log", d->dir);
    } else if (file_remove_tree(d->dir, &e) != ERR_OK) {
        fprintf(stderr, "pga demo: %s\n", e.text);
    }
}

/* The end of a log, so that a failure explains itself after its files are gone. */
static void show_log(const struct demo *d, const char *name)
{
    char path[PATH_MAX];
    struct buf text;

    snprintf(path, sizeof(path), "%s/log/%s", d->dir, name);
    buf_init(&text, 4 * 1024 * 1024);
    if (d->dir[0] && file_read_all(path, &text, NULL) == ERR_OK && text.len > 0) {
        size_t from = text.len > 2000 ? text.len - 2000 : 0;
        fprintf(stderr, "--- %s\n%s\n", name, text.ptr + from);
    }
    buf_fini(&text);
}

static int run(struct demo *d, const char *dir)
{
    struct err e;

    err_clear(&e);
    enum err_code rc = sig_setup(&e);
    rc = rc ? rc : httpc_setup(&e);
    rc = rc ? rc : start(d, dir, &e);
    if (rc == ERR_OK && !sig_stopping()) {
        say("the agent delivers to 127.0.0.1:%u by TLS 1.3, with a certificate of its own",
            d->monitor.agent_port);
        say("address %s/", d->monitor.url);
        say("login owner %s", d->monitor.password);
        say("Ctrl-C ends it%s", d->keep ? "; the data is kept" : " and leaves nothing behind");
        rc = wait_for_end(d, &e);
    }
    if (sig_stopping()) {
        rc = ERR_OK;
    }
    if (rc) {
        fprintf(stderr, "pga demo: %s\n", e.text);
        show_log(d, "postgresql.log");
        show_log(d, "server.log");
        show_log(d, "agent.log");
    } else {
        say("stopping");
    }
    stop(d, rc != ERR_OK);
    httpc_teardown();
    return rc ? 1 : 0;
}

int app_demo_main(int argc, char **argv)
{
    struct demo *d = alloc_new(sizeof(*d));
    const char *dir = NULL;
    int rc;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        usage_print(&app_demo_usage, stdout);
        alloc_free(d);
        return 0;
    }
    d->listen = "127.0.0.1:8080";
    arena_init(&d->arena, "demo", 64 * 1024 * 1024);
    log_setup(&(struct log_config){.level = LOG_LEVEL_WARN, .format = LOG_FORMAT_TEXT, .fd = 2});
    rc = parse(d, argc, argv, &dir);
    rc = rc ? rc : run(d, dir);
    arena_fini(&d->arena);
    alloc_free(d);
    return rc;
}
