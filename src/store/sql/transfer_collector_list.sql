-- A page of table collector. After $1 id; $2 how many at most.
SELECT id, name, hostname, address, version, secret_id, samples_total, last_seen_ms, created_ms,
    revoked_ms, offline_ms, config_version, config_applied, config_failed, config_error, group_name
FROM collector
WHERE id > $1
ORDER BY id LIMIT $2
