-- begin_write: begin a transaction and take the write lock now; it is given back at the end.
-- The key spells "pgastore".
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {settings}
SELECT pg_catalog.pg_advisory_xact_lock(8099549603351720549)
