/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_room_shake.c: TLS handshakes of connections in the room.
 *
 * A handshake is some milliseconds of arithmetic with waits for the client between, so the room's
 * thread only sees that bytes have come, and a few threads do the arithmetic. A session is made
 * when the first record is whole: who says nothing or drips costs no memory beyond the socket.
 *
 *     SILENT --> HELLO --> QUEUED --> SHAKING --> AWAIT --> QUEUED ...     SHAKING --> IDLE
 *
 * From HELLO to AWAIT it is an unfinished handshake, of which there are LIMIT_TLS_SHAKES in all and
 * LIMIT_TLS_SHAKES_EACH of an address: the oldest gives way to a new one, first one without a whole
 * first record. All of it has to be over LIMIT_TLS_SHAKE_MS after the connection came.
 * Threads: the room's and the handshake threads; the lock of the room.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "httpd/httpd_room_private.h"
#include "os/clock.h"

#define RECORD_HEAD      5
#define RECORD_HANDSHAKE 22
#define RECORD_MAX       16384

/* --- room for one more --- */

/* The oldest unfinished handshake, of that address or (NULL) of any, that no thread has. */
static struct guest *oldest(struct httpd_room *room, const struct address *a)
{
    static const enum guest_state order[] = {HELLO, AWAIT, QUEUED};
    struct guest *found = NULL;

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        struct list_node *list = &room->lists[order[i]];

        if (found != NULL && order[i] == AWAIT)
            break; /* who has sent less goes first */
        for (struct list_node *n = list->next; n != list; n = n->next) {
            struct guest *g = LIST_ENTRY(n, struct guest, node);

            if ((a == NULL || g->from == a) &&
                (found == NULL || g->deadline_us < found->deadline_us))
                found = g;
        }
    }
    return found;
}

static bool make_place(struct httpd_room *room, const struct address *a)
{
    struct guest *leaver = NULL;

    if (a->shakes >= LIMIT_TLS_SHAKES_EACH)
        leaver = oldest(room, a);
    else if (room->counts.handshakes >= LIMIT_TLS_SHAKES)
        leaver = oldest(room, NULL);
    else
        return true;
    room->counts.handshakes_dropped++;
    if (leaver == NULL)
        return false;
    httpd_room_dismiss(room, leaver);
    return true;
}

/* --- the first record --- */

/* What the first bytes are: QUEUED = a whole record of a handshake, HELLO = a part of one. */
static enum guest_state judge(const unsigned char *bytes, ssize_t got, enum guest_state now)
{
    size_t len;

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? now : LEAVING;
    if (got == 0 || bytes[0] != RECORD_HANDSHAKE || (got > 1 && bytes[1] != 3))
        return LEAVING;
    if (got < RECORD_HEAD)
        return HELLO;
    len = (size_t)bytes[3] << 8 | bytes[4];
    if (len == 0 || len > RECORD_MAX)
        return LEAVING;
    /* One larger than what we look at goes on with what there is. */
    return (size_t)got < RECORD_HEAD + len && (size_t)got < LIMIT_HTTP_HEAD_BYTES ? HELLO : QUEUED;
}

static bool make_session(struct httpd_room *room, struct guest *g)
{
    struct tls_config *config = room->tls[mg_rest_listener(g->rest)];

    return config != NULL &&
           httpd_tls_new(config, mg_rest_socket(g->rest), mg_rest_tls(g->rest), NULL) == ERR_OK;
}

/* Act on what was seen; the guest may have been sent away meanwhile. */
static void act(struct httpd_room *room, struct guest *g, enum guest_state next)
{
    if ((g->state != SILENT && g->state != HELLO) || next == g->state)
        return;
    if (next == LEAVING || (g->state == SILENT && !make_place(room, g->from)) ||
        (next == QUEUED && !make_session(room, g))) {
        room->counts.unshaken++;
        httpd_room_dismiss(room, g);
        return;
    }
    httpd_room_set_state(room, g, next);
    if (next == QUEUED)
        cond_signal(&room->queued);
}

void httpd_room_shake_look(struct httpd_room *room, struct guest *g, enum guest_state state)
{
    enum guest_state next = QUEUED;
    ssize_t got;

    if (state != AWAIT) {
        got = recv(mg_rest_socket(g->rest), room->head, sizeof(room->head),
                   MSG_PEEK | MSG_DONTWAIT);
        next = judge((const unsigned char *)room->head, got, state);
    }
    lock_take(&room->lock);
    if (state != AWAIT) {
        act(room, g, next);
    } else if (g->state == AWAIT) {
        httpd_room_set_state(room, g, QUEUED);
        cond_signal(&room->queued);
    }
    lock_release(&room->lock);
}

/* --- the handshake threads --- */

/* Where a guest goes after a step of its handshake. */
static void place(struct httpd_room *room, struct guest *g, enum tls_step step)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.ptr = g}};
    bool stays = step != TLS_FAILED && step != TLS_END && g->deadline_us > clock_mono_us() &&
                 !room->draining;

    room->counts.shaken += step == TLS_DONE;
    room->counts.unshaken += step != TLS_DONE && !stays;
    if (stays && step == TLS_DONE) {
        (void)httpd_room_settle(room, g);
    } else if (stays) {
        if (step == TLS_WANT_WRITE)
            event.events |= EPOLLOUT;
        httpd_room_set_state(room, g, AWAIT);
        stays = epoll_ctl(room->poll_fd, EPOLL_CTL_MOD, mg_rest_socket(g->rest), &event) == 0;
    }
    if (!stays)
        httpd_room_dismiss(room, g);
    if (!list_empty(&room->lists[LEAVING]))
        httpd_room_wake(room);
}

static void tell(const struct httpd_room *room, const struct sockaddr *peer, const struct err *why)
{
    const struct sockaddr_in6 *six = (const void *)peer;
    const struct sockaddr_in *four = (const void *)peer;
    char text[INET6_ADDRSTRLEN] = "?";

    if (room->limits.refused == NULL)
        return;
    if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        (void)inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text, sizeof(text));
    else if (peer->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &six->sin6_addr, text, sizeof(text));
    else if (peer->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
    room->limits.refused(room->limits.arg, text, why);
}

/* One step of the handshake of the longest queued guest. The lock is held, and let go between. */
static void shake_one(struct httpd_room *room)
{
    struct guest *g = LIST_ENTRY(room->lists[QUEUED].next, struct guest, node);
    enum tls_step step;
    struct err why;

    httpd_room_set_state(room, g, SHAKING);
    lock_release(&room->lock);
    step = httpd_tls_shake(*mg_rest_tls(g->rest), &why);
    if (step == TLS_FAILED)
        tell(room, mg_rest_peer(g->rest), &why);
    lock_take(&room->lock);
    place(room, g, step);
}

static void run(void *arg)
{
    struct httpd_room *room = arg;

    lock_take(&room->lock);
    while (!atomic_load(&room->stop)) {
        if (list_empty(&room->lists[QUEUED]))
            cond_wait(&room->queued, &room->lock);
        else
            shake_one(room);
    }
    lock_release(&room->lock);
}

enum err_code httpd_room_shake_start(struct httpd_room *room, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (int i = 0; rc == ERR_OK && i < HTTPD_ROOM_SHAKERS; i++)
        rc = thread_start(&room->shakers[i], "http-tls", run, room, e);
    return rc;
}

void httpd_room_shake_stop(struct httpd_room *room)
{
    lock_take(&room->lock);
    cond_broadcast(&room->queued);
    lock_release(&room->lock);
    for (int i = 0; i < HTTPD_ROOM_SHAKERS; i++)
        thread_join(&room->shakers[i]);
}
