/* SPDX-License-Identifier: PostgreSQL */
/* route_group.c: moving targets and collectors to another group (store_group.h). */
#include "api/api_sight.h"
#include "base/limits.h"

typedef enum err_code move_thing(struct store *s, const struct store_actor *who,
                                 const struct store_group_move *move, struct err *e);

static enum err_code move(struct api_call *call, move_thing *how, struct err *e)
{
    struct store_actor who = api_actor(call);
    char id[TEXT_UUID_SIZE];
    struct store_group_move m = {.id = id};
    struct json_writer *w;
    struct uuid uuid;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK)
        rc = api_sight_group(call, API_SIGHT_CHANGE, &m.group, e);
    if (rc == ERR_OK && m.group.len == 0)
        rc = err_set(e, ERR_INVALID, "group must be given");
    if (rc == ERR_OK)
        rc = how(call->api->config.store, &who, &m, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "id", id);
    json_member_str(w, "group", m.group);
    json_object_end(w);
    return ERR_OK;
}

static enum err_code move_target(struct api_call *call, struct err *e)
{
    return move(call, store_group_move_target, e);
}

static enum err_code move_collector(struct api_call *call, struct err *e)
{
    return move(call, store_group_move_collector, e);
}

static const char *const target_members[] = {
    "group text!: where it goes; one of the caller's own",
    NULL,
};

const struct route route_group_target = {
    .method = "PUT",
    .path = "/api/v1/servers/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = target_members,
    .handle = move_target,
    .summary = "Move a target to another group, and its managed instance with it.",
    .answer = "{id: uuid, group: text}",
};

const struct route route_group_collector = {
    .method = "PUT",
    .path = "/api/v1/collectors/{id}",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = target_members,
    .handle = move_collector,
    .summary = "Move a collector to another group, and those of its targets that are in its own.",
    .answer = "{id: uuid, group: text}",
};
