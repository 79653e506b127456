-- A row of table collector_config, as another store has it. Parameters are its columns.
INSERT INTO collector_config (collector_id, version, toml, author, created_ms)
VALUES ($1, $2, $3, $4, $5)
