-- config_by_version: one version of a collector's configuration.
-- $1 collector, $2 version
SELECT version, toml, author, created_ms FROM collector_config WHERE collector_id = $1 AND version = $2;
