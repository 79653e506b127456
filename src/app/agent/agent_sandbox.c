/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_sandbox.c: see the header.
 *
 * Written is the state, and the folder of the log. Read is what tells about the host, the folders
 * of files that the configuration names, and what the resolver and libpq look for. Reached are the
 * server's ports, those of the targets, and those where PostgreSQL and pgbouncer usually are, so
 * that a target that is added later is reached without a restart, as a rule.
 */
#include "app/agent/agent_sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/agent/agent_state.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "os/net.h"
#include "os/sandbox.h"

#define PG_FIRST  5432
#define PG_LAST   5441
#define PGBOUNCER 6432
#define DNS       53

static const struct log_ctx CTX = {.component = "agent"};

static struct sandbox sandbox; /* of this process; kept for agent_sandbox_check */
static uint64_t told;

static const char *folder_of(struct arena *a, const char *file)
{
    const char *slash = file ? strrchr(file, '/') : NULL;
    if (!slash) {
        return file ? "." : NULL;
    }
    return slash == file ? "/" : arena_strndup(a, file, (size_t)(slash - file));
}

/* Where a target is; 0 = at no TCP port, or it cannot be told. */
static uint16_t port_of(const struct agent_target_config *t)
{
    const struct pgclient_config config = {
        .conninfo = t->dsn, .host = t->host, .port = t->port, .user = t->user};
    struct pgclient_place place;
    int64_t port;
    if (pgclient_check(&config, &place, NULL) || place.host[0] == '\0' || place.host[0] == '/' ||
        place.host[0] == '@' || num_parse_i64(str_of(place.port), 1, 65535, &port, NULL)) {
        return 0;
    }
    return (uint16_t)port;
}

/* "https://host:port/..." */
static uint16_t port_of_url(const char *url)
{
    struct str rest = str_of(url), place;
    struct net_endpoint at;
    size_t start;
    if (str_find(rest, STR("://"), &start)) {
        rest = str_make(rest.ptr + start + 3, rest.len - start - 3);
    }
    place = str_split(&rest, '/');
    if (!net_parse_endpoint(place, &at, NULL)) {
        return at.port;
    }
    return str_starts(str_of(url), STR("https:")) ? 443 : 80;
}

/* Where the server takes what an enrolled agent delivers; before that only the server knows. */
static void allow_delivery(const char *state_dir)
{
    struct agent_identity *id = alloc_new(sizeof(*id));
    struct err e;

    if (agent_identity_load(state_dir, id, &e) != ERR_OK || !id->enrolled) {
        sandbox.connects_anywhere = true;
    } else if (id->agent_url[0] != '\0') {
        sandbox_port(&sandbox, port_of_url(id->agent_url), SANDBOX_CONNECT);
    }
    alloc_free_secret(id, sizeof(*id));
}

static void allow_ports(const struct agent_config *c)
{
    struct net_endpoint at;

    allow_delivery(c->state_dir);
    for (uint16_t port = PG_FIRST; port <= PG_LAST; port++) {
        sandbox_port(&sandbox, port, SANDBOX_CONNECT);
    }
    sandbox_port(&sandbox, PGBOUNCER, SANDBOX_CONNECT);
    sandbox_port(&sandbox, DNS, SANDBOX_CONNECT); /* an answer that is too large for a datagram */
    if (c->server_url) {
        sandbox_port(&sandbox, port_of_url(c->server_url), SANDBOX_CONNECT);
    }
    if (c->agent_url) {
        sandbox_port(&sandbox, port_of_url(c->agent_url), SANDBOX_CONNECT);
    }
    for (size_t i = 0; i < c->target_count; i++) {
        uint16_t port = port_of(agent_config_target(c, i));
        if (port > 0) {
            sandbox_port(&sandbox, port, SANDBOX_CONNECT);
        }
    }
    if (c->listen && !net_parse_endpoint(str_of(c->listen), &at, NULL)) {
        sandbox_port(&sandbox, at.port, SANDBOX_BIND);
    }
}

