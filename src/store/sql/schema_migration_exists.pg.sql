-- Whether the bookkeeping table is there. No parameters. Columns: found (0, 1).
SELECT count(*) AS found FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migration'
