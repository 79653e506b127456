-- collector_turned: collectors that fell silent, and silent ones that were heard again.
-- $1 silent when last seen before (ms), $2 back when seen since (ms), $3 how many
SELECT id, name, hostname, last_seen_ms, offline_ms
FROM collector
WHERE revoked_ms IS NULL
    AND ((offline_ms IS NULL AND last_seen_ms < $1) OR (offline_ms IS NOT NULL AND last_seen_ms >= $2))
ORDER BY id
LIMIT $3;
