-- A page of table session_refresh. After $1 hash; $2 how many at most.
SELECT refresh_hash, session_id, used_ms
FROM session_refresh
WHERE refresh_hash > $1
ORDER BY refresh_hash LIMIT $2
