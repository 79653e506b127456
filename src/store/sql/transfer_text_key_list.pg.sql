-- A page of table ts_text_key. After $1 target, $2 kind, $3 key; $4 how many at most.
SELECT target, kind, key, text, NULL::bytea AS collector, 0 AS bytes
FROM ts_text_key
WHERE (target, kind, key) > ($1, $2, $3)
ORDER BY target, kind, key LIMIT $4
