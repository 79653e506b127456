-- collector_revoke: revoke a collector.
-- $1 id, $2 now (ms)
UPDATE collector SET revoked_ms = $2 WHERE id = $1 AND revoked_ms IS NULL;
