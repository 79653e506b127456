-- collector_by_id: a collector with its count of the last day.
-- $1 id, $2 first slot
SELECT c.id, c.name, c.hostname, c.address, c.version, c.samples_total, c.last_seen_ms, c.created_ms,
    c.revoked_ms, c.offline_ms, c.config_version, c.config_applied, c.config_failed, c.config_error,
    c.group_name, coalesce(t.fingerprint, '') AS fingerprint, t.not_after_ms, t.pending_ms,
    t.suspended_ms,
    (SELECT coalesce(sum(h.samples), 0) FROM collector_slot h
        WHERE h.collector_id = c.id AND h.slot >= $2) AS samples_day
FROM collector c
LEFT JOIN collector_trust t ON t.collector_id = c.id
WHERE c.id = $1;
