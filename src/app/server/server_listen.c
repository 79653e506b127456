/* SPDX-License-Identifier: PostgreSQL */
/* server_listen.c: see the header. */
#include "app/server/server_listen.h"

#include <string.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/host.h"
#include "tls/crypto.h"
#include "tls/hash.h"
#include "tls/tls.h"

#define PEM_MAX ((size_t)1 << 20) /* of one file; a bundle of all public roots is a quarter */

/* --- addresses --- */

static bool cut_prefix(struct str *s, struct str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = str_make(s->ptr + prefix.len, s->len - prefix.len);
    return true;
}

/* ":8443" is all addresses, of IPv6 as well where there is IPv6. */
static enum err_code parse_any(struct str s, struct net_endpoint *out, struct err *e)
{
    char text[32];
    enum err_code rc;

    if (s.len > 6)
        return err_set(e, ERR_INVALID, "address \"%.*s\": no port", STR_ARG(s));
    (void)snprintf(text, sizeof(text), "[::]%.*s", STR_ARG(s));
    rc = net_parse_endpoint(str_of(text), out, e);
    if (rc != ERR_OK)
        return rc;
    rc = net_probe_listen(out, NULL);
    if (rc == ERR_INVALID || rc == ERR_IO)
        memcpy(out->host, "0.0.0.0", sizeof("0.0.0.0"));
    return ERR_OK;
}

/* "[https://]HOST:PORT"; without a scheme, loopback is plain and everything else TLS. */
static enum err_code parse(const char *text, struct httpd_listener *l, struct err *e)
{
    struct str s = str_of(text);
    bool plain = cut_prefix(&s, STR("http://")), secure = cut_prefix(&s, STR("https://"));
    enum err_code rc = str_starts(s, STR(":")) ? parse_any(s, &l->at, e)
                                               : net_parse_endpoint(s, &l->at, e);

    l->profile = secure || (!plain && !net_is_loopback(l->at.host)) ? HTTPD_TLS : HTTPD_PLAIN;
    return rc;
}

static enum err_code add(struct server_listen *l, const char *text, unsigned classes, struct err *e)
{
    struct httpd_listener *item = &l->items[l->count];
    enum err_code rc;

    if (l->count == HTTPD_LISTENERS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d addresses to listen on", HTTPD_LISTENERS_MAX);
    rc = parse(text, item, e);
    item->classes = classes;
    l->count += rc == ERR_OK;
    return rc;
}

static enum err_code read_addresses(const struct server_config *c, struct server_listen *l,
                                    struct err *e)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < c->listen.count; i++)
        rc = add(l, c->listen.items[i], HTTPD_API | HTTPD_AGENT, e);
    if (rc != ERR_OK)
        return err_wrap(e, "server.listen");
    for (size_t i = 0; rc == ERR_OK && i < c->agent_listen.count; i++) {
        rc = add(l, c->agent_listen.items[i], HTTPD_AGENT, e);
        l->items[l->count - (rc == ERR_OK)].profile = HTTPD_TLS_CLIENT_CERT;
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "server.agent_listen");
}

/* --- certificates --- */

static const struct httpd_listener *first_of(const struct server_listen *l,
                                             enum httpd_profile profile)
{
    for (size_t i = 0; i < l->count; i++) {
        if (l->items[i].profile == profile)
            return &l->items[i];
    }
    return NULL;
}

static enum err_code check_keys(const struct server_config *c, struct err *e)
{
    if ((c->tls_certificate == NULL) != (c->tls_key == NULL))
        return err_set(e, ERR_INVALID,
                       "server.tls_certificate and server.tls_key go together: set both, or none "
                       "for a certificate of the built-in authority");
    return ERR_OK;
}

/* What a TLS configuration is made of. */
struct pems {
    struct buf chain, key, ca;
};

static enum err_code read_pem(const char *key, const char *path, struct buf *out, struct err *e)
{
    enum err_code rc = file_read_all(path, out, e);

    return rc == ERR_OK ? ERR_OK : err_wrap(e, "server.%s", key);
}

