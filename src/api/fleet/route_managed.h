/* SPDX-License-Identifier: PostgreSQL */
/* route_managed.h: what the routes of managed instances share. */
#ifndef API_FLEET_ROUTE_MANAGED_H
#define API_FLEET_ROUTE_MANAGED_H

#include "api/api_call.h"
#include "store/store_managed.h"

#define ROUTE_MANAGED_MODES "disable, allow, prefer, require, verify-ca or verify-full"

/* One instance as the published API has it, and ours beside. */
void route_managed_put(struct json_writer *w, const struct store_managed *m);
/* Check the place that a trial names, with an answer of 400 that says what is wrong with it. */
enum err_code route_managed_check(struct api_call *call, const struct api_trial *t,
                                  struct err *e) ERR_MUST_CHECK;
/*
 * What the body says over what stands in *f (defaults, or what is stored). Lives in the arena.
 * ERR_INVALID names the member.
 */
enum err_code route_managed_read(struct api_call *call, struct store_managed_fields *f,
                                 struct err *e) ERR_MUST_CHECK;
/* The role, as a direct test calls it. *out stays when it is absent. */
enum err_code route_managed_username(struct api_call *call, const char **out,
                                     struct err *e) ERR_MUST_CHECK;
/* The password of the body, by either of its names; ptr NULL = not given, len 0 = none any more. */
enum err_code route_managed_password(struct api_call *call, struct str *out,
                                     struct err *e) ERR_MUST_CHECK;
/* 0 for the weakest; an unknown one is -1. */
int route_managed_strength(const char *ssl_mode);

#endif
