-- managed_update: change all that people say of a managed instance but its password.
-- $1 id, $2 version that is changed, $3 name, $4 description, $5 endpoint, $6 port, $7 database,
-- $8 environment, $9 user, $10 sslmode, $11 interval (ms), $12 timeout (ms), $13 tags, $14 paused,
-- $15 now (ms), $16 group
UPDATE managed_instance
SET name = $3, description = $4, endpoint = $5, port = $6, dbname = $7, environment = $8,
    username = $9, ssl_mode = $10, interval_ms = $11, timeout_ms = $12, tags = $13, is_paused = $14,
    updated_ms = $15, group_name = $16, version = version + 1
WHERE id = $1 AND version = $2;
