/* SPDX-License-Identifier: PostgreSQL */
/* route_server_detail.h: the larger members of one target's answer. */
#ifndef API_FLEET_ROUTE_SERVER_DETAIL_H
#define API_FLEET_ROUTE_SERVER_DETAIL_H

#include "api/fleet/api_target.h"

/* Each writes one member into an open object. */
enum err_code route_server_put_relations(struct api_call *call, const struct uuid *id,
                                         struct json_writer *w, struct err *e) ERR_MUST_CHECK;
enum err_code route_server_put_probes(struct api_call *call, const struct uuid *id,
                                      struct json_writer *w, struct err *e) ERR_MUST_CHECK;
enum err_code route_server_put_gaps(struct api_call *call, const struct store_target *t,
                                    struct json_writer *w, struct err *e) ERR_MUST_CHECK;

#endif
