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

/*
 * Who may call; from ROUTE_VIEWER to ROUTE_OWNER each includes those below it. An auditor is below
 * them all, and what is for auditors is for them and owners alone: route_admits.
 */
enum route_role {
    ROUTE_ANYONE,
    ROUTE_LOCAL,     /* anyone on this machine, elsewhere any person */
    ROUTE_SIGNED_IN, /* any person, auditors too */
    ROUTE_AUDITOR,   /* auditors and owners */
    ROUTE_VIEWER,
    ROUTE_OPERATOR,
    ROUTE_ADMIN,
    ROUTE_OWNER,
    ROUTE_COLLECTOR, /* an agent's token; never a person */
};

/*
 * What an account that is limited to some groups gets (api_sight.h). A route that does not say it
 * is closed to them.
 */
enum route_sight {
    ROUTE_SIGHT_UNDECIDED, /* 403 */
    ROUTE_SIGHT_FLEET,     /* about all groups: 403 */
    ROUTE_SIGHT_APART,     /* of no target: pages, one's own account, what is public */
    ROUTE_SIGHT_LIST, /* the handler reads with the caller's sight: readers and pages have it */
    /* The first segment in braces is the id of one of these; one of other groups is none. */
    ROUTE_SIGHT_TARGET,
    ROUTE_SIGHT_COLLECTOR,
    ROUTE_SIGHT_MANAGED,
    ROUTE_SIGHT_SECRET,
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
    enum route_sight sight;
    bool own_agent;   /* an agent's token opens it as well; the handler shows its own alone */
    bool in_person;   /* a session of a person; never an API token */
    bool step_up;     /* the same, and the person proved who it is within API_STEP_UP_MS */
    bool enrols;      /* open to a person who has to enrol a second factor before anything else */
    bool certificate; /* ROUTE_COLLECTOR: an agent's certificate opens it, without a token */
    bool open_door;   /* with ingest.open_ingest, who shows nothing reaches it; api_door.h */
    unsigned classes; /* of listeners; enum httpd_class */
    enum route_body body;
    size_t max_body;
    /*
     * Lines "name type!: what it is" (shape.h; "!" = must be given), NULL-terminated. The
     * dispatcher refuses members that have no line; all are in the API's description.
     */
    const char *const *members; /* of a JSON body */
    const char *const *query;   /* parameters; NULL = none */
    const char *const *headers; /* NULL = none but those of every request */
    const char *accepts;        /* ROUTE_RAW: the media type of the body */
    enum err_code (*handle)(struct api_call *call, struct err *e);
    const char *summary;
    int status;              /* of success; 0 = 200, or 204 where there is no answer */
    const char *answer;      /* its shape; NULL = none, or no JSON */
    const char *answer_type; /* NULL = application/json */
    const char *also;        /* further statuses that mean something here: "200 409" */
};

/* Parameters and answers that many routes have. */
#define ROUTE_PAGE \
    "limit int: at most this many, up to 1000", "cursor text: next_cursor of the page before"
#define ROUTE_PAGE_NUMBER                                                   \
    ROUTE_PAGE, "page int: number of the page from 1, instead of a cursor", \
        "page_size int: the same as limit"
#define ROUTE_RANGE                                                 \
    "from when: begin of the interval, default one hour before to", \
        "to when: end of the interval, default now"
#define ROUTE_LIST(item)                                                            \
    "{data: [" item "], next_cursor: text?, total: int, page: int, page_size: int," \
    " total_pages: int}"

/* The table, in the order of routes.list. */
const struct route *const *route_table(size_t *count);
/* "route_server_get", of table[index]. */
const char *route_name(size_t index);
const char *route_role_name(enum route_role role);
/* Whether a person of role `is` may call what needs `need`. */
bool route_admits(enum route_role need, enum route_role is);
/* Whether a line of `members`, `query` or `headers` is about this name. */
bool route_line_is(const char *line, struct str name);
/*
 * The route of a method and a path. NULL: none, and *allow lists the methods that the path has
 * ("" when the path is unknown). params: up to ROUTE_PARAMS segments, still encoded.
 */
#define ROUTE_PARAMS 2
const struct route *route_find(struct str method, struct str path, struct str *params,
                               struct buf *allow);

#endif
