-- A page of table managed_instance. After $1 id; $2 how many at most.
SELECT id, name, description, endpoint, port, dbname, environment, username, password,
    ssl_mode, interval_ms, timeout_ms, tags, is_paused, target_id, collector_id, stream_id, version,
    created_by, created_ms, updated_ms, connection, stage, error, fix, server_version, tried_ms,
    since_ms, connected_ms, failed_ms, group_name
FROM managed_instance
WHERE id > $1
ORDER BY id LIMIT $2
