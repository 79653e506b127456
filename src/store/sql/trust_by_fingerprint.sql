-- trust_by_fingerprint: the agent that shows a certificate, its current one or the one before.
-- $1 fingerprint
SELECT c.id, c.config_version, t.fingerprint, t.not_after_ms, t.used_ms, t.previous,
    t.previous_not_after_ms, t.pending_ms, t.suspended_ms
FROM collector_trust t
JOIN collector c ON c.id = t.collector_id
WHERE (t.fingerprint = $1 OR t.previous = $1) AND c.revoked_ms IS NULL;
