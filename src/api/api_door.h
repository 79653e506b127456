/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_door.h: the compatibility doors, for collectors of the published API without a certificate.
 *
 *     allow_bearer_push   they register without a certificate request, renew their token, push and
 *                         read their configuration with the token alone
 *     open_ingest         they push with nothing at all: from this machine alone, in the name of a
 *                         registered agent that has no certificate
 *
 * Both are shut unless the configuration opens them; then log, audit and GET /health tell it. They
 * are at the listeners of people alone: where agents show certificates there are none. A token that
 * is bound to a certificate stays bound.
 * Threads: any.
 */
#ifndef API_API_DOOR_H
#define API_API_DOOR_H

#include "api/api_call.h"

/* The type of the problem that says which door is shut. */
#define API_DOOR_TYPE "urn:pga:problem:door"

/* ERR_DENIED unless agents without a certificate are let in; the client is told (403). */
enum err_code api_door_bearer(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Whether this caller, who has shown nothing, may push. */
bool api_door_is_open(const struct api_call *call);
/* ERR_DENIED for a push with nothing: the client is told what it lacks (401). */
enum err_code api_door_refuse(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Through open_ingest: be the collector of that id. ERR_DENIED (401) when there is none. */
enum err_code api_door_enter(struct api_call *call, struct str id, struct err *e) ERR_MUST_CHECK;
/* Append which doors are open, for people. */
void api_door_describe(const struct api *api, struct buf *out);

#endif
