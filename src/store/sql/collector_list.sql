-- collector_list: collectors after an id, with their count of the last day.
-- $1 id, $2 how many, $3 first slot, $4 rows to skip
SELECT c.id, c.name, c.hostname, c.address, c.version, c.samples_total, c.last_seen_ms, c.created_ms,
    c.revoked_ms, c.offline_ms, c.config_version, c.config_applied, c.config_failed, c.config_error,
    (SELECT coalesce(sum(h.samples), 0) FROM collector_slot h
        WHERE h.collector_id = c.id AND h.slot >= $3) AS samples_day
FROM collector c
WHERE c.id > $1
ORDER BY c.id
LIMIT $2 OFFSET $4;
