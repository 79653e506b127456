/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_managed.c: managed instances: PostgreSQL servers that this server reads itself.
 *
 * The password is write-only. Whoever points an instance at another server, or weakens how that is
 * verified, must give the password anew: else one who may change an instance, but does not know its
 * password, could have it sent to a server of his own.
 */
#include "api/fleet/route_managed.h"

#include <stdio.h>
#include <string.h>

#include "api/api_sight.h"
#include "base/limits.h"

/* --- answers --- */

static void etag_of(const struct store_managed *m, char out[40])
{
    snprintf(out, 40, "\"m%lld-%lld\"", (long long)m->id, (long long)m->version);
}

static enum err_code answer(struct api_call *call, int status, int64_t id, struct err *e)
{
    struct store_managed m;
    char etag[40];
    enum err_code rc = store_managed_get(call->api->config.store, call->arena, id, &m, e);

    if (rc != ERR_OK)
        return rc;
    etag_of(&m, etag);
    httpd_add_header(call->resp, "ETag", etag);
    route_managed_put(api_json(call, status), &m);
    return ERR_OK;
}

/* ERR_CONFLICT: If-Match names another version. */
static enum err_code check_match(struct api_call *call, const struct store_managed *m,
                                 struct err *e)
{
    struct str wanted = httpd_header(call->req, "If-Match");
    char etag[40];

    etag_of(m, etag);
    if (wanted.len == 0 || str_eq_c(wanted, "*") || str_eq_c(wanted, etag))
        return ERR_OK;
    return err_set(e, ERR_CONFLICT, "the managed instance was changed meanwhile");
}

static enum err_code done(struct api_call *call, int status, int64_t id, struct err *e)
{
    const struct api_managed *m = call->api->config.managed;

    m->changed(m->arg);
    return answer(call, status, id, e);
}

/* --- list and get --- */

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_managed_page list = {.sight = call->who.sight};
    struct api_page page;
    int64_t total;
    char next[24] = "";
    enum err_code rc = api_page_by_id(call, &page, &list.after, e);

    if (rc == ERR_OK)
        rc = store_count(store, "managed_count", SQLDB_ARGS(store_sight_value(&call->who.sight)),
                         &total, e);
    if (rc == ERR_OK) {
        list.limit = page.limit;
        list.offset = page.offset;
        rc = store_managed_list(store, call->arena, &list, e);
    }
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++)
        route_managed_put(&call->out, &list.rows[i]);
    if (list.count > 0)
        snprintf(next, sizeof(next), "%lld", (long long)list.rows[list.count - 1].id);
    api_list_end(call, &page, list.count, list.count == page.limit ? next : NULL, total);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE_NUMBER,
    NULL,
};

const struct route route_managed_list = {
    .method = "GET",
    .path = "/api/v1/managed-instances",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List the managed instances, without their passwords.",
    .answer = ROUTE_LIST("ManagedInstance"),
};

static enum err_code get(struct api_call *call, struct err *e)
{
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    return rc == ERR_OK ? answer(call, 200, id, e) : rc;
}

const struct route route_managed_get = {
    .method = "GET",
    .path = "/api/v1/managed-instances/{id}",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_MANAGED,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One managed instance and how it fares; its ETag is for If-Match.",
    .answer = "ManagedInstance",
};

/* --- create --- */

static struct api_trial place_of(const struct store_managed_fields *f)
{
    return (struct api_trial){.endpoint = f->endpoint,
                              .dbname = f->dbname,
                              .username = f->username,
                              .ssl_mode = f->ssl_mode,
                              .port = f->port,
                              .timeout_ms = f->timeout_ms};
}

static enum err_code read_password(struct api_call *call, struct store_managed_change *c,
                                   struct err *e)
{
    enum err_code rc = route_managed_password(call, &c->password, e);

    c->password_is = c->password.ptr == NULL ? STORE_MANAGED_KEEP
                     : c->password.len == 0  ? STORE_MANAGED_REMOVE
                                             : STORE_MANAGED_SET;
    return rc;
}

/* *group stays when it is not given and the instance has one. */
static enum err_code read_group(struct api_call *call, enum api_sight_of of, const char **group,
                                struct err *e)
{
    struct str name;
    enum err_code rc = api_sight_group(call, of, &name, e);

    if (rc == ERR_OK && name.len > 0)
        *group = arena_cstr(call->arena, name);
    return rc == ERR_OK ? arena_check(call->arena, e) : rc;
}