static enum err_code read_files(const struct server_config *c, struct pems *p, struct err *e)
{
    enum err_code rc = read_pem("tls_certificate", c->tls_certificate, &p->chain, e);

    if (rc == ERR_OK && file_read_secret(c->tls_key, &p->key, e) != ERR_OK)
        rc = err_wrap(e, "server.tls_key");
    return rc;
}

static void add_name(struct str *names, size_t *count, const char *name)
{
    struct str s = str_of(name);
    size_t i = 0;

    if (s.len == 0 || *count == X509_SERVER_NAMES || str_eq_c(s, "::") || str_eq_c(s, "0.0.0.0"))
        return;
    while (i < *count && !str_eq(names[i], s))
        i++;
    if (i == *count)
        names[(*count)++] = s;
}

/* Every name by which this server may be called. host: of this machine. */
static size_t collect_names(const struct server_listen *l, const char *host, struct str *names)
{
    size_t count = 0;

    add_name(names, &count, l->public_host);
    add_name(names, &count, host);
    add_name(names, &count, "localhost");
    add_name(names, &count, "127.0.0.1");
    add_name(names, &count, "::1");
    for (size_t i = 0; i < l->count; i++)
        add_name(names, &count, l->items[i].at.host);
    return count;
}

static enum err_code issue_own(struct server_listen *l, struct pems *p, struct err *e)
{
    static const struct store_actor self = {"server", "", ""};
    struct str names[X509_SERVER_NAMES];
    char host[NET_HOST_MAX] = "";
    struct store_ca_server what = {.names = names};
    struct x509_public public;
    struct x509_key *key = NULL;
    enum err_code rc = x509_key_make(&key, e);

    if (rc != ERR_OK)
        return rc;
    if (host_read_name("", host, sizeof(host), NULL) != ERR_OK)
        host[0] = '\0';
    what.name_count = collect_names(l, host, names);
    x509_key_public(key, &public);
    what.key = &public;
    rc = store_ca_issue_server(l->ca, &self, &what, &p->chain, e);
    if (rc == ERR_OK)
        rc = x509_key_write(key, &p->key, e);
    if (rc == ERR_OK)
        l->renew_ms = clock_wall_ms() + X509_SERVER_S * 1000 / 2;
    x509_key_free(key);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "certificate of the built-in authority");
}

static enum err_code read_agent_ca(struct server_listen *l, const struct server_config *c,
                                   struct buf *out, struct err *e)
{
    enum err_code rc;

    if (c->agent_ca != NULL)
        return read_pem("agent_ca", c->agent_ca, out, e);
    rc = store_ca_bundle(l->ca, out, e);
    hash_sha256(buf_view(out), l->trusted);
    return rc;
}

static enum err_code make(struct tls_config_spec *spec, const struct pems *p,
                          struct tls_config **out, struct err *e)
{
    enum err_code rc;

    spec->chain_pem = buf_view(&p->chain);
    spec->key_pem = buf_view(&p->key);
    if (spec->peer == TLS_PEER_AGENT)
        spec->ca_pem = buf_view(&p->ca);
    rc = tls_config_new(spec, out, e);
    return rc == ERR_OK ? ERR_OK : err_wrap(e, "server.tls_certificate, tls_key, agent_ca");
}

/* What the listeners need of TLS, from the files and the authority as they are now. */
static enum err_code make_all(struct server_listen *l, const struct server_config *c,
                              struct pems *p, struct err *e)
{
    struct tls_config_spec people = {.side = TLS_SERVER, .peer = TLS_PEER_UNKNOWN};
    struct tls_config_spec agents = {.side = TLS_SERVER, .peer = TLS_PEER_AGENT};
    bool for_agents = first_of(l, HTTPD_TLS_CLIENT_CERT) != NULL;
    enum err_code rc = c->tls_certificate != NULL ? read_files(c, p, e) : issue_own(l, p, e);

    if (rc == ERR_OK && for_agents)
        rc = read_agent_ca(l, c, &p->ca, e);
    if (rc == ERR_OK && first_of(l, HTTPD_TLS) != NULL)
        rc = make(&people, p, &l->tls, e);
    if (rc == ERR_OK && for_agents)
        rc = make(&agents, p, &l->agent_tls, e);
    return rc;
}

