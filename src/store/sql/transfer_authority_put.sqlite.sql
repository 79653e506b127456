-- A row of table authority, as another store has it. Parameters are its columns.
INSERT INTO authority (name, kind, generation, certificate, cross_certificate, sealed_key,
    not_before_ms, not_after_ms, retire_ms, created_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
