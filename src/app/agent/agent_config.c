/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_config.c: the keys of agent.toml.
 *
 * Threads: none; called by the main thread.
 */
#include "app/agent/agent_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "conf/conf.h"
#include "httpc/httpc.h"
#include "os/file.h"

#define CENTRAL_ARENA (8 * 1024 * 1024)

#define AT(member)        offsetof(struct agent_config, member)
#define TARGET_AT(member) offsetof(struct agent_target_config, member)

static const char *const LEVELS[] = {"error", "warn", "info", "debug", NULL};
/* In the order of enum agent_sandbox. */
static const char *const SANDBOXES[] = {"auto", "off", NULL};
static const char *const FORMATS[] = {"text", "json", NULL};
static const char *const SUPERUSERS[] = {"warn", "refuse", "allow",
                                         NULL}; /* enum agent_superuser */

static const struct conf_key KEYS[] = {
    {.section = "agent",
     .name = "name",
     .type = CONF_STRING,
     .offset = AT(name),
     .flags = CONF_LOCAL,
     .help = "Name shown for this agent; the host name when unset."},
    {.section = "agent",
     .name = "state_dir",
     .type = CONF_STRING,
     .offset = AT(state_dir),
     .flags = CONF_LOCAL,
     .help = "Folder for identity and spool."},
    {.section = "agent",
     .name = "log_level",
     .type = CONF_ENUM,
     .offset = AT(log_level),
     .text = "info",
     .choices = LEVELS,
     .flags = CONF_RELOAD,
     .help = "What is logged."},
    {.section = "agent",
     .name = "log_format",
     .type = CONF_ENUM,
     .offset = AT(log_format),
     .text = "text",
     .choices = FORMATS,
     .flags = CONF_RELOAD,
     .help = "How lines are written."},
    {.section = "agent",
     .name = "log_file",
     .type = CONF_STRING,
     .offset = AT(log_file),
     .flags = CONF_RELOAD | CONF_LOCAL,
     .help = "File that the log is appended to, standard error when unset; opened again on SIGHUP "
             "and SIGUSR1, so that it can be rotated."},
    {.section = "agent",
     .name = "sandbox",
     .type = CONF_ENUM,
     .offset = AT(sandbox),
     .choices = SANDBOXES,
     .text = "auto",
     .flags = CONF_LOCAL,
     .help = "Whether the process gives up what it does not need, as far as the kernel can: "
             "privileges, system calls, files but its own and the host's figures, TCP ports but "
             "those of the server, of the targets, 5432 to 5441 and 6432. The log says at start "
             "what is in force."},
    {.section = "agent",
     .name = "listen",
     .type = CONF_STRING,
     .offset = AT(listen),
     .flags = CONF_LOCAL,
     .help = "Loopback address such as 127.0.0.1:9187 at which /metrics is served to Prometheus."},
    {.section = "server",
     .name = "url",
     .type = CONF_STRING,
     .offset = AT(server_url),
     .flags = CONF_LOCAL,
     .help = "Address of the server, such as http://127.0.0.1:8080; nothing is sent when unset."},
    {.section = "server",
     .name = "agent_url",
     .type = CONF_STRING,
     .offset = AT(agent_url),
     .flags = CONF_LOCAL,
     .help = "Address at which the agent shows its certificate and delivers, such as "
             "https://pga.example.org:8443; by default the host of url with the port of "
             "agent_listen, which the server tells at enrolment."},
    {.section = "server",
     .name = "registration_secret_file",
     .type = CONF_STRING,
     .offset = AT(secret_file),
     .flags = CONF_LOCAL,
     .help = "File with a registration secret (mode 0600), or the name of a systemd credential; "
             "used while the agent has no identity."},
    {.section = "server",
     .name = "ca_fingerprint",
     .type = CONF_STRING,
     .offset = AT(ca_fingerprint),
     .flags = CONF_LOCAL,
     .help = "SHA-256 of the server's root certificate, as pga ctl ca show prints it. With it the "
             "registration secret goes to no server that does not prove to hang from that root; "
             "url has to be https then, and over https it is needed unless ca_file is set."},
    {.section = "server",
     .name = "ca_file",
     .type = CONF_STRING,
     .offset = AT(ca_file),
     .flags = CONF_LOCAL,
     .help = "File with further authorities (PEM) whose word for a server is taken, for a server "
             "that shows a certificate of another authority than its own."},
    {.section = "host",
     .name = "enabled",
     .type = CONF_BOOL,
     .offset = AT(host_enabled),
     .text = "true",
     .help = "Whether this host is read: CPU, memory, disks, file systems, network, pressure."},
    {.section = "spool",
     .name = "max_bytes",
     .type = CONF_SIZE,
     .offset = AT(spool_max_bytes),
     .min = 0,
     .max = 1099511627776.0,
     .text = "0",
     .flags = CONF_LOCAL,
     .help = "Most that waits on disk; 0 = 256 MiB or 1 % of the free space, if that is less."},
    {.section = "spool",
     .name = "max_age",
     .type = CONF_DURATION,
     .offset = AT(spool_max_age_ms),
     .text = "48h",
     .flags = CONF_LOCAL,
     .help = "What is older is given up with a gap; the server takes nothing older."},
    {.section = "spool",
     .name = "keep_after_ack",
     .type = CONF_DURATION,
     .offset = AT(spool_keep_ms),
     .text = "1h",
     .flags = CONF_LOCAL,
     .help = "How long delivered records are kept for a server that was restored."},
    {.section = "spool",
     .name = "keep_bytes",
     .type = CONF_SIZE,
     .offset = AT(spool_keep_bytes),
     .text = "32MB",
     .flags = CONF_LOCAL,
     .help = "How much of them."},
    {.section = "spool",
     .name = "live_after",
     .type = CONF_DURATION,
     .offset = AT(spool_live_after_ms),
     .text = "5m",
     .min = 1000,
     .max = 86400000,
     .flags = CONF_LOCAL,
     .help = "Records older than this become backlog, sent behind live data."},
    {.section = "target[]",
     .name = "name",
     .type = CONF_STRING,
     .offset = TARGET_AT(name),
     .flags = CONF_REQUIRED,
     .help = "Name of the server that is watched; keeps its identity."},
    {.section = "target[]",
     .name = "dsn",
     .type = CONF_STRING,
     .offset = TARGET_AT(dsn),
     .flags = CONF_ORIGIN,
     .help = "Connection string or URI without a password: that goes into password_file."},
    {.section = "target[]",
     .name = "host",
     .type = CONF_STRING,
     .offset = TARGET_AT(host),
     .flags = CONF_ORIGIN,
     .help = "Host name, address or socket folder."},
    {.section = "target[]",
     .name = "port",
     .type = CONF_STRING,
     .offset = TARGET_AT(port),
     .flags = CONF_OR_INTEGER | CONF_ORIGIN,
     .help = "Port, 5432 when unset."},
    {.section = "target[]",
     .name = "user",
     .type = CONF_STRING,
     .offset = TARGET_AT(user),
     .flags = CONF_ORIGIN,
     .help = "Role to log in as; give it pg_monitor."},
    {.section = "target[]",
     .name = "dbname",
     .type = CONF_STRING,
     .offset = TARGET_AT(dbname),
     .flags = CONF_ORIGIN,
     .help = "Database to connect to; the one that has pg_stat_statements."},
    {.section = "target[]",
     .name = "sslmode",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslmode),
     .flags = CONF_ORIGIN,
     .help = "disable, allow, prefer, require, verify-ca or verify-full. Unset: prefer on a Unix "
             "socket and the loopback, verify-full elsewhere."},
    {.section = "target[]",
     .name = "sslrootcert",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslrootcert),
     .flags = CONF_LOCAL,
     .help = "File with the certificates of the authorities that may sign the server's, or "
             "\"system\". Unset: ~/.postgresql/root.crt."},
    {.section = "target[]",
     .name = "sslcrl",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslcrl),
     .flags = CONF_LOCAL,
     .help = "File with the revocation lists of these authorities; each needs one then."},
    {.section = "target[]",
     .name = "sslcert",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslcert),
     .flags = CONF_LOCAL,
     .help = "File with the certificate that the server is shown, and those between it and its "
             "authority."},
    {.section = "target[]",
     .name = "sslkey",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslkey),
     .flags = CONF_LOCAL,
     .help = "File with the key of sslcert, readable by its owner alone."},
    {.section = "target[]",
     .name = "sslpassword_file",
     .type = CONF_STRING,
     .offset = TARGET_AT(sslpassword_file),
     .flags = CONF_LOCAL,
     .help = "File with the password of an encrypted sslkey; as password_file."},
    {.section = "target[]",
     .name = "password_file",
     .type = CONF_STRING,
     .offset = TARGET_AT(password_file),
     .flags = CONF_LOCAL,
     .help = "File with the password (mode 0600), or the name of a systemd credential. Without it "
             "PGPASSFILE and ~/.pgpass are asked."},
    {.section = "target[]",
     .name = "enabled",
     .type = CONF_BOOL,
     .offset = TARGET_AT(enabled),
     .text = "true",
     .help = "Whether this target is read."},
    {.section = "target[]",
     .name = "no_prepare",
     .type = CONF_BOOL,
     .offset = TARGET_AT(no_prepare),
     .text = "false",
     .help = "No named statements; for connections through a pooler."},
    {.section = "target[]",
     .name = "superuser",
     .type = CONF_ENUM,
     .offset = TARGET_AT(superuser),
     .choices = SUPERUSERS,
     .text = "warn",
     .flags = CONF_LOCAL,
     .help = "Whether a superuser may read (a role with pg_monitor is enough): with a warning in "
             "the log (warn), not at all (refuse), or in silence (allow)."},
    {.section = "target[]",
     .name = "cost_budget",
     .type = CONF_NUMBER,
     .offset = TARGET_AT(cost_budget),
     .min = 0,
     .max = 100,
     .text = "0.5",
     .help = "What all readings may cost the server, in percent of one core; above it the dearest "
             "are left out for a time. 0 = no limit."},
    {.section = "target[]",
     .name = "every",
     .type = CONF_DURATION,
     .offset = TARGET_AT(every_ms),
     .text = "0",
     .max = 3600000,
     .help = "Clock of the plain readings; 0 = each its own. Those of 5 min and more keep theirs."},
    {.section = "target[]",
     .name = "databases",
     .type = CONF_STRINGS,
     .offset = TARGET_AT(databases),
     .text = "[\"*\"]",
     .help = "Databases whose tables and indexes are read: names, or patterns with * and ?; [] = "
             "none."},
    {.section = "target[]",
     .name = "databases_exclude",
     .type = CONF_STRINGS,
     .offset = TARGET_AT(databases_exclude),
     .text = "[\"rdsadmin\", \"cloudsqladmin\", \"azure_maintenance\"]",
     .help = "Of these, the ones that are left out; nobody but the provider may enter the three."},
    {.section = "target[]",
     .name = "databases_max",
     .type = CONF_INTEGER,
     .offset = TARGET_AT(databases_max),
     .min = 1,
     .max = LIMIT_DATABASES,
     .text = "100",
     .help =
         "How many databases are read at most, by name; one after the other on one connection."},
    {.section = "target[]",
     .name = "databases_every",
     .type = CONF_DURATION,
     .offset = TARGET_AT(databases_every_ms),
     .text = "0",
     .max = 86400000,
     .help = "Clock of what is read in each database; 0 = each its own (5 min)."},
    {.section = "target[]",
     .name = "statements_every",
     .type = CONF_DURATION,
     .offset = TARGET_AT(statements_every_ms),
     .text = "60s",
     .max = 3600000,
     .help = "Clock of pg_stat_statements; 0 = not read."},
    {.section = "target[]",
     .name = "sessions_every",
     .type = CONF_DURATION,
     .offset = TARGET_AT(sessions_every_ms),
     .text = "1s",
     .max = 10000,
     .help = "Clock of session sampling; 0 = not sampled."},
};

