/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_newest.c: the newest rows of one kind, of all that a collector watches.
 *
 * A kind is a list of parts, each with the exact names of the relations that tell of it: that of an
 * older collector's document first, which has more than what it is also given as (flatten_map.c).
 * What a target does not have is no part of the answer.
 */
#include "api/read/route_newest.h"

#include "store/store_collector.h"

#define PARTS(list) .parts = (list), .part_count = sizeof(list) / sizeof((list)[0])

/* What ours have to say of a kind, where they say more than that. */
static const char *const table_columns[] = {"n_live_tup",   "reltuples",      "relpages",
                                            "idx_relpages", "toast_relpages", NULL};
static const char *const index_columns[] = {"indisunique", "indisprimary", "indisvalid",
                                            "indisready",  "relpages",     NULL};
static const char *const block_columns[] = {"heap_blks_read",
                                            "heap_blks_hit",
                                            "idx_blks_read",
                                            "idx_blks_hit",
                                            "toast_blks_read",
                                            "toast_blks_hit",
                                            "tidx_blks_read",
                                            "tidx_blks_hit",
                                            "blks_read",
                                            "blks_hit",
                                            NULL};

static const struct api_newest_part schema_parts[] = {
    {{{"pg_schema", NULL}}},
    {{{"pg_schema_tables", NULL}, {"pg_stat_user_tables", table_columns}}},
    {{{"pg_schema_columns", NULL}}},
    {{{"pg_schema_constraints", NULL}}},
    {{{"pg_schema_foreign_keys", NULL}}},
    {{{"pg_schema_indexes", NULL}, {"pg_stat_user_indexes", index_columns}}},
    {{{"pg_schema_triggers", NULL}}},
};

static const struct api_newest_part lock_parts[] = {
    {{{"pg_locks_active_locks", NULL}}},
    {{{"pg_locks_lock_wait_chains", NULL}}},
    {{{"pg_locks_blocking_queries", NULL}}},
    {{{"pg_locks", NULL}}},    /* ours; of an older collector what stands beside its lists */
    {{{"pg_blocking", NULL}}}, /* ours: chains, counted */
};

/* Our agents estimate no bloat. */
static const struct api_newest_part bloat_parts[] = {
    {{{"pg_bloat", NULL}}},
    {{{"pg_bloat_table_bloat", NULL}}},
    {{{"pg_bloat_index_bloat", NULL}}},
};

/* Since the server's last reset on both sides; ours know of whole databases as well. */
static const struct api_newest_part cache_parts[] = {
    {{{"pg_cache", NULL}}},
    {{{"pg_cache_table_cache_hit", NULL}, {"pg_stat_user_tables", block_columns}}},
    {{{"pg_cache_index_cache_hit", NULL}, {"pg_stat_user_indexes", block_columns}}},
    {{{"pg_stat_database", block_columns}}},
};

static const struct api_newest_part connection_parts[] = {
    {{{"pg_connections", NULL}}},
    {{{"pg_connections_connection_stats_by_state", NULL}, {"pg_stat_activity", NULL}}},
    {{{"pg_connections_long_running_transactions", NULL}, {"pg_long_transactions", NULL}}},
    {{{"pg_connections_idle_transactions", NULL}}},
};

/* Our agents do not list extensions. */
static const struct api_newest_part extension_parts[] = {
    {{{"pg_extensions", NULL}}},
    {{{"pg_extensions_extensions", NULL}}},
};

static const struct api_newest_part replication_parts[] = {
    {{{"pg_replication_replication_status", NULL}, {"pg_stat_replication", NULL}}},
    {{{"pg_stat_wal_receiver", NULL}}},
    {{{"pg_replication", NULL}}}, /* WAL on disk */
    {{{"pg_replication_logical_subscriptions", NULL}}},
    {{{"pg_replication_wraparound_risk", NULL}}},
    {{{"pg_replication_collection_errors", NULL}}},
};

static const struct api_newest_part slot_parts[] = {
    {{{"pg_replication_replication_slots", NULL}, {"pg_replication_slots", NULL}}},
};

static const struct kind {
    const struct route *route;
    const char *type;
    const struct api_newest_part *parts;
    size_t part_count;
} kinds[] = {
    {&route_newest_bloat, "pg_bloat", PARTS(bloat_parts)},
    {&route_newest_cache_hits, "pg_cache", PARTS(cache_parts)},
    {&route_newest_connections, "pg_connections", PARTS(connection_parts)},
    {&route_newest_extensions, "pg_extensions", PARTS(extension_parts)},
    {&route_newest_locks, "pg_locks", PARTS(lock_parts)},
    {&route_newest_replication, "pg_replication", PARTS(replication_parts)},
    {&route_newest_schema, "pg_schema", PARTS(schema_parts)},
    {&route_newest_slots, "pg_replication_slots", PARTS(slot_parts)},
};

