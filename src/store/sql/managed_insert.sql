-- managed_insert: add a managed instance; gives its id.
-- $1 name, $2 description, $3 endpoint, $4 port, $5 database, $6 environment, $7 user,
-- $8 sealed password, $9 sslmode, $10 interval (ms), $11 timeout (ms), $12 tags, $13 paused,
-- $14 target, $15 collector, $16 stream, $17 created by, $18 now (ms), $19 group
INSERT INTO managed_instance (name, description, endpoint, port, dbname, environment, username,
    password, ssl_mode, interval_ms, timeout_ms, tags, is_paused, target_id, collector_id, stream_id,
    version, created_by, created_ms, updated_ms, connection, stage, error, fix, server_version,
    group_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1, $17, $18, $18,
    'unknown', '', '', '', '', $19)
RETURNING id;
