-- A row of table issued_certificate, as another store has it. Parameters are its columns.
INSERT INTO issued_certificate (serial, kind, subject, authority, fingerprint, not_before_ms,
    not_after_ms, issued_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