static enum err_code conflict(struct api_call *call, const struct err *e)
{
    return api_problem(call, httpd_header(call->req, "If-Match").len > 0 ? 412 : 409, "%s",
                       e->text);
}

static enum err_code create(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_managed_change c = {
        .fields = {.name = "",
                   .description = "",
                   .endpoint = "",
                   .dbname = "postgres",
                   .environment = "",
                   .username = "",
                   .ssl_mode = "",
                   .tags = "[]",
                   .port = 5432,
                   .interval_ms = 10000,
                   .timeout_ms = 5000},
    };
    struct api_trial place;
    enum err_code rc = route_managed_read(call, &c.fields, e);

    if (rc == ERR_OK &&
        (c.fields.name[0] == '\0' || c.fields.endpoint[0] == '\0' || c.fields.username[0] == '\0'))
        rc = err_set(e, ERR_INVALID, "name, endpoint and master_username must be given");
    if (rc == ERR_OK)
        rc = read_group(call, API_SIGHT_NEW, &c.fields.group, e);
    if (rc == ERR_OK)
        rc = read_password(call, &c, e);
    place = place_of(&c.fields);
    if (rc == ERR_OK)
        rc = route_managed_check(call, &place, e);
    if (rc != ERR_OK)
        return rc;
    c.detail = arena_printf(
        call->arena, "%s: %s port %lld as %s, ssl_mode %s%s, group %s", c.fields.name,
        c.fields.endpoint, (long long)c.fields.port, c.fields.username, c.fields.ssl_mode,
        c.password_is == STORE_MANAGED_SET ? ", with a password" : "", c.fields.group);
    rc = store_managed_create(call->api->config.store, &who, call->api->config.seal, &c, e);
    if (rc == ERR_CONFLICT)
        return api_problem(call, 409, "%s", e->text);
    return rc == ERR_OK ? done(call, 201, c.id, e) : rc;
}

#define MEMBERS                                                                                    \
    "description text: for people", "port int: default 5432",                                      \
        "database text: to log in to, default postgres; the others are read from there",           \
        "environment text: such as production",                                                    \
        "master_password text: of that role; write-only, empty = none", "password text: the same", \
        "ssl_mode text(disable|allow|prefer|require|verify-ca|verify-full): default verify-full",  \
        "monitoring_interval int: seconds between readings, 5 to 3600, default 10",                \
        "connection_timeout int: seconds of a connection test, 1 to 30, default 5",                \
        "tags any: a list or an object of texts",                                                  \
        (API_SIGHT_MEMBER ": of its target, default " API_SIGHT_FIRST),                            \
        "paused bool: keep it, and do not read it"

static const char *const create_members[] = {
    "name text!: what the target is called",
    "endpoint text!: host name or address",
    "master_username text!: role to log in as; it needs pg_monitor",
    MEMBERS,
    NULL,
};

const struct route route_managed_create = {
    .method = "POST",
    .path = "/api/v1/managed-instances",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = create_members,
    .handle = create,
    .summary = "Add a managed instance; the server begins to read it at once.",
    .status = 201,
    .answer = "ManagedInstance",
    .also = "409",
};

/* --- update --- */

static bool is_weaker(const struct store_managed_fields *was, const struct store_managed_fields *is)
{
    return route_managed_strength(is->ssl_mode) < route_managed_strength(was->ssl_mode);
}

static bool goes_elsewhere(const struct store_managed_fields *was,
                           const struct store_managed_fields *is)
{
    return strcmp(was->endpoint, is->endpoint) != 0 || was->port != is->port;
}

static enum err_code check_credential(const struct store_managed *old,
                                      const struct store_managed_change *c, struct err *e)
{
    if (!old->has_password || c->password_is != STORE_MANAGED_KEEP)
        return ERR_OK;
    if (goes_elsewhere(&old->fields, &c->fields) || is_weaker(&old->fields, &c->fields))
        return err_set(e, ERR_INVALID,
                       "password: give it again where endpoint or port change or ssl_mode becomes "
                       "weaker; the stored one does not go there");
    return ERR_OK;
}

