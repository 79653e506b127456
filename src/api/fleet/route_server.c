/* SPDX-License-Identifier: PostgreSQL */
/* route_server.c: what is watched: the list, and one target with its relations and probes. */
#include <string.h>

#include "api/fleet/api_target.h"
#include "api/fleet/route_server_detail.h"
#include "base/limits.h"
#include "os/clock.h"

#define LOAD_WINDOW_MS 60000

static void put_attribute(struct json_writer *w, const struct json *attributes, const char *name)
{
    json_key(w, name);
    if (json_get(attributes, name) != NULL)
        json_put_node(w, json_get(attributes, name));
    else
        json_put_null(w);
}

static void put_identity(struct json_writer *w, const struct store_target *t)
{
    static const struct json_limits limits = {LIMIT_JSON_BODY_BYTES, LIMIT_JSON_DEPTH, false};
    static const char *const names[] = {"address", "port",        "role",
                                        "version", "version_num", "system_identifier"};
    struct json_doc *doc = NULL;
    const struct json *attributes;

    if (json_parse(str_of(t->attributes), &limits, &doc, NULL) != ERR_OK)
        doc = NULL;
    attributes = doc ? json_root(doc) : NULL;
    json_member_c(w, "id", t->id);
    json_member_c(w, "name", t->name);
    json_member_c(w, "kind", t->kind);
    json_member_c(w, "group", t->group);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put_attribute(w, attributes, names[i]);
    json_member_c(w, "collector_id", t->collector_id);
    json_key(w, "attributes");
    if (attributes != NULL) {
        json_put_node(w, attributes);
    } else {
        json_object_begin(w);
        json_object_end(w);
    }
    json_doc_free(doc);
}

static void put_number(struct json_writer *w, const char *name, double value, bool known)
{
    if (known)
        json_member_f64(w, name, value);
    else
        json_member_null(w, name);
}

/* The members that list and detail share, into an open object. */
static enum err_code put_target(struct api_call *call, const struct store_target *t,
                                struct json_writer *w, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct api_range minute = {now - LOAD_WINDOW_MS, now};
    struct api_target_state at;
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    double load = -1, vcpus;
    struct uuid id;
    size_t count;
    enum err_code rc = api_reader(call, &reader, e);

    if (!text_parse_uuid(str_of(t->id), &id))
        return err_set(e, ERR_CORRUPT, "target id %s", t->id);
    if (rc == ERR_OK)
        rc = tsdb_groups(reader, call->arena, &id, &groups, &count, e);
    if (rc == ERR_OK)
        rc = api_target_load(call, &id, &minute, &load, e);
    if (rc == ERR_OK)
        rc = api_target_state(call, groups, count, &at, e);
    if (rc != ERR_OK)
        return rc;
    vcpus = api_target_vcpus(call, t);
    put_identity(w, t);
    json_member_c(w, "state", at.state);
    if (at.reason.len > 0)
        json_member_str(w, "reason", at.reason);
    else
        json_member_null(w, "reason");
    if (at.last_t_ms != 0)
        json_member_i64(w, "last_sample_ms", at.last_t_ms);
    else
        json_member_null(w, "last_sample_ms");
    json_member_i64(w, "every_ms", at.every_ms);
    json_member_i64(w, "first_seen_ms", t->first_seen_ms);
    put_number(w, "load_aas", load, load >= 0);
    put_number(w, "vcpus", vcpus, vcpus > 0);
    return ERR_OK;
}

/* --- list --- */

/* The cursor is "<id><name>" of the last row. */
static enum err_code read_cursor(struct api_call *call, const struct api_page *page,
                                 struct store_target_page *list, struct err *e)
{
    struct uuid id;

    list->after_id = list->after_name = "";
    list->limit = page->limit;
    list->sight = call->who.sight;
    if (page->cursor.len == 0)
        return ERR_OK;
    if (page->cursor.len < TEXT_UUID_LEN ||
        !text_parse_uuid(str_make(page->cursor.ptr, TEXT_UUID_LEN), &id))
        return err_set(e, ERR_INVALID, "cursor: not one of ours");
    list->after_id = arena_strndup(call->arena, page->cursor.ptr, TEXT_UUID_LEN);
    list->after_name = arena_strndup(call->arena, page->cursor.ptr + TEXT_UUID_LEN,
                                     page->cursor.len - TEXT_UUID_LEN);
    return arena_check(call->arena, e);
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store *store = call->api->config.store;
    struct store_target_page list;
    const char *next = NULL;
    struct api_page page;
    int64_t total;
    enum err_code rc = api_page(call, &page, e);

    if (rc == ERR_OK)
        rc = read_cursor(call, &page, &list, e);
    if (rc == ERR_OK)
        rc = store_count(store, "target_count", SQLDB_ARGS(store_sight_value(&call->who.sight)),
                         &total, e);
    if (rc == ERR_OK)
        rc = store_target_list(store, call->arena, &list, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; rc == ERR_OK && i < list.count; i++) {
        json_object_begin(&call->out);
        rc = put_target(call, &list.rows[i], &call->out, e);
        json_object_end(&call->out);
    }
    if (list.count == page.limit)
        next = arena_printf(call->arena, "%s%s", list.rows[list.count - 1].id,
                            list.rows[list.count - 1].name);
    api_list_end(call, &page, list.count, next, total);
    return rc;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    NULL,
};

const struct route route_server_list = {
    .method = "GET",
    .path = "/api/v1/servers",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "List what is watched.",
    .answer = ROUTE_LIST("Target"),
};

/* --- one --- */

static void put_collector(struct json_writer *w, const struct store_target *t)
{
    json_key(w, "collector");
    if (t->collector_name == NULL) {
        json_put_null(w);
        return;
    }
    json_object_begin(w);
    json_member_c(w, "id", t->collector_id);
    json_member_c(w, "name", t->collector_name);
    json_member_c(w, "hostname", t->collector_hostname);
    json_member_c(w, "version", t->collector_version);
    json_member_i64(w, "last_seen_ms", t->collector_seen_ms);
    json_object_end(w);
}

static enum err_code get(struct api_call *call, struct err *e)
{
    struct store_target t;
    struct json_writer *w;
    struct uuid id;
    enum err_code rc = api_target_get(call, &id, &t, e);
    bool hidden;

    if (rc == ERR_OK)
        rc = api_target_host_hidden(call, &t, &hidden, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    rc = put_target(call, &t, w, e);
    json_member_bool(w, "host_hidden", hidden);
    if (rc == ERR_OK)
        rc = route_server_put_relations(call, &id, w, e);
    if (rc == ERR_OK)
        rc = route_server_put_probes(call, &id, w, e);
    put_collector(w, &t);
    if (rc == ERR_OK)
        rc = route_server_put_gaps(call, &t, w, e);
    json_object_end(w);
    return rc;
}

const struct route route_server_get = {
    .method = "GET",
    .path = "/api/v1/servers/{id}",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "One target with its relations, probes and gaps.",
    .answer = "TargetDetail",
};
