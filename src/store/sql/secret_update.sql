-- secret_update: change a registration secret.
-- $1 id, $2 name, $3 max registrations, $4 expires (ms), $5 ranges, $6 approval, $7 group
UPDATE registration_secret
SET name = $2, max_registrations = $3, expires_ms = $4, allowed = $5, approval = $6, group_name = $7
WHERE id = $1 AND revoked_ms IS NULL;
