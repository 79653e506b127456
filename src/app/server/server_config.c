/* SPDX-License-Identifier: PostgreSQL */
/* server_config.c: the keys of server.toml. */
#include "app/server/server_config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_call.h"
#include "pgclient/pgclient.h"

#define SYSTEM_DIR "/var/lib/pga-server"

static const char *const levels[] = {"error", "warn", "info", "debug", NULL};
static const char *const formats[] = {"text", "json", NULL};

/* In the order of enum api_metrics_access. */
static const char *const readers[] = {"off", "loopback", "user", "anyone", NULL};

/* In the order of enum server_key. */
static const char *const sources[] = {"auto", "file", "credential", "passphrase", NULL};

/* In the order of enum server_sandbox. */
static const char *const sandboxes[] = {"auto", "off", NULL};

#define AT(member) offsetof(struct server_config, member)

static const struct conf_key keys[] = {
    {.section = "server",
     .name = "listen",
     .type = CONF_STRINGS,
     .offset = AT(listen),
     .text = "[\"127.0.0.1:8080\"]",
     .help = "Addresses of the API and the web interface: HOST:PORT, or :PORT for all addresses. "
             "Loopback is plain HTTP, every other address TLS 1.3, and so is one that begins with "
             "https://."},
    {.section = "server",
     .name = "agent_listen",
     .type = CONF_STRINGS,
     .offset = AT(agent_listen),
     .text = "[\"127.0.0.1:8443\"]",
     .help = "Addresses for agents alone, such as :8443: TLS 1.3, and each agent has to show a "
             "certificate that the built-in authority or agent_ca signed, also on loopback. [] is "
             "no such address: then agents deliver through a door alone, [ingest]."},
    {.section = "server",
     .name = "tls_certificate",
     .type = CONF_STRING,
     .offset = AT(tls_certificate),
     .flags = CONF_RELOAD,
     .help =
         "File with the certificate of the server and those between it and a root (PEM), for "
         "the addresses that are served with TLS. Without it the built-in authority issues one. "
         "Read again on SIGHUP."},
    {.section = "server",
     .name = "tls_key",
     .type = CONF_STRING,
     .offset = AT(tls_key),
     .flags = CONF_RELOAD,
     .help = "File with its private key (PEM, not encrypted), of mode 0600. Read again on SIGHUP."},
    {.section = "server",
     .name = "agent_ca",
     .type = CONF_STRING,
     .offset = AT(agent_ca),
     .flags = CONF_RELOAD,
     .help = "File with the certificates of the authorities that sign those of agents (PEM; EC "
             "keys P-256 or P-384, SHA-256 or SHA-384), for agent_listen. Without it the built-in "
             "authority is meant, which signs them at enrolment. Read again on SIGHUP."},
    {.section = "server",
     .name = "renewal_grace",
     .type = CONF_DURATION,
     .offset = AT(renewal_grace_ms),
     .min = 0,
     .max = 30 * 864e5,
     .text = "30d",
     .help = "How long after the end of its certificate (24 hours) an agent that was cut off may "
             "renew it by a request that it signs with the old key; 0 = it has to enrol again."},
    {.section = "server",
     .name = "public_url",
     .type = CONF_STRING,
     .offset = AT(public_url),
     .help = "The address people use, when it differs from the listen address."},
    {.section = "server",
     .name = "base_path",
     .type = CONF_STRING,
     .offset = AT(base_path),
     .help = "The path under which a reverse proxy shows the server, such as \"/pga\"; by default "
             "that of public_url. Requests may come with it or without."},
    {.section = "server",
     .name = "trusted_proxies",
     .type = CONF_STRINGS,
     .offset = AT(trusted_proxies),
     .help = "Addresses and ranges of reverse proxies. From these alone X-Forwarded-For is "
             "believed: it tells the address by which clients are limited and logged, and whether "
             "a request comes from this machine."},
    {.section = "server",
     .name = "sandbox",
     .type = CONF_ENUM,
     .offset = AT(sandbox),
     .choices = sandboxes,
     .text = "auto",
     .help = "Whether the process gives up what it does not need, as far as the kernel can: "
             "privileges, system calls, files but its own. The log says at start what is in "
             "force."},
    {.section = "server",
     .name = "state_dir",
     .type = CONF_STRING,
     .offset = AT(state_dir),
     .help = "Where the store, the keys and the lock live."},
    {.section = "server",
     .name = "store",
     .type = CONF_STRING,
     .offset = AT(store),
     .help = "URL of the store: sqlite:DIR, by default the folder store in state_dir, or "
             "postgres://USER@HOST/DATABASE, which several servers may share."},
    {.section = "server",
     .name = "log_level",
     .type = CONF_ENUM,
     .offset = AT(log_level),
     .choices = levels,
     .text = "info",
     .flags = CONF_RELOAD,
     .help = "What is logged."},
    {.section = "server",
     .name = "log_format",
     .type = CONF_ENUM,
     .offset = AT(log_format),
     .choices = formats,
     .text = "text",
     .flags = CONF_RELOAD,
     .help = "The form of the log."},
    {.section = "server",
     .name = "log_file",
     .type = CONF_STRING,
     .offset = AT(log_file),
     .flags = CONF_RELOAD,
     .help = "File that the log is appended to, standard error when unset; opened again on SIGHUP "
             "and SIGUSR1, so that it can be rotated."},
    {.section = "server",
     .name = "health_check_interval",
     .type = CONF_DURATION,
     .offset = AT(check_interval_ms),
     .min = 1000,
     .max = 36e5,
     .text = "60s",
     .help = "How often agents are expected to call; one silent for twice as long is offline."},
    {.section = "server",
     .name = "max_connections",
     .type = CONF_INTEGER,
     .offset = AT(max_connections),
     .min = 64,
     .max = 100000,
     .text = "4096",
     .help = "HTTP connections in all. One more closes the one that has been idle longest."},
    {.section = "server",
     .name = "max_connections_per_address",
     .type = CONF_INTEGER,
     .offset = AT(max_connections_per_address),
     .min = 1,
     .max = 100000,
     .text = "512",
     .help = "The same for one client address; raise it behind a reverse proxy."},
    {.section = "store",
     .name = "flush_bytes",
     .type = CONF_SIZE,
     .offset = AT(flush_bytes),
     .min = 65536,
     .max = 1e9,
     .text = "24MB",
     .help = "Readings held in memory before they are written as blocks."},
    {.section = "store",
     .name = "flush_age",
     .type = CONF_DURATION,
     .offset = AT(flush_age_ms),
     .min = 1000,
     .max = 864e5,
     .text = "2h",
     .help = "How old a reading in memory may get before blocks are written."},
    {.section = "store",
     .name = "journal_bytes",
     .type = CONF_SIZE,
     .offset = AT(journal_bytes),
     .min = 65536,
     .max = 1e11,
     .text = "64MB",
     .help = "Size of the journal that makes the server write blocks; at twice that it is full."},
    {.section = "store",
     .name = "retention_days",
     .type = CONF_INTEGER,
     .offset = AT(retention_days),
     .min = 0,
     .max = 3650,
     .text = "0",
     .help =
         "How many days of full readings are kept of clocks up to 15 seconds, at least 3; 0 is 15. "
         "In PostgreSQL of all clocks, and 0 is 7."},
    {.section = "store",
     .name = "retention_slow_days",
     .type = CONF_INTEGER,
     .offset = AT(retention_slow_days),
     .min = 3,
     .max = 3650,
     .text = "60",
     .help =
         "How many days of full readings are kept of slower clocks, which have no roll-ups of 5 "
         "minutes."},
    {.section = "store",
     .name = "rollup_5m_days",
     .type = CONF_INTEGER,
     .offset = AT(rollup_5m_days),
     .min = 3,
     .max = 3650,
     .text = "90",
     .help = "How many days roll-ups of 5 minutes are kept, by whole months. They are made of "
             "readings that come every 15 seconds or faster."},
    {.section = "store",
     .name = "rollup_1h_days",
     .type = CONF_INTEGER,
     .offset = AT(rollup_1h_days),
     .min = 3,
     .max = 36500,
     .text = "400",
     .help = "How many days roll-ups of an hour are kept, by whole months. They are made of "
             "readings that come every 15 minutes or faster."},
    {.section = "store",
     .name = "event_days",
     .type = CONF_INTEGER,
     .offset = AT(event_days),
     .min = 3,
     .max = 36500,
     .text = "400",
     .help = "How many days events are kept."},
    {.section = "store",
     .name = "text_days",
     .type = CONF_INTEGER,
     .offset = AT(text_days),
     .min = 3,
     .max = 36500,
     .text = "400",
     .help = "How many days after it came a query text or a plan is kept, at least; longer as long "
             "as a reading names it."},
    {.section = "store",
     .name = "max_bytes",
     .type = CONF_SIZE,
     .offset = AT(max_bytes),
     .min = 0,
     .max = 1e15,
     .text = "0",
     .help =
         "The most that the store may have on the disk; 0 is no such bound. Over it the oldest "
         "goes first, in this order: days of readings of clocks up to 15 seconds, plans and bodies "
         "of events, days of readings of slower clocks, months of roll-ups of 5 minutes, of an "
         "hour. What is of today or of this month stays, and events of the last 3 days. The file "
         "that a compaction writes counts, too. In PostgreSQL days of all clocks, then months of "
         "roll-ups, of 5 minutes first."},
    {.section = "keys",
     .name = "source",
     .type = CONF_ENUM,
     .offset = AT(key_source),
     .choices = sources,
     .text = "auto",
     .help = "Where the master key comes from: a file; a credential of the service manager, "
             "pga-master-key; a passphrase, in passphrase_file or the credential pga-passphrase. "
             "auto takes a credential that is there, then passphrase_file, then the file."},
    {.section = "keys",
     .name = "file",
     .type = CONF_STRING,
     .offset = AT(key_file),
     .help = "File of the master key, 64 hexadecimal digits that nobody else may read; by default "
             "keys/master.key in state_dir. It is made while the store is empty, never later."},
    {.section = "keys",
     .name = "passphrase_file",
     .type = CONF_STRING,
     .offset = AT(passphrase_file),
     .help = "File with a passphrase of at least 16 bytes in place of a key."},
    {.section = "ingest",
     .name = "max_body",
     .type = CONF_SIZE,
     .offset = AT(push_bytes),
     .min = 65536,
     .max = 268435456,
     .text = "64MB",
     .help = "The largest push that is taken, inflated."},
    {.section = "ingest",
     .name = "allow_bearer_push",
     .type = CONF_BOOL,
     .offset = AT(bearer_push),
     .text = "false",
     .help = "Let older collectors, which have no certificate, register, renew their token, push "
             "and read their configuration at `listen` with the token alone, plain on loopback or "
             "over TLS. Whoever copies such a token can then send data in the agent's name; log, "
             "audit and health say that it is on. Agents of pga do not need it."},
    {.section = "ingest",
     .name = "open_ingest",
     .type = CONF_BOOL,
     .offset = AT(open_ingest),
     .text = "false",
     .help = "Take pushes without a token, from this machine alone, for the registered collector "
             "that they name, if it has no certificate. Whoever is on this machine can then send "
             "data in the name of such collectors; log, audit and health say that it is on."},
    {.section = "limits",
     .name = "collector_relations",
     .type = CONF_INTEGER,
     .offset = AT(limit_relations),
     .min = 1,
     .max = 1e12,
     .text = "1000",
     .help = "Relations that one agent may be the first to send. What is beyond a limit of this "
             "section is left out, counted and told by an event; the others lose nothing by it."},
    {.section = "limits",
     .name = "collector_groups",
     .type = CONF_INTEGER,
     .offset = AT(limit_groups),
     .min = 1,
     .max = 1e12,
     .text = "50000",
     .help = "Groups of an agent: a relation of a server, in one database."},
    {.section = "limits",
     .name = "collector_objects",
     .type = CONF_INTEGER,
     .offset = AT(limit_objects),
     .min = 1,
     .max = 1e12,
     .text = "1000000",
     .help =
         "Rows of their own (a table, an index, a statement) of an agent, of all times. Each takes "
         "about 110 bytes of memory."},
    {.section = "limits",
     .name = "collector_new_objects",
     .type = CONF_INTEGER,
     .offset = AT(limit_new_objects),
     .min = 1,
     .max = 1e12,
     .text = "500000",
     .help = "How many of those may be new in an hour."},
    {.section = "limits",
     .name = "collector_values",
     .type = CONF_INTEGER,
     .offset = AT(limit_values),
     .min = 1,
     .max = 1e12,
     .text = "1000000000",
     .help = "Values of an agent in an hour."},
    {.section = "limits",
     .name = "collector_texts",
     .type = CONF_INTEGER,
     .offset = AT(limit_texts),
     .min = 1,
     .max = 1e12,
     .text = "200000",
     .help = "Texts of an agent: of queries, plans."},
    {.section = "limits",
     .name = "collector_text_bytes",
     .type = CONF_SIZE,
     .offset = AT(limit_text_bytes),
     .min = 65536,
     .max = 1e12,
     .text = "256MB",
     .help = "What its texts may take, as stored."},
    {.section = "limits",
     .name = "requests_per_address",
     .type = CONF_INTEGER,
     .offset = AT(rate_address),
     .min = 0,
     .max = 1e6,
     .text = "200",
     .help = "Requests in a second of one client address (of IPv6 its /64) that show no valid "
             "credential, on average: ten seconds' worth may come at once, then 429 is answered. "
             "0 is no limit."},
    {.section = "limits",
     .name = "requests_per_session",
     .type = CONF_INTEGER,
     .offset = AT(rate_session),
     .min = 0,
     .max = 1e6,
     .text = "200",
     .help = "The same for one session of a person."},
    {.section = "limits",
     .name = "requests_per_collector",
     .type = CONF_INTEGER,
     .offset = AT(rate_collector),
     .min = 0,
     .max = 1e6,
     .text = "500",
     .help = "The same for one agent."},
    {.section = "managed",
     .name = "networks",
     .type = CONF_STRINGS,
     .offset = AT(managed_networks),
     .help = "Private networks in which managed instances may be, such as 10.20.0.0/16; public "
             "addresses need no mention. What is dialled is always checked: loopback, link-local "
             "and other special addresses are never taken."},
    {.section = "managed",
     .name = "ports",
     .type = CONF_STRINGS,
     .offset = AT(managed_ports),
     .text = "[\"5432-5439\", \"6432\"]",
     .help = "Ports of managed instances that may be dialled, one or a range each."},
    {.section = "managed",
     .name = "allow_loopback",
     .type = CONF_BOOL,
     .offset = AT(managed_allow_loopback),
     .text = "false",
     .help = "Managed instances may be on this machine. For tests and demonstrations: an admin of "
             "the web interface can then reach what listens on loopback alone."},
    {.section = "managed",
     .name = "ca_file",
     .type = CONF_STRING,
     .offset = AT(managed_ca_file),
     .help = "Certificates of those who sign the servers' certificates (PEM), for verify-full and "
             "verify-ca; the system's when unset."},
    {.section = "login",
     .name = "totp_required",
     .type = CONF_STRINGS,
     .offset = AT(totp_required),
     .help = "Roles that need a second factor, such as [\"owner\", \"admin\"]: who signs in "
             "without one can enrol it and nothing else. API tokens that were made before go on."},
    {.section = "metrics",
     .name = "access",
     .type = CONF_ENUM,
     .offset = AT(metrics_access),
     .choices = readers,
     .text = "loopback",
     .help = "Who may read /metrics: nobody (off), this machine and people who are signed in "
             "(loopback), only people who are signed in (user), anyone."},
};

