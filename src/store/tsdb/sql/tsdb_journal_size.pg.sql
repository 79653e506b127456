-- What waits in the journal, of all nodes. No parameters. Columns: bytes.
SELECT pg_catalog.pg_total_relation_size('ts_journal') AS bytes
