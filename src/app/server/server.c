/* SPDX-License-Identifier: PostgreSQL */
/*
 * server.c: the applet `pga server`: options, signals, exit code.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "app/server/server_config.h"
#include "app/server/server_run.h"
#include "app/startup.h"
#include "app/usage.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/logfile.h"
#include "os/net.h"
#include "os/sig.h"
#include "os/watchdog.h"

int app_server_main(int argc, char **argv);

#define LISTEN_MAX 16

enum action { ACTION_RUN, ACTION_CHECK, ACTION_DUMP, ACTION_REFERENCE, ACTION_HELP, ACTION_USAGE };

struct invocation {
    enum action action;
    struct server_options options;
    const char *listen[LISTEN_MAX], *agent_listen[LISTEN_MAX];
};

static const struct log_ctx ctx = {.component = "server"};

static const struct usage_option help_options[] = {
    {"config", "FILE", "read server.toml from there"},
    {"listen", "HOST:PORT", "address of the API and the web interface; may be repeated"},
    {"agent-listen", "HOST:PORT", "address for agents with a certificate; may be repeated"},
    {"store", "URL",
     "sqlite:DIR or postgres://USER@HOST/DATABASE; a password is better kept in a file "
     "that PGPASSFILE names"},
    {"state-dir", "DIR", "store, keys and lock"},
    {"log-level", "LEVEL", "error, warn, info or debug"},
    {"log-format", "FORMAT", "text or json"},
    {"check-config", NULL, "read the configuration, say whether it is good, and end"},
    {"dump-config", NULL, "print the configuration in force, and end"},
    {"config-reference", NULL, "print the reference page of all keys, and end"},
    {"help", NULL, "show help"},
    {NULL, NULL, NULL},
};

extern const struct usage app_server_usage;
const struct usage app_server_usage = {
    .name = "server",
    .forms = (const struct usage_row[]){{"[options]", ""}, {NULL, NULL}},
    .options = help_options,
    .description =
        (const char *const[]){
            "Takes in what agents push, keeps it in a store, and answers: the HTTP API, the web "
            "interface, and its own counters as /metrics.",
            "A first start prints a setup code, with which the first owner is made, by the web "
            "interface or by pga ctl setup. Without a configuration it listens on loopback only, "
            "and speaks TLS at other addresses.",
            "SIGHUP reads the configuration and the TLS certificates again and opens the log file "
            "again, SIGUSR1 only opens "
            "the log file; SIGTERM and SIGINT end it after the requests in work.",
            NULL},
    .exits = (const struct usage_row[]){{"0", "ended by a signal, or done"},
                                        {"1", "failure"},
                                        {"2", "wrong use, or a bad configuration"},
                                        {NULL, NULL}},
    .environment =
        (const struct usage_row[]){
            {"PGA_SETUP_CODE_FILE", "File that gets the setup code as well (mode 0600)."},
            {"XDG_STATE_HOME", "Where the state directory is by default, unless "
                               "/var/lib/pga-server may be written."},
            {"NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: readiness and signs of life."},
            {NULL, NULL}},
    .files = (const struct usage_row[]){{"/etc/pga/server.toml", "The configuration of the unit."},
                                        {"/var/lib/pga-server", "Its state directory, mode 0700."},
                                        {NULL, NULL}},
    .see_also = "pga(1), pga-server.toml(5), pga-agent(8), pga-ctl(1), pga-migrate(8)",
};

/* --- options --- */

enum option_code {
    OPTION_CONFIG = 256,
    OPTION_LISTEN,
    OPTION_AGENT_LISTEN,
    OPTION_STORE,
    OPTION_STATE_DIR,
    OPTION_LOG_LEVEL,
    OPTION_LOG_FORMAT,
    OPTION_CHECK,
    OPTION_DUMP,
    OPTION_REFERENCE,
    OPTION_HELP,
};

static const struct option_row {
    const char *name;
    int has_value;
    enum option_code code;
} option_rows[] = {
    {"config", 1, OPTION_CONFIG},
    {"listen", 1, OPTION_LISTEN},
    {"agent-listen", 1, OPTION_AGENT_LISTEN},
    {"store", 1, OPTION_STORE},
    {"state-dir", 1, OPTION_STATE_DIR},
    {"log-level", 1, OPTION_LOG_LEVEL},
    {"log-format", 1, OPTION_LOG_FORMAT},
    {"check-config", 0, OPTION_CHECK},
    {"dump-config", 0, OPTION_DUMP},
    {"config-reference", 0, OPTION_REFERENCE},
    {"help", 0, OPTION_HELP},
};
#define OPTIONS (sizeof(option_rows) / sizeof(option_rows[0]))

static void take_option(struct invocation *in, int code, const char *value)
{
    struct server_options *o = &in->options;

    if (code == OPTION_CONFIG)
        o->config = value;
    else if (code == OPTION_LISTEN && o->listen_count < LISTEN_MAX)
        in->listen[o->listen_count++] = value;
    else if (code == OPTION_AGENT_LISTEN && o->agent_listen_count < LISTEN_MAX)
        in->agent_listen[o->agent_listen_count++] = value;
    else if (code == OPTION_STORE)
        o->store = value;
    else if (code == OPTION_STATE_DIR)
        o->state_dir = value;
    else if (code == OPTION_LOG_LEVEL)
        o->log_level = value;
    else if (code == OPTION_LOG_FORMAT)
        o->log_format = value;
    else if (code == OPTION_CHECK)
        in->action = ACTION_CHECK;
    else if (code == OPTION_DUMP)
        in->action = ACTION_DUMP;
    else if (code == OPTION_REFERENCE)
        in->action = ACTION_REFERENCE;
    else
        in->action = code == OPTION_HELP ? ACTION_HELP : ACTION_USAGE;
}

