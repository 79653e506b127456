/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_room.c: see the header.
 *
 * A socket is in the epoll set, edge-triggered, from its first rest to its end. Its bytes are only
 * peeked at: they stay in the kernel until a worker reads the head, so waiting costs no buffer.
 * Invariants: (1) a guest is in exactly the list of its state. (2) Only the room's thread closes
 * and frees a guest, so what it looks at stays while it looks; a worker only moves its own to DEAD.
 * (3) `mates` of an address holds its guests that are IDLE or PARTIAL, longest waiting first.
 * (4) Both waiting lists are in the order of their deadlines, as each has one period.
 */
#include "httpd/httpd_room.h"

#include <assert.h>
#include <civetweb.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/thread.h"
#include "httpd/httpd_private.h"
#include "os/clock.h"

#define LOCK_RANK  60
#define EVENTS     64
#define SLEEP_MS   1000
#define ANSWER_MAX 4096

enum guest_state { IDLE, PARTIAL, WORKING, LEAVING, DEAD };
#define STATES 5

struct address {
    unsigned char key[16];
    size_t key_len;
    unsigned count; /* guests, those at work included, those leaving not */
    struct list_node mates;
};

struct guest {
    struct list_node node; /* in room->lists[state] */
    struct list_node mate; /* in from->mates while it waits */
    enum guest_state state;
    bool head_late; /* leaves because its head took too long */
    struct mg_rest *rest;
    struct address *from;
    int64_t deadline_us;
};

struct httpd_room {
    struct httpd_room_limits limits;
    struct thread thread;
    int poll_fd, wake_fd;
    atomic_bool stop;
    char head[LIMIT_HTTP_HEAD_BYTES]; /* of the room's thread alone */
    struct lock lock;                 /* for all that follows */
    bool draining;
    struct mg_context *context;
    struct map *addresses;
    struct list_node lists[STATES];
    struct httpd_counts counts;
};

/* --- addresses --- */

/* What counts as one address: IPv4 whole, also when mapped into IPv6; of IPv6 the /64. */
static struct str address_key(const struct sockaddr *peer, unsigned char *key)
{
    const struct sockaddr_in6 *six = (const void *)peer;
    const struct sockaddr_in *four = (const void *)peer;
    size_t len = 0;

    if (peer->sa_family == AF_INET) {
        len = sizeof(four->sin_addr);
        memcpy(key, &four->sin_addr, len);
    } else if (peer->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        len = 4;
        memcpy(key, six->sin6_addr.s6_addr + 12, len);
    } else if (peer->sa_family == AF_INET6) {
        len = 8;
        memcpy(key, six->sin6_addr.s6_addr, len);
    }
    return str_make((const char *)key, len);
}

static struct address *address_of(struct httpd_room *room, const struct sockaddr *peer)
{
    unsigned char key[16];
    struct str text = address_key(peer, key);
    struct address *a = map_get(room->addresses, text);

    if (a != NULL)
        return a;
    a = alloc_new(sizeof(*a));
    memcpy(a->key, key, text.len);
    a->key_len = text.len;
    list_init(&a->mates);
    (void)map_put(room->addresses, text, a);
    return a;
}

static void address_release(struct httpd_room *room, struct address *a)
{
    if (a->count > 0)
        return;
    (void)map_remove(room->addresses, str_make((const char *)a->key, a->key_len));
    alloc_free(a);
}

/* --- states --- */

static bool waits(const struct guest *g)
{
    return g->state == IDLE || g->state == PARTIAL;
}

/* The one place where a guest changes its state and its lists. */
static void set_state(struct httpd_room *room, struct guest *g, enum guest_state state)
{
    bool waited = waits(g);

    room->counts.working += (state == WORKING) - (g->state == WORKING);

    assert(lock_is_mine(&room->lock));
    list_remove(&g->node);
    g->state = state;
    list_append(&room->lists[state], &g->node);
    if (waited && !waits(g))
        list_remove(&g->mate);
    if (!waited && waits(g))
        list_append(&g->from->mates, &g->mate);
}

