/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_newest_server.c: the servers of a collector: their versions, and who follows whom.
 *
 * Role, version and system identifier are what the agent told of a target. A standby is known from
 * its own target, from the rows of the primary that sends to it, or from both; the two are put
 * together only where cluster and address say that they are one.
 */
#include <string.h>

#include "api/read/route_newest.h"
#include "base/limits.h"
#include "os/clock.h"

struct server {
    const struct store_target *target;
    struct json_doc *doc;
    const struct json *attributes; /* NULL = none that can be read */
    bool shown;                    /* of the collector that is asked for */
    int64_t t_ms;                  /* of what is said of it; 0 = nothing */
};

struct servers {
    struct api_newest n;
    struct api_newest_page page;
    struct server *all;
    size_t count;
};

/* --- reading --- */

static struct str attribute(const struct server *s, const char *name)
{
    return json_str(json_get(s->attributes, name));
}

static enum err_code newest_of(struct servers *list, struct server *s, struct err *e)
{
    struct api_target_state state;
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    struct uuid id;
    size_t count = 0;
    enum err_code rc = api_reader(list->n.call, &reader, e);

    if (!text_parse_uuid(str_of(s->target->id), &id))
        return err_set(e, ERR_CORRUPT, "target id %s", s->target->id);
    if (rc == ERR_OK)
        rc = tsdb_groups(reader, list->n.call->arena, &id, &groups, &count, e);
    if (rc == ERR_OK)
        rc = api_target_state(list->n.call, groups, count, &state, e);
    if (rc == ERR_OK)
        s->t_ms = state.last_t_ms;
    return rc;
}

static enum err_code add_server(struct servers *list, const struct store_target *target, bool shown,
                                struct err *e)
{
    static const struct json_limits limits = {LIMIT_JSON_BODY_BYTES, LIMIT_JSON_DEPTH, false};
    struct server *s = &list->all[list->count];

    if (strcmp(target->kind, "postgresql") != 0)
        return ERR_OK;
    *s = (struct server){.target = target, .shown = shown};
    if (json_parse(str_of(target->attributes), &limits, &s->doc, NULL) == ERR_OK)
        s->attributes = json_root(s->doc);
    list->count++;
    return shown ? newest_of(list, s, e) : ERR_OK;
}

/* Those of the collector, and with `others` those of all. */
static enum err_code read_servers(struct servers *list, bool others, struct err *e)
{
    struct store_target_page own, all;
    enum err_code rc = route_newest_begin(&list->n, &list->page, &own, e);

    all = own;
    if (rc == ERR_OK && others)
        rc = api_target_all(list->n.call, NULL, &all, e);
    if (rc != ERR_OK)
        return rc;
    list->all = arena_array(list->n.call->arena, all.count + 1, sizeof(*list->all));
    if (!list->all)
        return arena_fail(list->n.call->arena, e);
    for (size_t i = 0; rc == ERR_OK && i < all.count; i++) {
        bool shown = false;

        for (size_t k = 0; k < own.count && !shown; k++)
            shown = strcmp(own.rows[k].id, all.rows[i].id) == 0;
        rc = add_server(list, &all.rows[i], shown, e);
    }
    return rc;
}

static void free_servers(struct servers *list)
{
    for (size_t i = 0; i < list->count; i++)
        json_doc_free(list->all[i].doc);
}

/* --- answer --- */

static void put_attribute(struct json_writer *w, const struct server *s, const char *name)
{
    const struct json *n = json_get(s->attributes, name);

    json_key(w, name);
    if (n)
        json_put_node(w, n);
    else
        json_put_null(w);
}

static void put_server(struct json_writer *w, const struct server *s)
{
    static const char *const names[] = {"role",    "system_identifier", "address",          "port",
                                        "version", "version_num",       "collector_version"};

    json_member_c(w, "target_id", s->target->id);
    json_member_c(w, "target_name", s->target->name);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        put_attribute(w, s, names[i]);
    if (s->t_ms != 0)
        json_member_i64(w, "last_sample_ms", s->t_ms);
    else
        json_member_null(w, "last_sample_ms");
}