static const struct conf_array ARRAYS[] = {
    {.section = "target[]",
     .offset = AT(targets),
     .count_offset = AT(target_count),
     .line_offset = TARGET_AT(line),
     .row_size = sizeof(struct agent_target_config),
     .max_rows = LIMIT_TARGETS,
     .row_key = "name"},
};

const struct agent_target_config *agent_config_target(const struct agent_config *config, size_t i)
{
    return (const struct agent_target_config *)config->targets + i;
}

static struct pgclient_config connection_of(const struct agent_target_config *t)
{
    return (struct pgclient_config){
        .conninfo = t->dsn,
        .host = t->host,
        .port = t->port,
        .user = t->user,
        .dbname = t->dbname,
        .password = t->password,
        .sslmode = t->sslmode,
        .sslrootcert = t->sslrootcert,
        .sslcert = t->sslcert,
        .sslkey = t->sslkey,
        .sslcrl = t->sslcrl,
        .flags = PGCLIENT_MONITOR | (t->no_prepare ? PGCLIENT_NO_PREPARE : 0),
    };
}

static enum err_code check_clock(int64_t ms, const char *what, struct err *e)
{
    if (ms != 0 && ms < 1000) {
        return err_set(e, ERR_INVALID, "%s must be 0 or at least 1s", what);
    }
    return ERR_OK;
}

