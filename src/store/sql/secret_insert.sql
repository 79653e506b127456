-- secret_insert: add a registration secret; gives its id.
-- $1 name, $2 hash, $3 max registrations, $4 expires (ms), $5 created by, $6 now (ms), $7 ranges, $8
-- approval, $9 group
INSERT INTO registration_secret (name, secret_hash, max_registrations, total_registrations,
    expires_ms, created_by, created_ms, allowed, approval,
    group_name)
VALUES ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9)
RETURNING id;