static void read_options(int argc, char **argv, struct invocation *in)
{
    struct option long_options[OPTIONS + 1] = {{0}};
    int code;

    for (size_t i = 0; i < OPTIONS; i++) {
        long_options[i].name = option_rows[i].name;
        long_options[i].has_arg = option_rows[i].has_value;
        long_options[i].val = (int)option_rows[i].code;
    }
    memset(in, 0, sizeof(*in));
    in->options.listen = in->listen;
    in->options.agent_listen = in->agent_listen;
    optind = 1;
    while (in->action != ACTION_USAGE &&
           (code = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        take_option(in, code, optarg);
    if (optind < argc)
        in->action = ACTION_USAGE;
}

/* --- actions --- */

static int fail(const struct err *e)
{
    log_error(&ctx, "%s%s", e->text, startup_hint(e));
    return e->code == ERR_INVALID ? 2 : 1;
}

/* The configuration is wrong: status 2 whatever is the matter, as for wrong options. */
static int fail_config(const struct invocation *in, const struct err *e)
{
    if (in->action == ACTION_RUN)
        log_error(&ctx, "%s", e->text);
    else
        fprintf(stderr, "pga server: %s\n", e->text);
    return 2;
}

static int dump(struct arena *a, const struct server_config *config)
{
    struct server_config shown = *config;
    struct buf out;
    struct err e;
    enum err_code rc;

    shown.store = server_config_store_shown(a, config->store);
    buf_init(&out, 1 << 20);
    rc = conf_dump(server_config_schema(), &shown, &out, &e);
    if (rc == ERR_OK)
        fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    if (rc != ERR_OK)
        return fail(&e);
    return fflush(stdout) == 0 ? 0 : 1;
}

static int print_reference(void)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    conf_reference(server_config_schema(), &out);
    fwrite(out.ptr, 1, out.len, stdout);
    buf_fini(&out);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* On an error the log goes on as before. */
static enum err_code apply_log(struct logfile *file, const struct server_config *config,
                               struct err *e)
{
    struct log_config log = {.level = (enum log_level)config->log_level,
                             .format = (enum log_format)config->log_format,
                             .wall_us = clock_wall_us};
    enum err_code rc = logfile_point(file, config->log_file, &log.fd, e);

    log_setup(&log);
    return rc;
}

static void reopen(struct logfile *file)
{
    struct err e;

    if (logfile_reopen(file, &e) != ERR_OK)
        log_error(&ctx, "the old log file is written on: %s", e.text);
    else
        log_info(&ctx, "log file opened again");
}

/* Read the configuration again; only what can change without a restart takes effect. */
static void reload(struct server *s, const struct server_options *options, struct logfile *file)
{
    const struct server_config *config;
    struct arena a;
    struct err e;

    startup_notify_reload();
    arena_init(&a, "reload", 1 << 20);
    if (server_config_load(&a, options, &config, &e) != ERR_OK)
        log_error(&ctx, "configuration not taken, the old one stays: %s", e.text);
    else if (apply_log(file, config, &e) != ERR_OK)
        log_error(&ctx, "the old log file is written on: %s", e.text);
    else if (server_run_reload(s, config, &e) != ERR_OK)
        log_error(&ctx, "the old TLS certificates stay: %s", e.text);
    else
        log_info(&ctx, "configuration read again");
    arena_fini(&a);
    net_notify("READY=1");
}

/* Until a signal says stop. */
static void wait_for_signals(const struct invocation *in, struct server *s, struct logfile *file)
{
    struct watchdog watchdog;

    watchdog_init(&watchdog);
    for (;;) {
        enum sig_event event = sig_wait(watchdog_beat(&watchdog));

        if (event == SIG_EVENT_STOP)
            return;
        if (event == SIG_EVENT_RELOAD)
            reload(s, &in->options, file);
        if (event == SIG_EVENT_REOPEN)
            reopen(file);
    }
}

static int run(const struct invocation *in, const struct server_config *config)
{
    struct logfile file = LOGFILE_NONE;
    struct server *s;
    struct err e;

    if (apply_log(&file, config, &e) != ERR_OK || sig_setup(&e) != ERR_OK ||
        server_run_start(config, &s, &e) != ERR_OK)
        return fail(&e);
    net_notify("READY=1");
    wait_for_signals(in, s, &file);
    net_notify("STOPPING=1");
    log_info(&ctx, "stopping");
    server_run_stop(s);
    log_info(&ctx, "stopped");
    return 0;
}

static int act(const struct invocation *in)
{
    const struct server_config *config;
    struct arena a;
    struct err e;
    int status = 0;

    arena_init(&a, "config", 1 << 20);
    if (server_config_load(&a, &in->options, &config, &e) != ERR_OK)
        status = fail_config(in, &e);
    else if (in->action == ACTION_DUMP)
        status = dump(&a, config);
    else if (in->action == ACTION_RUN)
        status = run(in, config);
    else
        puts("the configuration is good");
    arena_fini(&a);
    return status;
}

int app_server_main(int argc, char **argv)
{
    struct invocation in;

    read_options(argc, argv, &in);
    if (in.action == ACTION_HELP || in.action == ACTION_USAGE) {
        usage_print(&app_server_usage, in.action == ACTION_HELP ? stdout : stderr);
        return in.action == ACTION_HELP ? 0 : 2;
    }
    return in.action == ACTION_REFERENCE ? print_reference() : act(&in);
}
