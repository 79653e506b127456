-- collector_alive: whether a collector exists, is not revoked and need not wait, and its newest
-- configuration.
-- $1 id
SELECT c.id, c.config_version
FROM collector c
LEFT JOIN collector_trust t ON t.collector_id = c.id
WHERE c.id = $1 AND c.revoked_ms IS NULL AND t.pending_ms IS NULL AND t.suspended_ms IS NULL;
