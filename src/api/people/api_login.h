/* SPDX-License-Identifier: PostgreSQL */
/* api_login.h: one try to prove who somebody is, shared by all that ask for a password. */
#ifndef API_PEOPLE_API_LOGIN_H
#define API_PEOPLE_API_LOGIN_H

#include "api/api_call.h"

/* Which of the two factors a try needs. */
enum api_login_need {
    API_LOGIN_ALL,      /* the password, and a code where the account has a second factor */
    API_LOGIN_PASSWORD, /* the password alone: a session that has the rest goes on */
    API_LOGIN_CODE,     /* a code alone, likewise */
};

struct api_login {
    struct str username, password, code; /* code may be empty */
    enum api_login_need need;
    int refusal;            /* status of a wrong password; 0 = 401; 403 where a session goes on */
    struct store_user user; /* out: when the name is known */
    const char *from;       /* out: where its failures are counted; api_device.h */
    bool right;             /* out; false: the answer has been given */
};

/* The type of the problem that says: the same once more, with `code`. */
#define API_LOGIN_CODE_TYPE "urn:pga:problem:code"

/*
 * Check what is needed, with the back-off around it. Wrong codes are counted for the account,
 * wherever they come from (who gets there knows the password), but for a device that it knows. For
 * a name that is not known the same is done as for a wrong password: the same work, the same rows,
 * the same answer.
 */
enum err_code api_login_try(struct api_call *call, struct api_login *login,
                            struct err *e) ERR_MUST_CHECK;
/* The answer when too much is asked at once. */
enum err_code api_login_busy(struct api_call *call, int64_t wait_ms);

#endif
