/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_session.h: logins of people. A session ends by logout, by a new password or role, when it
 * is revoked, when a refresh token of it is shown twice, after 30 minutes without use and after 12
 * hours.
 */
#ifndef STORE_STORE_SESSION_H
#define STORE_STORE_SESSION_H

#include "store/store_user.h"
#include "tls/crypto.h"

#define STORE_SESSION_ID_SIZE   33
#define STORE_SESSION_AGENT_MAX 200  /* bytes kept of what a client calls itself */
#define STORE_SESSION_REFRESHES 5000 /* of one session: one in 9 seconds, for 12 hours */
#define STORE_SESSION_IDLE_MS   (30 * 60 * (int64_t)1000)
#define STORE_SESSION_LIFE_MS   (12 * 3600 * (int64_t)1000)

/* What a new session gives to its owner, and nobody keeps. */
struct store_session_new {
    struct str agent; /* in: what the client calls itself */
    const char *from; /* in: where failures of this client are counted; struct store_login */
    char id[STORE_SESSION_ID_SIZE];
    char token[CRYPTO_TOKEN_SIZE];   /* the cookie */
    char refresh[CRYPTO_TOKEN_SIZE]; /* the refresh token */
};

struct store_session {
    const char *id;
    const char *address, *agent; /* whence it was begun, with what program */
    int64_t created_ms, used_ms;
    int64_t verified_ms; /* when the person last proved who it is */
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
struct store_session_renewal {
    const char *id;
    struct str old;                  /* the refresh token that was shown */
    char refresh[CRYPTO_TOKEN_SIZE]; /* out: the new one */
};
/*
 * A new refresh token; the old one is dead.
 * Errors: ERR_NOT_FOUND when somebody else was faster with it, or the session has ended;
 *         ERR_LIMIT after STORE_SESSION_REFRESHES
 */
enum err_code store_session_refresh(struct store *s, const struct store_actor *who,
                                    struct store_session_renewal *r, struct err *e) ERR_MUST_CHECK;
/*
 * A refresh token was shown that opens nothing. Was it used up before, there are two that have it,
 * and its session ends. *ended: whether one did.
 */
enum err_code store_session_reused(struct store *s, const struct store_actor *who,
                                   struct str refresh, bool *ended, struct err *e) ERR_MUST_CHECK;
/* The person proved again who it is: failures there are forgotten. */
enum err_code store_session_verified(struct store *s, const struct store_actor *who, const char *id,
                                     const struct store_login *at, struct err *e) ERR_MUST_CHECK;
enum err_code store_session_end(struct store *s, const struct store_actor *who, const char *id,
                                struct err *e) ERR_MUST_CHECK;

struct store_session_list {
    int64_t account;
    size_t limit;
    struct store_session *rows; /* out; living ones, the newest first */
    size_t count;
};
enum err_code store_session_list(struct store *s, struct arena *a, struct store_session_list *list,
                                 struct err *e) ERR_MUST_CHECK;
struct store_session_choice {
    struct str id;
    int64_t account; /* whose it must be; 0 = anybody's */
};
/* End one session. ERR_NOT_FOUND also for somebody else's. */
enum err_code store_session_revoke(struct store *s, const struct store_actor *who,
                                   struct store_session_choice which, struct err *e) ERR_MUST_CHECK;
/* Remove what ended more than a day ago, old login failures and tokens (store_token.h). */
enum err_code store_session_purge(struct store *s, struct err *e) ERR_MUST_CHECK;

#endif
