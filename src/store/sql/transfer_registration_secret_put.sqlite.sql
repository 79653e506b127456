-- A row of table registration_secret, as another store has it. Parameters are its columns.
INSERT INTO registration_secret (id, name, secret_hash, max_registrations, total_registrations,
    expires_ms, revoked_ms, last_used_ms, created_by, created_ms, allowed, approval, group_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
