-- secret_revoke: revoke a registration secret.
-- $1 id, $2 now (ms)
UPDATE registration_secret SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL;
