/* SPDX-License-Identifier: PostgreSQL */
/* route.c: the route table and finding a route in it. */
#include "api/route.h"

#include <string.h>

#define ROUTE(name) extern const struct route name;
#include "api/routes.list"
#undef ROUTE

static const struct route *const table[] = {
#define ROUTE(name) &name,
#include "api/routes.list"
#undef ROUTE
};

static const char *const names[] = {
#define ROUTE(name) #name,
#include "api/routes.list"
#undef ROUTE
};

const char *route_name(size_t index)
{
    return names[index];
}

const char *route_role_name(enum route_role role)
{
    static const char *const roles[] = {"anyone",   "anyone here", "signed in", "auditor", "viewer",
                                        "operator", "admin",       "owner",     "agent"};

    return roles[role];
}

bool route_admits(enum route_role need, enum route_role is)
{
    if (need == ROUTE_AUDITOR)
        return is == ROUTE_AUDITOR || is == ROUTE_OWNER;
    return is >= need;
}

bool route_line_is(const char *line, struct str name)
{
    return name.len > 0 && strncmp(line, name.ptr, name.len) == 0 &&
           (line[name.len] == ' ' || line[name.len] == '\0');
}

const struct route *const *route_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

/* Whether a path fits a pattern; segments of "{name}" go to params. */
static bool fits(const char *pattern, struct str path, struct str *params)
{
    struct str want = str_of(pattern);
    size_t count = 0;

    while (want.ptr != NULL && path.ptr != NULL) {
        struct str w = str_split(&want, '/');
        struct str have;

        if (str_eq_c(w, "*"))
            return true;
        have = str_split(&path, '/');
        if (w.len > 0 && w.ptr[0] == '{') {
            if (have.len == 0 || count == ROUTE_PARAMS)
                return false;
            params[count++] = have;
        } else if (!str_eq(w, have)) {
            return false;
        }
    }
    return want.ptr == NULL && path.ptr == NULL;
}

static void add_method(struct buf *allow, const char *method)
{
    if (strstr(allow->ptr, method) != NULL)
        return;
    if (allow->len > 0)
        buf_add_c(allow, ", ");
    buf_add_c(allow, method);
}

const struct route *route_find(struct str method, struct str path, struct str *params,
                               struct buf *allow)
{
    const struct route *rest = NULL;

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const struct route *r = table[i];
        bool is_rest = strchr(r->path, '*') != NULL;

        if (!fits(r->path, path, params))
            continue;
        if (str_eq_c(method, r->method) && !is_rest)
            return r;
        if (is_rest)
            rest = r;
        else
            add_method(allow, r->method);
    }
    if (rest != NULL && allow->len == 0 && str_eq_c(method, rest->method))
        return rest;
    return NULL;
}
