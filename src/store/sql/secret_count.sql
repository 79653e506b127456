-- secret_count: number of registration secrets.
-- $1 groups that are seen (store_group.h)
SELECT count(*) AS total FROM registration_secret
WHERE revoked_ms IS NULL
    AND (CAST($1 AS TEXT) IS NULL OR replace($1, ',' || group_name || ',', '') <> $1);
