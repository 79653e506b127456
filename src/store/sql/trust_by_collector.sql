-- trust_by_collector: how an agent shows who it is.
-- $1 collector
SELECT key_hash, certificate, fingerprint, not_after_ms, issued_ms, used_ms, previous,
    previous_not_after_ms, pending_ms, suspended_ms
FROM collector_trust
WHERE collector_id = $1;