/* It no longer counts: its socket is gone, or is about to be closed. */
static void uncount(struct httpd_room *room, struct guest *g)
{
    struct address *a = g->from;

    g->from = NULL;
    a->count--;
    room->counts.open--;
    address_release(room, a);
}

static void dismiss(struct httpd_room *room, struct guest *g)
{
    set_state(room, g, LEAVING);
    uncount(room, g);
}

static void wake(struct httpd_room *room)
{
    uint64_t one = 1;

    while (write(room->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* --- coming in --- */

static struct guest *longest_waiting(struct httpd_room *room)
{
    if (!list_empty(&room->lists[PARTIAL]))
        return LIST_ENTRY(room->lists[PARTIAL].next, struct guest, node);
    if (!list_empty(&room->lists[IDLE]))
        return LIST_ENTRY(room->lists[IDLE].next, struct guest, node);
    return NULL;
}

/* Make room for one more from that address; false when nobody can be sent away. */
static bool make_place(struct httpd_room *room, struct address *a)
{
    struct guest *leaver = NULL;

    if (a->count >= room->limits.per_address) {
        if (list_empty(&a->mates))
            return false;
        leaver = LIST_ENTRY(a->mates.next, struct guest, mate);
    } else if (room->counts.open >= room->limits.connections) {
        leaver = longest_waiting(room);
        if (leaver == NULL)
            return false;
    } else {
        return true;
    }
    a->count++; /* so that the address stays when the leaver was its last */
    dismiss(room, leaver);
    a->count--;
    room->counts.displaced++;
    return true;
}

static struct guest *admit(struct httpd_room *room, struct mg_rest *rest)
{
    struct address *a = address_of(room, mg_rest_peer(rest));
    struct guest *g;

    if (!make_place(room, a)) {
        room->counts.refused++;
        address_release(room, a);
        return NULL;
    }
    g = alloc_new(sizeof(*g));
    g->rest = rest;
    g->from = a;
    g->state = DEAD; /* and in no list yet */
    a->count++;
    room->counts.open++;
    list_init(&g->node);
    list_init(&g->mate);
    *mg_rest_user(rest) = g;
    return g;
}

/* Watch the socket; what has come meanwhile is told at once. */
static bool watch(struct httpd_room *room, struct guest *g, int how)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.ptr = g}};

    return epoll_ctl(room->poll_fd, how, mg_rest_socket(g->rest), &event) == 0;
}

