#!/usr/bin/env python3
# SPDX-License-Identifier: PostgreSQL
"""The twelve documents of the older collector, and what each has to read back as.

    olddocs.py DIR    writes each as a push into DIR (a corpus for the fuzzer)

The members are those that the published API names; the numbers are made up, each once.
"""

import datetime
import json
import os
import sys

EXAMPLE = "11111111-1111-4111-8111-111111111111"


def stamp(seconds):
    """RFC 3339, as the older collector writes it."""
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def statements(now):
    return [
        {"type": "pg_stats", "timestamp": stamp(now), "database": "app", "size_bytes": 80101,
         "transactions_committed": 9007199254740993, "transactions_rolledback": 12,
         "tuples_returned": 1001, "tuples_fetched": 1002, "tuples_inserted": 1003,
         "tuples_updated": 1004, "tuples_deleted": 1005,
         "tables": [
             {"schema": "public", "name": "orders", "live_tuples": 2001, "dead_tuples": 2002,
              "modified_since_analyze": 2003, "size_bytes": 2004, "last_vacuum": stamp(now - 500),
              "last_autovacuum": None, "last_analyze": None, "last_autoanalyze": None,
              "vacuum_count": 2005, "autovacuum_count": 2006},
             {"schema": "public", "name": "people", "live_tuples": 2101, "dead_tuples": 0,
              "modified_since_analyze": 0, "size_bytes": 2104, "last_vacuum": None,
              "last_autovacuum": None, "last_analyze": None, "last_autoanalyze": None,
              "vacuum_count": 0, "autovacuum_count": 0}],
         "indexes": [
             {"schema": "public", "name": "orders_pkey", "table": "orders", "scans": 3001,
              "tuples_read": 3002, "tuples_returned": 3003, "size_bytes": 3004,
              "status": "valid"}]},
        {"type": "pg_stats", "timestamp": stamp(now), "database": "postgres", "size_bytes": 80102,
         "transactions_committed": 7, "transactions_rolledback": 0, "tuples_returned": 1,
         "tuples_fetched": 1, "tuples_inserted": 1, "tuples_updated": 1, "tuples_deleted": 1,
         "tables": [], "indexes": []},
        {"type": "pg_query_stats", "timestamp": stamp(now), "data": {
            "database": "app",
            "queries": [
                {"hash": "-4711", "text": "SELECT * FROM orders WHERE id = $1", "calls": 4001,
                 "total_time": 4002.5, "mean_time": 1.25, "min_time": 0.5, "max_time": 9.75,
                 "stddev_time": 0.125, "rows": 4003, "shared_blks_hit": 4004,
                 "shared_blks_read": 4005, "local_blks_hit": 0, "temp_blks_read": 0,
                 "blk_read_time": 4.5, "blk_write_time": 0.0, "wal_records": 4006, "wal_fpi": 2,
                 "wal_bytes": 4007}]}},
    ]


def hosts(now):
    return [
        {"type": "sysstat", "timestamp": stamp(now),
         "cpu": {"user": 11.5, "system": 2.25, "idle": 85.0, "iowait": 1.25, "load_1m": 0.75,
                 "load_5m": 0.5, "load_15m": 0.25},
         "memory": {"total_mb": 5001, "free_mb": 5002, "cached_mb": 5003, "used_mb": 5004},
         "disk_io": [{"device": "sda", "read_ops": 5101, "write_ops": 5102, "read_sectors": 5103,
                      "write_sectors": 5104}]},
        {"type": "disk_usage", "timestamp": stamp(now),
         "filesystems": [{"device": "/dev/sda1", "mount": "/", "total_gb": 500.5,
                          "used_gb": 125.25, "free_gb": 375.25, "percent_used": 25}]},
    ]


