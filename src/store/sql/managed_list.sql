-- managed_list: managed instances after an id, without their passwords.
-- $1 id, $2 how many, $3 rows to skip, $4 groups that are seen (store_group.h)
SELECT id, name, description, endpoint, port, dbname, environment, username, ssl_mode, interval_ms,
    timeout_ms, tags, is_paused, target_id, collector_id, stream_id, version, created_by, created_ms,
    updated_ms, connection, stage, error, fix, server_version, tried_ms, since_ms, connected_ms,
    failed_ms, group_name, CASE WHEN password IS NULL THEN 0 ELSE 1 END AS has_password
FROM managed_instance
WHERE id > $1
    AND (CAST($4 AS TEXT) IS NULL OR replace($4, ',' || group_name || ',', '') <> $4)
ORDER BY id
LIMIT $2 OFFSET $3;
