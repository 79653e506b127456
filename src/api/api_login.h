/* SPDX-License-Identifier: PostgreSQL */
/* api_login.h: one try to prove who somebody is, shared by all that ask for a password. */
#ifndef API_API_LOGIN_H
#define API_API_LOGIN_H

#include "api/api_call.h"

struct api_login {
    struct str username, password;
    int refusal;            /* status of a wrong password; 0 = 401; 403 where a session goes on */
    struct store_user user; /* out: when the name is known */
    const char *from;       /* out: where its failures are counted; api_device.h */
    bool right;             /* out; false: the answer has been given */
};

/*
 * Check the password, with the back-off around it. For a name that is not known the same is done as
 * for a wrong password: the same work, the same rows, the same answer.
 */
enum err_code api_login_try(struct api_call *call, struct api_login *login,
                            struct err *e) ERR_MUST_CHECK;
/* The answer when too much is asked at once. */
enum err_code api_login_busy(struct api_call *call, int64_t wait_ms);

#endif
