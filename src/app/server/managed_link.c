/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed_link.c: see the header.
 *
 * Errors of our own steps carry an SQLSTATE of class "PA", which PostgreSQL does not have, from
 * where they happen to where the verdict is made. A server that sends such a state only gets the
 * wrong one of our own sentences.
 */
#include "app/server/managed_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"

#define STATE_HOST    "PA001"
#define STATE_BLOCKED "PA002"
#define STATE_DNS     "PA003"
#define STATE_TCP     "PA004"
#define STATE_SECRET  MANAGED_STATE_SECRET

#define PORTS_MAX 64

static const struct code {
    const char *name, *stage;
    const char *error; /* NULL = the error's own text, which is ours */
} codes[MANAGED_CODES] = {
    [MANAGED_OK] = {"ok", "", ""},
    [MANAGED_HOST] = {"host", "dns", NULL},
    [MANAGED_BLOCKED] = {"blocked", "dns", NULL},
    [MANAGED_DNS] = {"dns", "dns", "the name has no address"},
    [MANAGED_TCP] = {"tcp", "tcp", "nobody answers at that address and port"},
    [MANAGED_TLS] = {"tls", "tls",
                     "the encrypted link that ssl_mode asks for does not come about: the server "
                     "has no TLS, or its certificate does not fit"},
    [MANAGED_AUTH] = {"auth", "auth",
                      "the login was refused: role, password, or pg_hba.conf of the server"},
    [MANAGED_DATABASE] = {"database", "database", "there is no such database"},
    [MANAGED_RIGHTS] = {"rights", "rights", "a right is missing"},
    [MANAGED_BUSY] = {"busy", "tcp",
                      "the server takes no connections now: it starts, stops or has too many"},
    [MANAGED_PROTOCOL] = {"protocol", "tcp",
                          "what answers there does not do so as PostgreSQL does, or not in time"},
    [MANAGED_SECRET] = {"secret", "auth", "the stored password cannot be read: set it again"},
};

const char *managed_code_name(enum managed_code code)
{
    return codes[code].name;
}

const char *managed_code_stage(enum managed_code code)
{
    return codes[code].stage;
}

/* --- rules --- */

static enum err_code read_ports(struct arena *a, const struct conf_strings *list,
                                struct net_dial_policy *out, struct err *e)
{
    struct net_ports *ports = arena_array(a, list->count + 1, sizeof(*ports));

    for (size_t i = 0; ports && i < list->count; i++) {
        struct str rest = str_of(list->items[i]), first = str_split(&rest, '-');
        int64_t from, to;

        if (num_parse_i64(first, 1, 65535, &from, NULL) != ERR_OK ||
            num_parse_i64(rest.ptr ? rest : first, from, 65535, &to, NULL) != ERR_OK)
            return err_set(e, ERR_INVALID, "managed.ports: \"%.40s\" is no port or range of ports",
                           list->items[i]);
        ports[i] = (struct net_ports){(uint16_t)from, (uint16_t)to};
    }
    out->ports = ports;
    out->port_count = list->count;
    return arena_check(a, e);
}

static enum err_code read_networks(struct arena *a, const struct conf_strings *list,
                                   struct net_dial_policy *out, struct err *e)
{
    struct net_range *networks = arena_array(a, list->count + 1, sizeof(*networks));

    for (size_t i = 0; networks && i < list->count; i++) {
        if (net_range_parse(str_of(list->items[i]), &networks[i], e) != ERR_OK)
            return err_wrap(e, "managed.networks");
    }
    out->networks = networks;
    out->network_count = list->count;
    return arena_check(a, e);
}

enum err_code managed_rules_read(struct arena *a, const struct server_config *config,
                                 struct managed_rules *out, struct err *e)
{
    struct managed_rules r = {.ca_file = config->managed_ca_file};
    enum err_code rc = read_ports(a, &config->managed_ports, &r.policy, e);

    if (rc == ERR_OK)
        rc = read_networks(a, &config->managed_networks, &r.policy, e);
    r.policy.allow_loopback = config->managed_allow_loopback != 0;
    if (rc == ERR_OK)
        *out = r;
    return rc;
}

/* --- the way --- */

static enum err_code mark(struct err *e, const char *state)
{
    snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", state);
    return e->code;
}

static enum err_code resolve(const struct managed_rules *rules, const struct managed_place *p,
                             struct net_host *host, struct net_dial_route *route, struct err *e)
{
    if (net_host_parse(str_of(p->endpoint), host, e) != ERR_OK)
        return mark(e, STATE_HOST);
    switch (net_dial_resolve(&rules->policy, host, p->port, route, e)) {
    case ERR_OK:
        return ERR_OK;
    case ERR_NOT_FOUND:
        return mark(e, STATE_DNS);
    default:
        return mark(e, STATE_BLOCKED);
    }
}

