/* SPDX-License-Identifier: PostgreSQL */
/* store_secret.h: registration secrets, with which agents enrol. Only their hashes are kept. */
#ifndef STORE_STORE_SECRET_H
#define STORE_STORE_SECRET_H

#include "store/store_group.h"

#define STORE_SECRET_SIZE       80 /* "pgar_", the id, "_" and 43 characters, with room */
#define STORE_SECRET_RANGES_MAX 16

struct store_secret {
    int64_t id;
    const char *name;
    int64_t max_registrations, total_registrations;
    int64_t expires_ms, last_used_ms, created_ms; /* last_used 0 = never */
    const char *allowed;  /* ranges of addresses with commas; "" = from anywhere */
    const char *group;    /* of the collectors that enrol with it */
    const char *approval; /* "auto", or "manual": a person lets each agent in */
};

struct store_secret_new {
    struct str name;
    int64_t max_registrations;
    int64_t expires_in_ms;
    struct str allowed;  /* as above */
    struct str approval; /* empty = auto */
    struct str group;
};

struct store_secret_made {
    int64_t id;
    char value[STORE_SECRET_SIZE]; /* shown once; the caller wipes it */
};

enum err_code store_secret_create(struct store *s, const struct store_actor *who,
                                  const struct store_secret_new *secret,
                                  struct store_secret_made *made, struct err *e) ERR_MUST_CHECK;
enum err_code store_secret_get(struct store *s, struct arena *a, int64_t id,
                               struct store_secret *out, struct err *e) ERR_MUST_CHECK;
struct store_secret_page {
    struct store_sight sight; /* only these; all zero = none */
    int64_t after;            /* 0 = from the start */
    int64_t offset;
    size_t limit;
    struct store_secret *rows; /* out */
    size_t count;
};
/* In order of id. */
enum err_code store_secret_list(struct store *s, struct arena *a, struct store_secret_page *page,
                                struct err *e) ERR_MUST_CHECK;
struct store_secret_change {
    int64_t id;
    struct str name;           /* empty = as it is */
    int64_t max_registrations; /* 0 = as it is; not above total_registrations: used up */
    int64_t expires_ms;        /* 0 = as it is */
    struct str allowed;        /* {NULL, 0} = as it is */
    struct str approval;       /* empty = as it is */
    struct str group;          /* empty = as it is */
};
/* Whether it is a list of ranges as above. ERR_INVALID, ERR_LIMIT. */
enum err_code store_secret_check_ranges(struct str ranges, struct err *e) ERR_MUST_CHECK;
/* Whether an address is in one of the ranges; any is when there are none. */
bool store_secret_allows(struct str ranges, const char *address);
/* ERR_NOT_FOUND. The value stays. */
enum err_code store_secret_update(struct store *s, const struct store_actor *who,
                                  const struct store_secret_change *change,
                                  struct err *e) ERR_MUST_CHECK;
/* ERR_NOT_FOUND. */
enum err_code store_secret_revoke(struct store *s, const struct store_actor *who, int64_t id,
                                  struct err *e) ERR_MUST_CHECK;

#endif
