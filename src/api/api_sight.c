/* SPDX-License-Identifier: PostgreSQL */
/* api_sight.c: see the header. */
#include "api/api_sight.h"

#include "base/num.h"

/* Ids that nothing has: ours are random of version 4, or count from 1. */
#define NO_UUID   "ffffffff-ffff-ffff-ffff-ffffffffffff"
#define NO_NUMBER "9223372036854775807"

static enum store_group_kind kind_of(enum route_sight sight)
{
    switch (sight) {
    case ROUTE_SIGHT_COLLECTOR:
        return STORE_GROUP_COLLECTOR;
    case ROUTE_SIGHT_MANAGED:
        return STORE_GROUP_MANAGED;
    case ROUTE_SIGHT_SECRET:
        return STORE_GROUP_SECRET;
    case ROUTE_SIGHT_TARGET:
    case ROUTE_SIGHT_UNDECIDED:
    case ROUTE_SIGHT_FLEET:
    case ROUTE_SIGHT_APART:
    case ROUTE_SIGHT_LIST:
        break;
    }
    return STORE_GROUP_TARGET;
}

/* The id of the path as statements have it; false: no thing can have it. */
static bool read_id(struct str text, enum store_group_kind kind, char uuid[TEXT_UUID_SIZE],
                    struct sqldb_value *out)
{
    struct uuid id;
    int64_t number;

    if (kind == STORE_GROUP_MANAGED || kind == STORE_GROUP_SECRET) {
        if (num_parse_i64(text, 1, INT64_MAX, &number, NULL) != ERR_OK)
            return false;
        *out = sqldb_i64(number);
        return true;
    }
    if (!text_parse_uuid(text, &id))
        return false;
    text_uuid(&id, uuid);
    *out = sqldb_text_c(uuid);
    return true;
}

/* What is not seen is not there. */
static enum err_code hide(struct api_call *call, struct err *e)
{
    enum store_group_kind kind = kind_of(call->route->sight);
    bool numbered = kind == STORE_GROUP_MANAGED || kind == STORE_GROUP_SECRET;
    char uuid[TEXT_UUID_SIZE];
    struct sqldb_value id;
    bool seen = false;
    enum err_code rc;

    if (!read_id(call->params[0], kind, uuid, &id))
        return ERR_OK; /* the handler says that it is none */
    rc = store_group_sees(call->api->config.store, &call->who.sight,
                          (struct store_group_thing){kind, id}, &seen, e);
    if (rc == ERR_OK && !seen)
        call->params[0] = numbered ? STR(NO_NUMBER) : STR(NO_UUID);
    return rc;
}

enum err_code api_sight_check(struct api_call *call, struct err *e)
{
    if (call->who.kind != API_USER || call->who.sight.all)
        return ERR_OK;
    switch (call->route->sight) {
    case ROUTE_SIGHT_UNDECIDED:
    case ROUTE_SIGHT_FLEET:
        return err_set(e, ERR_DENIED,
                       "this is about all groups of targets, and your account is for some of them");
    case ROUTE_SIGHT_APART:
    case ROUTE_SIGHT_LIST:
        return ERR_OK;
    case ROUTE_SIGHT_TARGET:
    case ROUTE_SIGHT_COLLECTOR:
    case ROUTE_SIGHT_MANAGED:
    case ROUTE_SIGHT_SECRET:
        break;
    }
    return hide(call, e);
}

enum err_code api_sight_limit(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    const struct store_sight *sight = &call->who.sight;
    struct store_group_ids targets = {.kind = STORE_GROUP_TARGET};
    struct store_group_ids collectors = {.kind = STORE_GROUP_COLLECTOR};
    enum err_code rc;

    if (sight->all)
        return ERR_OK;
    tsdb_reader_limit(call->reader, &call->sight); /* of nothing, until it is known */
    rc = store_group_ids(store, call->arena, sight, &targets, e);
    if (rc == ERR_OK)
        rc = store_group_ids(store, call->arena, sight, &collectors, e);
    if (rc == ERR_OK)
        call->sight = (struct tsdb_sight){targets.count, targets.ids, collectors.count,
                                          collectors.ids};
    return rc;
}

/* --- input --- */

enum err_code api_sight_group(struct api_call *call, enum api_sight_of of, struct str *out,
                              struct err *e)
{
    const struct store_sight *sight = &call->who.sight;
    struct str rest = str_of(sight->groups != NULL ? sight->groups : "");
    enum err_code rc = api_member_text(call, "group", (struct api_length){0, STORE_GROUP_MAX}, out,
                                       e);

    if (rc != ERR_OK)
        return rc;
    if (out->len == 0 && of == API_SIGHT_CHANGE)
        return ERR_OK;
    if (out->len == 0 && (sight->all || !store_group_next(&rest, out)))
        *out = STR(STORE_GROUP_DEFAULT);
    rc = store_group_check(*out, e);
    if (rc != ERR_OK)
        return err_wrap(e, "group");
    if (!store_sight_has(sight, *out))
        return err_set(e, ERR_DENIED, "group: not one of yours");
    return ERR_OK;
}

enum err_code api_sight_groups(struct api_call *call, bool *given, const char **out, struct err *e)
{
    const struct json *list = json_get(call->body, "groups");
    struct str names[STORE_GROUPS_MAX + 1];
    size_t count = 0;
    enum err_code rc = ERR_OK;

    *out = NULL;
    *given = json_type(list) != JSON_ABSENT;
    if (!*given || json_type(list) == JSON_NULL)
        return ERR_OK;
    if (json_type(list) != JSON_ARRAY)
        return err_set(e, ERR_INVALID, "groups: not a list of names, or null");
    for (struct json_iter it = json_iter(list); count <= STORE_GROUPS_MAX && json_next(&it);) {
        if (json_type(it.value) != JSON_STR)
            return err_set(e, ERR_INVALID, "groups: not a list of names, or null");
        names[count++] = json_str(it.value);
    }
    rc = store_group_join(call->arena, names, count, out, e);
    return rc == ERR_OK ? rc : err_wrap(e, "groups");
}
