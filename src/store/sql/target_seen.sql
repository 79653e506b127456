-- target_seen: the ids of targets of some groups, in order.
-- $1 groups that are seen (store_group.h)
SELECT id FROM target
WHERE (CAST($1 AS TEXT) IS NULL OR replace($1, ',' || group_name || ',', '') <> $1)
ORDER BY id;