/* A last word that never blocks; whether it arrives is the client's matter. */
static void say(int fd, int status, const char *detail)
{
    struct buf answer;

    buf_init(&answer, ANSWER_MAX);
    httpd_response_bare(&answer, status, detail);
    (void)send(fd, answer.ptr, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_fini(&answer);
}

void httpd_room_enter(struct httpd_room *room, struct mg_context *context, struct mg_rest *rest)
{
    struct guest *g = *mg_rest_user(rest);
    bool is_new = g == NULL, woken = false;

    lock_take(&room->lock);
    room->context = context;
    if (is_new)
        g = admit(room, rest);
    if (g != NULL) {
        g->deadline_us = clock_mono_us() + room->limits.idle_ms * 1000;
        set_state(room, g, IDLE);
        /* Under the lock: once it is released the room's thread may close the socket. */
        if (!watch(room, g, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD) || (room->draining && !is_new))
            dismiss(room, g);
        woken = !list_empty(&room->lists[LEAVING]);
    }
    lock_release(&room->lock);
    if (g == NULL) {
        say(mg_rest_socket(rest), 503, "too many connections");
        mg_rest_close(rest);
    }
    if (woken)
        wake(room);
}

void httpd_room_gone(struct httpd_room *room, struct mg_rest *rest)
{
    struct guest *g = *mg_rest_user(rest);

    lock_take(&room->lock);
    assert(g->state == WORKING);
    uncount(room, g);
    set_state(room, g, DEAD);
    lock_release(&room->lock);
}

/* --- the room's thread --- */

/* What to do about the `got` bytes that wait in its socket. *head_len: for the worker. */
static enum guest_state judge(struct httpd_room *room, ssize_t got, bool at_end, int *head_len)
{
    if (got == 0)
        return LEAVING;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? IDLE : LEAVING;
    *head_len = mg_head_length(room->head, (int)got);
    if (*head_len == 0 && !at_end && (size_t)got < sizeof(room->head))
        return PARTIAL;
    if (*head_len <= 0)
        *head_len = (int)got; /* too large, malformed or cut off: the worker refuses it */
    return WORKING;
}

/* Act on it. Returns where the worker comes from when it needs one, else NULL. */
static struct mg_context *act(struct httpd_room *room, struct guest *g, enum guest_state next)
{
    struct mg_context *context = NULL;

    lock_take(&room->lock);
    if (!waits(g) || next == IDLE || next == g->state) {
        /* sent away meanwhile, or nothing new */
    } else if (next == LEAVING) {
        dismiss(room, g);
    } else {
        if (next == PARTIAL)
            g->deadline_us = clock_mono_us() + room->limits.head_ms * 1000;
        else
            context = room->context;
        set_state(room, g, next);
    }
    lock_release(&room->lock);
    return context;
}

static void room_look(struct httpd_room *room, struct guest *g, uint32_t events)
{
    bool at_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0, is_waiting;
    struct mg_context *context;
    int head_len = 0;
    ssize_t got;

    lock_take(&room->lock);
    is_waiting = waits(g);
    lock_release(&room->lock);
    if (!is_waiting)
        return; /* bytes of the body, or of the request after this one */
    got = recv(mg_rest_socket(g->rest), room->head, sizeof(room->head), MSG_PEEK | MSG_DONTWAIT);
    context = act(room, g, judge(room, got, at_end, &head_len));
    if (context == NULL || mg_rest_resume(context, g->rest, head_len))
        return;
    /* The queue holds as many as the room does, so this is a mistake of ours. */
    lock_take(&room->lock);
    dismiss(room, g);
    lock_release(&room->lock);
}

static void expire(struct httpd_room *room, enum guest_state state, int64_t now_us)
{
    struct list_node *list = &room->lists[state];

    while (!list_empty(list)) {
        struct guest *g = LIST_ENTRY(list->next, struct guest, node);

        if (g->deadline_us > now_us)
            return;
        g->head_late = state == PARTIAL;
        dismiss(room, g);
        room->counts.expired++;
    }
}

/* Close without a reset: a close with unread bytes would take the answers on their way along. */
static void close_guest(struct httpd_room *room, struct guest *g)
{
    int fd = mg_rest_socket(g->rest);

    if (g->head_late)
        say(fd, 408, "the request head did not come in time");
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, room->head, sizeof(room->head), MSG_DONTWAIT) == (ssize_t)sizeof(room->head))
        ;
    mg_rest_close(g->rest);
}

/* Take the first guest of a list away from the room; NULL when there is none. */
static struct guest *take(struct httpd_room *room, enum guest_state state)
{
    struct guest *g = NULL;

    lock_take(&room->lock);
    if (!list_empty(&room->lists[state])) {
        g = LIST_ENTRY(room->lists[state].next, struct guest, node);
        if (g->from != NULL)
            dismiss(room, g);
        list_remove(&g->node);
    }
    lock_release(&room->lock);
    return g;
}

/* Events that name these have been looked at, and their sockets can make no new ones. */
static void bury(struct httpd_room *room)
{
    struct guest *g;

    while ((g = take(room, LEAVING)) != NULL) {
        close_guest(room, g);
        alloc_free(g);
    }
    while ((g = take(room, DEAD)) != NULL)
        alloc_free(g);
}

