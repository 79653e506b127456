/* SPDX-License-Identifier: PostgreSQL */
/* store_collector.h: enrolled agents. Their ids are UUIDs, made here. */
#ifndef STORE_STORE_COLLECTOR_H
#define STORE_STORE_COLLECTOR_H

#include "base/text.h"
#include "store/store_group.h"
#include "store/store_trust.h"

struct store_collector {
    const char *id, *name, *hostname, *address, *version;
    const char *group; /* which its targets get when they are first seen */
    int64_t samples_total, samples_day;
    int64_t last_seen_ms, created_ms, revoked_ms; /* 0 = never */
    int64_t offline_ms;                           /* silent since; 0 = heard of */
    /* Versions of its configuration (store_config.h); 0 = none. */
    int64_t config_version, config_applied, config_failed;
    const char *config_error;         /* why config_failed is not in effect */
    const char *fingerprint;          /* of its certificate; "" = it has none */
    int64_t certificate_ms;           /* its end */
    int64_t pending_ms, suspended_ms; /* it waits for a person since; 0 = no */
};

struct store_collector_new {
    struct str secret; /* the value of a registration secret */
    struct str name, hostname, address, version;
    const struct x509_public *key; /* of its certificate request; NULL = it sent none */
    const struct store_ca *ca;     /* who issues, when there is a key */
};

struct store_collector_identity {
    char id[TEXT_UUID_SIZE];
    bool again;              /* it existed before */
    bool pending;            /* a person has to let it in first */
    struct buf *certificate; /* in: where to append the certificate when there is a key */
};

/*
 * Enrol. The same host and name keeps its identity. An agent that lost the answer may ask again
 * without a further use of the secret: with a key, the same one within 10 minutes, by which it gets
 * the same certificate; without one, with the secret that it used before.
 * Errors: ERR_DENIED secret unknown, expired, revoked, used up, or not for this address (of `who`)
 */
enum err_code store_collector_register(struct store *s, const struct store_actor *who,
                                       const struct store_collector_new *c,
                                       struct store_collector_identity *out,
                                       struct err *e) ERR_MUST_CHECK;
/* ERR_NOT_FOUND when unknown or revoked. *config_version: the newest for it; NULL allowed. */
enum err_code store_collector_check(struct store *s, const char *id, int64_t *config_version,
                                    struct err *e) ERR_MUST_CHECK;
enum err_code store_collector_get(struct store *s, struct arena *a, const char *id,
                                  struct store_collector *out, struct err *e) ERR_MUST_CHECK;
struct store_collector_page {
    struct store_sight sight; /* only these; all zero = none */
    const char *after;        /* "" = from the start */
    int64_t offset;
    size_t limit;
    struct store_collector *rows; /* out */
    size_t count;
};
/* In order of id. */
enum err_code store_collector_list(struct store *s, struct arena *a,
                                   struct store_collector_page *page, struct err *e) ERR_MUST_CHECK;
/* ERR_NOT_FOUND when unknown or revoked already. */
enum err_code store_collector_revoke(struct store *s, const struct store_actor *who, const char *id,
                                     struct err *e) ERR_MUST_CHECK;

/* What a collector delivered since the last call; for many collectors in one transaction. */
struct store_collector_seen {
    char id[TEXT_UUID_SIZE];
    int64_t last_seen_ms;
    int64_t samples;
};
enum err_code store_collector_seen(struct store *s, const struct store_collector_seen *rows,
                                   size_t count, struct err *e) ERR_MUST_CHECK;

/* A collector that fell silent (offline_ms 0), or that was silent and is heard again. */
struct store_collector_turned {
    const char *id, *name, *hostname;
    int64_t last_seen_ms, offline_ms;
};
#define STORE_COLLECTOR_TURNS_MAX 256 /* a call; the rest comes with the next */
struct store_collector_turns {
    int64_t silent_before_ms;            /* last seen before this: silent */
    int64_t back_since_ms;               /* seen since: no longer */
    struct store_collector_turned *rows; /* out */
    size_t count;
};
enum err_code store_collector_turned(struct store *s, struct arena *a,
                                     struct store_collector_turns *turns,
                                     struct err *e) ERR_MUST_CHECK;
/* since_ms: 0 = no longer silent. */
enum err_code store_collector_set_offline(struct store *s, const char *id, int64_t since_ms,
                                          struct err *e) ERR_MUST_CHECK;

#endif
