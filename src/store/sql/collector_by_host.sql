-- collector_by_host: the collector of a host that is not revoked.
-- $1 hostname, $2 name
SELECT id, secret_id FROM collector WHERE hostname = $1 AND name = $2 AND revoked_ms IS NULL;
