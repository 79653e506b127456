/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_session.h: logins of people. A session ends by logout, by a password change, after 30
 * minutes without use and after 12 hours.
 */
#ifndef STORE_STORE_SESSION_H
#define STORE_STORE_SESSION_H

#include "store/store_user.h"
#include "tls/crypto.h"

#define STORE_SESSION_ID_SIZE 33
#define STORE_SESSION_IDLE_MS (30 * 60 * (int64_t)1000)
#define STORE_SESSION_LIFE_MS (12 * 3600 * (int64_t)1000)

/* What a new session gives to its owner, and nobody keeps. */
struct store_session_new {
    char id[STORE_SESSION_ID_SIZE];
    char token[CRYPTO_TOKEN_SIZE];   /* the cookie */
    char refresh[CRYPTO_TOKEN_SIZE]; /* the refresh token */
};

struct store_session {
    const char *id;
    int64_t created_ms, used_ms;
    struct store_user user;
};

/* Begin a session: notes the login, forgets the account's failures from that address. */
enum err_code store_session_create(struct store *s, const struct store_actor *who,
                                   const struct store_user *user, struct store_session_new *out,
                                   struct err *e) ERR_MUST_CHECK;

enum store_session_by { STORE_SESSION_BY_ID, STORE_SESSION_BY_TOKEN, STORE_SESSION_BY_REFRESH };
struct store_session_key {
    enum store_session_by by;
    struct str text;
};
/* The living session under a key, with its active user; ERR_NOT_FOUND otherwise. Lives in `a`. */
enum err_code store_session_find(struct store *s, struct arena *a, struct store_session_key key,
                                 struct store_session *out, struct err *e) ERR_MUST_CHECK;
/* Note the use, at most once a minute. */
enum err_code store_session_touch(struct store *s, const struct store_session *session,
                                  struct err *e) ERR_MUST_CHECK;
/* A new refresh token; the old one is dead. */
enum err_code store_session_refresh(struct store *s, const struct store_actor *who, const char *id,
                                    char refresh[CRYPTO_TOKEN_SIZE], struct err *e) ERR_MUST_CHECK;
enum err_code store_session_end(struct store *s, const struct store_actor *who, const char *id,
                                struct err *e) ERR_MUST_CHECK;
/* Remove what ended more than a day ago, and old login failures. */
enum err_code store_session_purge(struct store *s, struct err *e) ERR_MUST_CHECK;

#endif
