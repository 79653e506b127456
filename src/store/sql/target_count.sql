-- target_count: number of targets.
-- $1 groups that are seen (store_group.h)
SELECT count(*) AS total FROM target
WHERE (CAST($1 AS TEXT) IS NULL OR replace($1, ',' || group_name || ',', '') <> $1);
