-- target_list: targets after a place in the order, with their collectors.
-- $1 name, $2 id, $3 how many
SELECT t.id, t.kind, t.name, t.attributes, t.collector_id, t.first_seen_ms, c.name AS collector_name,
    c.hostname, c.version, c.last_seen_ms, c.revoked_ms
FROM target t
LEFT JOIN collector c ON c.id = t.collector_id
WHERE (t.name, t.id) > ($1, $2)
ORDER BY t.name, t.id
LIMIT $3;
