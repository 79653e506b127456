/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent.c: `pga agent`: options, configuration, and which command runs.
 *
 * Exit codes: 0 ok, 1 failure, 2 usage or configuration, 4 login refused, 6 unreachable, 7 doctor
 * found problems.
 */
#include "app/agent/agent.h"

#include <stdio.h>
#include <string.h>

#include "app/usage.h"
#include "base/log.h"
#include "base/num.h"
#include "httpc/httpc.h"
#include "os/clock.h"
#include "tls/crypto.h"

#define CONFIG_ARENA (8 * 1024 * 1024)

int app_agent_main(int argc, char **argv);

static const struct usage_option help_options[] = {
    {"config", "FILE", "read agent.toml from there"},
    {"state-dir", "DIR", "identity and spool"},
    {"dsn", "DSN", "connection string or URI of PostgreSQL"},
    {"once", NULL, "one collection; statements are read twice, for the deltas"},
    {"statements-every", "D", "time between the two readings (default 1s; 0 = read once)"},
    {"server", "URL", "address of the server"},
    {"secret-file", "FILE", "registration secret, mode 0600"},
    {"ca-fingerprint", "HASH", "SHA-256 of the server's root certificate"},
    {"listen", "ADDR", "serve /metrics to Prometheus, such as 127.0.0.1:9187"},
    {"check-config", NULL, "check the configuration and exit"},
    {"dump-config", NULL, "print the configuration in force and exit"},
    {"config-reference", NULL, "print the reference page of all keys and exit"},
    {"source-reference", NULL, "print the reference page of what is read and exit"},
    {"log-level", "LEVEL", "error, warn, info or debug"},
    {"log-format", "FORMAT", "text or json"},
    {"help", NULL, "show help"},
    {NULL, NULL, NULL},
};

extern const struct usage app_agent_usage;
const struct usage app_agent_usage = {
    .name = "agent",
    .forms =
        (const struct usage_row[]){
            {"[options]", "collect and send"},
            {"--once --dsn DSN", "print one collection as JSON"},
            {"doctor --dsn DSN", "what can be read, and what a grant would add"},
            {"enroll --server URL --secret-file FILE [--ca-fingerprint HASH]",
             "register at a server, and end"},
            {NULL, NULL}},
    .options = help_options,
    .description =
        (const char *const[]){
            "Reads PostgreSQL servers and its host, keeps every reading in a spool on disk, and "
            "sends it to a server, which acknowledges what it has stored. A reading survives "
            "kill -9 of either side.",
            "The role that logs in to PostgreSQL needs LOGIN and pg_monitor, nothing more.",
            "SIGHUP reads the configuration again and opens the log file again, SIGUSR1 only opens "
            "the log file; SIGTERM and SIGINT end it after what waits was sent for up to 5 s.",
            NULL},
    .exits = (const struct usage_row[]){{"0", "ended by a signal, or done"},
                                        {"1", "failure"},
                                        {"2", "wrong use, or a bad configuration"},
                                        {"4", "login refused"},
                                        {"6", "unreachable, or too slow"},
                                        {"7", "doctor found problems"},
                                        {NULL, NULL}},
    .environment =
        (const struct usage_row[]){
            {"CREDENTIALS_DIRECTORY", "Set by systemd: where password_file and "
                                      "registration_secret_file look for a bare name."},
            {"PGPASSFILE", "Passwords, when password_file is unset."},
            {"XDG_STATE_HOME", "Where the state directory is by default, unless "
                               "/var/lib/pga-agent may be written."},
            {"NOTIFY_SOCKET, WATCHDOG_USEC", "Set by systemd: readiness and signs of life."},
            {NULL, NULL}},
    .files = (const struct usage_row[]){{"/etc/pga/agent.toml", "The configuration of the unit."},
                                        {"/var/lib/pga-agent", "Its state directory, mode 0700."},
                                        {NULL, NULL}},
    .see_also = "pga(1), pga-agent.toml(5), pga-server(8), pga-ctl(1)",
};

static int usage(const char *what, const char *word)
{
    fprintf(stderr, "pga agent: %s%s%s (pga agent --help says more)\n", what, word ? " " : "",
            word ? word : "");
    return AGENT_EXIT_USAGE;
}

int agent_exit_code(enum err_code code)
{
    switch (code) {
    case ERR_OK:
        return AGENT_EXIT_OK;
    case ERR_INVALID:
    case ERR_UNSUPPORTED:
        return AGENT_EXIT_USAGE;
    case ERR_DENIED:
        return AGENT_EXIT_AUTH;
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
        return AGENT_EXIT_UNAVAILABLE;
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_CANCELLED:
    case ERR_BUG:
        return AGENT_EXIT_FAILURE;
    }
    return AGENT_EXIT_FAILURE;
}

struct word {
    const char *name;
    const char **value; /* option with a value */
    bool *flag;         /* option without */
};

/*
 * The value of an option: --name VALUE or --name=VALUE. Returns how many words were used, 0 =
 * no match.
 */
static int match(const struct word *w, int left, char **argv)
{
    size_t len = strlen(w->name);
    if (strncmp(argv[0], w->name, len) != 0) {
        return 0;
    }
    if (w->flag && argv[0][len] == '\0') {
        *w->flag = true;
        return 1;
    }
    if (w->value && argv[0][len] == '=') {
        *w->value = argv[0] + len + 1;
        return 1;
    }
    if (w->value && argv[0][len] == '\0' && left > 1) {
        *w->value = argv[1];
        return 2;
    }
    return 0;
}

static bool take_command(const char *word, struct agent_options *o)
{
    if (strcmp(word, "enroll") == 0) {
        o->command = AGENT_ENROLL;
    } else if (strcmp(word, "doctor") == 0) {
        o->command = AGENT_DOCTOR;
    } else {
        return false;
    }
    return true;
}

