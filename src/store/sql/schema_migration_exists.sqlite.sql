-- Whether the bookkeeping table is there. No parameters. Columns: found (0, 1).
SELECT count(*) AS found FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migration'
