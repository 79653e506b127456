-- trust_pending: an agent waits for a person; what it had is void.
-- $1 collector, $2 key hash or NULL, $3 now (ms)
INSERT INTO collector_trust (collector_id, key_hash, pending_ms)
VALUES ($1, $2, $3)
ON CONFLICT (collector_id) DO UPDATE SET key_hash = excluded.key_hash, certificate = NULL,
    fingerprint = NULL, not_after_ms = NULL, issued_ms = NULL, used_ms = NULL, previous = NULL,
    previous_not_after_ms = NULL, pending_ms = excluded.pending_ms, suspended_ms = NULL;
