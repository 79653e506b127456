/* SPDX-License-Identifier: PostgreSQL */
/* api_session.h: the answer to a login, shared by login, setup and refresh. */
#ifndef API_PEOPLE_API_SESSION_H
#define API_PEOPLE_API_SESSION_H

#include "api/api_call.h"

struct api_session_start {
    const struct store_user *user; /* with the password hash of today */
    const char *from;              /* struct store_login */
    int status;
    const char *message;
};
/*
 * Begin a session, set the cookies and answer. What session the request came with ends: nobody
 * goes on under an id that was there before the login.
 */
enum err_code api_session_begin(struct api_call *call, const struct api_session_start *start,
                                struct err *e) ERR_MUST_CHECK;
struct api_session_grant {
    const struct store_user *user;
    const char *session_id;
    const char *refresh; /* the refresh token */
    int status;
    const char *message;
};
/* Answer with a token for a session. */
enum err_code api_session_answer(struct api_call *call, const struct api_session_grant *grant,
                                 struct err *e) ERR_MUST_CHECK;
/* The `user` object. */
void api_session_put_user(struct json_writer *w, const struct store_user *user);
void api_session_set_cookie(struct api_call *call, const char *token); /* NULL removes it */

struct api_cookie {
    const char *name, *value; /* NULL removes it */
    int64_t life_s;
};
/* HttpOnly, SameSite=Strict, for the whole server; over TLS also Secure. */
void api_cookie_set(struct api_call *call, const struct api_cookie *cookie);
/* Whether the request came over TLS: then cookies have the __Host- form. */
bool api_is_secure(const struct httpd_request *r);

#define API_SESSION_TOKEN_S 900

#endif
