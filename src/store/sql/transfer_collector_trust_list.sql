-- A page of table collector_trust. After $1 collector; $2 how many at most.
SELECT collector_id, key_hash, certificate, fingerprint, not_after_ms, issued_ms, used_ms, previous,
    previous_not_after_ms, pending_ms, suspended_ms
FROM collector_trust
WHERE collector_id > $1
ORDER BY collector_id LIMIT $2
