-- A page of table ts_text_key; in PostgreSQL a text has no age, so it is of today. After $1 target, $2 kind, $3 key; $4 how
-- many at most.
SELECT target, kind, key, text, collector, bytes, extract(epoch FROM clock_timestamp())::bigint / 86400 AS day
FROM ts_text_key
WHERE (target, kind, key) > ($1, $2, $3)
ORDER BY target, kind, key LIMIT $4
