/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_managed.h: managed instances: PostgreSQL servers that this server reads itself.
 *
 * A password goes in and is sealed (store_seal.h), bound to the row by its random target_id; only
 * store_managed_password gives it out, for a connection. What was tried and how it ended is kept
 * beside; that is no change by a person and makes no audit record and no new version.
 *
 * Owner:   strings of results live in the arena of the call
 * Threads: any, as store.h
 * Errors:  ERR_NOT_FOUND; ERR_CONFLICT for a name that is taken or a version that is old; ERR_LIMIT
 *          for more than LIMIT_MANAGED instances
 */
#ifndef STORE_STORE_MANAGED_H
#define STORE_STORE_MANAGED_H

#include "base/buf.h"
#include "store/store_group.h"
#include "store/store_seal.h"

/* What people say of an instance. Texts are never NULL. */
struct store_managed_fields {
    const char *name, *description, *endpoint, *dbname, *environment, *username;
    const char *ssl_mode; /* as libpq names it; "" = by the address */
    const char *tags;     /* JSON */
    const char *group;    /* of its target too; NULL = the default */
    int64_t port, interval_ms, timeout_ms;
    bool is_paused;
};

struct store_managed {
    int64_t id, version;
    struct store_managed_fields fields;
    bool has_password;
    const char *target_id, *collector_id, *stream_id;
    const char *created_by;
    int64_t created_ms, updated_ms;
    const char *connection; /* "unknown", "connected", "error" */
    const char *stage, *error, *fix, *server_version;
    int64_t tried_ms, since_ms, connected_ms, failed_ms; /* 0 = never */
};

struct store_managed_change {
    int64_t id;      /* of an update */
    int64_t version; /* of an update: the one that is changed */
    struct store_managed_fields fields;
    enum { STORE_MANAGED_KEEP, STORE_MANAGED_SET, STORE_MANAGED_REMOVE } password_is;
    struct str password;
    const char *detail; /* for the audit: what changed, in words, no secrets */
};

/* --- Use --- */

enum err_code store_managed_create(struct store *s, const struct store_actor *who,
                                   struct store_seal_ctx *seal, struct store_managed_change *change,
                                   struct err *e) ERR_MUST_CHECK; /* sets change->id */
enum err_code store_managed_update(struct store *s, const struct store_actor *who,
                                   struct store_seal_ctx *seal,
                                   const struct store_managed_change *change,
                                   struct err *e) ERR_MUST_CHECK;
/* version: 0 = any. */
enum err_code store_managed_delete(struct store *s, const struct store_actor *who, int64_t id,
                                   int64_t version, struct err *e) ERR_MUST_CHECK;

struct store_managed_status {
    int64_t id;
    const char *connection, *stage, *error, *fix;
    const char *server_version; /* "" = as known */
    int64_t at_ms;
};
/* Of one that is gone: nothing happens. */
enum err_code store_managed_note(struct store *s, const struct store_managed_status *status,
                                 size_t count, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

enum err_code store_managed_get(struct store *s, struct arena *a, int64_t id,
                                struct store_managed *out, struct err *e) ERR_MUST_CHECK;
struct store_managed_page {
    struct store_sight sight; /* only these; all zero = none */
    int64_t after;            /* 0 = from the start */
    int64_t offset;
    size_t limit;
    struct store_managed *rows; /* out */
    size_t count;
};
/* In order of id. */
enum err_code store_managed_list(struct store *s, struct arena *a, struct store_managed_page *page,
                                 struct err *e) ERR_MUST_CHECK;
/*
 * Append the password to `out`, which the caller wipes; nothing when there is none. ERR_CORRUPT
 * when it does not open at this place.
 */
enum err_code store_managed_password(struct store *s, struct store_seal_ctx *seal, int64_t id,
                                     struct buf *out, struct err *e) ERR_MUST_CHECK;

#endif
