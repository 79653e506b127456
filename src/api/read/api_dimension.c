/* SPDX-License-Identifier: PostgreSQL */
/* api_dimension.c: see the header. */
#include "api/read/api_dimension.h"

/* The name in the request, and the key of the relation. */
static const struct dimension {
    const char *name, *key;
} dimensions[API_DIMENSIONS] = {
    {"wait_class", "wait_event_type"},
    {"wait_event", "wait_event"},
    {"datname", "datname"},
    {"usename", "usename"},
    {"application_name", "application_name"},
    {"backend_type", "backend_type"},
    {"state", "state"},
    {"query_id", "query_id"},
};

enum { KEY_STATE, KEY_BACKEND, KEY_WAIT };

const char *api_dimension_name(size_t dimension)
{
    return dimensions[dimension].name;
}

enum err_code api_dimension_find(struct str name, size_t *out, struct err *e)
{
    for (size_t i = 0; i < API_DIMENSIONS; i++) {
        if (str_eq_c(name, dimensions[i].name)) {
            *out = i;
            return ERR_OK;
        }
    }
    return err_set(e, ERR_INVALID, "by: not a dimension of sessions");
}

enum err_code api_dimension_filters(struct api_call *call, struct str *wait_class,
                                    struct aggregate_filter filters[API_DIMENSIONS], size_t *count,
                                    struct err *e)
{
    enum err_code rc = api_param(call, "wait_class", wait_class, e);

    *count = 0;
    for (size_t i = 1; rc == ERR_OK && i < API_DIMENSIONS; i++) {
        struct str value;
        bool found;

        rc = httpd_query(call->req, dimensions[i].name, &value, &found, e);
        if (rc == ERR_OK && found)
            filters[(*count)++] = (struct aggregate_filter){str_of(dimensions[i].key), value};
    }
    return rc;
}

size_t api_dimension_keys(const size_t *of, size_t count, struct str *keys)
{
    keys[KEY_STATE] = STR("state");
    keys[KEY_BACKEND] = STR("backend_type");
    keys[KEY_WAIT] = STR("wait_event_type");
    for (size_t i = 0; i < count; i++)
        keys[API_DIMENSION_KEYS + i] = str_of(dimensions[of[i]].key);
    return API_DIMENSION_KEYS + count;
}

struct str api_dimension_value(struct arena *a, size_t dimension, const struct str *keys,
                               const struct str *own)
{
    if (dimension == API_DIMENSION_CLASS)
        return str_of(api_target_wait_class(keys[KEY_WAIT]));
    if (dimension == API_DIMENSION_EVENT && keys[KEY_WAIT].len == 0)
        return STR("CPU");
    if (dimension == API_DIMENSION_EVENT)
        return str_of(arena_printf(a, "%.*s:%.*s", STR_ARG(keys[KEY_WAIT]), STR_ARG(*own)));
    return *own;
}

bool api_dimension_counts(const struct str *keys, struct str wait_class,
                          enum api_dimension_idle idle)
{
    if (wait_class.len > 0 && !str_eq_c(wait_class, api_target_wait_class(keys[KEY_WAIT])))
        return false;
    if (idle == API_DIMENSION_IDLE_TOO && str_starts(keys[KEY_STATE], STR("idle in transaction")))
        return true;
    return api_target_is_load(keys[KEY_STATE], keys[KEY_BACKEND], keys[KEY_WAIT]);
}
