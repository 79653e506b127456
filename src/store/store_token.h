/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_token.h: tokens that people make for scripts: "pga_", 256 random bits, a checksum.
 *
 * Only the hash of a value is kept. A token does what its scope allows, and never more than its
 * account may do at the moment of use. It belongs to its account and goes with it.
 */
#ifndef STORE_STORE_TOKEN_H
#define STORE_STORE_TOKEN_H

#include "store/store_user.h"
#include "tls/crypto.h"

#define STORE_TOKEN_PREFIX "pga_"
#define STORE_TOKEN_CHECK  6
/* prefix, 43 characters, checksum */
#define STORE_TOKEN_LEN      (4 + CRYPTO_TOKEN_SIZE - 1 + STORE_TOKEN_CHECK)
#define STORE_TOKEN_SIZE     (STORE_TOKEN_LEN + 1)
#define STORE_TOKEN_NAME_MAX 100
#define STORE_TOKENS_MAX     100 /* of one account, that can be used */

/* What a token may do, from the least. */
enum store_token_scope {
    STORE_TOKEN_METRICS, /* Prometheus's API alone */
    STORE_TOKEN_READ,    /* what a viewer may */
    STORE_TOKEN_WRITE,   /* what an operator may */
    STORE_TOKEN_ADMIN,   /* what an admin may */
};
const char *store_token_scope_name(enum store_token_scope scope);
/* ERR_INVALID */
enum err_code store_token_scope_of(struct str name, enum store_token_scope *out,
                                   struct err *e) ERR_MUST_CHECK;

struct store_token {
    int64_t id;
    const char *name;
    enum store_token_scope scope;
    int64_t expires_ms, last_used_ms, created_ms; /* last_used 0 = never */
    const char *last_address;
    struct store_user user;
};

struct store_token_new {
    int64_t account;
    struct str name;
    enum store_token_scope scope;
    int64_t expires_ms;
};
struct store_token_made {
    int64_t id;
    char value[STORE_TOKEN_SIZE]; /* shown once; the caller wipes it */
};
/* ERR_LIMIT when the account has STORE_TOKENS_MAX already. */
enum err_code store_token_create(struct store *s, const struct store_actor *who,
                                 const struct store_token_new *token, struct store_token_made *made,
                                 struct err *e) ERR_MUST_CHECK;
/* Whether a text has the form of a token, checksum included: tells a typing error from a guess. */
bool store_token_is_one(struct str value);
/* A token that can be used, of an active account; ERR_NOT_FOUND otherwise. Lives in `a`. */
enum err_code store_token_find(struct store *s, struct arena *a, struct str value,
                               struct store_token *out, struct err *e) ERR_MUST_CHECK;
/* Note the use, at most once a minute. */
enum err_code store_token_touch(struct store *s, const struct store_token *token,
                                const char *address, struct err *e) ERR_MUST_CHECK;

struct store_token_choice {
    int64_t id;
    int64_t account; /* whose it must be; 0 = anybody's */
};
/* ERR_NOT_FOUND also for somebody else's. */
enum err_code store_token_get(struct store *s, struct arena *a, struct store_token_choice which,
                              struct store_token *out, struct err *e) ERR_MUST_CHECK;
enum err_code store_token_revoke(struct store *s, const struct store_actor *who,
                                 struct store_token_choice which, struct err *e) ERR_MUST_CHECK;
struct store_token_page {
    int64_t account;
    int64_t after; /* 0 = from the start */
    int64_t offset;
    size_t limit;
    struct store_token *rows; /* out; in order of id */
    size_t count;
    int64_t total;
};
enum err_code store_token_list(struct store *s, struct arena *a, struct store_token_page *page,
                               struct err *e) ERR_MUST_CHECK;

#endif
