-- collector_alive: whether a collector exists and is not revoked.
-- $1 id
SELECT id FROM collector WHERE id = $1 AND revoked_ms IS NULL;
