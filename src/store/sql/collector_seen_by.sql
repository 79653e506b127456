-- collector_seen_by: the ids of collectors of some groups, in order.
-- $1 groups that are seen (store_group.h)
SELECT id FROM collector
WHERE (CAST($1 AS TEXT) IS NULL OR replace($1, ',' || group_name || ',', '') <> $1)
ORDER BY id;
