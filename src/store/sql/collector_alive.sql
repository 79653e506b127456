-- collector_alive: whether a collector exists and is not revoked, and its newest configuration.
-- $1 id
SELECT id, config_version FROM collector WHERE id = $1 AND revoked_ms IS NULL;