static void allow_target_files(struct arena *a, const struct agent_target_config *t)
{
    const char *const files[] = {t->password_file, t->sslrootcert, t->sslcrl,
                                 t->sslcert,       t->sslkey,      t->sslpassword_file};
    char room[1024];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (files[i]) {
            const char *path = agent_config_secret_path(files[i], room, sizeof(room));
            sandbox_path(&sandbox, folder_of(a, path), SANDBOX_READ);
        }
    }
}

static void allow_files(struct arena *a, const struct agent_options *o,
                        const struct agent_config *c)
{
    const char *home = getenv("HOME");
    const char *const folders[] = {"/etc",
                                   "/usr/share/ca-certificates",
                                   "/usr/local/share/ca-certificates",
                                   "/proc",
                                   "/sys",
                                   "/dev/urandom",
                                   "/run/secrets",
                                   getenv("CREDENTIALS_DIRECTORY")};
    sandbox_path(&sandbox, c->state_dir, SANDBOX_WRITE);
    sandbox_path(&sandbox, folder_of(a, c->log_file), SANDBOX_WRITE);
    sandbox_path(&sandbox, "/dev/null", SANDBOX_WRITE);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        sandbox_path(&sandbox, folders[i], SANDBOX_READ);
    }
    sandbox_path(&sandbox, folder_of(a, o->config_path), SANDBOX_READ);
    sandbox_path(&sandbox, folder_of(a, clock_shift_file()), SANDBOX_READ);
    sandbox_path(&sandbox, folder_of(a, c->secret_file), SANDBOX_READ);
    sandbox_path(&sandbox, folder_of(a, c->ca_file), SANDBOX_READ);
    sandbox_path(&sandbox, folder_of(a, getenv("PGPASSFILE")), SANDBOX_READ);
    if (home && home[0] == '/') {
        sandbox_path(&sandbox, arena_printf(a, "%s/.pgpass", home), SANDBOX_READ);
        sandbox_path(&sandbox, arena_printf(a, "%s/.postgresql", home), SANDBOX_READ);
    }
    for (size_t i = 0; i < c->target_count; i++) {
        allow_target_files(a, agent_config_target(c, i));
    }
}

/* What is in force, in the log. */
static void describe(void)
{
    struct buf text;
    buf_init(&text, 512);
    sandbox_describe(&text);
    log_info(&CTX, "sandbox: %s", text.ptr);
    buf_fini(&text);
}

enum err_code agent_sandbox_enter(struct arena *a, const struct agent_options *o,
                                  const struct agent_config *c, struct err *e)
{
    if (c->sandbox == AGENT_SANDBOX_AUTO) {
        sandbox_init(&sandbox, SANDBOX_AGENT);
        allow_files(a, o, c);
        allow_ports(c);
        if (arena_check(a, e) || sandbox_enter(&sandbox, e)) {
            return e->code;
        }
    }
    describe();
    return ERR_OK;
}

void agent_sandbox_check(const struct agent_config *c)
{
    if (!sandbox_limits_connect()) {
        return;
    }
    for (size_t i = 0; i < c->target_count; i++) {
        const struct agent_target_config *t = agent_config_target(c, i);
        uint16_t port = t->enabled ? port_of(t) : 0;
        bool found = port == 0;
        for (size_t k = 0; k < sandbox.port_count && !found; k++) {
            found = sandbox.ports[k].port == port && sandbox.ports[k].use == SANDBOX_CONNECT;
        }
        if (!found) {
            log_warn(&CTX,
                     "target %s is at port %u, which the sandbox of this process does not "
                     "let it reach: restart the agent",
                     t->name, port);
        }
    }
}

void agent_sandbox_tell(void)
{
    int last;
    uint64_t count = sandbox_refused(&last);
    if (count != told) {
        log_warn(&CTX, "the sandbox refused %llu system calls, the last was number %d",
                 (unsigned long long)(count - told), last);
    }
    told = count;
}
