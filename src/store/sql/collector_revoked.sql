-- collector_revoked: whether a collector of that host and name was revoked.
-- $1 hostname, $2 name
SELECT 1 AS found FROM collector WHERE hostname = $1 AND name = $2 AND revoked_ms IS NOT NULL LIMIT 1;
