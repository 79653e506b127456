-- schema_name: where unqualified tables are made. No parameters.
SELECT coalesce(pg_catalog.current_schema()::text, '') AS name
