-- config_insert: add a version of a collector's configuration.
-- $1 collector, $2 version, $3 TOML, $4 author, $5 now (ms)
INSERT INTO collector_config (collector_id, version, toml, author, created_ms)
VALUES ($1, $2, $3, $4, $5);
