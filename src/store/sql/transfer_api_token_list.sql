-- A page of table api_token. After $1 id; $2 how many at most.
SELECT id, account_id, name, scope, token_hash, expires_ms, last_used_ms, last_address, created_ms,
    revoked_ms
FROM api_token
WHERE id > $1
ORDER BY id LIMIT $2
