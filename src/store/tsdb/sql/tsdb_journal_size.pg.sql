-- What waits in the journal, of all nodes. No parameters. Columns: bytes, total (whole database).
SELECT pg_catalog.pg_total_relation_size('ts_journal') AS bytes, pg_catalog.pg_database_size(pg_catalog.current_database()) AS total
