-- A page of table target. After $1 id; $2 how many at most.
SELECT id, collector_id, kind, name, attributes, first_seen_ms, updated_ms, group_name
FROM target
WHERE id > $1
ORDER BY id LIMIT $2