static const struct conf_schema schema = {
    .title = "pga server",
    .keys = keys,
    .key_count = sizeof(keys) / sizeof(keys[0]),
    .struct_size = sizeof(struct server_config),
};

const struct conf_schema *server_config_schema(void)
{
    return &schema;
}

static const char *default_state_dir(struct arena *a)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    struct stat st;

    if (stat(SYSTEM_DIR, &st) == 0 && S_ISDIR(st.st_mode) && access(SYSTEM_DIR, W_OK) == 0)
        return SYSTEM_DIR;
    if (state != NULL && state[0] == '/')
        return arena_printf(a, "%s/pga-server", state);
    return arena_printf(a, "%s/.local/state/pga-server", home != NULL ? home : "");
}

static enum err_code choose(const char *text, const char *const *choices, const char *name,
                            int *out, struct err *e)
{
    if (text == NULL)
        return ERR_OK;
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], text) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return err_set(e, ERR_INVALID, "--%s: unknown value", name);
}

bool server_config_is_postgresql(const char *store)
{
    return strncmp(store, "postgres://", strlen("postgres://")) == 0 ||
           strncmp(store, "postgresql://", strlen("postgresql://")) == 0;
}

static enum err_code check_postgresql(const char *store, struct err *e)
{
    const struct pgclient_config config = {.conninfo = store};
    struct pgclient_place place;

