/* SPDX-License-Identifier: PostgreSQL */
/* openapi.h: the description of the API, made from the route table. */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/route.h"
#include "base/buf.h"

/* Write the OpenAPI 3.1 document. ERR_BUG names a route whose description is wrong. */
enum err_code openapi_write(struct buf *out, struct err *e) ERR_MUST_CHECK;
/* Whether a route is in the description: pages and files of the web interface are not. */
bool openapi_has(const struct route *r);
/* The resource that a route belongs to: "collector" of route_collector_get. */
struct str openapi_tag(size_t index);
/* The status of success. */
int openapi_status(const struct route *r);

#endif
