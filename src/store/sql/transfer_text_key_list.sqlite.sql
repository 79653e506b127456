-- A page of table text_key. After $1 target, $2 kind, $3 key; $4 how many at most.
SELECT target, kind, key, content, collector, bytes, day
FROM text_key
WHERE (target, kind, key) > ($1, $2, $3)
ORDER BY target, kind, key LIMIT $4
