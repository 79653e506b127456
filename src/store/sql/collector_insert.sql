-- collector_insert: add a collector.
-- $1 id, $2 name, $3 hostname, $4 address, $5 version, $6 secret, $7 now (ms), $8
-- group
INSERT INTO collector (id, name, hostname, address, version, secret_id, samples_total, created_ms,
    group_name)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8);
