/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_map.c: which flattened relations are also given as relations of ours, as data.
 *
 * Kinds, types and units are those of the catalogue of the agent; what an older collector tells in
 * another sense than our column (percentages where we count seconds) is left out.
 */
#include <stddef.h>

#include "model/flatten_part.h"

#define MIB 1048576.0

#define KEYS(list)    .keys = (list), .key_count = sizeof(list) / sizeof((list)[0])
#define COLUMNS(list) .columns = (list), .column_count = sizeof(list) / sizeof((list)[0])

static const struct flatten_map_key database_keys[] = {{"database", "datname"}};
static const struct flatten_map_column database_columns[] = {
    {"transactions_committed", "xact_commit", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"transactions_rolledback", "xact_rollback", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"tuples_returned", "tup_returned", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"tuples_fetched", "tup_fetched", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"tuples_inserted", "tup_inserted", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"tuples_updated", "tup_updated", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"tuples_deleted", "tup_deleted", RELATION_COUNTER, RELATION_I64, "rows", 0},
};

static const struct flatten_map_key table_keys[] = {
    {"database", "datname"}, {"schema", "schemaname"}, {"name", "relname"}};
static const struct flatten_map_column table_columns[] = {
    {"live_tuples", "n_live_tup", RELATION_GAUGE, RELATION_I64, "rows", 0},
    {"dead_tuples", "n_dead_tup", RELATION_GAUGE, RELATION_I64, "rows", 0},
    {"modified_since_analyze", "n_mod_since_analyze", RELATION_GAUGE, RELATION_I64, "rows", 0},
    {"last_vacuum", "last_vacuum", RELATION_GAUGE, RELATION_F64, "s", 0},
    {"last_autovacuum", "last_autovacuum", RELATION_GAUGE, RELATION_F64, "s", 0},
    {"last_analyze", "last_analyze", RELATION_GAUGE, RELATION_F64, "s", 0},
    {"last_autoanalyze", "last_autoanalyze", RELATION_GAUGE, RELATION_F64, "s", 0},
    {"vacuum_count", "vacuum_count", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"autovacuum_count", "autovacuum_count", RELATION_COUNTER, RELATION_I64, "1", 0},
};

static const struct flatten_map_key index_keys[] = {{"database", "datname"},
                                                    {"schema", "schemaname"},
                                                    {"table", "relname"},
                                                    {"name", "indexrelname"}};
static const struct flatten_map_column index_columns[] = {
    {"scans", "idx_scan", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"tuples_read", "idx_tup_read", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"tuples_returned", "idx_tup_fetch", RELATION_COUNTER, RELATION_I64, "rows", 0},
};

static const struct flatten_map_key slot_keys[] = {{"slot_name", "slot_name"}};
static const struct flatten_map_column slot_columns[] = {
    {"slot_type", "slot_type", RELATION_TEXT, RELATION_STR, "", 0},
    {"active", "active", RELATION_GAUGE, RELATION_I64, "1", 0},
    {"restart_lsn", "restart_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"confirmed_flush_lsn", "confirmed_flush_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"bytes_retained", "retained_bytes", RELATION_GAUGE, RELATION_I64, "bytes", 0},
};

static const struct flatten_map_key replica_keys[] = {{"application_name", "application_name"},
                                                      {"client_addr", "client_addr"},
                                                      {"slot_name", "slot_name"}};
static const struct flatten_map_column replica_columns[] = {
    {"state", "state", RELATION_TEXT, RELATION_STR, "", 0},
    {"sync_state", "sync_state", RELATION_TEXT, RELATION_STR, "", 0},
    {"backend_start", "backend_start", RELATION_GAUGE, RELATION_F64, "s", 0},
    {"sent_lsn", "sent_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"write_lsn", "write_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"flush_lsn", "flush_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"replay_lsn", "replay_lsn", RELATION_COUNTER, RELATION_I64, "bytes", 0},
    {"write_lag_ms", "write_lag", RELATION_GAUGE, RELATION_F64, "s", 0.001},
    {"flush_lag_ms", "flush_lag", RELATION_GAUGE, RELATION_F64, "s", 0.001},
    {"replay_lag_ms", "replay_lag", RELATION_GAUGE, RELATION_F64, "s", 0.001},
    {"behind_by_mb", "replay_lag_bytes", RELATION_GAUGE, RELATION_I64, "bytes", MIB},
};

static const struct flatten_map_column memory_columns[] = {
    {"memory_total_mb", "total", RELATION_GAUGE, RELATION_I64, "bytes", MIB},
    {"memory_free_mb", "free", RELATION_GAUGE, RELATION_I64, "bytes", MIB},
    {"memory_cached_mb", "cached", RELATION_GAUGE, RELATION_I64, "bytes", MIB},
};

static const struct flatten_map_key activity_keys[] = {{"database", "datname"}, {"state", "state"}};
static const struct flatten_map_column activity_columns[] = {
    {"count", "count", RELATION_GAUGE, RELATION_I64, "1", 0},
};

static const struct flatten_map maps[] = {
    {.from = "pg_stats", .to = "pg_stat_database", KEYS(database_keys), COLUMNS(database_columns)},
    {.from = "pg_stats_tables",
     .to = "pg_stat_user_tables",
     .by_database = true,
     KEYS(table_keys),
     COLUMNS(table_columns)},
    {.from = "pg_stats_indexes",
     .to = "pg_stat_user_indexes",
     .by_database = true,
     KEYS(index_keys),
     COLUMNS(index_columns)},
    {.from = "pg_replication_replication_slots",
     .to = "pg_replication_slots",
     KEYS(slot_keys),
     COLUMNS(slot_columns)},
    {.from = "pg_replication_replication_status",
     .to = "pg_stat_replication",
     KEYS(replica_keys),
     COLUMNS(replica_columns)},
    {.from = "sysstat", .to = "host_memory", COLUMNS(memory_columns)},
    {.from = "pg_connections_connection_stats_by_state",
     .to = "pg_stat_activity",
     KEYS(activity_keys),
     COLUMNS(activity_columns)},
};

static const char *const host_types[] = {"sysstat", "disk_usage"};

const struct flatten_map *flatten_map_of(struct str relation)
{
    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        if (str_eq_c(relation, maps[i].from))
            return &maps[i];
    }
    return NULL;
}

bool flatten_map_is_host(struct str type)
{
    for (size_t i = 0; i < sizeof(host_types) / sizeof(host_types[0]); i++) {
        if (str_eq_c(type, host_types[i]))
            return true;
    }
    return false;
}