    if (!server_config_is_postgresql(store))
        return err_set(e, ERR_UNSUPPORTED, "server.store: sqlite:DIR or postgres://...");
    if (pgclient_check(&config, &place, e) != ERR_OK)
        return err_wrap(e, "server.store");
    return ERR_OK;
}

const char *server_config_store_shown(struct arena *a, const char *store)
{
    const struct pgclient_config config = {.conninfo = store};
    struct pgclient_place place;

    if (!server_config_is_postgresql(store))
        return store;
    if (pgclient_check(&config, &place, NULL) != ERR_OK)
        return "postgres://***";
    if (!place.has_password)
        return store;
    return arena_printf(a, "postgres://%s:***@%s:%s/%s", place.user, place.host, place.port,
                        place.dbname);
}

/* The path of "https://host/path/"; empty when there is none. */
static struct str path_of(const char *url)
{
    struct str rest = str_of(url);
    size_t at;

    if (str_find(rest, STR("://"), &at))
        rest = str_make(rest.ptr + at + 3, rest.len - at - 3);
    return str_find(rest, STR("/"), &at) ? str_make(rest.ptr + at, rest.len - at) : STR("");
}

/* "/a/b": no slash at the end, no letter that an address would write in another way. */
static bool is_base_path(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (!plain && c != '-' && c != '_' && (c != '/' || (i > 0 && s.ptr[i - 1] == '/')))
            return false;
    }
    return s.len == 0 || (s.ptr[0] == '/' && s.ptr[s.len - 1] != '/');
}

