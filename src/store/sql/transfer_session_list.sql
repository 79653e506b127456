-- A page of table session. After $1 id; $2 how many at most.
SELECT id, account_id, token_hash, refresh_hash, address, created_ms, used_ms, ended_ms, agent,
    verified_ms
FROM session
WHERE id > $1
ORDER BY id LIMIT $2
