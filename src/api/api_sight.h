/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_sight.h: accounts that are limited to groups of targets (store_group.h).
 *
 * They are kept within their groups in three places, none of which a handler can forget:
 *  - api_sight_check, of the dispatcher: a route says what it is about (route.h, enum route_sight).
 *    One that is about all groups, or does not say it, is 403. Where the path names a thing, the
 *    id of one that is not seen, or is not there, is replaced by one that nothing has, before the
 *    handler runs: what it answers and how long that takes cannot differ between the two.
 *  - api_reader: a reader that shows visible targets alone, for all that is read of the engine.
 *  - lists of the control plane have the caller's sight in their page (all zero shows nothing).
 * The sight is read with the account at each request, so another list counts from the next one on.
 * Nothing that is made for one sight is kept for another: prometheus_target.c.
 */
#ifndef API_API_SIGHT_H
#define API_API_SIGHT_H

#include "api/api_call.h"

/* Whether the caller may call this route at all. ERR_DENIED (403). */
enum err_code api_sight_check(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Limit the call's reader to what the caller sees. */
enum err_code api_sight_limit(struct api_call *call, struct err *e) ERR_MUST_CHECK;

/* --- Input --- */

#define API_SIGHT_MEMBER  "group text: a group of targets"
#define API_SIGHT_FIRST   "the caller's first group, or 'default'"
#define API_SIGHT_MEMBERS "groups [text]: of targets; the account sees no others; "

/* A thing that is made gets a group; one that is changed may keep its own. */
enum api_sight_of { API_SIGHT_NEW, API_SIGHT_CHANGE };
/*
 * The member `group`, which must be one of the caller's; empty when it is absent and the thing is
 * there already.
 * Errors: ERR_INVALID for what is no name, ERR_DENIED for a group that the caller does not see
 */
enum err_code api_sight_group(struct api_call *call, enum api_sight_of of, struct str *out,
                              struct err *e) ERR_MUST_CHECK;
/* The member `groups` of an account. *out: NULL = all; *given: it is in the body. */
enum err_code api_sight_groups(struct api_call *call, bool *given, const char **out,
                               struct err *e) ERR_MUST_CHECK;

#endif
