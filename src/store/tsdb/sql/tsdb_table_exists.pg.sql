-- Whether a table exists. $1 name. Columns: found.
SELECT count(*) AS found FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1::text)
