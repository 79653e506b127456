-- secret_valid: the id of a secret that has not expired; it may be used up.
-- $1 hash, $2 now (ms)
SELECT id
FROM registration_secret
WHERE secret_hash = $1 AND revoked_ms IS NULL AND expires_ms > $2;
