/* SPDX-License-Identifier: PostgreSQL */
/* api_session.h: the answer to a login, shared by login, setup and refresh. */
#ifndef API_API_SESSION_H
#define API_API_SESSION_H

#include "api/api_call.h"

/* Begin a session for `user`, set the cookie and answer with `status`. */
enum err_code api_session_begin(struct api_call *call, const struct store_user *user, int status,
                                struct err *e) ERR_MUST_CHECK;
struct api_session_grant {
    const struct store_user *user;
    const char *session_id;
    const char *refresh; /* the refresh token */
    int status;
};
/* Answer with a token for a session. */
enum err_code api_session_answer(struct api_call *call, const struct api_session_grant *grant,
                                 struct err *e) ERR_MUST_CHECK;
/* The `user` object. */
void api_session_put_user(struct json_writer *w, const struct store_user *user);
void api_session_set_cookie(struct api_call *call, const char *token); /* NULL removes it */
#define API_SESSION_TOKEN_S 900

#endif