def events(now):
    return [
        {"type": "pg_log", "timestamp": stamp(now), "database": "app", "entries": [
            {"timestamp": stamp(now - 3), "level": "ERROR",
             "message": "deadlock detected\nDETAIL: process 1 waits"},
            {"timestamp": stamp(now - 2), "level": "LOG", "message": "checkpoint starting"}]},
        {"type": "pg_replication", "timestamp": stamp(now),
         "replication_slots": [
             {"slot_name": "standby1", "slot_type": "physical", "active": True,
              "restart_lsn": "0/3000060", "confirmed_flush_lsn": None, "wal_retained_mb": 16.5,
              "plugin_active": False, "backend_pid": 4242, "bytes_retained": 6001}],
         "replication_status": [
             {"server_pid": 4242, "usename": "replicator", "application_name": "standby1",
              "state": "streaming", "sync_state": "async", "sent_lsn": "0/3000060",
              "write_lsn": "0/3000060", "flush_lsn": "0/3000060", "replay_lsn": "0/3000000",
              "write_lag_ms": 1.5, "flush_lag_ms": 2.5, "replay_lag_ms": 1500,
              "behind_by_mb": 2, "client_addr": "10.0.0.7", "backend_start": stamp(now - 900)}],
         "wal_status": {"total_segments": 6101, "current_wal_size_mb": 6102.5,
                        "wal_directory_size_mb": 6103},
         "wraparound_risk": [
             {"database": "app", "relfrozenxid": 700, "current_xid": 6201,
              "xid_until_wraparound": 2146000000, "percent_until_wraparound": 99.5,
              "at_risk": False}],
         "logical_subscriptions": [], "collection_errors": []},
    ]


def by_database(now):
    app = {
        "pg_schema": {
            "tables": [{"schema": "public", "name": "orders", "type": "BASE TABLE"}],
            "columns": [{"schema": "public", "table": "orders", "name": "id", "position": 7001,
                         "data_type": "bigint", "nullable": False}],
            "constraints": [{"schema": "public", "table": "orders", "name": "orders_pkey",
                             "type": "PRIMARY KEY"}],
            "foreign_keys": [], "indexes": [
                {"schema": "public", "table": "orders", "name": "orders_pkey", "unique": True}],
            "triggers": []},
        "pg_locks": {
            "active_locks": [{"pid": 4243, "locktype": "relation", "relation": "orders",
                              "mode": "RowExclusiveLock", "granted": True,
                              "query": "UPDATE orders SET x = 1", "age_seconds": 7101}],
            "lock_wait_chains": [{"blocked_pid": 4244, "blocking_pid": 4243,
                                  "blocked_query": "SELECT 1", "blocking_query": "SELECT 2",
                                  "wait_seconds": 7102.5}],
            "blocking_queries": []},
        "pg_bloat": {
            "table_bloat": [{"schema": "public", "table": "orders", "size": "12 MB",
                             "bloat_size": "512 kB", "bloat_ratio": 4.25}],
            "index_bloat": [{"schema": "public", "index": "orders_pkey", "size": "8192 bytes",
                             "bloat_ratio": 7201}]},
        "pg_cache": {
            "table_cache_hit": [{"schema": "public", "table": "orders", "heap_blks_read": 7301,
                                 "heap_blks_hit": 7302, "hit_ratio": 99.5}],
            "index_cache_hit": [{"schema": "public", "index": "orders_pkey",
                                 "idx_blks_read": 7303, "idx_blks_hit": 7304}]},
        "pg_connections": {
            "connection_stats": {"by_state": [{"state": "active", "count": 7401},
                                              {"state": "idle", "count": 7402}],
                                 "total_connections": 14803},
            "long_running_transactions": [{"pid": 4245, "usename": "app", "state": "active",
                                           "duration_seconds": 7403, "query": "SELECT pg_sleep"}],
            "idle_transactions": []},
        "pg_extensions": {
            "extensions": [{"name": "pg_stat_statements", "version": "1.11", "owner": "postgres",
                            "schema": "public", "relocatable": True,
                            "description": "track planning and execution statistics"}]},
    }
    return [{"type": kind, "timestamp": stamp(now), "databases": {"app": body}}
            for kind, body in app.items()]


def all_documents(now):
    return statements(now) + hosts(now) + events(now) + by_database(now)


def push(collector, items, now, **more):
    body = {"collector_id": collector, "hostname": "old-db1", "timestamp": stamp(now),
            "version": "3.1.0", "metrics_count": len(items), "metrics": items}
    body.update(more)
    return body