static enum err_code check_proxy(struct arena *a, struct server_config *c, struct err *e)
{
    struct str base = c->base_path != NULL ? str_of(c->base_path) : path_of(c->public_url);
    struct net_range *trusted = arena_array(a, c->trusted_proxies.count + 1, sizeof(*trusted));

    if (trusted == NULL)
        return arena_fail(a, e);
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    if (!is_base_path(base))
        return err_set(e, ERR_INVALID, "server.base_path: must be like \"/pga\"");
    c->base_path = base.len > 0 ? arena_cstr(a, base) : NULL;
    for (size_t i = 0; i < c->trusted_proxies.count; i++) {
        if (net_range_parse(str_of(c->trusted_proxies.items[i]), &trusted[i], e) != ERR_OK)
            return err_wrap(e, "server.trusted_proxies");
    }
    c->trusted = trusted;
    return ERR_OK;
}

static enum err_code check_login(struct server_config *c, struct err *e)
{
    for (size_t i = 0; i < c->totp_required.count; i++) {
        const char *name = c->totp_required.items[i];
        enum route_role role = api_role_of(name);

        if (role == ROUTE_ANYONE)
            return err_set(e, ERR_INVALID, "login.totp_required: no role is called \"%s\"", name);
        c->totp_roles |= 1u << role;
    }
    return ERR_OK;
}