static enum err_code read_tls(const struct server_config *c, struct server_listen *l, struct err *e)
{
    struct pems p;
    enum err_code rc = check_keys(c, e);

    if (first_of(l, HTTPD_TLS) == NULL && first_of(l, HTTPD_TLS_CLIENT_CERT) == NULL)
        return rc;
    buf_init(&p.chain, PEM_MAX);
    buf_init(&p.key, PEM_MAX);
    buf_init(&p.ca, PEM_MAX);
    l->renew_ms = 0;
    if (rc == ERR_OK)
        rc = make_all(l, c, &p, e);
    for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
        l->items[i].tls = l->items[i].profile == HTTPD_PLAIN ? NULL
                          : l->items[i].profile == HTTPD_TLS ? l->tls
                                                             : l->agent_tls;
    crypto_wipe(p.key.ptr, p.key.len);
    buf_fini(&p.ca);
    buf_fini(&p.key);
    buf_fini(&p.chain);
    return rc;
}

/* --- the whole --- */

enum err_code server_listen_read(const struct server_config *c, struct server_listen *out,
                                 struct err *e)
{
    enum err_code rc;

    memset(out, 0, sizeof(*out));
    rc = read_addresses(c, out, e);
    return rc == ERR_OK ? check_keys(c, e) : rc;
}

enum err_code server_listen_certify(struct server_listen *l, const struct server_config *c,
                                    const struct store_ca *ca, const char *public_host,
                                    struct err *e)
{
    l->ca = ca;
    l->public_host = public_host;
    return read_tls(c, l, e);
}

enum err_code server_listen_is_stale(const struct server_listen *l, const struct server_config *c,
                                     bool *stale, struct err *e)
{
    unsigned char now[HASH_BYTES];
    struct buf bundle;
    enum err_code rc;

    *stale = l->renew_ms != 0 && clock_wall_ms() >= l->renew_ms;
    if (*stale || l->agent_tls == NULL || c->agent_ca != NULL)
        return ERR_OK;
    buf_init(&bundle, X509_BUNDLE_MAX);
    rc = store_ca_bundle(l->ca, &bundle, e);
    hash_sha256(buf_view(&bundle), now);
    *stale = rc == ERR_OK && memcmp(now, l->trusted, sizeof(now)) != 0;
    buf_fini(&bundle);
    return rc;
}

unsigned server_listen_agent_port(const struct server_listen *l)
{
    const struct httpd_listener *agents = first_of(l, HTTPD_TLS_CLIENT_CERT);

    return agents != NULL ? agents->at.port : 0;
}

void server_listen_fini(struct server_listen *l)
{
    tls_config_unref(l->tls);
    tls_config_unref(l->agent_tls);
    l->tls = l->agent_tls = NULL;
}

enum err_code server_listen_reload(struct server_listen *l, const struct server_config *c,
                                   struct httpd *h, struct err *e)
{
    struct server_listen fresh = *l;
    enum err_code rc;

    fresh.tls = fresh.agent_tls = NULL;
    rc = read_tls(c, &fresh, e);
    if (rc != ERR_OK) {
        server_listen_fini(&fresh);
        return rc;
    }
    for (size_t i = 0; i < fresh.count; i++) {
        if (fresh.items[i].tls != NULL)
            httpd_set_tls(h, i, fresh.items[i].tls);
    }
    server_listen_fini(l);
    /* Not the items: requests read them meanwhile, and the server has its own references. */
    l->tls = fresh.tls;
    l->agent_tls = fresh.agent_tls;
    l->renew_ms = fresh.renew_ms;
    memcpy(l->trusted, fresh.trusted, sizeof(l->trusted));
    return ERR_OK;
}

void server_listen_put_url(const struct httpd_listener *l, struct buf *out)
{
    buf_add_c(out, l->profile == HTTPD_PLAIN ? "http://" : "https://");
    buf_printf(out, strchr(l->at.host, ':') != NULL ? "[%s]:%u" : "%s:%u", l->at.host, l->at.port);
}