# (relation, column, keys, value): what has to be read back; text values are text columns
def expected(now):
    app = {"database": "app"}
    order = {"database": "app", "schema": "public", "table": "orders"}
    return [
        ("pg_stats", "transactions_committed", app, 9007199254740993),
        ("pg_stats", "size_bytes", {"database": "postgres"}, 80102),
        ("pg_stats_tables", "dead_tuples", {"name": "orders"}, 2002),
        ("pg_stats_tables", "last_vacuum", {"name": "orders"}, now - 500),
        ("pg_stats_indexes", "scans", {"name": "orders_pkey", "table": "orders"}, 3001),
        ("pg_query_stats_queries", "calls", {"hash": "-4711", "database": "app"}, 4001),
        ("pg_query_stats_queries", "total_time", {"hash": "-4711"}, 4002.5),
        ("sysstat", "cpu_user", {}, 11.5),
        ("sysstat", "memory_used_mb", {}, 5004),
        ("sysstat_disk_io", "write_sectors", {"device": "sda"}, 5104),
        ("disk_usage_filesystems", "used_gb", {"mount": "/", "device": "/dev/sda1"}, 125.25),
        ("pg_replication_replication_slots", "bytes_retained", {"slot_name": "standby1"}, 6001),
        ("pg_replication_replication_slots", "active", {"slot_name": "standby1"}, 1),
        ("pg_replication_replication_status", "replay_lag_ms", {"client_addr": "10.0.0.7"}, 1500),
        ("pg_replication", "wal_status_total_segments", {}, 6101),
        ("pg_replication_wraparound_risk", "current_xid", app, 6201),
        ("pg_schema_columns", "position", {"name": "id", "table": "orders"}, 7001),
        ("pg_schema_indexes", "unique", {"name": "orders_pkey"}, 1),
        ("pg_locks_active_locks", "age_seconds", {"pid": "4243", "mode": "RowExclusiveLock"}, 7101),
        ("pg_locks_lock_wait_chains", "wait_seconds", {"blocked_pid": "4244"}, 7102.5),
        ("pg_bloat_table_bloat", "size", order, 12 * 1024 * 1024),
        ("pg_bloat_table_bloat", "bloat_size", order, 512 * 1024),
        ("pg_bloat_index_bloat", "size", {"index": "orders_pkey"}, 8192),
        ("pg_cache_table_cache_hit", "heap_blks_hit", order, 7302),
        ("pg_cache_index_cache_hit", "idx_blks_read", {"index": "orders_pkey"}, 7303),
        ("pg_connections", "connection_stats_total_connections", app, 14803),
        ("pg_connections_connection_stats_by_state", "count", {"state": "idle"}, 7402),
        ("pg_connections_long_running_transactions", "duration_seconds", {"pid": "4245"}, 7403),
        ("pg_extensions_extensions", "relocatable", {"name": "pg_stat_statements"}, 1),
        # the same under our own names
        ("pg_stat_database", "xact_commit", {"datname": "app"}, 9007199254740993),
        ("pg_stat_database", "tup_deleted", {"datname": "app"}, 1005),
        ("pg_stat_user_tables", "n_dead_tup", {"datname": "app", "relname": "orders"}, 2002),
        ("pg_stat_user_tables", "last_vacuum", {"relname": "orders"}, now - 500),
        ("pg_stat_user_indexes", "idx_scan", {"indexrelname": "orders_pkey"}, 3001),
        ("pg_replication_slots", "restart_lsn", {"slot_name": "standby1"}, 0x3000060),
        ("pg_stat_replication", "replay_lag", {"application_name": "standby1"}, 1.5),
        ("pg_stat_replication", "replay_lag_bytes", {"client_addr": "10.0.0.7"}, 2 * 1048576),
        ("pg_stat_activity", "count", {"datname": "app", "state": "idle"}, 7402),
        ("host_memory", "total", {}, 5001 * 1048576),
        ("host_cpu", "load5", {}, 0.5),
        ("host_disk", "writes", {"device": "sda"}, 5102),
        ("host_disk", "written_bytes", {"device": "sda"}, 5104 * 512),
        ("host_filesystem", "size_bytes", {"mountpoint": "/"}, 1001 * 2 ** 29),
        ("host_filesystem", "free_bytes", {"mountpoint": "/"}, 1501 * 2 ** 28),
        ("pg_database", "size_bytes", {"datname": "postgres"}, 80102),
        ("pg_stat_statements_total", "calls", {"datname": "app", "queryid": "-4711"}, 4001),
        ("pg_stat_statements_total", "total_exec_time", {"queryid": "-4711"}, 4002.5),
        ("pg_stat_statements_total", "shared_blk_read_time", {"queryid": "-4711"}, 4.5),
    ]


HOST_RELATIONS = ("sysstat", "sysstat_disk_io", "disk_usage_filesystems", "host_memory", "host_cpu",
                  "host_disk", "host_filesystem")


def main():
    now = 1760000000
    for item in all_documents(now):
        path = os.path.join(sys.argv[1], item["type"] + ".json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(push(EXAMPLE, [item], now), f)
    return 0


if __name__ == "__main__":
    sys.exit(main())
