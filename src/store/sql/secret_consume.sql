-- secret_consume: take one use of a secret.
-- $1 id, $2 now (ms)
UPDATE registration_secret
SET total_registrations = total_registrations + 1, last_used_ms = $2
WHERE id = $1 AND revoked_ms IS NULL AND expires_ms > $2
    AND total_registrations < max_registrations;
