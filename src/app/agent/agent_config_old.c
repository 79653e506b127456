/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_config_old.c: configuration files of the collector that pga replaces.
 *
 * Its keys are taken, each with a note of the new name. [postgres] becomes a target named after the
 * collector's host. What it could switch and the agent decides itself has no effect, and the note
 * says why.
 */
#include "app/agent/agent_config.h"

#include <stdbool.h>
#include <string.h>

#include "base/limits.h"

#define AT(member) offsetof(struct agent_config, old.member)

/* Of every row the same; the name of a member of `struct agent_old_config` says where it goes. */
#define OLD(of, key, kind, member) \
    .section = (of), .name = (key), .type = (kind), .offset = AT(member), .flags = CONF_DEPRECATED
#define NO_TLS      .help = "the agent enrols itself and keeps no certificate in files"
#define OWN_CLOCK   .help = "each reading has its own clock; [[target]] every changes it"
#define ALWAYS_READ .help = "what is read of a target is not switched source by source"
#define READING(of)                                              \
    {OLD(of, "enabled", CONF_BOOL, unused), ALWAYS_READ},        \
    {                                                            \
        OLD(of, "interval", CONF_DURATION, unused_ms), OWN_CLOCK \
    }

const struct conf_key agent_config_old_keys[] = {
    {OLD("collector", "id", CONF_STRING, unused_text), .help = "the server gives the identity"},
    {OLD("collector", "hostname", CONF_STRING, hostname), .replaced_by = "[agent] name"},
    {OLD("collector", "interval", CONF_DURATION, every_ms), .replaced_by = "[[target]] every"},
    {OLD("collector", "push_interval", CONF_DURATION, unused_ms),
     .help = "records are sent as they are made"},
    {OLD("collector", "config_pull_interval", CONF_DURATION, unused_ms),
     .help = "there is no such clock any more"},
    {OLD("backend", "url", CONF_STRING, url), .replaced_by = "[server] url"},
    {OLD("backend", "tls_cert", CONF_STRING, unused_text), NO_TLS},
    {OLD("backend", "tls_key", CONF_STRING, unused_text), NO_TLS},
    {OLD("postgres", "host", CONF_STRING, host), .replaced_by = "[[target]] host"},
    {.section = "postgres",
     .name = "port",
     .type = CONF_STRING,
     .offset = AT(port),
     .flags = CONF_DEPRECATED | CONF_OR_INTEGER,
     .replaced_by = "[[target]] port"},
    {OLD("postgres", "user", CONF_STRING, user), .replaced_by = "[[target]] user"},
    {OLD("postgres", "password", CONF_STRING, password),
     .replaced_by = "[[target]] password_file, which keeps it out of this file"},
    {OLD("postgres", "database", CONF_STRING, database), .replaced_by = "[[target]] dbname"},
    {.section = "postgres",
     .name = "databases",
     .type = CONF_STRINGS,
     .offset = AT(databases),
     .flags = CONF_DEPRECATED | CONF_OR_COMMAS,
     .replaced_by = "[[target]] databases"},
    {OLD("tls", "verify", CONF_BOOL, unused), .help = "verification cannot be switched off"},
    {OLD("tls", "cert_file", CONF_STRING, unused_text), NO_TLS},
    {OLD("tls", "key_file", CONF_STRING, unused_text), NO_TLS},
    {OLD("tls", "ca_file", CONF_STRING, unused_text), NO_TLS},
    {OLD("registration", "auto_register", CONF_BOOL, unused),
     .help = "with a registration secret the agent enrols itself"},
    {OLD("registration", "secret", CONF_STRING, secret),
     .replaced_by = "[server] registration_secret_file, which keeps it out of this file"},
    {OLD("sysstat", "enabled", CONF_BOOL, host_enabled), .text = "true",
     .replaced_by = "[host] enabled"},
    {OLD("sysstat", "interval", CONF_DURATION, unused_ms), OWN_CLOCK},
    {OLD("pg_query_stats", "enabled", CONF_BOOL, statements_enabled), .text = "true",
     .replaced_by = "[[target]] statements_every"},
    {OLD("pg_query_stats", "interval", CONF_DURATION, statements_every_ms),
     .replaced_by = "[[target]] statements_every"},
    READING("pg_stats"),
    READING("pg_log"),
    READING("disk_usage"),
    READING("pg_replication"),
    READING("pg_schema"),
    READING("pg_locks"),
    READING("pg_bloat"),
    READING("pg_cache"),
    READING("pg_connections"),
    READING("pg_extensions"),
};
const size_t agent_config_old_key_count = sizeof(agent_config_old_keys) /
                                          sizeof(agent_config_old_keys[0]);

static bool names_a_server(const struct agent_old_config *old)
{
    return old->host || old->port || old->user || old->database || old->databases.count;
}

/* [postgres] as a row behind those of [[target]]. */
static enum err_code add_target(struct arena *a, const struct conf_schema *schema,
                                struct agent_config *c, struct err *e)
{
    const struct agent_old_config *old = &c->old;
    struct agent_target_config *rows = arena_array(a, c->target_count + 1, sizeof(*rows));
    if (!rows) {
        return arena_fail(a, e);
    }
    if (c->target_count) {
        memcpy(rows, c->targets, c->target_count * sizeof(*rows));
    }
    struct agent_target_config *t = &rows[c->target_count];
    if (conf_row_defaults(a, schema, "target[]", t, e)) {
        return e->code;
    }
    t->name = old->hostname ? old->hostname : old->host ? old->host : "postgresql";
    t->host = old->host;
    t->port = old->port;
    t->user = old->user;
    t->password = old->password;
    t->dbname = old->databases.count ? old->databases.items[0] : NULL;
    t->dbname = old->database ? old->database : t->dbname;
    t->databases = old->databases.count ? old->databases : t->databases;
    t->every_ms = old->every_ms;
    t->statements_every_ms = old->statements_every_ms ? old->statements_every_ms
                                                      : t->statements_every_ms;
    t->statements_every_ms = old->statements_enabled ? t->statements_every_ms : 0;
    c->targets = rows;
    c->target_count++;
    return ERR_OK;
}

enum err_code agent_config_old_take(struct arena *a, const struct conf_schema *schema,
                                    struct agent_config *c, struct err *e)
{
    const struct agent_old_config *old = &c->old;
    c->name = c->name ? c->name : old->hostname;
    c->server_url = c->server_url ? c->server_url : old->url;
    c->host_enabled = c->host_enabled && old->host_enabled;
    if (!names_a_server(old)) {
        return ERR_OK;
    }
    if (c->target_count == LIMIT_TARGETS) {
        return err_set(e, ERR_LIMIT, "[postgres] is one target more than the %d there may be",
                       LIMIT_TARGETS);
    }
    return add_target(a, schema, c, e);
}
