/* SPDX-License-Identifier: PostgreSQL */
/* server_listen.c: see the header. */
#include "app/server/server_listen.h"

#include <string.h>

#include "os/file.h"
#include "tls/crypto.h"
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

static enum err_code check_keys(const struct server_config *c, const struct server_listen *l,
                                struct err *e)
{
    const struct httpd_listener *secure = first_of(l, HTTPD_TLS);
    const struct httpd_listener *agent = first_of(l, HTTPD_TLS_CLIENT_CERT);

    if (secure == NULL)
        secure = agent;
    if (secure != NULL && (c->tls_certificate == NULL || c->tls_key == NULL))
        return err_set(e, ERR_INVALID,
                       "%s:%u needs TLS: set server.tls_certificate and server.tls_key; only "
                       "loopback addresses are served plain",
                       secure->at.host, secure->at.port);
    if (agent != NULL && c->agent_ca == NULL)
        return err_set(e, ERR_INVALID,
                       "server.agent_listen needs server.agent_ca, the authority that signs the "
                       "certificates of agents");
    return ERR_OK;
}

static enum err_code read_pem(const char *key, const char *path, struct buf *out, struct err *e)
{
    enum err_code rc = file_read_all(path, out, e);

    return rc == ERR_OK ? ERR_OK : err_wrap(e, "server.%s", key);
}

static enum err_code make(const struct server_config *c, struct tls_config_spec *spec,
                          struct tls_config **out, struct err *e)
{
    struct buf chain, key, ca;
    enum err_code rc;

    buf_init(&chain, PEM_MAX);
    buf_init(&key, PEM_MAX);
    buf_init(&ca, PEM_MAX);
    rc = read_pem("tls_certificate", c->tls_certificate, &chain, e);
    if (rc == ERR_OK && file_read_secret(c->tls_key, &key, e) != ERR_OK)
        rc = err_wrap(e, "server.tls_key");
    if (rc == ERR_OK && spec->peer == TLS_PEER_AGENT)
        rc = read_pem("agent_ca", c->agent_ca, &ca, e);
    if (rc == ERR_OK) {
        spec->chain_pem = buf_view(&chain);
        spec->key_pem = buf_view(&key);
        spec->ca_pem = buf_view(&ca);
        rc = tls_config_new(spec, out, e);
        if (rc != ERR_OK)
            (void)err_wrap(e, "server.tls_certificate, tls_key, agent_ca");
    }
    crypto_wipe(key.ptr, key.len);
    buf_fini(&ca);
    buf_fini(&key);
    buf_fini(&chain);
    return rc;
}

/* What the listeners need of TLS, from the files as they are now. */
static enum err_code read_tls(const struct server_config *c, struct server_listen *l, struct err *e)
{
    struct tls_config_spec people = {.side = TLS_SERVER, .peer = TLS_PEER_UNKNOWN};
    struct tls_config_spec agents = {.side = TLS_SERVER, .peer = TLS_PEER_AGENT};
    enum err_code rc = check_keys(c, l, e);

    if (rc == ERR_OK && first_of(l, HTTPD_TLS) != NULL)
        rc = make(c, &people, &l->tls, e);
    if (rc == ERR_OK && first_of(l, HTTPD_TLS_CLIENT_CERT) != NULL)
        rc = make(c, &agents, &l->agent_tls, e);
    for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
        l->items[i].tls = l->items[i].profile == HTTPD_PLAIN ? NULL
                          : l->items[i].profile == HTTPD_TLS ? l->tls
                                                             : l->agent_tls;
    return rc;
}

/* --- the whole --- */

enum err_code server_listen_read(const struct server_config *c, struct server_listen *out,
                                 struct err *e)
{
    enum err_code rc;

    memset(out, 0, sizeof(*out));
    rc = read_addresses(c, out, e);
    return rc == ERR_OK ? read_tls(c, out, e) : rc;
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
    *l = fresh;
    return ERR_OK;
}

void server_listen_put_url(const struct httpd_listener *l, struct buf *out)
{
    buf_add_c(out, l->profile == HTTPD_PLAIN ? "http://" : "https://");
    buf_printf(out, strchr(l->at.host, ':') != NULL ? "[%s]:%u" : "%s:%u", l->at.host, l->at.port);
}
