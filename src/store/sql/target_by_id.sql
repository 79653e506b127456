-- target_by_id: a target with its collector.
-- $1 id
SELECT t.id, t.kind, t.name, t.attributes, t.collector_id, t.first_seen_ms, t.group_name,
    c.name AS collector_name,
    c.hostname, c.version, c.last_seen_ms, c.revoked_ms
FROM target t
LEFT JOIN collector c ON c.id = t.collector_id
WHERE t.id = $1;
