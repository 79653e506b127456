/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_listen.h: the listeners that the configuration asks for, with their TLS.
 *
 * `listen` serves people and, with a token, agents; plain on loopback, else TLS. `agent_listen`
 * serves agents alone and asks each for its certificate, on loopback too.
 *
 * Where the configuration names no certificate, the built-in authority (store_ca.h) issues one,
 * whose key stays in memory; where it names no authority for agents, the built-in one is meant.
 *
 * Owner:   server_listen_fini lets go of the TLS configurations; the HTTP server has its own
 *          references.
 * Threads: one.
 */
#ifndef APP_SERVER_SERVER_LISTEN_H
#define APP_SERVER_SERVER_LISTEN_H

#include "app/server/server_config.h"
#include "httpd/httpd.h"
#include "store/store_ca.h"

struct server_listen {
    struct httpd_listener items[HTTPD_LISTENERS_MAX];
    size_t count;
    struct tls_config *tls, *agent_tls; /* NULL = no listener needs it */
    const struct store_ca *ca;          /* after server_listen_certify */
    const char *public_host;
    unsigned char trusted[32]; /* hash of the built-in bundle in use */
    int64_t renew_ms;          /* when the built-in certificate is to be issued again; 0 = none */
};

/*
 * The addresses. Errors: ERR_INVALID: an address, or one of two keys that go together; ERR_LIMIT
 */
enum err_code server_listen_read(const struct server_config *c, struct server_listen *out,
                                 struct err *e) ERR_MUST_CHECK;
/*
 * What they need of TLS. public_host: NULL = none; both borrowed.
 * Errors: ERR_INVALID: a certificate or key; ERR_DENIED, ERR_NOT_FOUND: a file
 */
enum err_code server_listen_certify(struct server_listen *l, const struct server_config *c,
                                    const struct store_ca *ca, const char *public_host,
                                    struct err *e) ERR_MUST_CHECK;
/* Whether the built-in authority has something newer than what is in use. */
enum err_code server_listen_is_stale(const struct server_listen *l, const struct server_config *c,
                                     bool *stale, struct err *e) ERR_MUST_CHECK;
/* Port of the first listener that asks agents for certificates; 0 = none. */
unsigned server_listen_agent_port(const struct server_listen *l);
/*
 * Read the files again and give them to new connections. On an error all stays as it is. The
 * addresses are those of the start.
 */
enum err_code server_listen_reload(struct server_listen *l, const struct server_config *c,
                                   struct httpd *h, struct err *e) ERR_MUST_CHECK;
void server_listen_fini(struct server_listen *l);
/* "https://host:port" of one listener. */
void server_listen_put_url(const struct httpd_listener *l, struct buf *out);

#endif
