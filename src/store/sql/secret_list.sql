-- secret_list: registration secrets after an id.
-- $1 id, $2 how many, $3 rows to skip
SELECT id, name, max_registrations, total_registrations, expires_ms, last_used_ms, created_ms,
    allowed, approval
FROM registration_secret
WHERE revoked_ms IS NULL AND id > $1
ORDER BY id
LIMIT $2 OFFSET $3;
