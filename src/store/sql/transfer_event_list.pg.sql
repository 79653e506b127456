-- A page of table ts_event. After $1 id; $2 how many at most.
SELECT id, t_ms, collector, target, kind, severity, title, body
FROM ts_event
WHERE id > $1
ORDER BY id LIMIT $2
