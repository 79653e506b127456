-- The schema of TimescaleDB's functions, quoted; no row: this database has none. No parameters. Columns: name.
SELECT pg_catalog.quote_ident(n.nspname) AS name FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'
