-- managed_status: how the last attempt to connect ended. since_ms moves when that is another end.
-- $1 id, $2 connection, $3 stage, $4 error, $5 fix, $6 server version ('' = as known), $7 now (ms)
UPDATE managed_instance
SET since_ms = CASE WHEN connection = $2 AND stage = $3 THEN since_ms ELSE $7 END,
    connection = $2, stage = $3, error = $4, fix = $5, tried_ms = $7,
    server_version = CASE WHEN $6 = '' THEN server_version ELSE $6 END,
    connected_ms = CASE WHEN $2 = 'connected' THEN $7 ELSE connected_ms END,
    failed_ms = CASE WHEN $2 = 'error' THEN $7 ELSE failed_ms END
WHERE id = $1;
