-- A page of table registration_secret. After $1 id; $2 how many at most.
SELECT id, name, secret_hash, max_registrations, total_registrations, expires_ms, revoked_ms,
    last_used_ms, created_by, created_ms, allowed, approval, group_name
FROM registration_secret
WHERE id > $1
ORDER BY id LIMIT $2
