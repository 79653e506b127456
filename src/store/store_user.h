/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_user.h: people's accounts, and the back-off after failed logins.
 *
 * Passwords are checked by the caller (tls/password.h) with no lock held.
 */
#ifndef STORE_STORE_USER_H
#define STORE_STORE_USER_H

#include "store/store_group.h"

#define STORE_USER_NAME_MAX 64

struct store_user {
    int64_t id;
    const char *username, *email, *full_name, *role;
    const char *password_hash; /* NULL where it was not asked for */
    bool is_active;
    struct store_sight sight; /* of groups of targets */
    int64_t last_login_ms;    /* 0 = never */
    enum { STORE_USER_TOTP_UNKNOWN, STORE_USER_TOTP_OFF, STORE_USER_TOTP_ON } totp;
};

struct store_user_new {
    struct str username, email, full_name;
    const char *role;
    const char *password_hash;
    bool must_be_first; /* ERR_CONFLICT when there is an account already */
    const char *groups; /* that it sees, by store_group_join; NULL = all */
};

enum err_code store_user_count(struct store *s, int64_t *accounts, int64_t *owners,
                               struct err *e) ERR_MUST_CHECK;
/* ERR_CONFLICT when the name is taken, ERR_INVALID for a bad name, or groups of an owner. */
enum err_code store_user_create(struct store *s, const struct store_actor *who,
                                const struct store_user_new *user, int64_t *id,
                                struct err *e) ERR_MUST_CHECK;
/* ERR_NOT_FOUND. Both live in `a`. */
enum err_code store_user_by_name(struct store *s, struct arena *a, struct str username,
                                 struct store_user *out, struct err *e) ERR_MUST_CHECK;
enum err_code store_user_by_id(struct store *s, struct arena *a, int64_t id, struct store_user *out,
                               struct err *e) ERR_MUST_CHECK;
/* Set one's own password and end all of one's sessions. */
enum err_code store_user_set_password(struct store *s, const struct store_actor *who, int64_t id,
                                      const char *password_hash, struct err *e) ERR_MUST_CHECK;
/* The same password by newer parameters: nothing ends. */
enum err_code store_user_rehash(struct store *s, int64_t id, const char *password_hash,
                                struct err *e) ERR_MUST_CHECK;

struct store_user_page {
    int64_t after; /* an id; 0 = from the start */
    int64_t offset;
    size_t limit;
    struct store_user *rows; /* out; in order of id */
    size_t count;
};
enum err_code store_user_list(struct store *s, struct arena *a, struct store_user_page *page,
                              struct err *e) ERR_MUST_CHECK;

/* --- By others (store_user_manage.c); ERR_NOT_FOUND, ERR_DENIED without the power --- */

/* Admins manage viewers and operators; owners manage everybody. */
enum store_user_power { STORE_USER_BY_ADMIN, STORE_USER_BY_OWNER };
/* ERR_DENIED unless this power may give and take this role. */
enum err_code store_user_may_manage(enum store_user_power power, const char *role,
                                    struct err *e) ERR_MUST_CHECK;

enum store_user_active { STORE_USER_AS_IT_IS, STORE_USER_ACTIVE, STORE_USER_INACTIVE };
struct store_user_change {
    int64_t id;
    enum store_user_power power;
    const char *role, *email, *full_name; /* NULL = as it is */
    enum store_user_active active;
    bool sets_groups;   /* to `groups`, else they are as they are */
    const char *groups; /* by store_group_join; NULL = all */
};
/*
 * Change an account; a new role, or no longer being active, ends its sessions. Other groups count
 * from the next request on.
 * Errors: ERR_CONFLICT when it is the last active owner and would be none, ERR_INVALID for an owner
 *         or auditor who would be limited to groups
 */
enum err_code store_user_update(struct store *s, const struct store_actor *who,
                                const struct store_user_change *change,
                                struct err *e) ERR_MUST_CHECK;
/* Remove an account with its sessions. Errors: ERR_CONFLICT when it is the last active owner. */
enum err_code store_user_delete(struct store *s, const struct store_actor *who,
                                const struct store_user_change *change,
                                struct err *e) ERR_MUST_CHECK;
/* Set somebody's password, end all of their sessions and revoke their tokens. */
enum err_code store_user_reset_password(struct store *s, const struct store_actor *who,
                                        const struct store_user_change *change,
                                        const char *password_hash, struct err *e) ERR_MUST_CHECK;

/* ERR_INVALID: owners and auditors are not limited to groups. NULL = no list of groups. */
enum err_code store_user_check_groups(const char *role, const char *groups,
                                      struct err *e) ERR_MUST_CHECK;

/* Used by the files of store_user: one row of an account statement. */
void store_user_read(struct sqldb_stmt *q, struct arena *a, struct store_user *out);
enum err_code store_user_count_in(struct sqldb *db, int64_t *accounts, int64_t *owners,
                                  struct err *e) ERR_MUST_CHECK;

/* A try to sign in. */
struct store_login {
    struct str username;
    const char *from; /* the client's address, or "device:..." for one that is known */
};
/* How long this account from there, or everybody from there, must wait; 0 = may try. */
enum err_code store_user_login_wait(struct store *s, const struct store_login *at, int64_t *wait_ms,
                                    struct err *e) ERR_MUST_CHECK;
/* Forget the failures there. */
enum err_code store_user_login_forget(struct store *s, const struct store_login *at,
                                      struct err *e) ERR_MUST_CHECK;
/* Count a failure, with its audit row. */
enum err_code store_user_login_failed(struct store *s, const struct store_actor *who,
                                      const struct store_login *at, struct err *e) ERR_MUST_CHECK;
/* The name under which failures of an account from there are counted. */
const char *store_user_login_name(struct arena *a, const struct store_login *at);

#endif