static enum err_code check_target(const struct agent_config *c, size_t i, struct err *e)
{
    const struct agent_target_config *t = agent_config_target(c, i);
    struct pgclient_config connection = connection_of(t);
    struct pgclient_place place;
    for (size_t j = 0; j < i; j++) {
        if (strcmp(agent_config_target(c, j)->name, t->name) == 0) {
            return err_set(e, ERR_INVALID, "there are two targets of this name");
        }
    }
    if (check_clock(t->every_ms, "every", e) ||
        check_clock(t->databases_every_ms, "databases_every", e) ||
        check_clock(t->statements_every_ms, "statements_every", e) ||
        check_clock(t->sessions_every_ms, "sessions_every", e)) {
        return e->code;
    }
    if (pgclient_check(&connection, &place, e)) {
        return e->code;
    }
    if (place.has_password) { /* a dump or a backup of the file would carry it along */
        return err_set(e, ERR_INVALID, "the dsn holds a password: move it to password_file");
    }
    return ERR_OK;
}

static enum err_code check(const struct agent_config *c, struct err *e)
{
    for (size_t i = 0; i < c->target_count; i++) {
        const struct agent_target_config *t = agent_config_target(c, i);
        if (check_target(c, i, e)) {
            (void)err_wrap(e, "target \"%s\"", t->name);
            return t->line ? err_wrap(e, "line %u", t->line) : e->code;
        }
    }
    if (c->server_url && httpc_check_url(c->server_url, e)) {
        return err_wrap(e, "server.url");
    }
    if (c->agent_url && httpc_check_url(c->agent_url, e)) {
        return err_wrap(e, "server.agent_url");
    }
    return ERR_OK;
}

