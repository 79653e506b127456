/* SPDX-License-Identifier: PostgreSQL */
/* httpd_tls.c: see the header. */
#include "httpd/httpd_tls.h"

#include <civetweb.h>

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "httpd/httpd_private.h"
#include "tls/hash.h"

#define PIECE 2048

struct httpd_tls {
    struct mg_tls base; /* first: CivetWeb knows this alone */
    struct tls_session *session;
    struct buf early;
    size_t early_at; /* what of `early` was read */
    bool shaken, abandoned;
    unsigned char peer_sha256[HASH_BYTES];
};

static struct httpd_tls *of(struct mg_tls *tls)
{
    return (struct httpd_tls *)tls;
}

static const struct httpd_tls *of_const(const struct mg_tls *tls)
{
    return (const struct httpd_tls *)tls;
}

/* --- what CivetWeb calls --- */

struct str httpd_tls_early(const struct mg_tls *tls)
{
    const struct httpd_tls *t = of_const(tls);

    return str_make(t->early.ptr + t->early_at, t->early.len - t->early_at);
}

static int on_pending(const struct mg_tls *tls)
{
    size_t early = httpd_tls_early(tls).len;

    return (int)(early > 0 ? early : tls_session_pending(of_const(tls)->session));
}

/* It held a head, and perhaps a small body: tokens and passwords. */
static void forget_early(struct httpd_tls *t)
{
    alloc_wipe_begin();
    buf_fini(&t->early);
    alloc_wipe_end();
}

static int take_early(struct httpd_tls *t, void *to, size_t len)
{
    struct str early = httpd_tls_early(&t->base);

    if (len > early.len)
        len = early.len;
    memcpy(to, early.ptr, len);
    t->early_at += len;
    if (t->early_at < t->early.len)
        return (int)len;
    forget_early(t); /* at rest a connection needs no buffer */
    buf_init(&t->early, LIMIT_HTTP_HEAD_BYTES);
    t->early_at = 0;
    return (int)len;
}

static int on_read(struct mg_tls *tls, void *to, int len)
{
    struct httpd_tls *t = of(tls);
    enum tls_step step;
    size_t got;

    if (len <= 0)
        return 0;
    if (httpd_tls_early(tls).len > 0)
        return take_early(t, to, (size_t)len);
    step = tls_session_read(t->session, to, (size_t)len, &got);
    if (step == TLS_DONE)
        return (int)got;
    return step == TLS_WANT_READ || step == TLS_WANT_WRITE ? MG_TLS_AGAIN : MG_TLS_ENDED;
}

static int on_write(struct mg_tls *tls, const void *from, int len)
{
    enum tls_step step;
    size_t put;

    if (len <= 0)
        return 0;
    step = tls_session_write(of(tls)->session, from, (size_t)len, &put);
    if (step == TLS_DONE)
        return (int)put;
    return step == TLS_WANT_READ || step == TLS_WANT_WRITE ? MG_TLS_AGAIN : MG_TLS_ENDED;
}

static void on_close(struct mg_tls *tls)
{
    struct httpd_tls *t = of(tls);

    if (t->shaken && !t->abandoned)
        (void)tls_session_end(t->session);
    tls_session_free(t->session);
    forget_early(t);
    alloc_free(t);
}

/* --- what the room calls --- */

enum err_code httpd_tls_new(struct tls_config *config, int fd, struct mg_tls **out, struct err *e)
{
    static const struct mg_tls_ops ops = {
        .pending = on_pending, .read = on_read, .write = on_write, .close = on_close};
    const struct tls_io io = tls_io_of_socket(fd);
    struct httpd_tls *t = alloc_new(sizeof(*t));
    enum err_code rc = tls_session_new(config, &io, NULL, &t->session, e);

    if (rc != ERR_OK) {
        alloc_free(t);
        return rc;
    }
    t->base.ops = &ops;
    buf_init(&t->early, LIMIT_HTTP_HEAD_BYTES);
    *out = &t->base;
    return ERR_OK;
}

enum tls_step httpd_tls_shake(struct mg_tls *tls, struct err *e)
{
    struct httpd_tls *t = of(tls);
    enum tls_step step = tls_session_shake(t->session);
    struct str peer;

    if (step == TLS_FAILED)
        (void)tls_session_why(t->session, e);
    if (step != TLS_DONE)
        return step;
    t->shaken = true;
    peer = tls_session_peer(t->session);
    if (peer.len > 0)
        hash_sha256(peer, t->peer_sha256);
    return TLS_DONE;
}

/* What is left of the early bytes goes to the front. */
static void settle(struct httpd_tls *t)
{
    struct str rest = httpd_tls_early(&t->base);

    if (t->early_at == 0)
        return;
    memmove(t->early.ptr, rest.ptr, rest.len);
    buf_truncate(&t->early, rest.len);
    t->early_at = 0;
}

/* A whole head, with its body when that is small enough to wait here; or what is none. */
static bool is_enough(struct str early)
{
    int head_len = early.len > 0 ? mg_head_length(early.ptr, (int)early.len) : 0;

    if (head_len <= 0)
        return head_len < 0;
    return early.len >= (size_t)head_len + httpd_gate_small_body(early.ptr, (size_t)head_len);
}

static bool fill(struct httpd_tls *t)
{
    for (;;) {
        struct str early = httpd_tls_early(&t->base);
        size_t room = LIMIT_HTTP_HEAD_BYTES - t->early.len, got;
        enum tls_step step;
        char *to;

        if (room == 0 || is_enough(early))
            return true;
        to = buf_room(&t->early, room < PIECE ? room : PIECE);
        if (to == NULL)
            return false;
        step = tls_session_read(t->session, to, room < PIECE ? room : PIECE, &got);
        if (step == TLS_WANT_READ || step == TLS_WANT_WRITE)
            return true;
        if (step != TLS_DONE)
            return false;
        buf_grew(&t->early, got);
    }
}

bool httpd_tls_fill(struct mg_tls *tls)
{
    struct httpd_tls *t = of(tls);
    bool filled;

    alloc_wipe_begin(); /* the buffer moves as it grows */
    settle(t);
    filled = fill(t);
    alloc_wipe_end();
    return filled;
}

void httpd_tls_abandon(struct mg_tls *tls)
{
    of(tls)->abandoned = true;
}

void httpd_tls_peer(const struct mg_tls *tls, struct httpd_peer *out)
{
    const struct httpd_tls *t = of_const(tls);

    out->der = tls_session_peer(t->session);
    out->present = out->der.len > 0;
    memcpy(out->sha256, t->peer_sha256, sizeof(out->sha256));
}
