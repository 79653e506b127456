-- schema_difference: what the temporary tables of this session have and those of a schema have not.
-- $1 schema. Columns: difference.
WITH relation AS (
    SELECT c.oid, c.relname::text AS name, c.relnamespace = pg_catalog.pg_my_temp_schema() AS expected
    FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'p')
        AND (c.relnamespace = pg_catalog.pg_my_temp_schema()
            OR c.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1))
), field AS (
    SELECT r.name AS relation, r.expected, a.attname::text AS name,
        pg_catalog.format_type(a.atttypid, a.atttypmod)
            || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END AS type
    FROM relation r
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
), key AS (
    SELECT r.name AS relation, r.expected, i.indisunique,
        (SELECT string_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k, true), ', ' ORDER BY k)
            FROM pg_catalog.generate_series(1, i.indnatts::integer) k) AS columns,
        coalesce(pg_catalog.pg_get_expr(i.indpred, i.indrelid), '') AS predicate
    FROM relation r
    JOIN pg_catalog.pg_index i ON i.indrelid = r.oid AND i.indisvalid
)
SELECT 'table ' || e.name || ' is missing' AS difference
FROM relation e
WHERE e.expected AND NOT EXISTS (SELECT 1 FROM relation f WHERE NOT f.expected AND f.name = e.name)
UNION ALL
SELECT 'column ' || e.relation || '.' || e.name
    || CASE WHEN f.name IS NULL THEN ' is missing' ELSE ' is ' || f.type || ', not ' || e.type END
FROM field e
LEFT JOIN field f ON NOT f.expected AND f.relation = e.relation AND f.name = e.name
WHERE e.expected AND (f.name IS NULL OR f.type <> e.type)
    AND EXISTS (SELECT 1 FROM relation r WHERE NOT r.expected AND r.name = e.relation)
UNION ALL
SELECT CASE WHEN e.indisunique THEN 'unique index' ELSE 'index' END || ' on ' || e.relation
    || ' (' || e.columns || ') is missing'
FROM key e
WHERE e.expected
    AND EXISTS (SELECT 1 FROM relation r WHERE NOT r.expected AND r.name = e.relation)
    AND NOT EXISTS (SELECT 1 FROM key f
        WHERE NOT f.expected AND f.relation = e.relation AND f.indisunique = e.indisunique
            AND f.columns = e.columns AND f.predicate = e.predicate)
ORDER BY 1