static const struct conf_schema SCHEMA = {
    .title = "pga agent",
    .keys = KEYS,
    .key_count = sizeof(KEYS) / sizeof(KEYS[0]),
    .arrays = ARRAYS,
    .array_count = 1,
    .struct_size = sizeof(struct agent_config),
};

static struct conf_schema with_old_keys(void)
{
    struct conf_schema schema = SCHEMA;
    schema.old_keys = agent_config_old_keys;
    schema.old_key_count = agent_config_old_key_count;
    return schema;
}

enum err_code agent_config_load(struct arena *a, const char *path, struct agent_config **out,
                                struct err *e)
{
    const struct conf_schema schema = with_old_keys();
    void *loaded = NULL;
    struct str none = {NULL, 0};
    enum err_code code = path ? conf_load_file(a, &schema, path, &loaded, e)
                              : conf_load(a, &schema, none, "defaults", &loaded, e);
    if (code) {
        return code;
    }
    if (agent_config_old_take(a, &schema, loaded, e) || check(loaded, e)) {
        return path ? err_wrap(e, "%s", path) : e->code;
    }
    *out = loaded;
    return ERR_OK;
}

/*
 * A text from elsewhere must not name files of this host: a server of someone's choice could be
 * shown a key of ours. Targets that stand in `base` have their own dsn, which cannot be changed.
 */
