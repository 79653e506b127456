-- target_list: targets after a place in the order, with their collectors.
-- $1 name, $2 id, $3 how many, $4 groups that are seen (store_group.h)
SELECT t.id, t.kind, t.name, t.attributes, t.collector_id, t.first_seen_ms, t.group_name,
    c.name AS collector_name,
    c.hostname, c.version, c.last_seen_ms, c.revoked_ms
FROM target t
LEFT JOIN collector c ON c.id = t.collector_id
WHERE (t.name, t.id) > ($1, $2)
    AND (CAST($4 AS TEXT) IS NULL OR replace($4, ',' || t.group_name || ',', '') <> $4)
ORDER BY t.name, t.id
LIMIT $3;
