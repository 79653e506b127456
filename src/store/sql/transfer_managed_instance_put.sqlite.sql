-- A row of table managed_instance, as another store has it. Parameters are its columns.
INSERT INTO managed_instance (id, name, description, endpoint, port, dbname,
    environment, username, password, ssl_mode, interval_ms, timeout_ms, tags, is_paused, target_id,
    collector_id, stream_id, version, created_by, created_ms, updated_ms, connection, stage, error,
    fix, server_version, tried_ms, since_ms, connected_ms, failed_ms, group_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31)