enum err_code managed_link_check(const struct managed_rules *rules, const struct managed_place *p,
                                 struct err *e)
{
    struct net_host host;
    enum err_code rc = net_host_parse(str_of(p->endpoint), &host, e);

    if (rc == ERR_OK && host.is_address)
        return net_dial_judge(&rules->policy, &host.address, p->port, e);
    return rc == ERR_OK ? net_dial_judge_port(&rules->policy, p->port, e) : rc;
}

/* libpq wants as many names as addresses, one comma between two. */
struct strings {
    size_t host, hostaddr, port;
};

static void put_strings(const struct net_host *host, const struct net_dial_route *route,
                        struct buf *room, struct strings *at)
{
    char text[NET_ADDRESS_TEXT];

    buf_add_char(room, '\0');
    at->host = room->len;
    for (size_t i = 0; i < route->count; i++)
        buf_printf(room, "%s%s", i ? "," : "", host->text);
    buf_add_char(room, '\0');
    at->hostaddr = room->len;
    for (size_t i = 0; i < route->count; i++) {
        net_address_text(&route->addresses[i], text);
        buf_printf(room, "%s%s", i ? "," : "", text);
    }
    buf_add_char(room, '\0');
    at->port = room->len;
    buf_printf(room, "%u", route->port);
}

static const char *roots_of(const struct managed_rules *rules, const char *ssl_mode)
{
    if (strncmp(ssl_mode, "verify-", 7) != 0)
        return NULL;
    return rules->ca_file ? rules->ca_file : "system";
}

enum err_code managed_link_open(const struct managed_rules *rules, const struct managed_place *p,
                                struct buf *room, struct pgclient_config *out, struct err *e)
{
    struct net_dial_route route = {.count = 0};
    struct net_host host;
    struct strings at = {0};
    bool has_password = room->len > 0;
    enum err_code rc = resolve(rules, p, &host, &route, e);

    if (rc != ERR_OK)
        return rc;
    put_strings(&host, &route, room, &at);
    rc = buf_check(room, e);
    if (rc != ERR_OK)
        return rc;
    net_dial_note(&route);
    *out = (struct pgclient_config){
        .host = room->ptr + at.host,
        .hostaddr = room->ptr + at.hostaddr,
        .port = room->ptr + at.port,
        .user = p->username,
        .dbname = p->dbname,
        .password = has_password ? room->ptr : NULL,
        .sslmode = p->ssl_mode,
        .sslrootcert = roots_of(rules, p->ssl_mode),
        .flags = PGCLIENT_MONITOR | PGCLIENT_FIND_POOLER | PGCLIENT_CLOSED,
    };
    return ERR_OK;
}

/* --- verdicts --- */

/* The kernel's words, which libpq passes on. */
static bool says_tcp(const char *text)
{
    static const int numbers[] = {ECONNREFUSED, ETIMEDOUT,  EHOSTUNREACH,
                                  ENETUNREACH,  ECONNRESET, EHOSTDOWN};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct err e;

        (void)err_set_errno(&e, ERR_IO, numbers[i], "x");
        if (strstr(text, e.text + strlen("x: ")))
            return true;
    }
    return false;
}

static bool says_tls(const char *text)
{
    return strstr(text, "SSL") || strstr(text, "TLS") || strstr(text, "certificate") ||
           strstr(text, "channel binding");
}

static enum managed_code code_of_state(const char *state)
{
    static const struct {
        const char *prefix;
        enum managed_code code;
    } rows[] = {
        {STATE_HOST, MANAGED_HOST},     {STATE_BLOCKED, MANAGED_BLOCKED},
        {STATE_DNS, MANAGED_DNS},       {STATE_TCP, MANAGED_TCP},
        {STATE_SECRET, MANAGED_SECRET}, {"28", MANAGED_AUTH},
        {"3D000", MANAGED_DATABASE},    {"42501", MANAGED_RIGHTS},
        {"53", MANAGED_BUSY},           {"55000", MANAGED_DATABASE},
        {"57P", MANAGED_BUSY},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
            return rows[i].code;
    }
    return MANAGED_PROTOCOL;
}

static enum managed_code code_of(const struct err *e)
{
    if (e->sqlstate[0])
        return code_of_state(e->sqlstate);
    if (e->code == ERR_UNSUPPORTED)
        return MANAGED_TLS;
    if (e->code == ERR_DENIED)
        return MANAGED_AUTH;
    if (says_tls(e->text))
        return MANAGED_TLS;
    return says_tcp(e->text) ? MANAGED_TCP : MANAGED_PROTOCOL;
}

/* An identifier as SQL has it. */
static void add_name(struct buf *out, const char *name)
{
    buf_add_char(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_add_char(out, '"');
        buf_add_char(out, *name);
    }
    buf_add_char(out, '"');
}

