-- What the store's tables take, with indexes, partitions, chunks of TimescaleDB and large values. No parameters. Columns: bytes.
WITH RECURSIVE t AS (
    SELECT oid FROM pg_catalog.pg_class WHERE relname LIKE 'ts\_%' AND relkind IN ('r', 'p') AND relnamespace = (
        SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('ts_state'))
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN t ON t.oid = i.inhparent
)
SELECT coalesce(sum(pg_catalog.pg_total_relation_size(c.oid)), 0)::bigint AS bytes
FROM t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind = 'r'
