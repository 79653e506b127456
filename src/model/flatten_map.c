/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_map.c: which flattened relations are also given as relations of ours, as data.
 *
 * Kinds, types and units are those of the catalogue of the agent. Left out is what an older
 * collector tells in another sense than our column:
 *   sysstat.cpu             percentages, where we count seconds; its loads are the same
 *   memory.used_mb          means another thing in each tool
 *   tables, indexes         size_bytes is measured, our relpages are as of the last VACUUM
 *   queries                 mean, min, max and stddev of all time have no column of ours
 *   filesystems             percent_used follows from the others
 *   wraparound_risk         ids, where we give ages
 *   pg_locks, pg_bloat, pg_cache, pg_connections but for its states, pg_schema, pg_extensions:
 *     single sessions where we count, estimates that we have no relation for, and buffer counters
 *     of tables, which would be a second reading of pg_stat_user_tables at the same time
 */
#include <stddef.h>

#include "model/flatten_part.h"

#define MIB    1048576.0
#define GIB    1073741824.0
#define SECTOR 512.0 /* of /proc/diskstats, whatever the disk has */

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

static const struct flatten_map_column database_size_columns[] = {
    {"size_bytes", "size_bytes", RELATION_GAUGE, RELATION_I64, "bytes", 0},
};

/*
 * Since the server's last reset, so counters, where those of pg_stat_statements are of an interval.
 * Older collectors name neither user nor level.
 */
static const struct flatten_map_key statement_keys[] = {
    {"database", "datname"}, {"usename", "usename"}, {"hash", "queryid"}, {"toplevel", "toplevel"}};
static const struct flatten_map_column statement_columns[] = {
    {"calls", "calls", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"rows", "rows", RELATION_COUNTER, RELATION_I64, "rows", 0},
    {"total_time", "total_exec_time", RELATION_COUNTER, RELATION_F64, "ms", 0},
    {"shared_blks_hit", "shared_blks_hit", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"shared_blks_read", "shared_blks_read", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"shared_blks_dirtied", "shared_blks_dirtied", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"shared_blks_written", "shared_blks_written", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"local_blks_hit", "local_blks_hit", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"local_blks_read", "local_blks_read", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"local_blks_dirtied", "local_blks_dirtied", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"local_blks_written", "local_blks_written", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"temp_blks_read", "temp_blks_read", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"temp_blks_written", "temp_blks_written", RELATION_COUNTER, RELATION_I64, "blocks", 0},
    {"blk_read_time", "shared_blk_read_time", RELATION_COUNTER, RELATION_F64, "ms", 0},
    {"blk_write_time", "shared_blk_write_time", RELATION_COUNTER, RELATION_F64, "ms", 0},
    {"wal_records", "wal_records", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"wal_fpi", "wal_fpi", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"wal_bytes", "wal_bytes", RELATION_COUNTER, RELATION_I64, "bytes", 0},
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

static const struct flatten_map_column load_columns[] = {
    {"cpu_load_1m", "load1", RELATION_GAUGE, RELATION_F64, "1", 0},
    {"cpu_load_5m", "load5", RELATION_GAUGE, RELATION_F64, "1", 0},
    {"cpu_load_15m", "load15", RELATION_GAUGE, RELATION_F64, "1", 0},
};

static const struct flatten_map_key disk_keys[] = {{"device", "device"}};
static const struct flatten_map_column disk_columns[] = {
    {"read_ops", "reads", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"write_ops", "writes", RELATION_COUNTER, RELATION_I64, "1", 0},
    {"read_sectors", "read_bytes", RELATION_COUNTER, RELATION_I64, "bytes", SECTOR},
    {"write_sectors", "written_bytes", RELATION_COUNTER, RELATION_I64, "bytes", SECTOR},
};

static const struct flatten_map_key filesystem_keys[] = {{"mount", "mountpoint"}};
static const struct flatten_map_column filesystem_columns[] = {
    {"device", "device", RELATION_TEXT, RELATION_STR, "", 0},
    {"total_gb", "size_bytes", RELATION_GAUGE, RELATION_I64, "bytes", GIB},
    {"free_gb", "free_bytes", RELATION_GAUGE, RELATION_I64, "bytes", GIB},
};

static const struct flatten_map_key activity_keys[] = {{"database", "datname"}, {"state", "state"}};
static const struct flatten_map_column activity_columns[] = {
    {"count", "count", RELATION_GAUGE, RELATION_I64, "1", 0},
};

static const struct flatten_map maps[] = {
    {.from = "pg_stats", .to = "pg_stat_database", KEYS(database_keys), COLUMNS(database_columns)},
    {.from = "pg_stats", .to = "pg_database", KEYS(database_keys), COLUMNS(database_size_columns)},
    {.from = "pg_query_stats_queries",
     .to = FLATTEN_STATEMENTS,
     KEYS(statement_keys),
     COLUMNS(statement_columns)},
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
    {.from = "sysstat", .to = "host_cpu", COLUMNS(load_columns)},
    {.from = "sysstat_disk_io", .to = "host_disk", KEYS(disk_keys), COLUMNS(disk_columns)},
    {.from = "disk_usage_filesystems",
     .to = "host_filesystem",
     KEYS(filesystem_keys),
     COLUMNS(filesystem_columns)},
    {.from = "pg_connections_connection_stats_by_state",
     .to = "pg_stat_activity",
     KEYS(activity_keys),
     COLUMNS(activity_columns)},
};

static const char *const host_types[] = {"sysstat", "disk_usage"};

/* Lists of the older collector that are told also when they are empty. */
static const char *const lists[] = {
    "disk_usage_filesystems",
    "pg_bloat_index_bloat",
    "pg_bloat_table_bloat",
    "pg_cache_index_cache_hit",
    "pg_cache_table_cache_hit",
    "pg_connections_connection_stats_by_state",
    "pg_connections_idle_transactions",
    "pg_connections_long_running_transactions",
    "pg_extensions_extensions",
    "pg_locks_active_locks",
    "pg_locks_blocking_queries",
    "pg_locks_lock_wait_chains",
    "pg_replication_collection_errors",
    "pg_replication_logical_subscriptions",
    "pg_replication_replication_slots",
    "pg_replication_replication_status",
    "pg_replication_wraparound_risk",
    "pg_schema_columns",
    "pg_schema_constraints",
    "pg_schema_foreign_keys",
    "pg_schema_indexes",
    "pg_schema_tables",
    "pg_schema_triggers",
    "sysstat_disk_io",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool is_in(struct str word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(word, list[i]))
            return true;
    }
    return false;
}

const struct flatten_map *flatten_map_next(struct str relation, const struct flatten_map *after)
{
    for (size_t i = after ? (size_t)(after - maps) + 1 : 0; i < COUNT(maps); i++) {
        if (str_eq_c(relation, maps[i].from))
            return &maps[i];
    }
    return NULL;
}

bool flatten_map_is_host(struct str type)
{
    return is_in(type, host_types, COUNT(host_types));
}

bool flatten_map_is_list(struct str relation)
{
    return is_in(relation, lists, COUNT(lists));
}