/* What changed, for the audit; values only of what is no secret and matters. */
static const char *describe(struct arena *a, const struct store_managed *old,
                            const struct store_managed_change *c)
{
    const struct store_managed_fields *was = &old->fields, *is = &c->fields;
    const char *mode = strcmp(was->ssl_mode, is->ssl_mode) == 0
                           ? ""
                           : arena_printf(a, ", ssl_mode %s%s", is->ssl_mode,
                                          is_weaker(was, is) ? " (weaker than before)" : "");
    const char *place = goes_elsewhere(was, is)
                            ? arena_printf(a, ", %s port %lld", is->endpoint, (long long)is->port)
                            : "";
    const char *role = strcmp(was->username, is->username) == 0
                           ? ""
                           : arena_printf(a, ", as %s", is->username);
    const char *word = c->password_is == STORE_MANAGED_SET      ? ", another password"
                       : c->password_is == STORE_MANAGED_REMOVE ? ", no password any more"
                                                                : "";
    const char *rest = was->is_paused == is->is_paused ? ""
                       : is->is_paused                 ? ", paused"
                                                       : ", goes on";

    const char *group = strcmp(was->group, is->group) == 0
                            ? ""
                            : arena_printf(a, ", group %s to %s", was->group, is->group);

    return arena_printf(a, "%s%s%s%s%s%s%s", is->name, place, role, mode, word, rest, group);
}

static enum err_code update(struct api_call *call, struct err *e)
{
    struct store_actor who = api_actor(call);
    struct store_managed_change c = {0};
    struct store_managed old;
    struct api_trial place;
    enum err_code rc = api_param_id(call, 0, &c.id, e);

    if (rc == ERR_OK)
        rc = store_managed_get(call->api->config.store, call->arena, c.id, &old, e);
    if (rc == ERR_OK && check_match(call, &old, e) != ERR_OK)
        return conflict(call, e);
    if (rc != ERR_OK)
        return rc;
    c.version = old.version;
    c.fields = old.fields;
    rc = route_managed_read(call, &c.fields, e);
    if (rc == ERR_OK)
        rc = read_group(call, API_SIGHT_CHANGE, &c.fields.group, e);
    if (rc == ERR_OK)
        rc = read_password(call, &c, e);
    if (rc == ERR_OK)
        rc = check_credential(&old, &c, e);
    place = place_of(&c.fields);
    if (rc == ERR_OK)
        rc = route_managed_check(call, &place, e);
    if (rc != ERR_OK)
        return rc;
    c.detail = describe(call->arena, &old, &c);
    rc = store_managed_update(call->api->config.store, &who, call->api->config.seal, &c, e);
    if (rc == ERR_CONFLICT)
        return conflict(call, e);
    return rc == ERR_OK ? done(call, 200, c.id, e) : rc;
}

static const char *const update_members[] = {
    "name text: what the target is called",
    "endpoint text: host name or address",
    "master_username text: role to log in as; it needs pg_monitor",
    MEMBERS,
    NULL,
};

static const char *const match_headers[] = {
    "If-Match text: change this version alone; 412 when there is a newer one",
    NULL,
};

const struct route route_managed_update = {
    .method = "PUT",
    .path = "/api/v1/managed-instances/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_MANAGED,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = update_members,
    .headers = match_headers,
    .handle = update,
    .summary = "Change a managed instance; what is not given stays, and so does the password.",
    .answer = "ManagedInstance",
    .also = "409 412",
};

/* --- delete --- */

static enum err_code delete_instance(struct api_call *call, struct err *e)
{
    const struct api_managed *managed = call->api->config.managed;
    struct store_actor who = api_actor(call);
    struct store_managed old;
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    if (rc == ERR_OK)
        rc = store_managed_get(call->api->config.store, call->arena, id, &old, e);
    if (rc == ERR_OK && check_match(call, &old, e) != ERR_OK)
        return conflict(call, e);
    if (rc == ERR_OK)
        rc = store_managed_delete(call->api->config.store, &who, id,
                                  httpd_header(call->req, "If-Match").len > 0 ? old.version : 0, e);
    if (rc == ERR_CONFLICT)
        return conflict(call, e);
    if (rc != ERR_OK)
        return rc;
    managed->changed(managed->arg);
    call->resp->status = 204;
    return ERR_OK;
}

const struct route route_managed_delete = {
    .method = "DELETE",
    .path = "/api/v1/managed-instances/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_MANAGED,
    .classes = HTTPD_API,
    .headers = match_headers,
    .handle = delete_instance,
    .summary = "Forget a managed instance and its password; what was read of it stays.",
    .also = "412",
};
