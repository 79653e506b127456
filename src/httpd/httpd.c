/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd.c: CivetWeb as our HTTP server.
 *
 * CivetWeb accepts and parses heads; connections without a request are in our room; everything else
 * happens in CivetWeb's begin_request callback, which never falls through to its handling of files.
 * Threads: CivetWeb's workers and the room's; shared are the room and `draining` (atomic).
 */
#include "httpd/httpd.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"
#include "httpd/httpd_private.h"
#include "httpd/httpd_room.h"
#include "httpd/httpd_tls.h"
#include "os/clock.h"
#include "os/entropy.h"

/* --- one request --- */

static void fill_request(struct httpd_request *r, struct mg_connection *conn,
                         const struct mg_request_info *info)
{
    unsigned char random[(HTTPD_ID_SIZE - 1) / 2];
    const struct mg_tls *tls = mg_connection_tls(conn);

    entropy_fill(random, sizeof(random));
    text_hex(random, sizeof(random), r->id);
    r->connection = conn;
    r->start_mono_us = clock_mono_us();
    r->method = str_of(info->request_method);
    r->is_head = str_eq_c(r->method, "HEAD");
    if (r->is_head)
        r->method = STR("GET");
    r->path = str_of(info->request_uri);
    r->query = str_of(info->query_string);
    r->peer = info->remote_addr;
    r->listener = &r->server->config.listeners[mg_connection_listener(conn)];
    if (tls != NULL)
        httpd_tls_peer(tls, &r->peer_certificate);
    if (mg_get_header(conn, "Transfer-Encoding") != NULL)
        r->content_length = -1;
    else
        r->content_length = info->content_length > 0 ? info->content_length : 0;
}

static void serve(struct httpd_request *r, struct httpd_response *w,
                  const struct mg_request_info *info)
{
    struct httpd *h = r->server;
    enum err_code rc;
    struct err e;

    rc = httpd_gate_check(h, info, r->listener, &e);
    if (rc == ERR_DENIED && httpd_gate_is_here(r))
        rc = ERR_OK;
    if (rc == ERR_OK)
        rc = httpd_proxy_client(r, info, &e);
    httpd_proxy_path(r);
    if (rc != ERR_OK) {
        httpd_response_problem(w, e.code == ERR_DENIED ? 421 : 400, e.text, r->id);
        w->close = true;
    } else if (atomic_load(&h->draining)) {
        httpd_response_problem(w, 503, "the server is stopping", r->id);
        httpd_add_header(w, "Retry-After", "2");
        w->close = true;
    } else {
        h->config.handler(h->config.arg, r, w);
    }
    if (atomic_load(&h->draining))
        w->close = true;
}

static int on_request(struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct httpd *h = info->user_data;
    struct httpd_request r = {.server = h};
    struct httpd_response w;
    struct arena arena;

    alloc_wipe_begin(); /* any head has a token in it, and bodies and answers have passwords */
    arena_init(&arena, "request", LIMIT_REQUEST_ARENA_BYTES);
    r.arena = &arena;
    httpd_response_init(&w);
    fill_request(&r, conn, info);
    serve(&r, &w, info);
    httpd_response_send(conn, &r, &w);
    httpd_response_fini(&w);
    arena_fini(&arena);
    alloc_wipe_end();
    return w.status;
}

/* A head that CivetWeb itself could not read. */
static int on_error(struct mg_connection *conn, int status, const char *text)
{
    struct httpd_response w;

    (void)text;
    if (status == 411) /* it says so of a length that is there and is no number */
        status = 400;
    httpd_response_init(&w);
    if (mg_connection_tls(conn) != NULL)
        httpd_add_header(&w, "Strict-Transport-Security", HTTPD_HSTS);
    httpd_response_problem(&w, status, "the request cannot be read", NULL);
    w.close = true;
    httpd_response_send(conn, NULL, &w);
    httpd_response_fini(&w);
    return 0;
}

static void on_rest(struct mg_context *context, struct mg_rest *rest)
{
    const struct httpd *h = mg_get_user_data(context);

    httpd_room_enter(h->room, context, rest);
}

static void on_rest_gone(struct mg_context *context, struct mg_rest *rest)
{
    const struct httpd *h = mg_get_user_data(context);

    httpd_room_gone(h->room, rest);
}

static int on_message(const struct mg_connection *conn, const char *message)
{
    (void)conn;
    (void)message;
    return 1; /* not to its own log; what matters comes back as an error of mg_start2 */
}

/* --- listeners --- */

static enum err_code check_listener(const struct httpd_listener *l, struct err *e)
{
    if (l->profile == HTTPD_PLAIN && !net_is_loopback(l->at.host))
        return err_set(e, ERR_UNSUPPORTED, "%s:%u: plain HTTP is for loopback addresses",
                       l->at.host, l->at.port);
    return net_probe_listen(&l->at, e);
}