static int print_reference(void)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    agent_config_reference(&text);
    bool written = fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
    buf_fini(&text);
    return written ? AGENT_EXIT_OK : AGENT_EXIT_FAILURE;
}

/* Returns -1 when everything was understood, else an exit code. */
static int parse(int argc, char **argv, struct agent_options *o)
{
    const char *wait = NULL;
    const struct word words[] = {
        {"--config", &o->config_path, NULL},
        {"--state-dir", &o->state_dir, NULL},
        {"--dsn", &o->dsn, NULL},
        {"--server", &o->server, NULL},
        {"--secret-file", &o->secret_file, NULL},
        {"--ca-fingerprint", &o->ca_fingerprint, NULL},
        {"--listen", &o->listen, NULL},
        {"--log-level", &o->log_level, NULL},
        {"--log-format", &o->log_format, NULL},
        {"--statements-every", &wait, NULL},
        {"--once", NULL, &o->once},
        {"--check-config", NULL, &o->check_config},
        {"--dump-config", NULL, &o->dump_config},
    };
    for (int i = 1; i < argc;) {
        int used = 0;
        if (strcmp(argv[i], "--config-reference") == 0) {
            return print_reference();
        }
        if (strcmp(argv[i], "--source-reference") == 0) {
            return agent_reference();
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage_print(&app_agent_usage, stdout);
            return AGENT_EXIT_OK;
        }
        for (size_t k = 0; !used && k < sizeof(words) / sizeof(words[0]); k++) {
            used = match(&words[k], argc - i, argv + i);
        }
        if (!used && !(i == 1 && take_command(argv[i], o))) {
            return usage("cannot use", argv[i]);
        }
        i += used ? used : 1;
    }
    o->statements_wait_ms = 1000;
    if (wait && num_parse_duration_ms(str_of(wait), &o->statements_wait_ms, NULL)) {
        return usage("no duration:", wait);
    }
    return -1;
}

static int index_of(const char *word, const char *const *choices)
{
    for (int i = 0; word && choices[i]; i++) {
        if (strcmp(choices[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

enum err_code agent_load(const struct agent_options *o, struct arena *a, struct agent_config **out,
                         struct err *e)
{
    static const char *const LEVELS[] = {"error", "warn", "info", "debug", NULL};
    static const char *const FORMATS[] = {"text", "json", NULL};
    if (agent_config_load(a, o->config_path, out, e)) {
        return e->code;
    }
    struct agent_config *c = *out;
    int level = index_of(o->log_level, LEVELS), format = index_of(o->log_format, FORMATS);
    if ((o->log_level && level < 0) || (o->log_format && format < 0)) {
        return err_set(e, ERR_INVALID, "unknown log level or format");
    }
    c->log_level = level >= 0 ? level : c->log_level;
    c->log_format = format >= 0 ? format : c->log_format;
    c->state_dir = o->state_dir ? o->state_dir : c->state_dir;
    c->listen = o->listen ? o->listen : c->listen;
    c->server_url = o->server ? o->server : c->server_url;
    c->secret_file = o->secret_file ? o->secret_file : c->secret_file;
    c->ca_fingerprint = o->ca_fingerprint ? o->ca_fingerprint : c->ca_fingerprint;
    if (!c->state_dir) {
        char dir[512];
        agent_config_state_dir(dir, sizeof(dir));
        c->state_dir = arena_strndup(a, dir, strlen(dir));
    }
    if (c->server_url && httpc_check_url(c->server_url, e)) {
        return e->code;
    }
    return ERR_OK;
}

static int dump(const struct agent_config *config)
{
    struct buf text;
    struct err e = {0};
    buf_init(&text, 1024 * 1024);
    int code = AGENT_EXIT_OK;
    if (agent_config_dump(config, &text, &e)) {
        fprintf(stderr, "pga agent: %s\n", e.text);
        code = AGENT_EXIT_FAILURE;
    } else if (fwrite(text.ptr, 1, text.len, stdout) != text.len || fflush(stdout) != 0) {
        code = AGENT_EXIT_FAILURE;
    }
    buf_fini(&text);
    return code;
}

static int with_config(const struct agent_options *o)
{
    struct arena a;
    struct agent_config *config;
    struct err e = {0};
    int code = AGENT_EXIT_OK;
    arena_init(&a, "config", CONFIG_ARENA);
    if (agent_load(o, &a, &config, &e)) {
        fprintf(stderr, "pga agent: %s\n", e.text);
        code = AGENT_EXIT_USAGE;
    } else if (o->dump_config) {
        code = dump(config);
    } else if (o->check_config) {
        fputs("the configuration is good\n", stdout);
    } else {
        code = agent_enroll(o, config);
    }
    arena_fini(&a);
    return code;
}

int app_agent_main(int argc, char **argv)
{
    struct agent_options o = {0};
    struct err e = {0};
    int code = parse(argc, argv, &o);
    if (code >= 0) {
        return code;
    }
    /* until the configuration says otherwise: notes about it are information */
    enum log_level level = o.once || o.command == AGENT_DOCTOR ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
    log_setup(&(struct log_config){.level = level, .fd = 2, .wall_us = clock_wall_us});
    if (crypto_init(&e) || httpc_setup(&e)) {
        fprintf(stderr, "pga agent: %s\n", e.text);
        return AGENT_EXIT_FAILURE;
    }
    if (o.command == AGENT_DOCTOR) {
        code = agent_doctor(&o);
    } else if (o.once) {
        code = agent_once(&o);
    } else if (o.check_config || o.dump_config || o.command == AGENT_ENROLL) {
        code = with_config(&o);
    } else {
        code = agent_daemon(&o);
    }
    httpc_teardown();
    return code;
}
