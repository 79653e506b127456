-- trust_put: give an agent its certificate; it has not used it, and neither waits nor is suspended.
-- $1 collector, $2 key hash, $3 certificate, $4 fingerprint, $5 not after (ms), $6 now (ms), $7 the
-- fingerprint before or NULL, $8 its end (ms) or NULL
INSERT INTO collector_trust (collector_id, key_hash, certificate, fingerprint, not_after_ms, issued_ms,
    previous, previous_not_after_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (collector_id) DO UPDATE SET key_hash = excluded.key_hash,
    certificate = excluded.certificate, fingerprint = excluded.fingerprint,
    not_after_ms = excluded.not_after_ms, issued_ms = excluded.issued_ms, used_ms = NULL,
    previous = excluded.previous, previous_not_after_ms = excluded.previous_not_after_ms,
    pending_ms = NULL, suspended_ms = NULL;
