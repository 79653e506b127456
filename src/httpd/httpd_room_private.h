/* SPDX-License-Identifier: PostgreSQL */
/* httpd_room_private.h: what httpd_room.c and httpd_room_shake.c share; see httpd_room.h. */
#ifndef HTTPD_HTTPD_ROOM_PRIVATE_H
#define HTTPD_HTTPD_ROOM_PRIVATE_H

#include <civetweb.h>

#include <stdatomic.h>

#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/thread.h"
#include "httpd/httpd_room.h"
#include "httpd/httpd_tls.h"

#define HTTPD_ROOM_SHAKERS 2

enum guest_state {
    SILENT,  /* TLS: has not said a byte */
    HELLO,   /* its first record is not whole */
    QUEUED,  /* its handshake can go on */
    SHAKING, /* a handshake thread has it */
    AWAIT,   /* its handshake waits for the client */
    IDLE,
    PARTIAL,
    WORKING,
    LEAVING,
    DEAD
};
#define STATES 10

struct address {
    unsigned char key[16];
    size_t key_len;
    unsigned count;  /* guests, those at work included, those leaving not */
    unsigned shakes; /* of these, unfinished handshakes */
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
    struct thread shakers[HTTPD_ROOM_SHAKERS];
    int poll_fd, wake_fd;
    atomic_bool stop;
    char head[LIMIT_HTTP_HEAD_BYTES]; /* of the room's thread alone */
    struct lock lock;                 /* for all that follows */
    struct cond queued;
    bool draining;
    struct mg_context *context;
    struct tls_config *tls[HTTPD_LISTENERS_MAX];
    struct map *addresses;
    struct list_node lists[STATES];
    struct httpd_counts counts;
};

/* --- httpd_room.c; with the lock held --- */

/* The one place where a guest changes its state and its lists. */
void httpd_room_set_state(struct httpd_room *room, struct guest *g, enum guest_state state);
/* It leaves, and no longer counts; the room's thread closes it once it is woken. */
void httpd_room_dismiss(struct httpd_room *room, struct guest *g);
/* It is idle from now on; false when it had to be dismissed in place of that. */
bool httpd_room_settle(struct httpd_room *room, struct guest *g);
/* Tell the poll set; what has come meanwhile is told at once. */
bool httpd_room_watch(struct httpd_room *room, struct guest *g, int how);
void httpd_room_wake(struct httpd_room *room);

/* --- httpd_room_shake.c --- */

enum err_code httpd_room_shake_start(struct httpd_room *room, struct err *e) ERR_MUST_CHECK;
/* After room->stop was set. */
void httpd_room_shake_stop(struct httpd_room *room);
/* The socket of a guest that is SILENT, HELLO or AWAIT has something; by the room's thread. */
void httpd_room_shake_look(struct httpd_room *room, struct guest *g, enum guest_state state);

#endif
