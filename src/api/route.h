/* SPDX-License-Identifier: PostgreSQL */
/*
 * route.h: what a route is. One constant per route in the file of its resource, its name in
 * routes.list, and it is served, documented and tested.
 */
#ifndef API_ROUTE_H
#define API_ROUTE_H

#include <stddef.h>

#include "base/err.h"
#include "httpd/httpd.h"

struct api_call;

/* Who may call; from ROUTE_VIEWER to ROUTE_OWNER each includes those below it. */
enum route_role {
    ROUTE_ANYONE,
    ROUTE_SIGNED_IN, /* any person, auditors too */
    ROUTE_VIEWER,
    ROUTE_OPERATOR,
    ROUTE_ADMIN,
    ROUTE_OWNER,
    ROUTE_COLLECTOR, /* an agent's token; never a person */
};

enum route_body {
    ROUTE_NO_BODY, /* what comes is read and dropped */
    ROUTE_JSON,    /* an object with no other members than `members` */
    ROUTE_RAW,     /* the handler reads it */
};

struct route {
    const char *method;
    const char *path; /* "{name}" stands for one segment, a last "*" for the rest */
    enum route_role role;
    unsigned classes; /* of listeners; enum httpd_class */
    enum route_body body;
    size_t max_body;
    const char *const *members; /* of a JSON body; NULL-terminated */
    enum err_code (*handle)(struct api_call *call, struct err *e);
    const char *summary;
};

/* The table, in the order of routes.list. */
const struct route *const *route_table(size_t *count);
/*
 * The route of a method and a path. NULL: none, and *allow lists the methods that the path has
 * ("" when the path is unknown). params: up to ROUTE_PARAMS segments, still encoded.
 */
#define ROUTE_PARAMS 2
const struct route *route_find(struct str method, struct str path, struct str *params,
                               struct buf *allow);

#endif
