/* SPDX-License-Identifier: PostgreSQL */
/*
 * httpd_room.c: see the header.
 *
 * A socket is in the epoll set, edge-triggered, from its first rest to its end. Plain bytes are
 * only peeked at: they stay in the kernel until a worker reads the head, so waiting costs no
 * buffer.
 * Invariants: (1) a guest is in exactly the list of its state. (2) Only the room's thread closes
 * and frees a guest, so what it looks at stays while it looks; a worker only moves its own to DEAD.
 * (3) `mates` of an address holds its guests that wait, longest waiting first.
 * (4) SILENT, IDLE and PARTIAL are in the order of their deadlines, as each has one period.
 */
#include "httpd/httpd_room.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "httpd/httpd_private.h"
#include "httpd/httpd_room_private.h"
#include "os/clock.h"

#define LOCK_RANK  60
#define EVENTS     64
#define SLEEP_MS   1000
#define ANSWER_MAX 4096

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

/* Whether one may be sent away for another, and is in `mates`. */
static bool waits(const struct guest *g)
{
    return g->state <= PARTIAL && g->state != SHAKING;
}

static bool is_unfinished(enum guest_state state)
{
    return state >= HELLO && state <= AWAIT;
}

void httpd_room_set_state(struct httpd_room *room, struct guest *g, enum guest_state state)
{
    bool waited = waits(g);
    int shakes = (int)is_unfinished(state) - (int)is_unfinished(g->state);

    assert(lock_is_mine(&room->lock));
    room->counts.working += (state == WORKING) - (g->state == WORKING);
    room->counts.handshakes += (unsigned)shakes;
    if (shakes != 0)
        g->from->shakes += (unsigned)shakes;
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

void httpd_room_dismiss(struct httpd_room *room, struct guest *g)
{
    httpd_room_set_state(room, g, LEAVING);
    uncount(room, g);
}

void httpd_room_wake(struct httpd_room *room)
{
    uint64_t one = 1;

    while (write(room->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

/* --- what has arrived --- */

struct arrival {
    struct str seen; /* what of it can be looked at */
    size_t all;      /* bytes in all */
    size_t room;     /* how many can wait to be read */
    bool at_end;     /* no more will come */
};

/* Whether a small body behind the head is still on its way: no worker waits for it. */
static bool lacks_body(const struct arrival *a, size_t head_len)
{
    size_t want = httpd_gate_small_body(a->seen.ptr, head_len);

    return want > 0 && a->all < head_len + want && head_len + want <= a->room;
}

/* What to do about it. *head_len: for the worker. */
static enum guest_state judge(const struct arrival *a, int *head_len)
{
    *head_len = mg_head_length(a->seen.ptr, (int)a->seen.len);
    if (*head_len == 0 && !a->at_end && a->seen.len < LIMIT_HTTP_HEAD_BYTES)
        return PARTIAL;
    if (*head_len > 0 && !a->at_end && lacks_body(a, (size_t)*head_len))
        return PARTIAL;
    if (*head_len <= 0)
        *head_len = (int)a->seen.len; /* too large, malformed, cut off: the worker refuses it */
    return WORKING;
}

static enum guest_state look_plain(struct httpd_room *room, int fd, bool at_end, int *head_len)
{
    ssize_t got = recv(fd, room->head, sizeof(room->head), MSG_PEEK | MSG_DONTWAIT);
    struct arrival a = {.at_end = at_end};
    int all = 0, kernel = 0;
    socklen_t len = sizeof(kernel);

    if (got == 0)
        return LEAVING;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? IDLE : LEAVING;
    a.seen = str_make(room->head, (size_t)got);
    /* Its buffer counts what a packet takes beside its bytes; half of it is safe. */
    if (ioctl(fd, FIONREAD, &all) == 0 && getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kernel, &len) == 0)
        a.room = (size_t)kernel / 2;
    a.all = (size_t)all;
    return judge(&a, head_len);
}

static enum guest_state judge_plain(struct httpd_room *room, int fd, bool at_end, int *head_len)
{
    enum guest_state state = look_plain(room, fd, at_end, head_len);

    explicit_bzero(room->head, sizeof(room->head)); /* a token, a password */
    return state;
}

static enum guest_state judge_tls(struct mg_tls *tls, int *head_len)
{
    bool at_end = !httpd_tls_fill(tls);
    struct str early = httpd_tls_early(tls);
    struct arrival a = {early, early.len, LIMIT_HTTP_HEAD_BYTES, at_end};

    if (early.len == 0)
        return at_end ? LEAVING : IDLE;
    return judge(&a, head_len);
}

/* --- coming in --- */

/* Whose place is given away first: what is unfinished, then who is idle. */
static struct guest *longest_waiting(struct httpd_room *room)
{
    static const enum guest_state order[] = {HELLO, SILENT, PARTIAL, AWAIT, QUEUED, IDLE};

    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (!list_empty(&room->lists[order[i]]))
            return LIST_ENTRY(room->lists[order[i]].next, struct guest, node);
    }
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
    httpd_room_dismiss(room, leaver);
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

bool httpd_room_watch(struct httpd_room *room, struct guest *g, int how)
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

bool httpd_room_settle(struct httpd_room *room, struct guest *g)
{
    g->deadline_us = clock_mono_us() + room->limits.idle_ms * 1000;
    httpd_room_set_state(room, g, IDLE);
    /* Under the lock: once it is released the room's thread may close the socket. */
    if (httpd_room_watch(room, g, EPOLL_CTL_MOD) && !room->draining)
        return true;
    httpd_room_dismiss(room, g);
    return false;
}

/* One that was accepted; false when there is no place for it. */
static bool enter_new(struct httpd_room *room, struct mg_rest *rest)
{
    struct guest *g = admit(room, rest);
    bool is_tls = mg_rest_is_tls(rest);
    int64_t wait_ms = is_tls ? room->limits.shake_ms : room->limits.idle_ms;

    if (g == NULL)
        return false;
    g->deadline_us = clock_mono_us() + wait_ms * 1000;
    httpd_room_set_state(room, g, is_tls ? SILENT : IDLE);
    if (!httpd_room_watch(room, g, EPOLL_CTL_ADD))
        httpd_room_dismiss(room, g);
    return true;
}

/* A session whose next head is decrypted already goes back to a worker; its socket is silent. */
static bool goes_on(struct mg_context *context, struct mg_rest *rest)
{
    struct mg_tls *tls = *mg_rest_tls(rest);
    int head_len = 0;

    if (tls == NULL || tls->ops->pending(tls) == 0)
        return false;
    return judge_tls(tls, &head_len) == WORKING && mg_rest_resume(context, rest, head_len);
}

static void enter_again(struct httpd_room *room, struct guest *g)
{
    struct mg_tls *tls = *mg_rest_tls(g->rest);

    if (!httpd_room_settle(room, g) || tls == NULL || httpd_tls_early(tls).len == 0)
        return;
    g->deadline_us = clock_mono_us() + room->limits.head_ms * 1000;
    httpd_room_set_state(room, g, PARTIAL);
}

void httpd_room_enter(struct httpd_room *room, struct mg_context *context, struct mg_rest *rest)
{
    struct guest *g = *mg_rest_user(rest);
    bool has_place = true, woken;

    if (g != NULL && !atomic_load(&room->stop) && goes_on(context, rest))
        return;
    lock_take(&room->lock);
    room->context = context;
    if (g == NULL)
        has_place = enter_new(room, rest);
    else
        enter_again(room, g);
    woken = !list_empty(&room->lists[LEAVING]);
    lock_release(&room->lock);
    if (!has_place) {
        if (!mg_rest_is_tls(rest))
            say(mg_rest_socket(rest), 503, "too many connections");
        mg_rest_close(rest);
    }
    if (woken)
        httpd_room_wake(room);
}

void httpd_room_gone(struct httpd_room *room, struct mg_rest *rest)
{
    struct guest *g = *mg_rest_user(rest);

    lock_take(&room->lock);
    assert(g->state == WORKING);
    uncount(room, g);
    httpd_room_set_state(room, g, DEAD);
    lock_release(&room->lock);
}

/* --- the room's thread --- */

/* Act on it. Returns where the worker comes from when it needs one, else NULL. */
static struct mg_context *act(struct httpd_room *room, struct guest *g, enum guest_state next)
{
    struct mg_context *context = NULL;

    lock_take(&room->lock);
    if (!waits(g) || next == IDLE || next == g->state) {
        /* sent away meanwhile, or nothing new */
    } else if (next == LEAVING) {
        httpd_room_dismiss(room, g);
    } else {
        if (next == PARTIAL)
            g->deadline_us = clock_mono_us() + room->limits.head_ms * 1000;
        else
            context = room->context;
        httpd_room_set_state(room, g, next);
    }
    lock_release(&room->lock);
    return context;
}

/* By the room's thread, of a guest that was IDLE or PARTIAL. */
static void look_for_head(struct httpd_room *room, struct guest *g, bool at_end)
{
    struct mg_tls *tls = *mg_rest_tls(g->rest);
    struct mg_context *context;
    enum guest_state next;
    int head_len = 0;

    next = tls != NULL ? judge_tls(tls, &head_len)
                       : judge_plain(room, mg_rest_socket(g->rest), at_end, &head_len);
    context = act(room, g, next);
    if (context == NULL || mg_rest_resume(context, g->rest, head_len))
        return;
    /* The queue holds as many as the room does, so this is a mistake of ours. */
    lock_take(&room->lock);
    httpd_room_dismiss(room, g);
    lock_release(&room->lock);
}

static void room_look(struct httpd_room *room, struct guest *g, uint32_t events)
{
    bool at_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    enum guest_state state;

    lock_take(&room->lock);
    state = g->state;
    lock_release(&room->lock);
    if (state == IDLE || state == PARTIAL)
        look_for_head(room, g, at_end);
    else if (state == SILENT || state == HELLO || state == AWAIT)
        httpd_room_shake_look(room, g, state);
    /* else: bytes of the body, or of the request after this one */
}

/* Send away whose time is over; *until_us becomes the next deadline when it is sooner. */
static void expire(struct httpd_room *room, enum guest_state state, int64_t now_us,
                   int64_t *until_us)
{
    struct list_node *list = &room->lists[state], *next;

    for (struct list_node *n = list->next; n != list; n = next) {
        struct guest *g = LIST_ENTRY(n, struct guest, node);

        next = n->next;
        if (g->deadline_us > now_us) {
            if (g->deadline_us < *until_us)
                *until_us = g->deadline_us;
            if (!is_unfinished(state))
                return; /* the others are later */
            continue;
        }
        g->head_late = state == PARTIAL;
        room->counts.unshaken += is_unfinished(state);
        httpd_room_dismiss(room, g);
        room->counts.expired++;
    }
}

/* Close without a reset: a close with unread bytes would take the answers on their way along. */
static void close_guest(struct httpd_room *room, struct guest *g)
{
    int fd = mg_rest_socket(g->rest);
    struct mg_tls **tls = mg_rest_tls(g->rest);

    if (g->head_late && *tls == NULL)
        say(fd, 408, "the request did not come in time");
    if (*tls != NULL)
        (*tls)->ops->close(*tls); /* its last word goes before the end of the stream */
    *tls = NULL;
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
            httpd_room_dismiss(room, g);
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
    for (enum guest_state state = SILENT; state <= PARTIAL; state++) {
        if (state != SHAKING)
            expire(room, state, now_us, &until_us);
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
    cond_init(&room->queued);
    for (int i = 0; i < STATES; i++)
        list_init(&room->lists[i]);
    rc = open_files(room, e);
    if (rc == ERR_OK)
        rc = thread_start(&room->thread, "http-room", run, room, e);
    if (rc == ERR_OK)
        rc = httpd_room_shake_start(room, e);
    if (rc != ERR_OK) {
        httpd_room_stop(room);
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
    for (enum guest_state state = SILENT; state <= PARTIAL; state++) {
        while (state != SHAKING && !list_empty(&room->lists[state]))
            httpd_room_dismiss(room, LIST_ENTRY(room->lists[state].next, struct guest, node));
    }
    lock_release(&room->lock);
    httpd_room_wake(room);
}

/* Of a guest at rest: its handshake is over, so nobody changes who it is. */
static bool is_peer(const struct guest *g, const unsigned char sha256[32])
{
    const struct mg_tls *tls = *mg_rest_tls(g->rest);
    struct httpd_peer peer;

    if (tls == NULL)
        return false;
    httpd_tls_peer(tls, &peer);
    return peer.present && memcmp(peer.sha256, sha256, sizeof(peer.sha256)) == 0;
}

void httpd_room_end_peer(struct httpd_room *room, const unsigned char sha256[32])
{
    struct list_node *next;

    lock_take(&room->lock);
    for (enum guest_state state = IDLE; state <= PARTIAL; state++) {
        struct list_node *list = &room->lists[state];

        for (struct list_node *n = list->next; n != list; n = next) {
            struct guest *g = LIST_ENTRY(n, struct guest, node);

            next = n->next;
            if (is_peer(g, sha256))
                httpd_room_dismiss(room, g);
        }
    }
    lock_release(&room->lock);
    httpd_room_wake(room);
}

void httpd_room_stop(struct httpd_room *room)
{
    if (room == NULL)
        return;
    atomic_store(&room->stop, true);
    httpd_room_shake_stop(room);
    httpd_room_wake(room);
    thread_join(&room->thread);
}

void httpd_room_free(struct httpd_room *room)
{
    struct guest *g;

    if (room == NULL)
        return;
    bury(room);
    for (enum guest_state state = SILENT; state <= WORKING; state++) {
        while ((g = take(room, state)) != NULL) {
            close_guest(room, g);
            alloc_free(g);
        }
    }
    assert(map_count(room->addresses) == 0);
    map_free(room->addresses, NULL);
    for (size_t i = 0; i < HTTPD_LISTENERS_MAX; i++)
        tls_config_unref(room->tls[i]);
    cond_fini(&room->queued);
    lock_fini(&room->lock);
    if (room->poll_fd >= 0)
        close(room->poll_fd);
    if (room->wake_fd >= 0)
        close(room->wake_fd);
    alloc_free(room);
}

void httpd_room_set_tls(struct httpd_room *room, size_t listener, struct tls_config *tls)
{
    struct tls_config *old;

    assert(listener < HTTPD_LISTENERS_MAX);
    lock_take(&room->lock);
    old = room->tls[listener];
    room->tls[listener] = tls_config_ref(tls);
    lock_release(&room->lock);
    tls_config_unref(old);
}

void httpd_room_count(struct httpd_room *room, struct httpd_counts *out)
{
    lock_take(&room->lock);
    *out = room->counts;
    lock_release(&room->lock);
}