enum err_code route_newest_begin(struct api_newest *n, struct api_newest_page *page,
                                 struct store_target_page *targets, struct err *e)
{
    struct store_collector c;
    char id[TEXT_UUID_SIZE];
    struct uuid uuid;
    enum err_code rc = api_newest_params(n, page, e);

    if (rc == ERR_OK)
        rc = api_param_uuid(n->call, 0, &uuid, id, e);
    if (rc == ERR_OK)
        rc = store_collector_get(n->call->api->config.store, n->call->arena, id, &c, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, rc, "there is no such collector");
    return rc == ERR_OK ? api_target_all(n->call, c.id, targets, e) : rc;
}

static const struct kind *kind_of(const struct route *route)
{
    const struct kind *k = kinds;

    while (k->route != route)
        k++;
    return k;
}

static enum err_code newest(struct api_call *call, struct err *e)
{
    const struct kind *kind = kind_of(call->route);
    struct api_newest n = {.call = call};
    struct store_target_page targets;
    struct api_newest_page page;
    struct json_writer *w;
    enum err_code rc = route_newest_begin(&n, &page, &targets, e);

    for (size_t p = 0; rc == ERR_OK && p < kind->part_count; p++) {
        for (size_t t = 0; rc == ERR_OK && t < targets.count; t++)
            rc = api_newest_read(&n, &targets.rows[t], &kind->parts[p], e);
    }
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "metric_type", kind->type);
    rc = api_newest_put(&n, &page, w, e);
    json_object_end(w);
    return rc;
}

static const char *const query[] = {
    API_NEWEST_QUERY,
    NULL,
};

#define NEWEST(kind, said)                                                                  \
    .method = "GET", .path = "/api/v1/collectors/{id}/" kind, .role = ROUTE_VIEWER,         \
    .sight = ROUTE_SIGHT_COLLECTOR, .classes = HTTPD_API, .query = query, .handle = newest, \
    .summary = "The newest " said " of a collector.",                                       \
    .answer = "{metric_type: text, " API_NEWEST_ANSWER "}"

const struct route route_newest_bloat = {NEWEST("bloat", "estimates of bloat")};
const struct route route_newest_cache_hits = {NEWEST("cache-hits", "counts of buffer hits")};
const struct route route_newest_connections = {NEWEST("connections", "counts of sessions")};
const struct route route_newest_extensions = {NEWEST("extensions", "lists of extensions")};
const struct route route_newest_locks = {NEWEST("locks", "locks")};
const struct route route_newest_replication = {NEWEST("replication", "state of replication")};
const struct route route_newest_schema = {NEWEST("schema", "tables, columns and indexes")};
const struct route route_newest_slots = {NEWEST("replication-slots", "replication slots")};

/* --- any relation of a target --- */

static enum err_code rows(struct api_call *call, struct err *e)
{
    struct api_newest n = {.call = call};
    struct api_newest_page page;
    struct api_newest_part part = {0};
    struct store_target target;
    struct str relation;
    struct json_writer *w;
    struct uuid id;
    bool has = false;
    enum err_code rc = api_newest_params(&n, &page, e);

    if (rc == ERR_OK)
        rc = api_param(call, "relation", &relation, e);
    if (rc == ERR_OK && !relation_is_name(relation))
        return err_set(e, ERR_INVALID, "relation: not the name of a relation");
    if (rc == ERR_OK)
        rc = api_target_get(call, &id, &target, e);
    if (rc == ERR_OK)
        part.sources[0].relation = arena_cstr(call->arena, relation);
    if (rc == ERR_OK)
        rc = api_newest_has(&n, &target, part.sources[0].relation, &has, e);
    if (rc == ERR_OK && !has)
        return err_set(e, ERR_NOT_FOUND, "the server has no such relation");
    if (rc == ERR_OK)
        rc = api_newest_read(&n, &target, &part, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_str(w, "relation", relation);
    rc = api_newest_put(&n, &page, w, e);
    json_object_end(w);
    return rc;
}

static const char *const rows_query[] = {
    "relation text!: its name, from GET /servers/{id}",
    API_NEWEST_QUERY,
    NULL,
};

const struct route route_server_rows = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/rows",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = rows_query,
    .handle = rows,
    .summary = "The newest rows of a relation of a target.",
    .answer = "{relation: text, " API_NEWEST_ANSWER "}",
};
