-- A page of table collector_config. After $1 collector_id, $2 version; $3 how many at most.
SELECT collector_id, version, toml, author, created_ms
FROM collector_config
WHERE (collector_id, version) > ($1, $2)
ORDER BY collector_id, version LIMIT $3
