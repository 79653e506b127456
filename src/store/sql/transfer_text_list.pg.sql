-- A page of table ts_text. After $1 id; $2 how many at most.
SELECT id, hash, body FROM ts_text WHERE id > $1 ORDER BY id LIMIT $2