enum err_code httpd_check(const struct httpd_config *config, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (config->listener_count > HTTPD_LISTENERS_MAX)
        return err_set(e, ERR_LIMIT, "more than %d listeners", HTTPD_LISTENERS_MAX);
    for (size_t i = 0; rc == ERR_OK && i < config->listener_count; i++)
        rc = check_listener(&config->listeners[i], e);
    return rc;
}

/* In CivetWeb's form: "+" stands for all addresses of both kinds, a trailing "s" for TLS. */
static void put_port(struct buf *out, const struct httpd_listener *l)
{
    const char *host = strcmp(l->at.host, "localhost") == 0 ? "127.0.0.1" : l->at.host;

    if (strcmp(host, "::") == 0)
        buf_printf(out, "+%u", l->at.port);
    else
        buf_printf(out, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, l->at.port);
    if (l->profile != HTTPD_PLAIN)
        buf_add_char(out, 's');
}

static enum err_code put_ports(const struct httpd_config *c, struct buf *out, struct err *e)
{
    for (size_t i = 0; i < c->listener_count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        put_port(out, &c->listeners[i]);
    }
    return buf_check(out, e);
}

static enum err_code start_context(struct httpd *h, const char *ports, struct err *e)
{
    static const struct mg_callbacks callbacks = {.begin_request = on_request,
                                                  .raw_head = httpd_gate_raw,
                                                  .rest = on_rest,
                                                  .rest_gone = on_rest_gone,
                                                  .http_error = on_error,
                                                  .log_message = on_message};
    char threads[16], queue[16], text[256] = "";
    const char *options[] = {"listening_ports",
                             ports,
                             "num_threads",
                             threads,
                             "enable_keep_alive",
                             "yes",
                             "request_timeout_ms",
                             "10000",
                             "decode_url",
                             "no",
                             "tcp_nodelay",
                             "1",
                             "connection_queue",
                             queue,
                             "listen_backlog",
                             "512",
                             "max_request_size",
                             "16384",
                             "enable_auth_domain_check",
                             "no",
                             NULL};
    struct mg_init_data init = {&callbacks, h, options};
    struct mg_error_data error = {0, 0, text, sizeof(text)};

    snprintf(threads, sizeof(threads), "%u", h->config.threads);
    snprintf(queue, sizeof(queue), "%u", h->config.connections); /* all may speak at once */
    h->context = mg_start2(&init, &error);
    if (h->context == NULL)
        return err_set(e, ERR_IO, "cannot listen on %s: %s", ports, text);
    return ERR_OK;
}

static enum err_code open_room(struct httpd *h, struct err *e)
{
    struct httpd_room_limits limits = {.connections = h->config.connections,
                                       .per_address = h->config.connections_per_address,
                                       .idle_ms = LIMIT_HTTP_IDLE_MS,
                                       .head_ms = LIMIT_HTTP_HEAD_MS,
                                       .shake_ms = LIMIT_TLS_SHAKE_MS,
                                       .refused = h->config.refused,
                                       .arg = h->config.arg};
    enum err_code rc = httpd_room_open(&limits, &h->room, e);

    for (size_t i = 0; rc == ERR_OK && i < h->config.listener_count; i++) {
        if (h->config.listeners[i].profile != HTTPD_PLAIN)
            httpd_set_tls(h, i, h->config.listeners[i].tls);
    }
    return rc;
}

enum err_code httpd_start(const struct httpd_config *config, struct httpd **out, struct err *e)
{
    struct httpd *h = alloc_new(sizeof(*h));
    struct buf ports;
    enum err_code rc;

    assert(config->listener_count > 0);
    h->config = *config;
    buf_init(&ports, 4096);
    rc = httpd_check(config, e);
    if (rc == ERR_OK)
        rc = put_ports(config, &ports, e);
    if (rc == ERR_OK)
        rc = open_room(h, e);
    if (rc == ERR_OK)
        rc = start_context(h, ports.ptr, e);
    buf_fini(&ports);
    if (rc != ERR_OK) {
        httpd_stop(h);
        return rc;
    }
    *out = h;
    return ERR_OK;
}

void httpd_drain(struct httpd *h, int64_t mono_us)
{
    struct httpd_counts now;

    atomic_store(&h->draining, true);
    httpd_room_drain(h->room);
    for (httpd_count(h, &now); now.working > 0 && clock_mono_us() < mono_us; httpd_count(h, &now))
        clock_sleep_ms(5);
}

void httpd_set_tls(struct httpd *h, size_t listener, struct tls_config *tls)
{
    assert(h->config.listeners[listener].profile != HTTPD_PLAIN);
    httpd_room_set_tls(h->room, listener, tls);
}

void httpd_end_peer(struct httpd *h, const unsigned char sha256[32])
{
    httpd_room_end_peer(h->room, sha256);
}

void httpd_count(const struct httpd *h, struct httpd_counts *out)
{
    httpd_room_count(h->room, out);
    out->late = atomic_load(&h->bodies_late);
}

void httpd_stop(struct httpd *h)
{
    if (h == NULL)
        return;
    httpd_room_stop(h->room);
    mg_stop(h->context);
    httpd_room_free(h->room);
    alloc_free(h);
}