static enum err_code check_no_files(const struct agent_config *made,
                                    const struct agent_config *base, struct err *e)
{
    for (size_t i = base->target_count; i < made->target_count; i++) {
        const struct agent_target_config *t = agent_config_target(made, i);
        struct pgclient_config connection = connection_of(t);
        struct pgclient_place place;

        if (pgclient_check(&connection, &place, e)) {
            return e->code;
        }
        if (place.names_files) {
            return err_set(e, ERR_INVALID, "target \"%s\": the dsn names files of the host",
                           t->name);
        }
    }
    return ERR_OK;
}

static enum err_code put_over(struct arena *a, const struct conf_over *over, void **made,
                              struct err *e)
{
    if (conf_overlay(a, over, made, e)) {
        return e->code;
    }
    if (check(*made, e) || check_no_files(*made, over->base, e)) {
        return err_wrap(e, "%s", over->origin);
    }
    return ERR_OK;
}

enum err_code agent_config_overlay(struct arena *a, const struct agent_config *base,
                                   struct str text, struct agent_config **out, struct err *e)
{
    const struct conf_over over = {&SCHEMA, base, text, "server's configuration"};
    void *made = NULL;
    enum err_code code = put_over(a, &over, &made, e);
    if (!code) {
        *out = made;
    }
    return code;
}

enum err_code agent_config_check_central(struct str text, struct err *e)
{
    struct arena a;
    void *base = NULL, *made = NULL;
    arena_init(&a, "central config", CENTRAL_ARENA);
    enum err_code code = conf_load(&a, &SCHEMA, (struct str){NULL, 0}, "defaults", &base, e);
    if (!code) {
        code = put_over(&a, &(struct conf_over){&SCHEMA, base, text, "configuration"}, &made, e);
    }
    arena_fini(&a);
    return code;
}

enum err_code agent_config_dump(const struct agent_config *config, struct buf *out, struct err *e)
{
    return conf_dump(&SCHEMA, config, out, e);
}

void agent_config_reference(struct buf *out)
{
    const struct conf_schema schema = with_old_keys();
    conf_reference(&schema, out);
}

void agent_config_manual(struct buf *out)
{
    const struct conf_schema schema = with_old_keys();
    conf_manual(&schema, out);
}

const char *agent_config_secret_path(const char *name, char *room, size_t size)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!dir || !*dir || strchr(name, '/')) {
        return name;
    }
    snprintf(room, size, "%s/%s", dir, name);
    return room;
}

static enum err_code read_secret(const char *name, struct buf *out, struct err *e)
{
    char room[1024];

    return file_read_secret(agent_config_secret_path(name, room, sizeof(room)), out, e);
}

/* Both passwords share the buffer: it moves while it grows, so pointers into it are taken last. */
enum err_code agent_config_connection(const struct agent_target_config *t, struct buf *secrets,
                                      struct pgclient_config *out, struct err *e)
{
    size_t key_at;

    if (t->link) {
        return t->link->open(t->link->arg, secrets, out, e);
    }
    *out = connection_of(t);
    buf_reset(secrets);
    if (t->password_file && read_secret(t->password_file, secrets, e)) {
        return e->code;
    }
    buf_add_char(secrets, '\0');
    key_at = secrets->len;
    if (t->sslpassword_file && read_secret(t->sslpassword_file, secrets, e)) {
        return e->code;
    }
    if (buf_check(secrets, e)) {
        return e->code;
    }
    out->password = t->password_file ? secrets->ptr : out->password;
    out->sslpassword = t->sslpassword_file ? secrets->ptr + key_at : NULL;
    return ERR_OK;
}

void agent_config_state_dir(char *out, size_t size)
{
    struct stat st;
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (stat("/var/lib/pga-agent", &st) == 0 && access("/var/lib/pga-agent", W_OK) == 0) {
        snprintf(out, size, "/var/lib/pga-agent");
    } else if (state && state[0] == '/') {
        snprintf(out, size, "%s/pga-agent", state);
    } else {
        snprintf(out, size, "%s/.local/state/pga-agent", home ? home : "/tmp");
    }
}
