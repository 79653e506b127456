-- secret_by_id: a registration secret.
-- $1 id
SELECT id, name, max_registrations, total_registrations, expires_ms, last_used_ms, created_ms,
    allowed, approval, group_name
FROM registration_secret
WHERE revoked_ms IS NULL AND id = $1;