typedef enum err_code put_more(struct servers *list, const struct server *s, struct json_writer *w,
                               struct err *e);

static void put_frame(struct servers *list, struct json_writer *w, const char *type)
{
    int64_t total = 0, newest = 0;
    int64_t left;

    for (size_t i = 0; i < list->count; i++) {
        total += list->all[i].shown;
        if (list->all[i].t_ms > newest)
            newest = list->all[i].t_ms;
    }
    left = total > list->page.offset ? total - list->page.offset : 0;
    json_member_c(w, "metric_type", type);
    json_member_i64(w, "count", left < list->page.limit ? left : list->page.limit);
    json_member_i64(w, "total", total);
    json_member_i64(w, "limit", list->page.limit);
    json_member_i64(w, "offset", list->page.offset);
    api_member_time(w, "timestamp", newest);
}

static enum err_code put_servers(struct servers *list, const char *type, put_more *more,
                                 struct err *e)
{
    struct json_writer *w = api_json(list->n.call, 200);
    int64_t at = 0, end = list->page.offset + list->page.limit;
    enum err_code rc = ERR_OK;

    json_object_begin(w);
    put_frame(list, w, type);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < list->count; i++) {
        if (!list->all[i].shown || at++ < list->page.offset || at > end)
            continue;
        json_object_begin(w);
        put_server(w, &list->all[i]);
        if (more)
            rc = more(list, &list->all[i], w, e);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
    return rc;
}

/* --- who follows whom --- */

static bool same_cluster(const struct server *a, const struct server *b)
{
    struct str id = attribute(a, "system_identifier");

    return a != b && id.len > 0 && str_eq(id, attribute(b, "system_identifier"));
}

/* The one target of the cluster with that role and address; NULL when none or several have it. */
static const struct server *find_peer(const struct servers *list, const struct server *s,
                                      const char *role, struct str address)
{
    const struct server *found = NULL;

    for (size_t i = 0; i < list->count; i++) {
        const struct server *peer = &list->all[i];

        if (!same_cluster(s, peer) || !str_eq_c(attribute(peer, "role"), role) ||
            address.len == 0 || !str_eq(attribute(peer, "address"), address))
            continue;
        if (found)
            return NULL;
        found = peer;
    }
    return found;
}

static void put_peer(struct json_writer *w, const struct server *peer)
{
    if (peer)
        json_member_c(w, "target_id", peer->target->id);
    else
        json_member_null(w, "target_id");
}

static void put_members(struct servers *list, const struct server *s, struct json_writer *w)
{
    json_key(w, "same_cluster");
    json_array_begin(w);
    for (size_t i = 0; i < list->count; i++) {
        if (!same_cluster(s, &list->all[i]))
            continue;
        json_object_begin(w);
        json_member_c(w, "target_id", list->all[i].target->id);
        json_member_c(w, "target_name", list->all[i].target->name);
        put_attribute(w, &list->all[i], "role");
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_receiver(struct servers *list, const struct server *s,
                         const struct api_newest_row *row, struct json_writer *w)
{
    static const char *const columns[] = {"state",         "sync_state",       "replay_lag",
                                          "replay_lag_ms", "replay_lag_bytes", "behind_by_mb"};
    struct str address = api_newest_key(row, "client_addr");

    json_object_begin(w);
    put_peer(w, find_peer(list, s, "standby", address));
    json_member_str(w, "application_name", api_newest_key(row, "application_name"));
    json_member_str(w, "client_addr", address);
    json_member_str(w, "slot_name", api_newest_key(row, "slot_name"));
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        struct cell cell = api_newest_cell(row, columns[i]);

        if (cell.tag != CELL_NULL)
            api_newest_put_cell(w, str_of(columns[i]), cell);
    }
    api_member_time(w, "t", row->reading->t_ms);
    json_object_end(w);
}

static enum err_code put_receivers(struct servers *list, const struct server *s,
                                   struct json_writer *w, struct err *e)
{
    static const struct api_newest_part part = {
        {{"pg_replication_replication_status", NULL}, {"pg_stat_replication", NULL}}};
    enum err_code rc;

    list->n.count = 0;
    rc = api_newest_read(&list->n, s->target, &part, e);
    json_key(w, "standbys");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < list->n.count; i++)
        put_receiver(list, s, &list->n.rows[i], w);
    json_array_end(w);
    return rc;
}