static enum err_code apply_options(struct arena *a, const struct server_options *o,
                                   struct server_config *c, struct err *e)
{
    enum err_code rc = choose(o->log_level, levels, "log-level", &c->log_level, e);

    if (rc == ERR_OK)
        rc = choose(o->log_format, formats, "log-format", &c->log_format, e);
    if (o->listen_count > 0)
        c->listen = (struct conf_strings){o->listen, o->listen_count};
    if (o->agent_listen_count > 0)
        c->agent_listen = (struct conf_strings){o->agent_listen, o->agent_listen_count};
    if (o->state_dir != NULL)
        c->state_dir = o->state_dir;
    if (c->state_dir == NULL)
        c->state_dir = default_state_dir(a);
    if (o->store != NULL)
        c->store = o->store;
    if (c->store == NULL)
        c->store = arena_printf(a, "sqlite:%s/store", c->state_dir);
    if (rc == ERR_OK && strncmp(c->store, "sqlite:", strlen("sqlite:")) != 0)
        rc = check_postgresql(c->store, e);
    if (rc == ERR_OK && c->listen.count == 0)
        return err_set(e, ERR_INVALID, "server.listen: no address");
    if (rc == ERR_OK)
        rc = check_proxy(a, c, e);
    if (rc == ERR_OK)
        rc = check_login(c, e);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

enum err_code server_config_load(struct arena *a, const struct server_options *options,
                                 const struct server_config **out, struct err *e)
{
    void *loaded = NULL;
    enum err_code rc;

    if (options->config != NULL)
        rc = conf_load_file(a, &schema, options->config, &loaded, e);
    else
        rc = conf_load(a, &schema, (struct str){NULL, 0}, "defaults", &loaded, e);
    if (rc == ERR_OK) {
        ((struct server_config *)loaded)->file = options->config;
        rc = apply_options(a, options, loaded, e);
    }
    *out = loaded;
    return rc;
}