static void set_fix(struct managed_verdict *v, const char *what, const char *object,
                    const char *role)
{
    struct buf sql;

    buf_init(&sql, sizeof(v->fix) - 1);
    buf_add_c(&sql, what);
    if (object)
        add_name(&sql, object);
    buf_add_c(&sql, " TO ");
    add_name(&sql, role);
    if (!sql.failed)
        snprintf(v->fix, sizeof(v->fix), "%s", sql.ptr);
    buf_fini(&sql);
}

void managed_verdict_of(const struct err *e, const struct managed_place *p,
                        struct managed_verdict *out)
{
    enum managed_code code = code_of(e);
    const char *said = codes[code].error;

    *out = (struct managed_verdict){.code = code};
    snprintf(out->error, sizeof(out->error), "%s", said ? said : e->text);
    if (code == MANAGED_RIGHTS) {
        snprintf(out->error, sizeof(out->error),
                 "the role has no right to connect to the database");
        set_fix(out, "GRANT CONNECT ON DATABASE ", p->dbname, p->username);
    }
}

void managed_verdict_of_server(const struct probe_server *server, const struct managed_place *p,
                               struct managed_verdict *out)
{
    *out = (struct managed_verdict){.code = MANAGED_OK};
    snprintf(out->version, sizeof(out->version), "%d.%d", server->version_num / 10000,
             server->version_num % 10000);
    if (server->superuser || server->reads_all_stats)
        return;
    out->code = MANAGED_RIGHTS;
    snprintf(out->error, sizeof(out->error),
             "the role is no member of pg_monitor: sessions and statements of others stay hidden");
    set_fix(out, "GRANT pg_monitor", NULL, p->username);
}

/* --- a trial --- */

/* Only whether somebody answers there. */
static enum err_code knock(const struct managed_rules *rules, const struct managed_place *p,
                           int64_t mono_us, struct err *e)
{
    struct net_dial_route route;
    struct net_host host;
    int fd = -1;
    enum err_code rc = resolve(rules, p, &host, &route, e);

    if (rc != ERR_OK)
        return rc;
    if (net_dial_connect(&route, mono_us, &fd, e) != ERR_OK)
        return mark(e, STATE_TCP);
    (void)close(fd);
    return ERR_OK;
}

static enum err_code learn(struct pgclient *pg, const struct catalogue *catalogue, int64_t mono_us,
                           struct probe_server *out, struct err *e)
{
    struct arena a;
    enum err_code rc;

    arena_init(&a, "trial", 1 << 20);
    const struct probe_run ask = {
        .catalogue = catalogue, .pg = pg, .arena = &a, .deadline_us = mono_us};
    rc = probe_learn_server(&ask, out, e);
    arena_fini(&a);
    return rc;
}

static void attempt(const struct managed_rules *rules, const struct catalogue *catalogue,
                    const struct api_trial *t, const struct managed_place *p,
                    struct managed_verdict *v)
{
    int64_t mono_us = clock_mono_us() + t->timeout_ms * 1000;
    struct pgclient_config config;
    struct probe_server server = {0};
    struct pgclient *pg = NULL;
    struct buf room;
    struct err e = {0};
    enum err_code rc = knock(rules, p, mono_us, &e);

    buf_init(&room, LIMIT_LINK_BYTES);
    buf_add(&room, t->password.ptr, t->password.len);
    if (rc == ERR_OK)
        rc = managed_link_open(rules, p, &room, &config, &e);
    if (rc == ERR_OK)
        rc = pgclient_open(&config, mono_us, &pg, &e);
    if (room.ptr)
        explicit_bzero(room.ptr, room.len);
    buf_fini(&room);
    if (rc == ERR_OK)
        rc = learn(pg, catalogue, mono_us, &server, &e);
    pgclient_close(pg);
    if (rc == ERR_OK)
        managed_verdict_of_server(&server, p, v);
    else
        managed_verdict_of(&e, p, v);
}

void managed_link_try(const struct managed_rules *rules, const struct catalogue *catalogue,
                      struct api_trial *t)
{
    const struct managed_place p = {.endpoint = t->endpoint,
                                    .dbname = t->dbname,
                                    .username = t->username,
                                    .ssl_mode = t->ssl_mode,
                                    .port = (uint16_t)t->port};
    struct managed_verdict v;

    attempt(rules, catalogue, t, &p, &v);
    t->connected = v.version[0] != '\0';
    t->code = codes[v.code].name;
    t->stage = codes[v.code].stage;
    snprintf(t->error, sizeof(t->error), "%s", v.error);
    snprintf(t->fix, sizeof(t->fix), "%s", v.fix);
    snprintf(t->version, sizeof(t->version), "%s", v.version);
}
