-- issued_certificate_insert: write down a certificate that was issued.
-- $1 serial, $2 kind, $3 subject, $4 authority, $5 fingerprint, $6 not before (ms), $7 not after
-- (ms), $8 now (ms)
INSERT INTO issued_certificate (serial, kind, subject, authority, fingerprint, not_before_ms,
    not_after_ms, issued_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);
