-- secret_list: registration secrets after an id.
-- $1 id, $2 how many, $3 rows to skip, $4 groups that are seen (store_group.h)
SELECT id, name, max_registrations, total_registrations, expires_ms, last_used_ms, created_ms,
    allowed, approval, group_name
FROM registration_secret
WHERE revoked_ms IS NULL AND id > $1
    AND (CAST($4 AS TEXT) IS NULL OR replace($4, ',' || group_name || ',', '') <> $4)
ORDER BY id
LIMIT $2 OFFSET $3;