/* Send away whose time is over; how long until the next one's is. */
static int next_wait_ms(struct httpd_room *room)
{
    int64_t now_us = clock_mono_us(), until_us = now_us + (int64_t)SLEEP_MS * 1000;

    lock_take(&room->lock);
    for (enum guest_state state = IDLE; state <= PARTIAL; state++) {
        const struct list_node *list = &room->lists[state];

        expire(room, state, now_us);
        if (!list_empty(list) && LIST_ENTRY(list->next, struct guest, node)->deadline_us < until_us)
            until_us = LIST_ENTRY(list->next, struct guest, node)->deadline_us;
    }
    lock_release(&room->lock);
    return (int)((until_us - now_us) / 1000 + 1);
}

static void run(void *arg)
{
    struct httpd_room *room = arg;
    struct epoll_event events[EVENTS];
    uint64_t count;

    while (!atomic_load(&room->stop)) {
        int wait_ms = next_wait_ms(room), n;

        bury(room);
        n = epoll_wait(room->poll_fd, events, EVENTS, wait_ms);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr != NULL)
                room_look(room, events[i].data.ptr, events[i].events);
            else if (read(room->wake_fd, &count, sizeof(count)) < 0)
                assert(errno == EAGAIN || errno == EINTR);
        }
    }
}

/* --- life cycle --- */

static enum err_code open_files(struct httpd_room *room, struct err *e)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};

    room->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    room->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (room->poll_fd < 0 || room->wake_fd < 0 ||
        epoll_ctl(room->poll_fd, EPOLL_CTL_ADD, room->wake_fd, &event) != 0)
        return err_set_errno(e, ERR_IO, errno, "waiting for connections");
    return ERR_OK;
}

enum err_code httpd_room_open(const struct httpd_room_limits *limits, struct httpd_room **out,
                              struct err *e)
{
    struct httpd_room *room = alloc_new(sizeof(*room));
    enum err_code rc;

    room->limits = *limits;
    room->addresses = map_new();
    lock_init(&room->lock, "httpd room", LOCK_RANK);
    for (int i = 0; i < STATES; i++)
        list_init(&room->lists[i]);
    rc = open_files(room, e);
    if (rc == ERR_OK)
        rc = thread_start(&room->thread, "http-room", run, room, e);
    if (rc != ERR_OK) {
        httpd_room_free(room);
        return rc;
    }
    *out = room;
    return ERR_OK;
}

void httpd_room_drain(struct httpd_room *room)
{
    lock_take(&room->lock);
    room->draining = true;
    for (enum guest_state state = IDLE; state <= PARTIAL; state++) {
        while (!list_empty(&room->lists[state]))
            dismiss(room, LIST_ENTRY(room->lists[state].next, struct guest, node));
    }
    lock_release(&room->lock);
    wake(room);
}

void httpd_room_stop(struct httpd_room *room)
{
    if (room == NULL)
        return;
    atomic_store(&room->stop, true);
    wake(room);
    thread_join(&room->thread);
}

void httpd_room_free(struct httpd_room *room)
{
    struct guest *g;

    if (room == NULL)
        return;
    bury(room);
    for (enum guest_state state = IDLE; state <= WORKING; state++) {
        while ((g = take(room, state)) != NULL) {
            close_guest(room, g);
            alloc_free(g);
        }
    }
    assert(map_count(room->addresses) == 0);
    map_free(room->addresses, NULL);
    lock_fini(&room->lock);
    if (room->poll_fd >= 0)
        close(room->poll_fd);
    if (room->wake_fd >= 0)
        close(room->wake_fd);
    alloc_free(room);
}

void httpd_room_count(struct httpd_room *room, struct httpd_counts *out)
{
    lock_take(&room->lock);
    *out = room->counts;
    lock_release(&room->lock);
}
