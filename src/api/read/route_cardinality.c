/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_cardinality.c: where objects come from: by relation, target or collector; and what each
 * collector has of what it may have.
 */
#include <stdlib.h>
#include <string.h>

#include "api/fleet/api_target.h"
#include "base/limits.h"
#include "base/map.h"

struct counted {
    struct str key;
    uint64_t groups, objects;
};

struct cardinality {
    struct api_call *call;
    const char *by; /* the member of a row that names it */
    struct uuid target;
    bool one_target;
    struct map *by_key;
    struct counted *rows;
    size_t count;
    uint64_t groups, objects;
};

static struct str key_of(const struct cardinality *c, const struct tsdb_group *g)
{
    char text[TEXT_UUID_SIZE];

    if (strcmp(c->by, "relation") == 0)
        return g->relation;
    text_uuid(strcmp(c->by, "server") == 0 ? &g->target : &g->collector, text);
    return arena_str(c->call->arena, str_of(text));
}

static void count(struct cardinality *c, const struct tsdb_group *g)
{
    struct str key = key_of(c, g);
    struct counted *row = map_get(c->by_key, key);

    if (row == NULL) {
        row = &c->rows[c->count++];
        row->key = key;
        (void)map_put(c->by_key, key, row);
    }
    row->groups++;
    row->objects += g->objects;
    c->groups++;
    c->objects += g->objects;
}

static int compare(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;

    if (x->objects != y->objects)
        return x->objects < y->objects ? 1 : -1;
    return str_cmp(x->key, y->key);
}

static enum err_code count_all(struct cardinality *c, struct err *e)
{
    struct tsdb_reader *reader;
    struct tsdb_group *groups = NULL;
    size_t n = 0;
    enum err_code rc = api_reader(c->call, &reader, e);

    if (rc == ERR_OK)
        rc = tsdb_groups(reader, c->call->arena, c->one_target ? &c->target : NULL, &groups, &n, e);
    if (rc != ERR_OK)
        return rc;
    c->rows = arena_array(c->call->arena, n + 1, sizeof(*c->rows));
    if (c->rows == NULL)
        return arena_check(c->call->arena, e);
    c->by_key = map_new();
    for (size_t i = 0; i < n; i++)
        count(c, &groups[i]);
    map_free(c->by_key, NULL);
    qsort(c->rows, c->count, sizeof(*c->rows), compare);
    return ERR_OK;
}

static void answer(const struct cardinality *c, int64_t limit)
{
    struct json_writer *w = api_json(c->call, 200);
    size_t shown = c->count < (size_t)limit ? c->count : (size_t)limit;

    json_object_begin(w);
    json_member_u64(w, "groups", c->groups);
    json_member_u64(w, "objects", c->objects);
    json_member_u64(w, "rows", c->count);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; i < shown; i++) {
        json_object_begin(w);
        json_member_str(w, c->by, c->rows[i].key);
        json_member_u64(w, "groups", c->rows[i].groups);
        json_member_u64(w, "objects", c->rows[i].objects);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

/* NULL: there is no such thing to count by. */
static const char *by_name(struct str by)
{
    static const char *const names[] = {"relation", "server", "collector"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_eq_c(by, names[i]))
            return names[i];
    }
    return by.len == 0 ? names[0] : NULL;
}

static enum err_code get(struct api_call *call, struct err *e)
{
    struct cardinality c = {.call = call};
    struct str by, server;
    int64_t limit = 0;
    enum err_code rc = api_param(call, "by", &by, e);

    if (rc == ERR_OK)
        rc = api_param(call, "server", &server, e);
    if (rc == ERR_OK)
        rc = api_param_i64(call, "limit", (struct api_bounds){100, 1, LIMIT_LIST_PAGE}, &limit, e);
    if (rc != ERR_OK)
        return rc;
    c.by = by_name(by);
    if (c.by == NULL)
        return err_set(e, ERR_INVALID, "by: relation, server or collector");
    c.one_target = server.len > 0;
    if (c.one_target && !text_parse_uuid(server, &c.target))
        return err_set(e, ERR_INVALID, "server: not an id");
    rc = count_all(&c, e);
    if (rc == ERR_OK)
        answer(&c, limit);
    return rc;
}

static const char *const cardinality_query[] = {
    "by text(relation|server|collector): default relation",
    "server uuid: only of this one",
    "limit int: at most this many, default 100, up to 1000",
    NULL,
};

const struct route route_cardinality_get = {
    .method = "GET",
    .path = "/api/v1/cardinality",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = cardinality_query,
    .handle = get,
    .summary = "How many objects (rows of their own) the store has, by relation, by server "
               "or by the collector that sent them first, most first.",
    .answer = "{groups: int, objects: int, rows: int 'in all', data: [{relation~: text,"
              " server~: uuid, collector~: uuid, groups: int 'of a server, relation and scope',"
              " objects: int}]}",
};

/* --- what a collector has of what it may have --- */

static void put_limit(struct json_writer *w, const struct tsdb_use *use, enum tsdb_cap cap)
{
    json_object_begin(w);
    json_member_c(w, "limit", tsdb_cap_name(cap));
    if (cap == TSDB_CAP_COLUMNS)
        json_member_null(w, "used");
    else
        json_member_u64(w, "used", use->used[cap]);
    json_member_u64(w, "max", use->max[cap]);
    json_member_u64(w, "refused", use->refused[cap]);
    json_object_end(w);
}

static enum err_code limits(struct api_call *call, struct err *e)
{
    char id[TEXT_UUID_SIZE];
    struct tsdb_use *uses = NULL;
    struct json_writer *w;
    struct uuid uuid;
    size_t n = 0, i = 0;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK)
        rc = tsdb_uses(call->api->config.tsdb, call->arena, &uses, &n, e);
    if (rc != ERR_OK)
        return rc;
    while (i < n && !text_uuid_eq(&uses[i].collector, &uuid))
        i++;
    if (i == n)
        return err_set(e, ERR_NOT_FOUND, "this collector has delivered nothing");
    w = api_json(call, 200);
    json_object_begin(w);
    json_key(w, "data");
    json_array_begin(w);
    for (int cap = 0; cap < TSDB_CAPS; cap++)
        put_limit(w, &uses[i], (enum tsdb_cap)cap);
    json_array_end(w);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_cardinality_limits = {
    .method = "GET",
    .path = "/api/v1/collectors/{id}/limits",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .handle = limits,
    .summary = "What a collector has of what it may have, and what was refused beyond it.",
    .answer = "{data: [{limit: text(relations|groups|objects|new_objects|cells|texts|text_bytes|"
              "columns), used: int? 'of an hour: in the present one', max: int, refused: int"
              " 'values, or texts, since the server started'}]}",
};
