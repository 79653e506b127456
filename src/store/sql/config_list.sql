-- config_list: versions of a collector's configuration before one, newest first, without their text.
-- $1 collector, $2 before version, $3 how many
SELECT version, author, created_ms, length(toml) AS size
FROM collector_config
WHERE collector_id = $1 AND version < $2
ORDER BY version DESC
LIMIT $3;
