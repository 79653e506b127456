-- secret_by_hash: a secret by its value; it may have expired or be used up.
-- $1 hash
SELECT id, expires_ms, allowed, approval, group_name
FROM registration_secret
WHERE secret_hash = $1 AND revoked_ms IS NULL;
