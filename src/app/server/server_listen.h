/* SPDX-License-Identifier: PostgreSQL */
/*
 * server_listen.h: the listeners that the configuration asks for, with their TLS.
 *
 * `listen` serves people and, with a token, agents; plain on loopback, else TLS. `agent_listen`
 * serves agents alone and asks each for its certificate, on loopback too.
 *
 * Owner:   server_listen_fini lets go of the TLS configurations; the HTTP server has its own
 *          references.
 * Threads: one.
 */
#ifndef APP_SERVER_SERVER_LISTEN_H
#define APP_SERVER_SERVER_LISTEN_H

#include "app/server/server_config.h"
#include "httpd/httpd.h"

struct server_listen {
    struct httpd_listener items[HTTPD_LISTENERS_MAX];
    size_t count;
    struct tls_config *tls, *agent_tls; /* NULL = no listener needs it */
};

/*
 * Errors: ERR_INVALID: an address, a certificate, or a key of the configuration that is missing;
 *         ERR_DENIED, ERR_NOT_FOUND: a file; ERR_LIMIT
 */
enum err_code server_listen_read(const struct server_config *c, struct server_listen *out,
                                 struct err *e) ERR_MUST_CHECK;
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
