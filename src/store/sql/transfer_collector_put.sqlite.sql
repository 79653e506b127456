-- A row of table collector, as another store has it. Parameters are its columns.
INSERT INTO collector (id, name, hostname, address, version, secret_id, samples_total, last_seen_ms,
    created_ms, revoked_ms, offline_ms, config_version, config_applied, config_failed, config_error, group_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
