-- managed_count: number of managed instances.
-- $1 groups that are seen (store_group.h)
SELECT count(*) AS total FROM managed_instance
WHERE (CAST($1 AS TEXT) IS NULL OR replace($1, ',' || group_name || ',', '') <> $1);
