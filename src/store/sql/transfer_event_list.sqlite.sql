-- A page of table event. After $1 id; $2 how many at most.
SELECT id, t, collector, target, kind, severity, title, body
FROM event
WHERE id > $1
ORDER BY id LIMIT $2