/* Where a standby gets its WAL from, by what its receiver says. */
static enum err_code put_upstream(struct servers *list, const struct server *s,
                                  struct json_writer *w, struct err *e)
{
    static const struct api_newest_part part = {{{"pg_stat_wal_receiver", NULL}}};
    static const char *const columns[] = {"status", "sender_host", "sender_port", "slot_name"};
    const struct api_newest_row *row;
    struct cell host;
    enum err_code rc;

    list->n.count = 0;
    rc = api_newest_read(&list->n, s->target, &part, e);
    json_key(w, "upstream");
    if (rc != ERR_OK || list->n.count == 0) {
        json_put_null(w);
        return rc;
    }
    row = &list->n.rows[0];
    host = api_newest_cell(row, "sender_host");
    json_object_begin(w);
    put_peer(w, host.tag == CELL_STR ? find_peer(list, s, "primary", host.str) : NULL);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        api_newest_put_cell(w, str_of(columns[i]), api_newest_cell(row, columns[i]));
    api_member_time(w, "t", row->reading->t_ms);
    json_object_end(w);
    return ERR_OK;
}

static enum err_code put_relations(struct servers *list, const struct server *s,
                                   struct json_writer *w, struct err *e)
{
    enum err_code rc = put_upstream(list, s, w, e);

    if (rc == ERR_OK)
        rc = put_receivers(list, s, w, e);
    put_members(list, s, w);
    return rc;
}

/* --- routes --- */

static enum err_code topology(struct api_call *call, struct err *e)
{
    struct servers list = {.n.call = call};
    enum err_code rc = read_servers(&list, true, e);

    list.n.database = (struct str){NULL, 0}; /* no row here is of a database */
    if (rc == ERR_OK)
        rc = put_servers(&list, "topology", put_relations, e);
    free_servers(&list);
    return rc;
}

static enum err_code version(struct api_call *call, struct err *e)
{
    struct servers list = {.n.call = call};
    enum err_code rc = read_servers(&list, false, e);

    if (rc == ERR_OK)
        rc = put_servers(&list, "version", NULL, e);
    free_servers(&list);
    return rc;
}

static const char *const query[] = {
    API_NEWEST_QUERY,
    NULL,
};

#define SERVER                                                                             \
    "target_id: uuid, target_name: text, role: any, system_identifier: any, address: any," \
    " port: any, version: any 'null where the collector does not tell', version_num: any," \
    " collector_version: any, last_sample_ms: ms?"
#define ANSWER(row)                                                                          \
    "{metric_type: text, count: int, total: int, limit: int, offset: int, timestamp: time?," \
    " data: [{" row "}]}"

const struct route route_newest_topology = {
    .method = "GET",
    .path = "/api/v1/collectors/{id}/topology",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .query = query,
    .handle = topology,
    .summary = "The servers of a collector, and who follows whom.",
    .answer = ANSWER(SERVER
                     ", upstream: {target_id: text? 'where it is a target', status: text?,"
                     " sender_host: text?, sender_port: int?, slot_name: text?, t: time}?,"
                     " standbys: [{target_id: text? 'where it is a target',"
                     " application_name: text, client_addr: text, slot_name: text, t: time,"
                     " *: any}], same_cluster: [{target_id: uuid, target_name: text, role: any}]"),
};

const struct route route_newest_version = {
    .method = "GET",
    .path = "/api/v1/collectors/{id}/version",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .query = query,
    .handle = version,
    .summary = "The versions of the servers of a collector.",
    .answer = ANSWER(SERVER),
};
