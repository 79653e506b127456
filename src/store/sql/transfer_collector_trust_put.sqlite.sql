-- A row of table collector_trust, as another store has it. Parameters are its columns.
INSERT INTO collector_trust (collector_id, key_hash, certificate, fingerprint, not_after_ms, issued_ms,
    used_ms, previous, previous_not_after_ms, pending_ms, suspended_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
