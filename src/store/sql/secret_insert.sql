-- secret_insert: add a registration secret; gives its id.
-- $1 name, $2 hash, $3 max registrations, $4 expires (ms), $5 created by, $6 now (ms)
INSERT INTO registration_secret (name, secret_hash, max_registrations, total_registrations,
    expires_ms, created_by, created_ms)
VALUES ($1, $2, $3, 0, $4, $5, $6)
RETURNING id;
